//! The way in for the rest of the house: rooms, peers and taps by call, what happens by event.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use tracing::info;

use crate::{
    answer::{Local, answer_publisher, answer_viewer, fragment_credentials, restart_fragment},
    driver::{Driver, tcp::Arrival},
    id::{PeerId, RoomId, WorkerId},
    limits::{CONNECT_WITHIN, SEATS_PER_WORKER, TAP_ITEMS_MAX},
    lobby::{Admission, Crowded, Lobby, Terms},
    media::{Codec, TrackKind},
    stats::HubStats,
    tap::{self, TapReceiver},
    transport::{dtls::Identity, ice::Credentials},
    worker::Command,
};

/// What the hub needs to know before its port opens.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// UDP address of the media port.
    pub listen: SocketAddr,
    /// Addresses written as candidates into every answer. Empty: the addresses of this machine's interfaces.
    pub announce: Vec<IpAddr>,
    /// Somebody listens for TCP on the same port number and brings media connections by [`Hub::bring_stream`]: the
    /// answers name it to clients whose UDP is blocked.
    pub tcp: bool,
    /// Worker threads, each pinned to a core of its own. At least 1.
    pub workers: usize,
    /// Peers at once. `None`: what so many workers carry.
    pub max_seats: Option<usize>,
}

/// What happens on the wire, for whoever keeps the lesson.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum HubEvent {
    /// ICE and DTLS are done: media can flow.
    PeerConnected {
        /// Its room.
        room: RoomId,
        /// The peer.
        peer: PeerId,
    },
    /// The peer is no more. Its id is never used again.
    PeerGone {
        /// Its room.
        room: RoomId,
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: GoneReason,
    },
    /// A publisher's track brought its first packet.
    TrackStarted {
        /// Its room.
        room: RoomId,
        /// Who publishes it.
        peer: PeerId,
        /// What it shows.
        kind: TrackKind,
        /// How it is encoded.
        codec: Codec,
    },
    /// A track has ended: nothing flows in the slots of this kind until another starts.
    TrackEnded {
        /// Its room.
        room: RoomId,
        /// Who published it.
        peer: PeerId,
        /// What it showed.
        kind: TrackKind,
    },
}

/// Why a peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoneReason {
    /// The lesson's side asked for it (DELETE, lesson ended, seat replaced).
    Closed,
    /// The other side said goodbye (DTLS close_notify).
    Left,
    /// No authenticated packet for [`crate::limits::CONSENT_EXPIRES_AFTER`].
    Silent,
    /// It was answered but never connected in [`crate::limits::CONNECT_WITHIN`].
    NeverConnected,
    /// Its certificate is not the one in its offer, or its handshake broke.
    HandshakeFailed,
    /// A fault of ours: its state panicked and was thrown away.
    Panicked,
}

/// An accepted offer.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The new peer.
    pub peer: PeerId,
    /// The SDP answer, complete with candidates.
    pub sdp: String,
    /// The ICE user fragment of our side; RFC 9725 §4.3.1 makes the entity tag of it.
    pub ice_ufrag: String,
}

/// Why an offer is not accepted. Each is a caller's fault but `Full`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The text is no SDP that RFC 8866 knows, or breaks a rule of JSEP.
    #[error("the offer cannot be read: {0}")]
    BadSdp(String),
    /// Nothing in it can be decoded by us, or by what the lesson's publisher sends.
    #[error("no codec in common for {kind}: the lesson has {wanted:?}")]
    UnsupportedCodec {
        /// The track or slot.
        kind: TrackKind,
        /// What would have been accepted.
        wanted: Vec<Codec>,
    },
    /// The m-lines do not fit what was asked: too many, none, wrong direction.
    #[error("the offer's media do not fit: {0}")]
    MediaMismatch(String),
    /// There is no such room, or it is closed.
    #[error("the lesson is not open")]
    NoRoom,
    /// The hub is at its limit: try again after this long.
    #[error("the hub is full")]
    Full {
        /// When to try again.
        retry_after: Duration,
    },
}

/// Why an ICE restart or trickle is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The peer has gone: offer anew.
    #[error("the connection has gone")]
    Gone,
    /// The fragment cannot be read (RFC 8840).
    #[error("the SDP fragment cannot be read: {0}")]
    BadFragment(String),
}

