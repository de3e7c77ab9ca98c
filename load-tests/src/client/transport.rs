//! The client's side of one WebRTC transport, sans-I/O: ICE checks, DTLS, then SRTP.
//!
//! It is the controlling agent of RFC 8445 towards an ICE-lite hub (and answers checks, should the other side be a full
//! agent), opens DTLS on the first address that answered, and keeps consent (RFC 7675) alive by checks. Only the
//! AES-128-GCM profile is offered: `rtc-dtls` answers in the client's order, so a second one would be a second test.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::BytesMut;
use rtc_crypto::{HashAlgorithm, RTCCryptoProvider, providers::AwsLcRsProvider};
use rtc_dtls::{
    config::ConfigBuilder,
    crypto::Certificate,
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::{TransportProtocol, error::Error as RtcError};
use rtc_srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;
use rtc_stun::{
    attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME},
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId, is_stun_message},
    textattrs::Username,
    xoraddr::XorMappedAddress,
};

use super::{
    description::{Answer, Credentials},
    srtp::{KEYING_MATERIAL_BYTES, Srtp},
};
use crate::media::rtp::is_rtcp;

/// A certificate and its key. Shared by all receivers of the load tool: making one each would dominate the measurement.
#[derive(Clone)]
pub struct Identity {
    certificate: Certificate,
    fingerprint: String,
}

impl Identity {
    /// A new self-signed certificate.
    ///
    /// # Errors
    /// The crypto library cannot make one.
    pub fn generate() -> Result<Self> {
        let provider = AwsLcRsProvider::new();
        let certificate = Certificate::generate_self_signed(vec!["tongke-load".to_owned()], provider.crypto())?;
        let fingerprint = fingerprint(certificate.certificate.first().context("a certificate without itself")?)?;
        Ok(Self { certificate, fingerprint })
    }

    /// Credentials of a new connection of this identity, for an offer.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials { ufrag: random_word(8), password: random_word(24), fingerprint: self.fingerprint.clone() }
    }
}

/// What arrived, opened.
#[derive(Debug)]
pub enum Incoming {
    /// ICE and DTLS are done: media may flow.
    Connected,
    /// A plain RTP packet.
    Rtp(BytesMut),
    /// A plain RTCP compound.
    Rtcp(BytesMut),
    /// The hub closed the connection.
    Closed,
}

/// One connection.
pub struct Transport {
    own: Credentials,
    remote: Credentials,
    candidates: Vec<SocketAddr>,
    chosen: Option<SocketAddr>,
    tie_breaker: [u8; 8],
    checks: VecDeque<(TransactionId, Instant)>,
    next_check: Instant,
    rtt: Option<Duration>,
    dtls: Endpoint,
    identity: Identity,
    srtp: Option<Srtp>,
    transmits: VecDeque<(SocketAddr, BytesMut)>,
    refused: u64,
}

impl Transport {
    /// Starts checking the answer's candidates at once.
    #[must_use]
    pub fn new(now: Instant, identity: Identity, own: Credentials, answer: &Answer) -> Self {
        Self {
            own,
            remote: answer.remote.clone(),
            candidates: answer.candidates.clone(),
            chosen: None,
            tie_breaker: rand::random(),
            checks: VecDeque::new(),
            next_check: now,
            rtt: None,
            dtls: Endpoint::new(VIRTUAL_HUB, TransportProtocol::UDP, None),
            identity,
            srtp: None,
            transmits: VecDeque::new(),
            refused: 0,
        }
    }

