//! One core of the hub: peers and rooms, told the time and the bytes.
//!
//! Drain [`Worker::outbox`] and [`Worker::poll_event`] after every call; call [`Worker::flush`] at the end of a batch of
//! datagrams, so that each viewer gets a burst in one send.

mod forward;
mod migration;
#[cfg(test)]
mod panic_tests;
pub mod peer;
mod relay;
mod route;
mod timers;

pub use relay::Relay;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rand::{RngCore, SeedableRng, rngs::SmallRng};
use tracing::{debug, error, info};

use crate::{
    event::{GoneReason, HubEvent},
    id::{PeerId, RoomId, TrackId, WorkerId},
    lobby::{Lobby, Terms},
    packet::rtp_header,
    room::{Began, PeerKey, Room},
    stats::{Dropped, HubStats, PeerStats, SlotStats},
    tap::TapSender,
    transport::{
        dtls::{Identity, Progress},
        ice::{Check, Credentials},
        outbox::Outbox,
        srtp::Keys,
        tcp_address,
    },
    uplink::keyframe::Need,
    worker::peer::{Peer, Role},
};

/// What a worker is asked to do.
#[derive(Debug)]
pub enum Command {
    /// End a room with everybody in it.
    CloseRoom(RoomId),
    /// End a peer.
    ClosePeer(PeerId),
    /// The client restarts ICE: believe these credentials of ours too.
    Restart {
        /// The peer.
        peer: PeerId,
        /// Our new credentials.
        ours: Credentials,
    },
    /// Read a room at full quality.
    Tap {
        /// The room.
        room: RoomId,
        /// Where its packets go.
        tap: TapSender,
    },
    /// Say goodbye to everybody.
    CloseAll,
}

/// What a worker is made of.
pub struct WorkerConfig {
    /// Its number.
    pub id: WorkerId,
    /// The hub's DTLS certificate.
    pub identity: Identity,
    /// What it shares with the others.
    pub lobby: Arc<Lobby>,
    /// Where the hub's time begins.
    pub epoch: Instant,
    /// That moment as NTP, 32.32 fixed point seconds since 1900.
    pub epoch_ntp: u64,
    /// Where its random numbers come from: the same seed, the same story.
    pub seed: u64,
}

/// One core.
pub struct Worker {
    config: WorkerConfig,
    peers: Vec<Option<Box<Peer>>>,
    free: Vec<PeerKey>,
    by_id: HashMap<PeerId, PeerKey>,
    by_address: HashMap<SocketAddr, PeerKey>,
    by_ufrag: HashMap<String, PeerKey>,
    rooms: HashMap<RoomId, Room>,
    /// Rooms in which packets wait to be released.
    dirty: Vec<RoomId>,
    /// When the first of them is, as of the last flush.
    flush_at: Option<Instant>,
    /// The room that is being flushed, and the member whose turn it is.
    flushing: Option<(RoomId, usize)>,
    outbox: Outbox,
    events: VecDeque<HubEvent>,
    relays: VecDeque<(WorkerId, Relay)>,
    timers: timers::Timers,
    counters: Counters,
    random: SmallRng,
    next_track: u64,
    second_at: Instant,
    tries: u32,
    stats: HubStats,
}

#[derive(Debug, Default)]
struct Counters {
    packets_in: u64,
    packets_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    panics: u64,
    keyframes: [u64; Need::ALL.len()],
    dropped: [u64; Dropped::ALL.len()],
}

impl Worker {
    /// A worker that knows nobody yet.
    #[must_use]
    pub fn new(config: WorkerConfig) -> Self {
        Self {
            random: SmallRng::seed_from_u64(config.seed),
            second_at: config.epoch,
            next_track: u64::from(config.id.0) << 56,
            config,
            peers: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            by_address: HashMap::new(),
            by_ufrag: HashMap::new(),
            rooms: HashMap::new(),
            dirty: Vec::new(),
            flush_at: None,
            flushing: None,
            outbox: Outbox::default(),
            events: VecDeque::new(),
            relays: VecDeque::new(),
            timers: timers::Timers::default(),
            counters: Counters::default(),
            tries: 0,
            stats: HubStats::default(),
        }
    }

