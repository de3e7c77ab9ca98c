//! A published track, and its layers as one worker names them to another.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::layer::Layer;
use crate::{
    bandwidth::allocation::Rung,
    id::{PeerId, TrackId, WorkerId},
    media::{Codec, TrackKind},
};

/// One published voice or picture.
#[derive(Debug)]
pub struct Track {
    /// What it shows.
    pub kind: TrackKind,
    /// How it is encoded.
    pub codec: Codec,
    /// Who publishes it.
    pub publisher: PeerId,
    /// The worker that has the publisher. `None`: this one.
    pub home: Option<WorkerId>,
    /// Index in the publisher's terms.
    pub index: usize,
    /// Its encodings; those that never came are `None`.
    pub layers: SmallVec<[Option<Layer>; 3]>,
    /// The layer that taps get: what says most, or least where that is enough for all of them.
    pub best: usize,
    /// When its first packet came.
    pub began: Instant,
}

/// A layer as one worker names it to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The worker that has its publisher.
    pub home: WorkerId,
    /// Its publisher.
    pub publisher: PeerId,
    /// What it shows.
    pub kind: TrackKind,
    /// How it is encoded.
    pub codec: Codec,
    /// Its id.
    pub id: TrackId,
    /// Which of the track's layers it is.
    pub layer: usize,
    /// How many there may be.
    pub layers: usize,
    /// Which of them flows at home.
    pub best: usize,
}

impl Track {
    /// The layer that flows now. `None` only before its first packet.
    #[must_use]
    pub fn flowing(&self) -> Option<&Layer> {
        self.layers.get(self.best)?.as_ref()
    }

    /// The layers that a viewer may be given, cheapest first. One that has fallen silent while others flow is no choice:
    /// browsers switch layers off as they like.
    pub fn rungs(&self, now: Instant) -> SmallVec<[Rung; 3]> {
        let newest = self.layers.iter().flatten().map(|layer| layer.heard).max();
        let flows = |layer: &Layer| newest.is_none_or(|at| at.saturating_duration_since(layer.heard) <= SILENT_AFTER);
        let layers = self.layers.iter().enumerate().filter_map(|(at, layer)| Some((at, layer.as_ref()?)));
        let mut rungs: SmallVec<[Rung; 3]> =
            layers.filter(|(_, layer)| flows(layer)).flat_map(|(at, layer)| layer.rates.rungs(now, at)).collect();
        rungs.sort_by_key(|rung| rung.bps);
        rungs
    }
}

/// A layer that is silent for longer, while another flows, was switched off by its sender.
const SILENT_AFTER: Duration = Duration::from_millis(1_500);
