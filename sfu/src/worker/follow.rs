//! A packet from an address that nobody here is known at: a peer whose address has changed, or noise.
//!
//! A classroom's address changes when its line does, or its router forgets it. Its next check would tell, but that may
//! take seconds; its next report tells at once, to whoever can open it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::BytesMut;

use super::Worker;
use crate::{packet::rtp_header, peer::Role, room::PeerKey, stats::Dropped};

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

    /// Notes that an address leads nowhere any more: its connection is closed.
    pub fn forget_path(&mut self, address: SocketAddr) {
        let key = self.by_address.remove(&address);
        if let Some(peer) = key.and_then(|key| self.peers[key].as_mut()) {
            peer.lose_path(address);
        }
    }

    /// Tries a stray packet on the keys of peers that have just fallen silent, those at the same host first.
    pub(super) fn take_stray(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: BytesMut,
        is_rtcp: bool,
    ) -> Result<(), Dropped> {
        let mut silent: Vec<(bool, PeerKey)> = self
            .peers
            .iter()
            .enumerate()
            .filter_map(|(key, peer)| {
                let peer = peer.as_ref()?;
                let (_, opener) = peer.srtp.as_ref()?;
                let fell_silent = now.saturating_duration_since(peer.heard) >= SILENT_FOR && opener.can_be_tried();
                fell_silent.then(|| (peer.address.map(|address| address.ip()) != Some(from.ip()), key))
            })
            .collect();
        silent.sort_unstable();
        for (_, key) in silent.into_iter().take(TRIES_PER_PACKET_MAX) {
            if self.tries >= TRIES_PER_SECOND_MAX {
                return Err(Dropped::Unroutable);
            }
            self.tries += 1;
            if self.opens(key, bytes.clone(), is_rtcp) {
                let Some(peer) = self.peers[key].as_mut() else { continue };
                if let Some(forgotten) = peer.note_path(now, from, true) {
                    self.by_address.remove(&forgotten);
                }
                self.by_address.insert(from, key);
                tracing::info!(peer = %peer.id, "Peer {} has moved to another address", peer.id);
                return Ok(());
            }
        }
        Err(Dropped::Unroutable)
    }

    /// Opening notes the packet as seen, so what it said is lost; the next one comes soon.
    fn opens(&mut self, key: PeerKey, mut bytes: BytesMut, is_rtcp: bool) -> bool {
        let opener = self.peers[key].as_mut().and_then(|peer| peer.srtp.as_mut()).map(|(_, opener)| opener);
        match (opener, is_rtcp) {
            (Some(opener), true) => opener.open_rtcp(&mut bytes).is_ok(),
            (Some(opener), false) => rtp_header(&bytes).is_some_and(|header| {
                opener.open_rtp(header.ssrc, header.seq, header.header_len.into(), &mut bytes).is_ok()
            }),
            (None, _) => false,
        }
    }
}

/// A viewer reports every 60 ms with transport feedback, a second without: who was heard just now has not moved.
const SILENT_FOR: Duration = Duration::from_millis(40);

/// Bounds what noise may cost: a try is a third of a microsecond.
const TRIES_PER_PACKET_MAX: usize = 64;
const TRIES_PER_SECOND_MAX: u32 = 20_000;