    /// Takes one datagram of the socket. `Ok(None)`: it was the transport's own business.
    ///
    /// # Errors
    /// The handshake failed for good: the connection is dead.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<Option<Incoming>> {
        match datagram.first() {
            Some(128..=191) => Ok(self.open(datagram)),
            Some(0..=3) if is_stun_message(datagram) => {
                self.stun(now, from, datagram)?;
                Ok(None)
            }
            Some(20..=63) if self.chosen.is_some() => self.handshake(now, datagram),
            _ => {
                self.refused += 1;
                Ok(None)
            }
        }
    }

    /// Does what is due: checks, and retransmissions of the handshake.
    ///
    /// # Errors
    /// The handshake has been repeated too often.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        if now >= self.next_check {
            let targets = self.chosen.map_or_else(|| self.candidates.clone(), |address| vec![address]);
            for target in targets {
                self.check(now, target)?;
            }
            self.next_check = now + if self.chosen.is_some() { CONSENT_INTERVAL } else { CHECK_INTERVAL };
        }
        if self.srtp.is_none() && self.dtls.poll_timeout(&VIRTUAL_HUB).is_some_and(|due| due <= now) {
            self.dtls.handle_timeout(VIRTUAL_HUB, now).context("DTLS handshake")?;
            self.flush_handshake();
        }
        Ok(())
    }

    /// The next datagram to send and where to.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, BytesMut)> {
        self.transmits.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let handshake = if self.srtp.is_none() { self.dtls.poll_timeout(&VIRTUAL_HUB) } else { None };
        handshake.map_or(self.next_check, |due| due.min(self.next_check))
    }

    /// Seals and queues one RTP packet. Before the handshake is done it is dropped, as in a browser.
    ///
    /// # Errors
    /// `packet` is no RTP.
    pub fn send_rtp(&mut self, packet: &[u8]) -> Result<()> {
        if let (Some(srtp), Some(address)) = (&mut self.srtp, self.chosen) {
            self.transmits.push_back((address, srtp.seal_rtp(packet)?));
        }
        Ok(())
    }

    /// As [`Self::send_rtp`], for an RTCP compound.
    ///
    /// # Errors
    /// `packet` is no RTCP.
    pub fn send_rtcp(&mut self, packet: &[u8]) -> Result<()> {
        if let (Some(srtp), Some(address)) = (&mut self.srtp, self.chosen) {
            self.transmits.push_back((address, srtp.seal_rtcp(packet)?));
        }
        Ok(())
    }

    /// Queues a DTLS close_notify.
    pub fn close(&mut self, now: Instant) {
        self.dtls.stop(now, VIRTUAL_HUB);
        self.flush_handshake();
    }

    /// ICE and DTLS are done.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.srtp.is_some()
    }

    /// The hub's address that answered first. `None`: none has yet.
    #[must_use]
    pub fn chosen(&self) -> Option<SocketAddr> {
        self.chosen
    }

    /// Round trip of the newest check. `None`: none was answered yet.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Datagrams that did not authenticate or fit nowhere.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn open(&mut self, datagram: &[u8]) -> Option<Incoming> {
        let srtp = self.srtp.as_mut()?;
        let opened = if is_rtcp(datagram) {
            srtp.open_rtcp(datagram).map(Incoming::Rtcp)
        } else {
            srtp.open_rtp(datagram).map(Incoming::Rtp)
        };
        if opened.is_err() {
            self.refused += 1;
        }
        opened.ok()
    }

    fn stun(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<()> {
        let provider = AwsLcRsProvider::new();
        let mut message = Message { raw: datagram.to_vec(), ..Message::new() };
        if message.decode().is_err() {
            self.refused += 1;
            return Ok(());
        }
        if message.typ == BINDING_SUCCESS {
            let known = self.checks.iter().position(|(id, _)| *id == message.transaction_id);
            let authentic =
                MessageIntegrity::check(&mut message, self.remote.password.as_bytes(), provider.crypto()).is_ok();
            let (Some(at), true) = (known, authentic) else {
                self.refused += 1;
                return Ok(());
            };
            let sent = self.checks.remove(at).map_or(now, |(_, sent)| sent);
            self.rtt = Some(now.saturating_duration_since(sent));
            if self.chosen.is_none() {
                self.chosen = Some(from);
                self.next_check = now + CONSENT_INTERVAL;
                self.start_handshake(now)?;
            }
        } else if message.typ == BINDING_REQUEST {
            if MessageIntegrity::check(&mut message, self.own.password.as_bytes(), provider.crypto()).is_err() {
                self.refused += 1;
                return Ok(());
            }
            let mut response = Message::new();
            response.build(&[
                Box::new(message.transaction_id),
                Box::new(BINDING_SUCCESS),
                Box::new(XorMappedAddress { ip: from.ip(), port: from.port() }),
                Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
                    self.own.password.clone(),
                    provider.crypto(),
                )),
                Box::new(FINGERPRINT),
            ])?;
            self.transmits.push_back((from, BytesMut::from(&response.raw[..])));
        }
        Ok(())
    }

    fn check(&mut self, now: Instant, to: SocketAddr) -> Result<()> {
        let provider = AwsLcRsProvider::new();
        let id = TransactionId(rand::random());
        let mut request = Message::new();
        request.build(&[
            Box::new(id),
            Box::new(BINDING_REQUEST),
            Box::new(Username::new(ATTR_USERNAME, format!("{}:{}", self.remote.ufrag, self.own.ufrag))),
        ])?;
        request.add(ATTR_PRIORITY, &PEER_REFLEXIVE_PRIORITY.to_be_bytes());
        request.add(ATTR_ICE_CONTROLLING, &self.tie_breaker);
        request.add(ATTR_USE_CANDIDATE, &[]);
        MessageIntegrity::new_short_term_integrity_with_provider(self.remote.password.clone(), provider.crypto())
            .add_to(&mut request)?;
        FINGERPRINT.add_to(&mut request)?;
        if self.checks.len() == CHECKS_OUTSTANDING_MAX {
            self.checks.pop_front();
        }
        self.checks.push_back((id, now));
        self.transmits.push_back((to, BytesMut::from(&request.raw[..])));
        Ok(())
    }

    fn start_handshake(&mut self, now: Instant) -> Result<()> {
        let expected = self.remote.fingerprint.clone();
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::new(AwsLcRsProvider::new()))
            .with_certificates(vec![self.identity.certificate.clone()])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
            .with_flight_interval(FLIGHT_INTERVAL)
            // WebRTC certificates are self-signed: the fingerprint of the answer is checked instead.
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(Arc::new(move |raw, _| {
                let found = raw.first().map(|der| fingerprint(der));
                match found {
                    Some(Ok(found)) if found == expected => Ok(()),
                    _ => Err(RtcError::Other("the certificate is not the one of the answer".to_owned())),
                }
            })))
            .build(true, Some(VIRTUAL_HUB))
            .context("DTLS configuration")?;
        self.dtls.connect(now, VIRTUAL_HUB, Arc::new(config), None).context("DTLS handshake")?;
        self.flush_handshake();
        Ok(())
    }

    fn handshake(&mut self, now: Instant, datagram: &[u8]) -> Result<Option<Incoming>> {
        let events = self.dtls.read(now, VIRTUAL_HUB, None, BytesMut::from(datagram));
        self.flush_handshake();
        let mut incoming = None;
        for event in events.map_err(|error| anyhow!("DTLS handshake: {error}"))? {
            match event {
                EndpointEvent::HandshakeComplete => {
                    let state = self.dtls.get_connection_state(VIRTUAL_HUB).context("a handshake without a state")?;
                    if state.srtp_protection_profile() != SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm {
                        bail!("the hub did not agree to AES-128-GCM");
                    }
                    let keys = state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], KEYING_MATERIAL_BYTES)?;
                    self.srtp = Some(Srtp::from_exporter(keys.as_ref(), true)?);
                    incoming = Some(Incoming::Connected);
                }
                EndpointEvent::PeerClosed => incoming = Some(Incoming::Closed),
                _ => {}
            }
        }
        Ok(incoming)
    }

    fn flush_handshake(&mut self) {
        while let Some(message) = self.dtls.poll_transmit() {
            if let Some(address) = self.chosen {
                self.transmits.push_back((address, message.message));
            }
        }
    }
}