/// What a PATCH of a session did (RFC 9725 §4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patched {
    /// Candidates only: noted. ICE-lite learns addresses from checks, so nothing more is needed.
    Trickled,
    /// New credentials on the other side: here are ours as an SDP fragment.
    Restarted {
        /// The fragment to answer with (`application/trickle-ice-sdpfrag`).
        fragment: String,
        /// Our new user fragment: the new entity tag.
        ice_ufrag: String,
    },
}

/// Where events go. Called on a worker's thread: it must not block.
pub type EventSink = Arc<dyn Fn(HubEvent) + Send + Sync>;

/// The hub cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The media port cannot be opened.
    #[error("cannot open UDP port {listen}")]
    Bind {
        /// What was asked for.
        listen: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No address of this machine can be announced to clients.
    #[error("no address to announce: give one with --announce")]
    NoAddress,
    /// The DTLS certificate could not be made.
    #[error("cannot make a DTLS certificate: {0}")]
    Certificate(String),
}

/// The running media plane. Cheap to clone; the last clone's end stops the workers.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    lobby: Arc<Lobby>,
    identity: Identity,
    candidates: Vec<SocketAddr>,
    tcp: bool,
    driver: Driver,
    max_seats: usize,
}

impl Hub {
    /// Opens the media port and starts the workers.
    ///
    /// # Errors
    /// [`StartError`] says which part could not start.
    pub fn start(config: HubConfig, events: EventSink) -> Result<Self, StartError> {
        let identity = Identity::generate().map_err(StartError::Certificate)?;
        let workers = config.workers.max(1);
        let max_seats = config.max_seats.unwrap_or(SEATS_PER_WORKER * workers);
        let lobby = Arc::new(Lobby::for_workers(workers));
        let driver = Driver::start(config.listen, workers, &identity, &lobby, &events)?;
        let port = driver.address().port();
        let announce = if config.announce.is_empty() { driver.own_addresses() } else { config.announce };
        let candidates: Vec<SocketAddr> = announce.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        if candidates.is_empty() {
            driver.stop();
            return Err(StartError::NoAddress);
        }
        let tcp = config.tcp;
        Ok(Self { inner: Arc::new(Inner { lobby, identity, candidates, tcp, driver, max_seats }) })
    }

    /// Opens a room: a lesson may now be published and played.
    #[must_use]
    pub fn open_room(&self) -> RoomId {
        let room = RoomId(self.inner.lobby.next_id());
        self.inner.lobby.open_room(room);
        room
    }

    /// Closes a room: its peers are told goodbye, its taps end.
    pub fn close_room(&self, room: RoomId) {
        self.inner.lobby.close_room(room);
        self.inner.driver.tell_all(|| Command::CloseRoom(room));
    }

