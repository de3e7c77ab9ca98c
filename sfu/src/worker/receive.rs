//! Receiving one datagram: its protocol by the first byte (RFC 7983), its peer, its effect.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use tracing::info;

use super::{Relay, Worker};
use crate::{
    event::GoneReason,
    packet::rtp_header,
    room::{Home, LayerPackets, LayerSource, PeerKey},
    stats::Dropped,
    transport::{dtls::Progress, ice::Check, tcp_address},
    worker::peer::Role,
};

impl Worker {
    pub(super) fn demultiplex(
        &mut self,
        now: Instant,
        from: SocketAddr,
        known: Option<PeerKey>,
        bytes: BytesMut,
        relayed: bool,
    ) -> Result<(), Dropped> {
        if known.is_none()
            && !relayed
            && !matches!(bytes.first(), Some(0..=3))
            && let Some(worker) = self.config.lobby.worker_at(from, self.config.id)
        {
            self.relays.push_back((worker, Relay::Datagram { from, bytes }));
            return Ok(());
        }
        // RFC 7983: the first byte says which protocol it is.
        match (bytes.first(), bytes.get(1)) {
            (Some(0..=3), _) => self.handle_check(now, from, &bytes, relayed),
            (Some(20..=63), _) => self.handle_handshake(now, known.ok_or(Dropped::Unroutable)?, from, &bytes),
            (Some(128..=191), Some(second)) => {
                let is_rtcp = (64..96).contains(&(second & 0x7f));
                match known {
                    Some(key) if is_rtcp => self.handle_rtcp_from(now, key, from, bytes),
                    Some(key) => self.handle_rtp_from(now, key, from, bytes),
                    None => self.handle_stray(now, from, bytes, is_rtcp, relayed),
                }
            }
            _ => Err(Dropped::Malformed),
        }
    }

    fn handle_check(&mut self, now: Instant, from: SocketAddr, bytes: &[u8], relayed: bool) -> Result<(), Dropped> {
        let mut check = Check::read(bytes).ok_or(Dropped::Malformed)?;
        let provider = self.config.identity.provider().clone();
        let crypto = provider.crypto();
        let ufrag = check.our_ufrag().ok_or(Dropped::Malformed)?.to_owned();
        let key = match self.by_ufrag.get(&ufrag) {
            Some(&key) => key,
            None => match self.config.lobby.worker_of(&ufrag, self.config.id) {
                // A TCP connection belongs to its worker: no other can answer on it.
                Some(owner) if !relayed && tcp_address::connection(from).is_none() => {
                    self.relays.push_back((owner, Relay::Datagram { from, bytes: bytes.into() }));
                    return Ok(());
                }
                _ => self.adopt(now, &ufrag, &mut check).ok_or(Dropped::BadCheck)?,
            },
        };
        let peer = self.peers[key].as_mut().ok_or(Dropped::BadCheck)?;
        let ours = peer.ours.iter().find(|ours| ours.ufrag == ufrag).ok_or(Dropped::BadCheck)?;
        if !check.is_signed_with(&ours.pwd, crypto) {
            return Err(Dropped::BadCheck);
        }
        let response = check.response(from, &ours.pwd, crypto).ok_or(Dropped::BadCheck)?;
        // A valid check with a forged source address must not divert the packets of the peer that uses that address.
        let taken = self.by_address.get(&from).copied().filter(|&other| other != key);
        if let Some(other) = taken.and_then(|other| self.peers[other].as_ref())
            && other.address == Some(from)
            && now.saturating_duration_since(other.heard) < ADDRESS_KEPT_FOR
        {
            return Err(Dropped::BadCheck);
        }
        let peer = self.peers[key].as_mut().ok_or(Dropped::BadCheck)?;
        let forgotten = peer.note_path(now, from, check.nominates() || peer.is_quiet(now));
        self.move_address(forgotten, from, key);
        let peer = self.peers[key].as_mut().ok_or(Dropped::BadCheck)?;
        self.outbox.seal_run();
        self.outbox.datagram(from, |arena| {
            arena.extend_from_slice(&response);
            true
        });
        peer.flush_handshake(&mut self.outbox);
        self.schedule(key);
        Ok(())
    }

    fn handle_handshake(&mut self, now: Instant, key: PeerKey, from: SocketAddr, bytes: &[u8]) -> Result<(), Dropped> {
        let peer = self.peers[key].as_mut().ok_or(Dropped::Unroutable)?;
        let Some(handshake) = &mut peer.handshake else { return Err(Dropped::NotAgreed) };
        // The answer goes back on the path of the request, whatever was nominated meanwhile.
        peer.address = peer.address.or(Some(from));
        let progress = handshake.handle_datagram(now, bytes);
        peer.flush_handshake(&mut self.outbox);
        match progress {
            Ok(Progress::Ongoing) => self.schedule(key),
            Ok(Progress::Done(keys)) => {
                if peer.install(&keys, self.config.identity.provider().crypto()) {
                    self.connected(now, key);
                } else {
                    self.remove(now, key, GoneReason::HandshakeFailed);
                }
            }
            Ok(Progress::Closed) => self.remove(now, key, GoneReason::Left),
            Err(error) => {
                info!(peer = %peer.id, %error, "Peer {} is refused: {error}", peer.id);
                self.remove(now, key, GoneReason::HandshakeFailed);
            }
        }
        Ok(())
    }

    pub(super) fn handle_rtp_from(
        &mut self,
        now: Instant,
        key: PeerKey,
        from: SocketAddr,
        mut bytes: BytesMut,
    ) -> Result<(), Dropped> {
        let peer = self.peers[key].as_mut().ok_or(Dropped::Unroutable)?;
        let header = rtp_header(&bytes).ok_or(Dropped::Malformed)?;
        let (_, opener) = peer.srtp.as_mut().ok_or(Dropped::NotReady)?;
        if !matches!(peer.role, Role::Publisher(_)) {
            return Err(Dropped::NotAgreed);
        }
        let leads = opener.rtp_lead(header.ssrc, header.seq).is_some();
        let index = opener.open_rtp(header.ssrc, header.seq, header.header_len.into(), &mut bytes)?;
        if leads || peer.address.is_none() {
            peer.switch_path(now, from);
        }
        peer.heard = now;
        let Role::Publisher(publisher) = &mut peer.role else { return Err(Dropped::NotAgreed) };
        peer.received += bytes.len() as u64;
        self.counters.packets_in += 1;
        let arrived = publisher.handle_rtp(now, &header, index, &bytes)?;
        if let Some(arrived) = arrived {
            let terms = &publisher.terms().tracks[arrived.track];
            let source = LayerSource {
                publisher: peer.id,
                kind: terms.kind,
                codec: arrived.packet.codec,
                layer: arrived.layer,
                layers: terms.rids.len().max(1),
                best: arrived.layer,
                home: Home::Here { index: arrived.track },
            };
            let room = peer.room;
            self.admit(now, room, &source, LayerPackets::Packet(arrived.packet))?;
        }
        self.schedule(key);
        Ok(())
    }
}

/// An address belongs to the peer that was last heard from it for this long: viewers report, and clients check, more
/// often than that. A new connection that a router maps to the same port has to wait as long.
const ADDRESS_KEPT_FOR: Duration = Duration::from_secs(2);
