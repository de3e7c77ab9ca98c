//! One WebRTC connection on its worker: its paths, its keys, and its role.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use rtc_crypto::RTCCrypto;
use smallvec::SmallVec;

use crate::{
    answer::DtlsRole,
    forward::{egress::Egress, view::Viewer},
    id::{PeerId, RoomId},
    limits::{CONNECT_WITHIN, CONSENT_EXPIRES_AFTER},
    lobby::{Admission, Terms},
    transport::{
        dtls::{Handshake, HandshakeError, Identity},
        ice::Credentials,
        outbox::Outbox,
        srtp::{Keys, Opener, Sealer},
    },
    uplink::publish::Publisher,
};

/// One connection.
pub struct Peer {
    /// Its id.
    pub id: PeerId,
    /// Its room.
    pub room: RoomId,
    /// Our credentials: those in use, and after an ICE restart the ones before (RFC 8445 §9).
    pub ours: SmallVec<[Credentials; 2]>,
    /// Where its packets are sent. `None`: no check has come yet.
    pub address: Option<SocketAddr>,
    /// Addresses that its checks came from, newest last.
    pub paths: SmallVec<[SocketAddr; 4]>,
    /// Its DTLS association. `None` only where keys were given from outside.
    pub handshake: Option<Handshake>,
    /// Its keys. `None`: the handshake is not done.
    pub srtp: Option<(Sealer, Opener)>,
    /// Publisher or viewer.
    pub role: Role,
    /// When a packet of it was last authenticated.
    pub heard: Instant,
    created: Instant,
    /// When reports are due.
    pub report_at: Instant,
    /// When its worker services it next. Maintained by the worker.
    pub scheduled: Option<Instant>,
    /// Bytes received since the last statistics.
    pub received: u64,
}

/// What a peer is connected for.
pub enum Role {
    /// It sends.
    Publisher(Box<Publisher>),
    /// It receives.
    Viewer(Box<Viewer>),
}

impl Peer {
    /// Begins a peer whose first check has just authenticated. `epoch` is where the hub's time begins.
    ///
    /// # Errors
    /// Where an active handshake cannot begin.
    pub fn adopt(
        now: Instant,
        epoch: Instant,
        admission: Admission,
        identity: &Identity,
        seed: impl FnMut() -> u64,
    ) -> Result<Self, HandshakeError> {
        let transport = match &admission.terms {
            Terms::Publish(terms) => &terms.transport,
            Terms::View(terms) => &terms.transport,
        };
        let handshake = match transport.dtls_role {
            DtlsRole::Passive => Handshake::passive(identity, transport.fingerprint.clone()),
            DtlsRole::Active => Handshake::active(now, identity, transport.fingerprint.clone())?,
        };
        Ok(Self {
            handshake: Some(handshake),
            ..Self::bare(now, epoch, admission.peer, admission.room, admission.ours, admission.terms, seed)
        })
    }

    /// A peer without a handshake: simulations give it keys by [`Self::install`].
    pub fn bare(
        now: Instant,
        epoch: Instant,
        id: PeerId,
        room: RoomId,
        ours: Credentials,
        terms: Terms,
        seed: impl FnMut() -> u64,
    ) -> Self {
        Self {
            id,
            room,
            ours: SmallVec::from_iter([ours]),
            address: None,
            paths: SmallVec::new(),
            handshake: None,
            srtp: None,
            role: match terms {
                Terms::Publish(terms) => Role::Publisher(Box::new(Publisher::new(terms, epoch))),
                Terms::View(terms) => Role::Viewer(Box::new(Viewer::new(terms, seed))),
            },
            heard: now,
            created: now,
            report_at: now + FIRST_REPORT_AFTER,
            scheduled: None,
            received: 0,
        }
    }

    /// Installs the SRTP keys. False where they are not usable.
    pub fn install(&mut self, keys: &Keys, crypto: &dyn RTCCrypto) -> bool {
        match (Sealer::new(keys, crypto), Opener::new(keys, crypto)) {
            (Ok(sealer), Ok(opener)) => {
                self.srtp = Some((sealer, opener));
                true
            }
            _ => false,
        }
    }

