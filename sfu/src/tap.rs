//! A slot that ends in a bounded channel instead of a network: the recorder reads it.
//!
//! A full channel drops and counts; it never slows a lesson. The reader sets two bit masks, one bit for each kind of
//! track, which are read once a second: that a picture cannot be decoded, which leads to a keyframe request within its
//! limits, and that the lightest layer is enough.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use crate::{
    id::TrackId,
    media::{Codec, TrackKind},
    packet::Packet,
};

/// An item of a tap, in the order in which the hub saw it.
///
/// Packets come in order of arrival: packets repaired by RTX arrive late and out of sequence.
#[derive(Debug, Clone)]
pub enum TapItem {
    /// A publisher's first packet of a track has arrived. A teacher who comes back starts a new track.
    Started {
        /// The new track.
        track: TrackId,
        /// What it shows.
        kind: TrackKind,
        /// How it is encoded.
        codec: Codec,
        /// When its first packet arrived.
        arrived: Instant,
    },
    /// One packet of the layer that flows: the best that the publisher sends, or the lightest where that is enough.
    Packet {
        /// The track it belongs to.
        track: TrackId,
        /// When the hub received it.
        arrived: Instant,
        /// The packet itself, shared with every viewer.
        packet: Arc<Packet>,
    },
    /// The publisher's sender report (RFC 3550 §6.4.1): this RTP timestamp was sampled at this time of its clock.
    SenderReport {
        /// The track it speaks of.
        track: TrackId,
        /// When the hub received it.
        arrived: Instant,
        /// The sender's clock as 32.32 fixed point seconds since 1900. Tracks of one connection share that clock.
        ntp: u64,
        /// The same moment in the track's RTP clock.
        rtp: u32,
    },
    /// The publisher has gone, or stopped the track.
    Ended {
        /// The track that ended.
        track: TrackId,
        /// When the hub noticed.
        at: Instant,
    },
}

/// The hub's end.
#[derive(Debug, Clone)]
pub struct TapSender {
    items: SyncSender<TapItem>,
    dropped: Arc<AtomicU64>,
    wanted: Arc<AtomicU8>,
    light: Arc<AtomicU8>,
}

/// The reader's end. Dropping it ends the tap.
#[derive(Debug)]
pub struct TapReceiver {
    items: Receiver<TapItem>,
    dropped: Arc<AtomicU64>,
    wanted: Arc<AtomicU8>,
    light: Arc<AtomicU8>,
}

/// The reader has gone: stop sending to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapClosed;

/// A tap that holds at most `capacity` unread items.
#[must_use]
pub fn channel(capacity: usize) -> (TapSender, TapReceiver) {
    let (sender, receiver) = sync_channel(capacity);
    let dropped = Arc::new(AtomicU64::new(0));
    let (wanted, light) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicU8::new(0)));
    let sender = TapSender { items: sender, dropped: dropped.clone(), wanted: wanted.clone(), light: light.clone() };
    (sender, TapReceiver { items: receiver, dropped, wanted, light })
}

impl TapSender {
    /// Hands one item over, or drops and counts it where the reader is too slow.
    ///
    /// # Errors
    /// [`TapClosed`] when the reader has gone.
    pub fn send(&self, item: TapItem) -> Result<(), TapClosed> {
        match self.items.try_send(item) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => Err(TapClosed),
        }
    }
}

impl TapSender {
    /// The kinds of tracks of which the reader has asked for a keyframe since the last call.
    pub fn take_wanted(&self) -> impl Iterator<Item = TrackKind> + use<> {
        let wanted = self.wanted.swap(0, Ordering::Relaxed);
        TrackKind::ALL.into_iter().filter(move |kind| wanted & bit(*kind) != 0)
    }

    /// The lightest layer of a kind is enough for the reader.
    #[must_use]
    pub fn wants_light(&self, kind: TrackKind) -> bool {
        self.light.load(Ordering::Relaxed) & bit(kind) != 0
    }
}

impl TapReceiver {
    /// Asks for a keyframe of the track of a kind, because it cannot be decoded. Requests within a second count as one.
    pub fn want_keyframe(&self, kind: TrackKind) {
        self.wanted.fetch_or(bit(kind), Ordering::Relaxed);
    }

    /// From now on the lightest layer of these kinds is enough, and of the others the best is wanted.
    pub fn want_light(&self, kinds: &[TrackKind]) {
        self.light.store(kinds.iter().fold(0, |bits, kind| bits | bit(*kind)), Ordering::Relaxed);
    }

    /// The next item, waiting at most `patience`.
    ///
    /// # Errors
    /// `Timeout` when nothing came, `Disconnected` when the room was closed and everything has been read.
    pub fn recv_timeout(&self, patience: Duration) -> Result<TapItem, RecvTimeoutError> {
        self.items.recv_timeout(patience)
    }

    /// The next item if there is one.
    pub fn try_recv(&self) -> Option<TapItem> {
        self.items.try_recv().ok()
    }

    /// How many items were dropped so far because the reader was too slow.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn bit(kind: TrackKind) -> u8 {
    match kind {
        TrackKind::Voice => 1,
        TrackKind::Board => 2,
        TrackKind::Camera => 4,
        TrackKind::Stage => 8,
        TrackKind::StageVoice => 16,
        TrackKind::MixedVoice => 32,
    }
}
