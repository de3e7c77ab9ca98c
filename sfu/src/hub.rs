//! The interface for other crates: rooms, peers and taps by call, what happens by event.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tracing::info;

use crate::{
    answer::{Local, OfferError, PatchError, answer_publisher, answer_viewer, fragment_credentials, restart_fragment},
    driver::{Driver, tcp::Arrival},
    event::{EventSink, StartError},
    id::{PeerId, RoomId, WorkerId},
    limits::{CONNECT_WITHIN, SEATS_PER_WORKER, TAP_ITEMS_MAX},
    lobby::{Admission, AdmissionError, Lobby, Terms},
    media::TrackKind,
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
    /// The caller listens for TCP on the same port number and passes media connections to [`Hub::bring_stream`]:
    /// answers then have TCP candidates, for clients whose UDP is blocked.
    pub tcp: bool,
    /// Worker threads, each pinned to a core of its own. At least 1.
    pub workers: usize,
    /// Peers at once. `None`: [`SEATS_PER_WORKER`] for each worker.
    pub max_seats: Option<usize>,
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

    /// Closes a room: its peers are closed by DTLS close_notify, its taps end.
    pub fn close_room(&self, room: RoomId) {
        self.inner.lobby.close_room(room);
        self.inner.driver.send_command_to_all(|| Command::CloseRoom(room));
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
        // 0 and 1 are placeholders of other implementations.
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
        self.inner.driver.send_command(owner.worker, Command::Restart { peer, ours });
        Ok(Patched::Restarted { fragment, ice_ufrag })
    }

    /// Ends a peer. Harmless where it has gone already.
    pub fn close_peer(&self, peer: PeerId) {
        match self.inner.lobby.owner(peer) {
            Some(owner) => self.inner.driver.send_command(owner.worker, Command::ClosePeer(peer)),
            None => {
                self.inner.lobby.withdraw(peer);
            }
        }
    }

    /// Reads a room at full quality. Tracks that flow already are sent at once, from their newest keyframe on.
    #[must_use]
    pub fn tap(&self, room: RoomId) -> TapReceiver {
        let (tap, receiver) = tap::channel(TAP_ITEMS_MAX);
        if self.inner.lobby.flowing(room).is_some() {
            self.inner.driver.send_command(WorkerId(0), Command::Tap { room, tap });
        }
        receiver
    }

    /// Takes over a TCP connection that begins with a framed check (RFC 6544): media where UDP is blocked.
    ///
    /// It is closed where no authentic check comes within 5 s of its being accepted.
    pub fn bring_stream(&self, arrival: Arrival) {
        self.inner.driver.hand_over(arrival);
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

    /// Closes every peer and stops the workers; returns when they have stopped.
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
        self.inner.lobby.admit(admission, self.inner.max_seats).map_err(|refused| {
            info!(%room, ?refused, "A seat is refused: {refused:?}");
            OfferError::Full {
                retry_after: match refused {
                    AdmissionError::Seats => RETRY_WHEN_FULL,
                    AdmissionError::Workers => RETRY_WHEN_BEHIND,
                    AdmissionError::HalfOpen => CONNECT_WITHIN,
                },
            }
        })?;
        Ok(Answered { peer, sdp, ice_ufrag })
    }
}

/// Seats become free at the end of lessons, within minutes rather than seconds.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(30);

/// A worker that was late for two seconds counts as recovered after half a second.
const RETRY_WHEN_BEHIND: Duration = Duration::from_secs(5);

/// 48 and 144 random bits: RFC 8445 §5.3 asks for 24 and 128.
fn credentials() -> Credentials {
    let text = |length: usize| (0..length).map(|_| ICE_CHARS[rand::random_range(0..ICE_CHARS.len())] as char).collect();
    Credentials { ufrag: text(8), pwd: text(24) }
}

/// `ice-char` of RFC 8839 §5.4.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
