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
    /// Index in the publisher's terms. Of no meaning where another worker is its home.
    pub index: usize,
    /// Its encodings; those that never came are `None`.
    pub layers: SmallVec<[Option<Layer>; 3]>,
    /// The layer that taps get: the one with the highest rate, or the lowest where that is enough for all of them.
    pub best: usize,
    /// When its first packet came.
    pub began: Instant,
}

/// Where packets come from: a publisher's track, and which of its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerSource {
    /// Who publishes it.
    pub publisher: PeerId,
    /// What it shows.
    pub kind: TrackKind,
    /// How it is encoded.
    pub codec: Codec,
    /// Which of the track's layers it is.
    pub layer: usize,
    /// How many there may be.
    pub layers: usize,
    /// The layer that taps get, until another is chosen.
    pub best: usize,
    /// The worker that has the publisher.
    pub home: Home,
}

/// The worker that has a track's publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// This worker.
    Here {
        /// Index in the publisher's terms.
        index: usize,
    },
    /// Another worker, which has named the layer.
    Elsewhere {
        /// That worker.
        worker: WorkerId,
        /// The layer's id.
        id: TrackId,
    },
}

impl Home {
    /// The other worker that has the publisher. `None`: this one has it.
    #[must_use]
    pub fn elsewhere(self) -> Option<WorkerId> {
        match self {
            Self::Here { .. } => None,
            Self::Elsewhere { worker, .. } => Some(worker),
        }
    }
}

impl Track {
    /// A track without packets, as the first packet of it names it.
    pub(super) fn new(now: Instant, source: &LayerSource) -> Self {
        Self {
            kind: source.kind,
            codec: source.codec,
            publisher: source.publisher,
            home: source.home.elsewhere(),
            index: match source.home {
                Home::Here { index } => index,
                Home::Elsewhere { .. } => 0,
            },
            layers: (0..source.layers).map(|_| None).collect(),
            best: source.best,
            began: now,
        }
    }

    /// Is it the track that packets of that source belong to?
    pub(super) fn continues(&self, source: &LayerSource) -> bool {
        self.publisher == source.publisher && self.codec == source.codec && self.home == source.home.elsewhere()
    }

    /// The layer that flows now. `None` only before its first packet.
    #[must_use]
    pub fn flowing(&self) -> Option<&Layer> {
        self.layers.get(self.best)?.as_ref()
    }

    /// The layers that a viewer may be sent, cheapest first, without those that are silent while others flow: browsers
    /// switch layers off at any time.
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

/// A layer without a packet for longer, while another one flows, was switched off by its sender.
const SILENT_AFTER: Duration = Duration::from_millis(1_500);
