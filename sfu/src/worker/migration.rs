//! A packet from an unknown address: a peer whose address has changed, or noise.
//!
//! A classroom's address changes when its line does, or when its router forgets the mapping. Its next ICE check would
//! show the new address, but may be seconds away; its next RTCP report shows it at once, to the worker that has its
//! keys.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::BytesMut;

use super::{Relay, Worker};
use crate::{
    id::WorkerId, packet::rtp_header, room::PeerKey, stats::Dropped, transport::ice::Check, worker::peer::Role,
};

impl Worker {
    /// Has a peer been authenticated at that address?
    #[must_use]
    pub fn knows(&self, address: SocketAddr) -> bool {
        self.by_address.contains_key(&address)
    }

    /// Is it sound that `ssrc` carries to the peer at that address?
    #[must_use]
    pub fn sends_sound(&self, to: SocketAddr, ssrc: u32) -> bool {
        let peer = self.by_address.get(&to).and_then(|&key| self.peers[key].as_ref());
        match peer.map(|peer| &peer.role) {
            Some(Role::Viewer(viewer)) => {
                viewer.slot_of(ssrc).is_some_and(|slot| viewer.slots[slot].terms().kind.is_sound())
            }
            _ => false,
        }
    }

    /// The other worker whose peer a check is for, by its unauthenticated user fragment.
    #[must_use]
    pub fn owner_elsewhere(&self, packet: &[u8]) -> Option<WorkerId> {
        // With one worker alone there is no need to parse it.
        self.config.lobby.others(self.config.id).next()?;
        self.config.lobby.worker_of(Check::read(packet)?.our_ufrag()?, self.config.id)
    }

    /// Forgets the address of a TCP connection that is closed.
    pub fn forget_path(&mut self, address: SocketAddr) {
        let key = self.by_address.remove(&address);
        if let Some(peer) = key.and_then(|key| self.peers[key].as_mut()) {
            peer.remove_path(address);
        }
    }

    /// Tries to open a packet with the keys of the peers that it may be from, the likeliest first: sequence numbers are
    /// not encrypted, and a peer that has moved continues its own. Its contents take effect at once.
    pub(super) fn handle_stray(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: BytesMut,
        is_rtcp: bool,
        relayed: bool,
    ) -> Result<(), Dropped> {
        if self.open_attempts >= TRIES_PER_SECOND_MAX {
            return Err(Dropped::Unroutable);
        }
        // The search walks over all peers, so it counts as attempts too: that bounds what noise costs.
        self.open_attempts += 1 + (self.peers.len() / PEERS_PER_TRY) as u32;
        let header = if is_rtcp { None } else { Some(rtp_header(&bytes).ok_or(Dropped::Malformed)?) };
        let mut likely: Vec<(u64, bool, PeerKey)> = self
            .peers
            .iter()
            .enumerate()
            .filter_map(|(key, peer)| {
                let peer = peer.as_ref()?;
                let (_, opener) = peer.srtp.as_ref()?;
                let lead = match &header {
                    None => opener.rtcp_lead(&bytes),
                    Some(header) => opener.rtp_lead(header.ssrc, header.seq),
                }?;
                // An SSRC that the peer has not used yet is possible if it was not heard just now.
                let silent = now.saturating_duration_since(peer.heard) >= SILENT_FOR;
                let rank = if lead == 0 { silent.then_some(u64::MAX) } else { Some(lead) }?;
                let elsewhere = peer.address.map(|address| address.ip()) != Some(from.ip());
                opener.can_be_tried().then_some((rank, elsewhere, key))
            })
            .collect();
        likely.sort_unstable();
        for (_, _, key) in likely.into_iter().take(TRIES_PER_PACKET_MAX) {
            if self.open_attempts >= TRIES_PER_SECOND_MAX {
                return Err(Dropped::Unroutable);
            }
            self.open_attempts += 1;
            let taken = match is_rtcp {
                true => self.handle_rtcp_from(now, key, from, bytes.clone()),
                false => self.handle_rtp_from(now, key, from, bytes.clone()),
            };
            // Only an authenticated packet moves a peer.
            let Some(peer) = self.peers[key].as_mut().filter(|peer| peer.address == Some(from)) else { continue };
            let forgotten = peer.note_path(now, from, true);
            tracing::info!(peer = %peer.id, "Peer {} has moved to another address", peer.id);
            self.move_address(forgotten, from, key);
            return taken;
        }
        let lobby = &self.config.lobby;
        if !relayed && lobby.others(self.config.id).next().is_some() {
            // The kernel distributes datagrams by address: a peer that has moved may belong to any other worker.
            let relay = Relay::Datagram { from, bytes };
            self.relays.extend(lobby.others(self.config.id).map(|worker| (worker, relay.clone())));
            return Ok(());
        }
        Err(Dropped::Unroutable)
    }
}

/// A viewer reports every 60 ms with transport feedback, every second without. A peer heard this recently has not
/// moved.
const SILENT_FOR: Duration = Duration::from_millis(40);

/// Attempts to open a packet of unknown origin. One costs a third of a microsecond.
const TRIES_PER_PACKET_MAX: usize = 64;
const TRIES_PER_SECOND_MAX: u32 = 20_000;

/// Peers that the search looks at in the time of one attempt.
const PEERS_PER_TRY: usize = 16;