    /// Answers a publisher's offer (WHIP): at most one sound, which is the voice, and one picture, which is `picture`
    /// (`Camera`, `Board` or `Stage`; with `Stage` a sound is the `StageVoice`).
    ///
    /// A new publisher of a kind replaces the one before at its first packet.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub fn publish(&self, room: RoomId, picture: TrackKind, offer: &str) -> Result<Answered, OfferError> {
        self.inner.lobby.flowing(room).ok_or(OfferError::NoRoom)?;
        let ours = credentials();
        let (sdp, terms) = answer_publisher(offer, picture, &self.local(&ours))?;
        self.admit(room, ours, sdp, Terms::Publish(terms))
    }

    /// Answers a viewer's offer (WHEP). `slots` names the offer's m-lines in order; `None`: the first sound is the
    /// voice, the first picture the camera.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub fn play(&self, room: RoomId, slots: Option<&[TrackKind]>, offer: &str) -> Result<Answered, OfferError> {
        let flowing = self.inner.lobby.flowing(room).ok_or(OfferError::NoRoom)?;
        let ours = credentials();
        // 0 and 1 are what others use for "nobody".
        let mut ssrc = || rand::random_range(2..u32::MAX);
        let (sdp, terms) = answer_viewer(offer, slots, &flowing, &mut ssrc, &self.local(&ours))?;
        self.admit(room, ours, sdp, Terms::View(terms))
    }

    /// Takes trickled candidates, or restarts ICE where the fragment brings new credentials.
    ///
    /// # Errors
    /// See [`PatchError`].
    pub fn patch(&self, peer: PeerId, fragment: &str) -> Result<Patched, PatchError> {
        let Some(theirs) = fragment_credentials(fragment)? else { return Ok(Patched::Trickled) };
        let Some(owner) = self.inner.lobby.owner(peer) else {
            // Before its first check there is nothing to restart: what comes is the rest of its offer.
            return if self.inner.lobby.is_waiting(peer) { Ok(Patched::Trickled) } else { Err(PatchError::Gone) };
        };
        // A trickled candidate repeats the credentials that it belongs to (RFC 8840 §4.3).
        if theirs == owner.theirs {
            return Ok(Patched::Trickled);
        }
        let ours = credentials();
        let fragment = restart_fragment(&self.local(&ours), &owner.mid);
        let ice_ufrag = ours.ufrag.clone();
        self.inner.lobby.restarted(peer, theirs);
        self.inner.driver.tell(owner.worker, Command::Restart { peer, ours });
        Ok(Patched::Restarted { fragment, ice_ufrag })
    }

    /// Ends a peer. Harmless where it has gone already.
    pub fn close_peer(&self, peer: PeerId) {
        match self.inner.lobby.owner(peer) {
            Some(owner) => self.inner.driver.tell(owner.worker, Command::ClosePeer(peer)),
            None => {
                self.inner.lobby.withdraw(peer);
            }
        }
    }

    /// Reads a room at full quality. Tracks that flow already are told at once, from their newest keyframe on.
    #[must_use]
    pub fn tap(&self, room: RoomId) -> TapReceiver {
        let (tap, receiver) = tap::channel(TAP_ITEMS_MAX);
        if self.inner.lobby.flowing(room).is_some() {
            self.inner.driver.tell(WorkerId(0), Command::Tap { room, tap });
        }
        receiver
    }

    /// Takes over a TCP connection that begins with a framed check (RFC 6544): media where UDP is blocked.
    ///
    /// It is closed where no authentic check comes within 5 s of its being accepted.
    pub fn bring_stream(&self, arrival: Arrival) {
        self.inner.driver.bring(arrival);
    }

    /// The workers' newest figures, at most a second old.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        self.inner.driver.stats()
    }

    /// The UDP address that is really bound (the port where 0 was asked for).
    #[must_use]
    pub fn media_address(&self) -> SocketAddr {
        self.inner.driver.address()
    }

    /// Says goodbye to every peer and stops the workers; returns when they have stopped.
    pub fn shut_down(&self) {
        self.inner.driver.stop();
    }

    fn local<'a>(&'a self, ours: &'a Credentials) -> Local<'a> {
        Local {
            ice_ufrag: &ours.ufrag,
            ice_pwd: &ours.pwd,
            fingerprint_sha256: self.inner.identity.fingerprint(),
            candidates: &self.inner.candidates,
            tcp: self.inner.tcp,
            session_id: rand::random::<u64>() >> 1,
        }
    }

    fn admit(&self, room: RoomId, ours: Credentials, sdp: String, terms: Terms) -> Result<Answered, OfferError> {
        let peer = PeerId(self.inner.lobby.next_id());
        let ice_ufrag = ours.ufrag.clone();
        let admission = Admission { peer, room, ours, terms, at: self.inner.driver.now() };
        self.inner.lobby.admit(admission, self.inner.max_seats).map_err(|crowded| {
            info!(%room, ?crowded, "A seat is refused: {crowded:?}");
            OfferError::Full {
                retry_after: match crowded {
                    Crowded::Seats => RETRY_WHEN_FULL,
                    Crowded::Workers => RETRY_WHEN_BEHIND,
                    Crowded::HalfOpen => CONNECT_WITHIN,
                },
            }
        })?;
        Ok(Answered { peer, sdp, ice_ufrag })
    }
}

/// Seats are given up by the minute at the end of lessons, not by the second.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(30);

/// A worker that was late for two seconds is believed again after half a second.
const RETRY_WHEN_BEHIND: Duration = Duration::from_secs(5);

/// 48 and 144 random bits: RFC 8445 §5.3 asks for 24 and 128.
fn credentials() -> Credentials {
    let text = |length: usize| (0..length).map(|_| ICE_CHARS[rand::random_range(0..ICE_CHARS.len())] as char).collect();
    Credentials { ufrag: text(8), pwd: text(24) }
}

/// `ice-char` of RFC 8839 §5.4.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
