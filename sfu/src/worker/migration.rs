//! A packet from an address that nobody here is known at: a peer whose address has changed, or noise.
//!
//! A classroom's address changes when its line does, or its router forgets it. Its next check would tell, but that may
//! take seconds; its next report tells at once, to whoever can open it.

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

    /// The other worker whose peer a check is for, as far as the name in it tells: nothing is authenticated here.
    #[must_use]
    pub fn owner_elsewhere(&self, packet: &[u8]) -> Option<WorkerId> {
        // One worker alone need not read it twice.
        self.config.lobby.others(self.config.id).next()?;
        self.config.lobby.worker_of(Check::read(packet)?.our_ufrag()?, self.config.id)
    }

    /// Notes that an address leads nowhere any more: its connection is closed.
    pub fn forget_path(&mut self, address: SocketAddr) {
        let key = self.by_address.remove(&address);
        if let Some(peer) = key.and_then(|key| self.peers[key].as_mut()) {
            peer.remove_path(address);
        }
    }

    /// Tries a stray packet on the keys of those it may be from, the likeliest first: numbers stand in the clear, and
    /// whoever has moved goes on where he was. What it says is heeded at once.
    pub(super) fn handle_stray(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: BytesMut,
        is_rtcp: bool,
        handed: bool,
    ) -> Result<(), Dropped> {
        if self.open_attempts >= TRIES_PER_SECOND_MAX {
            return Err(Dropped::Unroutable);
        }
        // Looking for whose it may be walks over everybody: noise pays for that too.
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
                // Of whom nothing is known by that name it may be, if he was not heard just now.
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
            // Only what has authenticated moves a peer.
            let Some(peer) = self.peers[key].as_mut().filter(|peer| peer.address == Some(from)) else { continue };
            let forgotten = peer.note_path(now, from, true);
            tracing::info!(peer = %peer.id, "Peer {} has moved to another address", peer.id);
            self.move_address(forgotten, from, key);
            return taken;
        }
        let lobby = &self.config.lobby;
        if !handed && lobby.others(self.config.id).next().is_some() {
            // The kernel deals by address: whoever has moved may belong to any other worker.
            let relay = Relay::Datagram { from, bytes };
            self.relays.extend(lobby.others(self.config.id).map(|worker| (worker, relay.clone())));
            return Ok(());
        }
        Err(Dropped::Unroutable)
    }
}

/// A viewer reports every 60 ms with transport feedback, a second without: who was heard just now has not moved.
const SILENT_FOR: Duration = Duration::from_millis(40);

/// Bounds what noise may cost: a try is a third of a microsecond.
const TRIES_PER_PACKET_MAX: usize = 64;
const TRIES_PER_SECOND_MAX: u32 = 20_000;

/// As many peers are looked at in the time of one try.
const PEERS_PER_TRY: usize = 16;
