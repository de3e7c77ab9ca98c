//! One DTLS handshake (RFC 6347, RFC 5764), which yields the SRTP keys.
//!
//! The endpoint talks to a constant virtual address and is fed only after an authenticated check, so a peer that moves
//! keeps its DTLS association, and an unauthenticated ClientHello never reaches it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::digest;
use bytes::BytesMut;
use rtc_crypto::{RTCCryptoProvider, providers::AwsLcRsProvider};
use rtc_dtls::{
    config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig},
    crypto::Certificate,
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::{TransportProtocol, error::Error};

use crate::transport::client_hello::HelloAssembler;
use crate::transport::srtp::{Keys, Profile};

/// The hub's own certificate, made anew at every start.
#[derive(Clone)]
pub struct Identity {
    certificate: Certificate,
    provider: Arc<dyn RTCCryptoProvider>,
    fingerprint: String,
}

impl Identity {
    /// Makes a key and a self-signed certificate: WebRTC trusts the fingerprint in the answer, not the name.
    ///
    /// # Errors
    /// What the crypto provider says.
    pub fn generate() -> Result<Self, String> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(AwsLcRsProvider::new());
        let certificate = Certificate::generate_self_signed(vec!["tongke".to_owned()], provider.crypto())
            .map_err(|error| error.to_string())?;
        let der = certificate.certificate.first().ok_or("no certificate was made")?;
        let fingerprint = digest::digest(&digest::SHA256, der)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect::<Vec<_>>()
            .join(":");
        Ok(Self { certificate, provider, fingerprint })
    }

    /// SHA-256 of the certificate, as `a=fingerprint` writes it.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The crypto behind DTLS and STUN.
    #[must_use]
    pub fn provider(&self) -> &Arc<dyn RTCCryptoProvider> {
        &self.provider
    }
}

/// What the other side's certificate must hash to: algorithm in lower case and digest, one of them is enough (RFC
/// 8122).
pub type Fingerprints = Vec<(String, Vec<u8>)>;

/// What a datagram or a timeout brought.
#[derive(Debug)]
pub enum Progress {
    /// Not there yet, or nothing new.
    Ongoing,
    /// The handshake is done.
    Done(Keys),
    /// The other side sent close_notify.
    Closed,
}

/// The handshake failed; the peer has to be removed.
#[derive(Debug, thiserror::Error)]
#[error("the DTLS handshake failed: {0}")]
pub struct HandshakeError(String);

impl From<Error> for HandshakeError {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// One association, ours or theirs to begin.
pub struct Handshake {
    endpoint: Endpoint,
    /// Set until the role is clear: the server's configuration depends on what the ClientHello offers.
    waiting: Option<PendingServer>,
    done: bool,
    /// Bytes that may still come. The DTLS crate keeps fragments up to two megabytes, empty ones without limit, and
    /// reassembles them by recursion: a chain of thousands would overflow the stack.
    budget_bytes: usize,
}

/// What a server's configuration is made of.
struct PendingServer {
    identity: Identity,
    theirs: Fingerprints,
    hello: HelloAssembler,
}

impl Handshake {
    /// Waits for the other side's ClientHello.
    #[must_use]
    pub fn passive(identity: &Identity, theirs: Fingerprints) -> Self {
        Self {
            endpoint: Endpoint::new(virtual_address(1), TransportProtocol::UDP, None),
            waiting: Some(PendingServer { identity: identity.clone(), theirs, hello: HelloAssembler::default() }),
            done: false,
            budget_bytes: HANDSHAKE_BYTES_MAX,
        }
    }

    /// Begins itself, for the few that offer `setup:passive`.
    ///
    /// # Errors
    /// [`HandshakeError`] where the configuration is refused.
    pub fn active(now: Instant, identity: &Identity, theirs: Fingerprints) -> Result<Self, HandshakeError> {
        let mut endpoint = Endpoint::new(virtual_address(1), TransportProtocol::UDP, None);
        // A server chooses: GCM is offered first, and SHA-1 to those who have nothing better.
        let profiles =
            vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm, SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80];
        endpoint.connect(now, virtual_address(2), config(identity, theirs, profiles, true)?, None)?;
        Ok(Self { endpoint, waiting: None, done: false, budget_bytes: HANDSHAKE_BYTES_MAX })
    }