fn fingerprint(der: &[u8]) -> Result<String> {
    let provider = AwsLcRsProvider::new();
    let digest = provider.crypto().hash(HashAlgorithm::Sha256, der).map_err(|error| anyhow!("SHA-256: {error}"))?;
    Ok(digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":"))
}

fn random_word(length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    (0..length).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).collect()
}

/// `rtc-dtls` keys its associations by address; a constant one lets the real address move.
const VIRTUAL_HUB: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 9);
/// Chromium repeats unanswered checks about as often.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Chromium's interval on a connected pair; the hub gives up after 15 s.
const CONSENT_INTERVAL: Duration = Duration::from_millis(2_500);
/// `rtc-dtls` would wait a second, which is slow on a lossy line.
const FLIGHT_INTERVAL: Duration = Duration::from_millis(100);
/// More unanswered checks than this are not worth remembering.
const CHECKS_OUTSTANDING_MAX: usize = 32;
/// Type preference 110, local preference 65535, component 1 (RFC 8445 §5.1.2.1).
const PEER_REFLEXIVE_PRIORITY: u32 = 110 << 24 | 65_535 << 8 | 255;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::description::play_offer;
    use sfu::TrackKind;

    /// Two clients cannot meet (both control, both open DTLS), so the far side here is the least that a hub is.
    struct SmallHub {
        dtls: Endpoint,
        password: String,
        identity: Identity,
        srtp: Option<Srtp>,
    }

    impl SmallHub {
        fn new() -> (Self, Answer) {
            let identity = Identity::generate().unwrap();
            let remote = identity.credentials();
            let config = ConfigBuilder::default()
                .with_crypto_provider(Arc::new(AwsLcRsProvider::new()))
                .with_certificates(vec![identity.certificate.clone()])
                .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
                .with_client_auth(rtc_dtls::config::ClientAuthType::RequireAnyClientCert)
                .with_insecure_skip_verify(true)
                .build(false, None)
                .unwrap();
            let text = play_offer(&remote, &[TrackKind::Voice])
                .replace("actpass", "passive")
                .replace("a=rtcp-mux", "a=candidate:1 1 udp 1 10.0.0.1 8443 typ host\r\na=rtcp-mux");
            let answer = Answer::parse(&text).unwrap();
            let dtls = Endpoint::new(VIRTUAL_HUB, TransportProtocol::UDP, Some(Arc::new(config)));
            (Self { dtls, password: remote.password, identity, srtp: None }, answer)
        }

        fn handle(&mut self, now: Instant, datagram: &[u8]) -> Vec<BytesMut> {
            let provider = AwsLcRsProvider::new();
            if is_stun_message(datagram) {
                let mut message = Message { raw: datagram.to_vec(), ..Message::new() };
                message.decode().unwrap();
                MessageIntegrity::check(&mut message, self.password.as_bytes(), provider.crypto()).unwrap();
                assert!(message.contains(ATTR_USE_CANDIDATE) && message.contains(ATTR_PRIORITY));
                let mut response = Message::new();
                let integrity =
                    MessageIntegrity::new_short_term_integrity_with_provider(self.password.clone(), provider.crypto());
                response
                    .build(&[
                        Box::new(message.transaction_id),
                        Box::new(BINDING_SUCCESS),
                        Box::new(integrity),
                        Box::new(FINGERPRINT),
                    ])
                    .unwrap();
                return vec![BytesMut::from(&response.raw[..])];
            }
            let peer: SocketAddr = "192.0.2.2:9".parse().unwrap();
            for event in self.dtls.read(now, peer, None, BytesMut::from(datagram)).unwrap() {
                if let EndpointEvent::HandshakeComplete = event {
                    let state = self.dtls.get_connection_state(peer).unwrap();
                    let keys = state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], 56).unwrap();
                    self.srtp = Some(Srtp::from_exporter(keys.as_ref(), false).unwrap());
                }
            }
            std::iter::from_fn(|| self.dtls.poll_transmit()).map(|message| message.message).collect()
        }
    }

    fn origin() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made from nothing")]
        Instant::now()
    }

    fn connect(answer: &Answer, hub: &mut SmallHub) -> Result<Transport> {
        let identity = Identity::generate()?;
        let own = identity.credentials();
        let mut now = origin();
        let mut client = Transport::new(now, identity, own, answer);
        for _ in 0..50 {
            client.handle_timeout(now)?;
            while let Some((to, datagram)) = client.poll_transmit() {
                for reply in hub.handle(now, &datagram) {
                    client.handle_datagram(now, to, &reply)?;
                }
            }
            if client.connected() {
                break;
            }
            now += Duration::from_millis(10);
        }
        Ok(client)
    }

    #[test]
    fn a_client_connects_and_both_sides_open_what_the_other_sealed() {
        let (mut hub, answer) = SmallHub::new();
        let mut client = connect(&answer, &mut hub).unwrap();
        assert!(client.connected());
        let plain = [&[0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9][..], b"voice"].concat();
        client.send_rtp(&plain).unwrap();
        let (_, sealed) = client.poll_transmit().unwrap();
        let hub_srtp = hub.srtp.as_mut().unwrap();
        assert_eq!(hub_srtp.open_rtp(&sealed).unwrap(), plain);
        let mut sealed = hub_srtp.seal_rtp(&plain).unwrap();
        let from = client.chosen().unwrap();
        let incoming = client.handle_datagram(origin(), from, &sealed).unwrap();
        assert!(matches!(incoming, Some(Incoming::Rtp(opened)) if opened == plain));
        sealed[14] ^= 1;
        assert!(client.handle_datagram(origin(), from, &sealed).unwrap().is_none());
        assert_eq!(client.refused(), 1);
    }

    #[test]
    fn a_certificate_that_the_answer_does_not_name_ends_the_handshake() {
        let (mut hub, mut answer) = SmallHub::new();
        answer.remote.fingerprint = hub.identity.fingerprint.replace(|letter: char| letter.is_ascii_hexdigit(), "0");
        assert!(connect(&answer, &mut hub).is_err());
    }
}
