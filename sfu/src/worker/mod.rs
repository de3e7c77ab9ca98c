//! One core of the hub: peers and rooms. Time and bytes are arguments; it does no I/O.
//!
//! Drain [`Worker::outbox`] and [`Worker::poll_event`] after every call; call [`Worker::flush`] at the end of a batch
//! of datagrams, so that each viewer gets a burst in one send.

mod command;
mod forward;
mod handover;
mod migration;
#[cfg(test)]
mod panic_tests;
pub mod peer;
mod peers;
mod receive;
mod relay;
mod reports;
mod route;
mod stats;
mod timeout;
mod timers;

pub use command::Command;
pub use relay::Relay;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use bytes::BytesMut;
use rand::{SeedableRng, rngs::SmallRng};
use tracing::error;

use crate::{
    event::{GoneReason, HubEvent},
    id::{PeerId, RoomId, WorkerId},
    lobby::Lobby,
    room::{PeerKey, Room},
    stats::{Dropped, HubStats},
    transport::{dtls::Identity, outbox::Outbox},
    uplink::keyframe::KeyframeReason,
    worker::peer::Peer,
};

/// What a worker is created from.
pub struct WorkerConfig {
    /// Its number.
    pub id: WorkerId,
    /// The hub's DTLS certificate.
    pub identity: Identity,
    /// State shared by all workers.
    pub lobby: Arc<Lobby>,
    /// Where the hub's time begins.
    pub epoch: Instant,
    /// That moment as NTP, 32.32 fixed point seconds since 1900.
    pub epoch_ntp: u64,
    /// Seed of its random numbers: the same seed gives the same sequence of events.
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
    open_attempts: u32,
    stats: HubStats,
}

#[derive(Debug, Default)]
struct Counters {
    packets_in: u64,
    packets_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    panics: u64,
    keyframes: [u64; KeyframeReason::ALL.len()],
    dropped: [u64; Dropped::ALL.len()],
}

impl Worker {
    /// A worker without peers or rooms.
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
            open_attempts: 0,
            stats: HubStats::default(),
        }
    }

    /// Takes one datagram. What it brings goes out with the next [`Self::flush`].
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: BytesMut) {
        self.counters.bytes_in += bytes.len() as u64;
        self.end_flush(now);
        self.receive(now, from, bytes, false);
    }

    /// `relayed`: another worker received it and has no peer that it may be for.
    fn receive(&mut self, now: Instant, from: SocketAddr, bytes: BytesMut, relayed: bool) {
        let known = self.by_address.get(&from).copied();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.demultiplex(now, from, known, bytes, relayed)));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => self.drop_packet(reason),
            Err(_) => self.drop_peer(now, known),
        }
    }

    /// Carries out a command.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        if catch_unwind(AssertUnwindSafe(|| self.apply(now, command))).is_err() {
            self.drop_peer(now, None);
        }
    }

    fn apply(&mut self, now: Instant, command: Command) {
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
            // The room was closed while the command was on its way: opened here now, it would never be closed.
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

    /// The next event; drain to `None`.
    pub fn poll_event(&mut self) -> Option<HubEvent> {
        self.events.pop_front()
    }

    /// What waits to be sent. Clear it when it is sent.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Counts datagrams that the driver could not send.
    pub fn note_unsent(&mut self, datagrams: u64) {
        self.counters.dropped[Dropped::SocketFull as usize] += datagrams;
    }

    /// Counts relays that the driver could not hand to another worker.
    pub fn note_unrelayed(&mut self, relays: u64) {
        self.counters.dropped[Dropped::WorkerBehind as usize] += relays;
    }

    /// Figures as of the last full second.
    #[must_use]
    pub fn stats(&self) -> &HubStats {
        &self.stats
    }

    /// Finishes a flush that was interrupted: a peer that joins or leaves in the middle of one would miss a packet, or
    /// get it twice.
    fn end_flush(&mut self, now: Instant) {
        if self.flushing.is_some() {
            self.flush(now);
        }
    }

    fn drop_packet(&mut self, reason: Dropped) {
        self.counters.dropped[reason as usize] += 1;
    }

    /// Panic isolation: the peer is dropped, all others stay.
    fn drop_peer(&mut self, now: Instant, key: Option<PeerKey>) {
        self.counters.panics += 1;
        error!(worker = %self.config.id, "A peer's state panicked; the peer is dropped");
        if let Some(key) = key {
            self.remove(now, key, GoneReason::Panicked);
        }
    }

    fn ntp(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.config.epoch);
        self.config.epoch_ntp.wrapping_add((since.as_nanos() * (1 << 32) / 1_000_000_000) as u64)
    }
}