    /// The viewer, and the way out to it. `None`: it publishes, or is not connected.
    pub fn viewing<'a>(&'a mut self, out: &'a mut Outbox) -> Option<(&'a mut Viewer, Egress<'a>)> {
        match (&mut self.srtp, self.address, &mut self.role) {
            (Some((sealer, _)), Some(to), Role::Viewer(viewer)) => Some((viewer, Egress { to, sealer, out })),
            _ => None,
        }
    }

    /// Is media possible?
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.srtp.is_some() && self.address.is_some()
    }

    /// Notes an authenticated check from `from`. `nominated`: the client has nominated this pair.
    ///
    /// Returns the path that is dropped for it, if any.
    pub fn note_path(&mut self, now: Instant, from: SocketAddr, nominated: bool) -> Option<SocketAddr> {
        let mut forgotten = None;
        if !self.paths.contains(&from) {
            if self.paths.len() == PATHS_MAX {
                let oldest = self.paths.iter().position(|path| Some(*path) != self.address).unwrap_or(0);
                forgotten = Some(self.paths.remove(oldest));
            }
            self.paths.push(from);
        }
        if nominated || self.address.is_none() {
            self.switch_path(now, from);
        }
        self.heard = now;
        forgotten
    }

    /// Sends to `from` from now on: a packet of the peer has just authenticated there, and was not late.
    pub fn switch_path(&mut self, now: Instant, from: SocketAddr) {
        let has_moved = self.address.replace(from).is_some_and(|before| before != from);
        if let Role::Viewer(viewer) = &mut self.role
            && has_moved
        {
            viewer.resend_voice_after_move(now.saturating_duration_since(self.heard));
            viewer.bandwidth.handle_move();
        }
        self.heard = now;
    }

    /// Removes a path that has ended. Packets go to the newest one left, until a check nominates another.
    pub fn remove_path(&mut self, path: SocketAddr) {
        self.paths.retain(|known| *known != path);
        if self.address == Some(path) {
            self.address = self.paths.last().copied();
        }
    }

    /// Has it been silent for longer than a live peer ever is? Then a check on another path moves it there even without
    /// nomination, because packets sent on the old path are lost.
    #[must_use]
    pub fn is_quiet(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= QUIET_AFTER
    }

    /// Has it been silent, or without a finished handshake, for too long?
    #[must_use]
    pub fn has_expired(&self, now: Instant) -> bool {
        let silent = now.saturating_duration_since(self.heard) >= CONSENT_EXPIRES_AFTER;
        let never = self.srtp.is_none() && now.saturating_duration_since(self.created) >= CONNECT_WITHIN;
        silent || never
    }

    /// Reads the fields that sending a burst reads, so that the processor loads their cache lines ahead of time.
    ///
    /// The result is the XOR of what was read and has no meaning; [`std::hint::black_box`] of it keeps the loads.
    #[must_use]
    pub fn prefetch(&self) -> u64 {
        let keys = self.srtp.as_ref().map_or(0, |(sealer, _)| sealer.tag_len() as u64);
        let address = self.address.map_or(0, |address| u64::from(address.port()));
        match &self.role {
            Role::Publisher(_) => 0,
            Role::Viewer(viewer) => keys ^ address ^ viewer.prefetch(),
        }
    }

    /// Moves what DTLS wants sent into the outbox.
    pub fn flush_handshake(&mut self, out: &mut Outbox) {
        let (Some(handshake), Some(to)) = (&mut self.handshake, self.address) else { return };
        while let Some(datagram) = handshake.poll_transmit() {
            out.seal_run();
            out.datagram(to, |arena| {
                arena.extend_from_slice(&datagram);
                true
            });
        }
        out.seal_run();
    }

    /// Seals and sends one RTCP compound.
    pub fn send_rtcp(&mut self, compound: &[u8], out: &mut Outbox) {
        if let (Some((sealer, _)), Some(to), false) = (&mut self.srtp, self.address, compound.is_empty()) {
            out.seal_run();
            out.datagram(to, |arena| sealer.seal_rtcp(compound, arena));
            out.seal_run();
        }
    }

    /// When it has to be serviced next.
    #[must_use]
    pub fn due(&self) -> Instant {
        let expiry = self.heard + CONSENT_EXPIRES_AFTER;
        let mut due =
            if self.srtp.is_some() { expiry.min(self.report_at) } else { expiry.min(self.created + CONNECT_WITHIN) };
        if let Some(at) = self.handshake.as_ref().and_then(Handshake::poll_timeout) {
            due = due.min(at);
        }
        match &self.role {
            Role::Publisher(publisher) => publisher.nack_due().map_or(due, |at| due.min(at)),
            Role::Viewer(viewer) if self.srtp.is_some() => viewer.bandwidth.due().map_or(due, |at| due.min(at)),
            Role::Viewer(_) => due,
        }
    }
}

/// Viewers report every 50 to 100 ms, publishers send.
const QUIET_AFTER: Duration = Duration::from_millis(200);

/// A browser on two networks, each with IPv4 and IPv6.
const PATHS_MAX: usize = 4;

/// The first report goes out early: sound and picture are in sync only after it.
const FIRST_REPORT_AFTER: Duration = Duration::from_millis(100);