    /// Takes one DTLS datagram.
    ///
    /// # Errors
    /// [`HandshakeError`]: wrong certificate, no common profile, or broken or endless messages before the handshake was
    /// done.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Result<Progress, HandshakeError> {
        // An alert leaves no state behind, and is accepted at any time.
        if !(self.done && is_alert(datagram)) {
            match self.budget_bytes.checked_sub(datagram.len()) {
                Some(left) => self.budget_bytes = left,
                None if self.done => return Ok(Progress::Ongoing),
                None => return Err(HandshakeError(format!("it takes more than {HANDSHAKE_BYTES_MAX} bytes"))),
            }
        }
        let Some(mut waiting) = self.waiting.take() else { return self.read(now, BytesMut::from(datagram)) };
        let Some((only_sha1, datagrams)) = waiting.hello.take(datagram) else {
            self.waiting = Some(waiting);
            return Ok(Progress::Ongoing);
        };
        // The DTLS crate takes the client's first choice of those listed, which in browsers is SHA-1 at 2.4 times the
        // cost: so the list has one entry.
        let profile = match only_sha1 {
            true => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            false => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        };
        let config = config(&waiting.identity, waiting.theirs, vec![profile], false)?;
        self.endpoint.set_server_config(Some(config));
        let mut progress = Progress::Ongoing;
        for datagram in datagrams {
            progress = self.read(now, datagram)?;
        }
        Ok(progress)
    }

    fn read(&mut self, now: Instant, datagram: BytesMut) -> Result<Progress, HandshakeError> {
        let events = match self.endpoint.read(now, virtual_address(2), None, datagram) {
            Ok(events) => events,
            // After the handshake malformed datagrams are ignored: media goes on.
            Err(_) if self.done => return Ok(Progress::Ongoing),
            Err(error) => return Err(error.into()),
        };
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    self.done = true;
                    self.budget_bytes = HANDSHAKE_BYTES_MAX;
                    return Ok(Progress::Done(self.keys()?));
                }
                EndpointEvent::PeerClosed => return Ok(Progress::Closed),
                _ => {}
            }
        }
        Ok(Progress::Ongoing)
    }

    /// Sends again what was not answered.
    ///
    /// # Errors
    /// [`HandshakeError`] when it was not answered too often.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), HandshakeError> {
        if self.poll_timeout().is_some() {
            self.endpoint.handle_timeout(virtual_address(2), now)?;
        }
        Ok(())
    }

    /// When [`Self::handle_timeout`] is due. `None`: nothing waits for an answer.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout(&virtual_address(2))
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.endpoint.poll_transmit().map(|transmit| transmit.message)
    }

    /// Closes the connection (close_notify); [`Self::poll_transmit`] has the datagram.
    pub fn close(&mut self, now: Instant) {
        self.endpoint.stop(now, virtual_address(2));
    }

    fn keys(&self) -> Result<Keys, HandshakeError> {
        let state = self
            .endpoint
            .get_connection_state(virtual_address(2))
            .ok_or_else(|| HandshakeError("no state after the handshake".into()))?;
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Aes128CmSha1,
            other => return Err(HandshakeError(format!("unexpected SRTP profile {other:?}"))),
        };
        let material = state.export_keying_material(EXPORTER_LABEL, &[], profile.keying_material_len())?;
        Ok(Keys::from_keying_material(profile, material.as_ref(), state.is_client()))
    }
}

/// RFC 5764 §4.2.
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// A lost flight is sent again after this long, doubling; the crate's one second is slow on a losing line.
const FLIGHT_INTERVAL: Duration = Duration::from_millis(100);

/// A browser's side of a handshake is 2 kB, sent again at most seven times; a chain of certificates fits too. As much
/// is allowed afterwards: a client that missed our last flight repeats its own.
const HANDSHAKE_BYTES_MAX: usize = 32 * 1024;

/// One alert record and nothing behind it.
fn is_alert(datagram: &[u8]) -> bool {
    let length = |head: &[u8; 13]| usize::from(u16::from_be_bytes([head[11], head[12]]));
    datagram.first_chunk::<13>().is_some_and(|head| head[0] == 21 && datagram.len() == 13 + length(head))
}

fn virtual_address(host: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, host), 9))
}