    /// Takes one datagram. What it brings goes out with the next [`Self::flush`].
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: BytesMut) {
        self.counters.bytes_in += bytes.len() as u64;
        self.end_flush(now);
        self.take_any(now, from, bytes, false);
    }

    /// `handed`: another worker received it and knows nobody whom it may be for.
    fn take_any(&mut self, now: Instant, from: SocketAddr, bytes: BytesMut, handed: bool) {
        let known = self.by_address.get(&from).copied();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.take_datagram(now, from, known, bytes, handed)));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => self.drop_packet(reason),
            Err(_) => self.bury(now, known),
        }
    }

    /// Does as it is told.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        if catch_unwind(AssertUnwindSafe(|| self.obey(now, command))).is_err() {
            self.bury(now, None);
        }
    }

    fn obey(&mut self, now: Instant, command: Command) {
        self.end_flush(now);
        match command {
            Command::CloseRoom(room) => {
                let members = self.rooms.get(&room).map(|room| room.members.clone()).unwrap_or_default();
                for key in members {
                    self.remove(now, key, GoneReason::Closed);
                }
                self.forget_room(room);
            }
            Command::ClosePeer(peer) => {
                if let Some(&key) = self.by_id.get(&peer) {
                    self.remove(now, key, GoneReason::Closed);
                }
            }
            Command::Restart { peer, ours } => {
                if let Some(&key) = self.by_id.get(&peer)
                    && let Some(peer) = self.peers[key].as_mut()
                {
                    if peer.ours.len() == 2 {
                        let old = peer.ours.remove(0).ufrag;
                        self.by_ufrag.remove(&old);
                        self.config.lobby.forget_ufrag(&old);
                    }
                    self.config.lobby.note_ufrag(&ours.ufrag, self.config.id);
                    self.by_ufrag.insert(ours.ufrag.clone(), key);
                    peer.ours.push(ours);
                }
            }
            // It may have been closed while the command was on its way: nobody would ever close it again.
            Command::Tap { room, .. } if self.config.lobby.flowing(room).is_none() => {}
            Command::Tap { room, tap } => self.room_entry(room).tap(now, tap),
            Command::CloseAll => {
                for key in 0..self.peers.len() {
                    self.remove(now, key, GoneReason::Closed);
                }
                let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
                rooms.into_iter().for_each(|room| self.forget_room(room));
            }
        }
    }

    /// What has happened since the last call; drain to `None`.
    pub fn poll_event(&mut self) -> Option<HubEvent> {
        self.events.pop_front()
    }

    /// What waits to be sent. Clear it when it is sent.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Counts datagrams that the rim could not send.
    pub fn note_unsent(&mut self, datagrams: u64) {
        self.counters.dropped[Dropped::SocketFull as usize] += datagrams;
    }

    /// Counts what the rim could not hand to another worker.
    pub fn note_unrelayed(&mut self, relays: u64) {
        self.counters.dropped[Dropped::WorkerBehind as usize] += relays;
    }

    /// Figures as of the last full second.
    #[must_use]
    pub fn stats(&self) -> &HubStats {
        &self.stats
    }

    /// Adds a peer that is connected already, with keys given from outside: simulations begin here. Its datagrams come
    /// from `address`.
    ///
    /// Returns false where the keys are no keys.
    pub fn connect_seeded(
        &mut self,
        now: Instant,
        room: RoomId,
        peer: PeerId,
        terms: Terms,
        keys: &Keys,
        address: SocketAddr,
    ) -> bool {
        let ours = Credentials { ufrag: format!("seeded{peer}"), pwd: String::new() };
        let random = &mut self.random;
        let mut peer = Peer::bare(now, self.config.epoch, peer, room, ours, terms, || random.next_u64());
        if !peer.install(keys, self.config.identity.provider().crypto()) {
            return false;
        }
        peer.note_path(now, address, true);
        let key = self.insert(now, peer);
        self.note_address(address, key);
        self.connected(now, key);
        true
    }

    fn take_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        known: Option<PeerKey>,
        bytes: BytesMut,
        handed: bool,
    ) -> Result<(), Dropped> {
        if known.is_none()
            && !handed
            && !matches!(bytes.first(), Some(0..=3))
            && let Some(worker) = self.config.lobby.worker_at(from, self.config.id)
        {
            self.relays.push_back((worker, Relay::Datagram { from, bytes }));
            return Ok(());
        }
        // RFC 7983: the first byte tells what it is.
        match (bytes.first(), bytes.get(1)) {
            (Some(0..=3), _) => self.take_check(now, from, &bytes, handed),
            (Some(20..=63), _) => self.take_handshake(now, known.ok_or(Dropped::Unroutable)?, from, &bytes),
            (Some(128..=191), Some(second)) => {
                let is_rtcp = (64..96).contains(&(second & 0x7f));
                match known {
                    Some(key) if is_rtcp => self.take_rtcp(now, key, from, bytes),
                    Some(key) => self.take_rtp(now, key, from, bytes),
                    None => self.take_stray(now, from, bytes, is_rtcp, handed),
                }
            }
            _ => Err(Dropped::Malformed),
        }
    }

    fn take_check(&mut self, now: Instant, from: SocketAddr, bytes: &[u8], handed: bool) -> Result<(), Dropped> {
        let mut check = Check::read(bytes).ok_or(Dropped::Malformed)?;
        let provider = self.config.identity.provider().clone();
        let crypto = provider.crypto();
        let ufrag = check.our_ufrag().ok_or(Dropped::Malformed)?.to_owned();
        let key = match self.by_ufrag.get(&ufrag) {
            Some(&key) => key,
            None => match self.config.lobby.worker_of(&ufrag, self.config.id) {
                // A connection is its worker's: nobody else can answer on it.
                Some(owner) if !handed && tcp_address::connection(from).is_none() => {
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
        // A seat's own check with a forged source must not lead another peer's packets, or its own, astray.
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

    fn adopt(&mut self, now: Instant, ufrag: &str, check: &mut Check) -> Option<PeerKey> {
        let provider = self.config.identity.provider().clone();
        let is_signed = |pwd: &str| check.is_signed_with(pwd, provider.crypto());
        let admission = self.config.lobby.adopt(ufrag, self.config.id, is_signed)?;
        let (id, room) = (admission.peer, admission.room);
        let random = &mut self.random;
        match Peer::adopt(now, self.config.epoch, admission, &self.config.identity, || random.next_u64()) {
            Ok(peer) => Some(self.insert(now, peer)),
            Err(error) => {
                info!(peer = %id, %error, "Peer {id} cannot begin its handshake: {error}");
                self.config.lobby.leave(id);
                self.events.push_back(HubEvent::PeerGone { room, peer: id, reason: GoneReason::HandshakeFailed });
                None
            }
        }
    }

    fn insert(&mut self, now: Instant, mut peer: Peer) -> PeerKey {
        let key = self.free.pop().unwrap_or_else(|| {
            self.peers.push(None);
            self.peers.len() - 1
        });
        self.by_id.insert(peer.id, key);
        self.by_ufrag.insert(peer.ours[0].ufrag.clone(), key);
        self.config.lobby.note_ufrag(&peer.ours[0].ufrag, self.config.id);
        self.room_entry(peer.room).members.push(key);
        self.timers.set(now, key);
        peer.scheduled = Some(now);
        self.peers[key] = Some(Box::new(peer));
        key
    }

    fn take_handshake(&mut self, now: Instant, key: PeerKey, from: SocketAddr, bytes: &[u8]) -> Result<(), Dropped> {
        let peer = self.peers[key].as_mut().ok_or(Dropped::Unroutable)?;
        let Some(handshake) = &mut peer.handshake else { return Err(Dropped::NotAgreed) };
        // The answer goes back on the path that asked, whatever was nominated meanwhile.
        peer.address = peer.address.or(Some(from));
        let progress = handshake.handle_datagram(now, bytes);
        peer.flush_handshake(&mut self.outbox);
        match progress {
            Ok(Progress::Going) => self.schedule(key),
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

    fn connected(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers[key].as_mut() else { return };
        debug!(peer = %peer.id, room = %peer.room, "Peer {} is connected", peer.id);
        self.events.push_back(HubEvent::PeerConnected { room: peer.room, peer: peer.id });
        self.route(now, key);
        self.schedule(key);
    }

    fn take_rtp(&mut self, now: Instant, key: PeerKey, from: SocketAddr, mut bytes: BytesMut) -> Result<(), Dropped> {
        let peer = self.peers[key].as_mut().ok_or(Dropped::Unroutable)?;
        let header = rtp_header(&bytes).ok_or(Dropped::Malformed)?;
        let (_, opener) = peer.srtp.as_mut().ok_or(Dropped::NotReady)?;
        if !matches!(peer.role, Role::Publisher(_)) {
            return Err(Dropped::NotAgreed);
        }
        let leads = opener.rtp_lead(header.ssrc, header.seq).is_some();
        let index = opener.open_rtp(header.ssrc, header.seq, header.header_len.into(), &mut bytes)?;
        if leads || peer.address.is_none() {
            peer.settle(now, from);
        }
        peer.heard = now;
        let Role::Publisher(publisher) = &mut peer.role else { return Err(Dropped::NotAgreed) };
        peer.received += bytes.len() as u64;
        self.counters.packets_in += 1;
        let arrived = publisher.handle_rtp(now, &header, index, &bytes)?;
        if let Some(arrived) = arrived {
            let room = self.rooms.get_mut(&peer.room).ok_or(Dropped::Unroutable)?;
            let terms = &publisher.terms().tracks[arrived.track];
            room.admits(now, peer.id, terms.kind, arrived.packet.codec)?;
            let next_track = &mut self.next_track;
            let mut next_id = || {
                *next_track += 1;
                TrackId(*next_track)
            };
            let (id, room_id, kind, codec) = (peer.id, peer.room, terms.kind, arrived.packet.codec);
            let began = room.arrived(now, id, terms, (arrived.track, arrived.layer), arrived.packet, &mut next_id);
            if began.is_some() {
                self.flush_at = self.flush_at.into_iter().chain(room.due()).min();
                if !self.dirty.contains(&room_id) {
                    self.dirty.push(room_id);
                }
            }
            if let Some(Began::Track { replaced }) = began {
                if let Some((before, kind)) = replaced {
                    self.events.push_back(HubEvent::TrackEnded { room: room_id, peer: before, kind });
                }
                self.config.lobby.note_flow(room_id, kind, Some(codec));
                self.events.push_back(HubEvent::TrackStarted { room: room_id, peer: id, kind, codec });
                self.route_room(now, room_id);
            }
        }
        self.schedule(key);
        Ok(())
    }

    fn note_address(&mut self, address: SocketAddr, key: PeerKey) {
        self.by_address.insert(address, key);
        self.config.lobby.note_address(address, self.config.id);
    }

    /// A peer has come to `to`; the path that it gave up for it, if any, is nobody's.
    fn move_address(&mut self, from: Option<SocketAddr>, to: SocketAddr, key: PeerKey) {
        if let Some(from) = from {
            self.by_address.remove(&from);
            self.config.lobby.forget_address(from, self.config.id);
        }
        if self.by_address.get(&to) != Some(&key) {
            self.note_address(to, key);
        }
    }

    /// Whoever comes or goes in the middle of a flush would be passed over, or given a packet twice.
    fn end_flush(&mut self, now: Instant) {
        if self.flushing.is_some() {
            self.flush(now);
        }
    }

    fn drop_packet(&mut self, reason: Dropped) {
        self.counters.dropped[reason as usize] += 1;
    }

    /// A fault of ours in one peer's state: that peer goes, everybody else stays.
    fn bury(&mut self, now: Instant, key: Option<PeerKey>) {
        self.counters.panics += 1;
        error!(worker = %self.config.id, "A peer's state panicked and is thrown away");
        if let Some(key) = key {
            self.remove(now, key, GoneReason::Panicked);
        }
    }

    fn remove(&mut self, now: Instant, key: PeerKey, reason: GoneReason) {
        let Some(mut peer) = self.peers.get_mut(key).and_then(Option::take) else { return };
        self.free.push(key);
        self.by_id.remove(&peer.id);
        for ours in &peer.ours {
            self.by_ufrag.remove(&ours.ufrag);
            self.config.lobby.forget_ufrag(&ours.ufrag);
        }
        for path in &peer.paths {
            if self.by_address.get(path) == Some(&key) {
                self.by_address.remove(path);
                self.config.lobby.forget_address(*path, self.config.id);
            }
        }
        if reason == GoneReason::Closed
            && let Some(handshake) = &mut peer.handshake
        {
            handshake.close(now);
            peer.flush_handshake(&mut self.outbox);
        }
        self.config.lobby.leave(peer.id);
        if let Some(room) = self.rooms.get_mut(&peer.room) {
            room.members.retain(|member| *member != key);
            let ended = room.end_publisher(now, peer.id);
            let is_empty = room.members.is_empty() && !room.is_tapped();
            for &kind in &ended {
                self.relay_to_room(peer.room, &Relay::Ended { room: peer.room, publisher: peer.id, kind });
            }
            for kind in &ended {
                self.config.lobby.note_flow(peer.room, *kind, None);
                self.events.push_back(HubEvent::TrackEnded { room: peer.room, peer: peer.id, kind: *kind });
            }
            if is_empty {
                self.forget_room(peer.room);
            } else if !ended.is_empty() {
                self.route_room(now, peer.room);
            }
        }
        info!(peer = %peer.id, room = %peer.room, ?reason, "Peer {} is gone: {reason:?}", peer.id);
        self.events.push_back(HubEvent::PeerGone { room: peer.room, peer: peer.id, reason });
    }

    fn ntp(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.config.epoch);
        self.config.epoch_ntp.wrapping_add((since.as_nanos() * (1 << 32) / 1_000_000_000) as u64)
    }

    /// Once a second: what everybody may look at.
    fn take_stats(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.second_at).as_secs_f64().max(0.1);
        self.second_at = now;
        let mut peers = HashMap::new();
        for peer in self.peers.iter_mut().flatten() {
            let connected = peer.is_connected();
            let by_tcp = peer.address.and_then(tcp_address::connection).is_some();
            let (mut estimate_bps, mut slots) = (None, Vec::new());
            let (publishes, rtt, loss, bytes, tracks) = match &mut peer.role {
                Role::Publisher(publisher) => {
                    (true, None, publisher.loss(), std::mem::take(&mut peer.received), publisher.flowing().collect())
                }
                Role::Viewer(viewer) => {
                    let (packets, bytes) = std::mem::take(&mut viewer.sent);
                    self.counters.packets_out += packets;
                    self.counters.bytes_out += bytes;
                    estimate_bps = Some(viewer.bandwidth.estimate_bps());
                    slots.extend(viewer.slots.iter().map(|slot| SlotStats {
                        kind: slot.terms().kind,
                        layer: slot.source().map(|(_, layer)| layer),
                        paused: slot.is_paused,
                    }));
                    let loss = viewer.bandwidth.loss_of_late().unwrap_or(viewer.loss);
                    (false, viewer.rtt, loss, bytes, viewer.flowing().collect())
                }
            };
            let stats = PeerStats {
                room: peer.room,
                publishes,
                connected,
                by_tcp,
                worker: self.config.id,
                rtt_ms: rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
                loss,
                bitrate_bps: (bytes as f64 * 8.0 / seconds) as u64,
                tracks,
                estimate_bps,
                slots,
            };
            peers.insert(peer.id, stats);
        }
        let counters = &self.counters;
        self.stats = HubStats {
            rooms: self.config.lobby.rooms(),
            peers,
            packets_in: counters.packets_in,
            packets_out: counters.packets_out,
            bytes_in: counters.bytes_in,
            bytes_out: counters.bytes_out,
            keyframes_asked: Need::ALL.map(|need| (need.as_str(), counters.keyframes[need as usize])).into(),
            panics: counters.panics,
            dropped: Dropped::ALL.map(|reason| (reason.as_str(), counters.dropped[reason as usize])).into(),
        };
    }
}

/// An address belongs to whoever was heard from it this recently: viewers report, and clients check, more often than
/// that. A new connection behind the same port of a router has to wait as long.
const ADDRESS_KEPT_FOR: Duration = Duration::from_secs(2);