fn config(
    identity: &Identity,
    theirs: Fingerprints,
    profiles: Vec<SrtpProtectionProfile>,
    is_client: bool,
) -> Result<Arc<HandshakeConfig>, HandshakeError> {
    let config = ConfigBuilder::default()
        .with_crypto_provider(identity.provider.clone())
        .with_certificates(vec![identity.certificate.clone()])
        .with_srtp_protection_profiles(profiles)
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_extended_master_secret(ExtendedMasterSecretType::Request)
        .with_flight_interval(FLIGHT_INTERVAL)
        // Certificate chains and names are not checked: trust rests on the fingerprint below.
        .with_insecure_skip_verify(true)
        .with_verify_peer_certificate(Some(Arc::new(move |chain, _| match chain.first() {
            Some(certificate) if matches_any(&theirs, certificate.as_ref()) => Ok(()),
            _ => Err(Error::Other("the certificate is not the one in the offer".into())),
        })))
        .build(is_client, is_client.then(|| virtual_address(2)))?;
    Ok(Arc::new(config))
}

fn matches_any(fingerprints: &Fingerprints, certificate: &[u8]) -> bool {
    fingerprints.iter().any(|(algorithm, expected)| {
        let algorithm = match algorithm.as_str() {
            "sha-256" => &digest::SHA256,
            "sha-384" => &digest::SHA384,
            "sha-512" => &digest::SHA512,
            _ => return false,
        };
        digest::digest(algorithm, certificate).as_ref() == expected.as_slice()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprints(identity: &Identity) -> Fingerprints {
        let bytes = identity.fingerprint().split(':').map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect();
        vec![("sha-256".into(), bytes)]
    }

    /// Runs both ends until both have keys or one fails.
    fn shake(now: Instant, hub: &mut Handshake, client: &mut Handshake) -> Result<(Keys, Keys), HandshakeError> {
        let (mut ours, mut theirs) = (None, None);
        for _ in 0..20 {
            while let Some(datagram) = client.poll_transmit() {
                if let Progress::Done(keys) = hub.handle_datagram(now, &datagram)? {
                    ours = Some(keys);
                }
            }
            while let Some(datagram) = hub.poll_transmit() {
                if let Progress::Done(keys) = client.handle_datagram(now, &datagram)? {
                    theirs = Some(keys);
                }
            }
        }
        ours.zip(theirs).ok_or_else(|| HandshakeError("not finished".into()))
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the handshake only needs some instant")]
    fn two_ends_get_the_same_gcm_keys() {
        let now = Instant::now();
        let (hub, client) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let mut passive = Handshake::passive(&hub, fingerprints(&client));
        let mut active = Handshake::active(now, &client, fingerprints(&hub)).unwrap();
        let (ours, theirs) = shake(now, &mut passive, &mut active).unwrap();
        assert_eq!(ours.profile, Profile::AeadAes128Gcm);
        assert_eq!((ours.local_key, ours.remote_key), (theirs.remote_key, theirs.local_key));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the handshake only needs some instant")]
    fn a_client_that_knows_only_sha1_gets_sha1() {
        let now = Instant::now();
        let (hub, client) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let mut passive = Handshake::passive(&hub, fingerprints(&client));
        let mut endpoint = Endpoint::new(virtual_address(1), TransportProtocol::UDP, None);
        let old = vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80];
        let config = config(&client, fingerprints(&hub), old, true).unwrap();
        endpoint.connect(now, virtual_address(2), config, None).unwrap();
        let mut active = Handshake { endpoint, waiting: None, done: false, budget_bytes: HANDSHAKE_BYTES_MAX };
        let (ours, _) = shake(now, &mut passive, &mut active).unwrap();
        assert_eq!(ours.profile, Profile::Aes128CmSha1);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the handshake only needs some instant")]
    fn a_foreign_certificate_is_refused() {
        let now = Instant::now();
        let (hub, client, thief) =
            (Identity::generate().unwrap(), Identity::generate().unwrap(), Identity::generate().unwrap());
        let mut passive = Handshake::passive(&hub, fingerprints(&client));
        let mut active = Handshake::active(now, &thief, fingerprints(&hub)).unwrap();
        assert!(shake(now, &mut passive, &mut active).is_err());
    }
}
