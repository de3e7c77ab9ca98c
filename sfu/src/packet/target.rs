//! Scalable streams: layers in time and size inside one encoding, and how much of them a viewer is sent.
//!
//! [`crate::uplink::layering`] judges a publisher's packets once, when they arrive. A slot then reads one bit to know
//! whether a packet is for it, and one counter to close the numbers up over what it was not sent.

use bytes::Bytes;

/// All up to one spatial and one temporal layer (a decode target, or operating point, of the stream).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(u8);

/// A mask with one bit for each [`Target`].
pub(crate) type Targets = u16;

impl Target {
    /// Everything.
    pub const ALL: Self = Self(TARGETS as u8 - 1);

    /// Up to those layers; what a stream has beyond the fourth of either belongs to the fourth.
    #[must_use]
    pub fn new(spatial: u8, temporal: u8) -> Self {
        Self(spatial.min(LAYERS_MAX - 1) * LAYERS_MAX + temporal.min(LAYERS_MAX - 1))
    }

    /// The highest spatial layer, 0 to 3.
    #[must_use]
    pub fn spatial(self) -> u8 {
        self.0 / LAYERS_MAX
    }

    /// The highest temporal layer, 0 to 3.
    #[must_use]
    pub fn temporal(self) -> u8 {
        self.0 % LAYERS_MAX
    }

    /// Every target, smaller pictures first.
    pub fn every() -> impl Iterator<Item = Self> {
        (0..TARGETS as u8).map(Self)
    }

    /// Its place in a table of all.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    pub(crate) fn bit(self) -> Targets {
        1 << self.0
    }

    /// Is a frame of those layers part of it?
    pub(crate) fn has(self, spatial: u8, temporal: u8) -> bool {
        let frame = Self::new(spatial, temporal);
        frame.spatial() <= self.spatial() && frame.temporal() <= self.temporal()
    }
}

/// Those targets of which `is_in` is true.
pub(crate) fn mask(is_in: impl Fn(Target) -> bool) -> Targets {
    Target::every().filter(|target| is_in(*target)).fold(0, |mask, target| mask | target.bit())
}

/// A packet's place in its scalable stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layered {
    /// Spatial and temporal layer of its frame.
    pub frame: Target,
    /// It begins a frame.
    pub(crate) begins: bool,
    pub(crate) wanted: Targets,
    /// Targets that a viewer with only part of their temporal layers can switch to at this frame.
    pub(crate) switch: Targets,
    /// Targets of which it ends the picture.
    pub(crate) ends: Targets,
    /// Higher targets have all that lower ones have.
    pub(crate) nested: bool,
    /// It came behind later ones: its number is kept free for it.
    pub(crate) late: bool,
    /// What each target is not sent of the packets before it.
    pub(crate) before: [Skipped; TARGETS],
    /// Its dependency descriptor. `None`: the publisher sends none.
    pub descriptor: Option<Bytes>,
}

/// What a target was not sent since the stream began, modulo 2^32 and 2^16.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Packets.
    pub packets: u32,
    /// Pictures.
    pub pictures: u16,
}

impl Layered {
    /// Is it part of that target?
    #[must_use]
    pub fn is_wanted(&self, target: Target) -> bool {
        self.wanted & target.bit() != 0
    }

    /// A number is kept for it in the target's series: it is wanted, or came too late for its number to be closed up.
    #[must_use]
    pub fn has_place(&self, target: Target) -> bool {
        self.late || self.is_wanted(target)
    }

    /// Is it the last that the target has of its picture?
    #[must_use]
    pub fn ends(&self, target: Target) -> bool {
        self.ends & target.bit() != 0
    }

    /// What the target was not sent before this packet.
    #[must_use]
    pub fn before(&self, target: Target) -> Skipped {
        self.before[target.index()]
    }

    /// May a viewer who was sent `from` until now go on with `to` from this packet? `keyframe`: it begins a picture
    /// that needs no other.
    #[must_use]
    pub fn turns(&self, from: Target, to: Target, keyframe: bool) -> bool {
        if !self.begins || !self.is_wanted(to) {
            return false;
        }
        if keyframe {
            return true;
        }
        let is_known = to.temporal() <= from.temporal() || self.switch & to.bit() != 0;
        // What a larger picture needs was not sent before; what a smaller one needs was, where sizes build on each
        // other.
        is_known && (to.spatial() == from.spatial() || to.spatial() < from.spatial() && self.nested)
    }
}

/// More layers than browsers make, in time or in size.
const LAYERS_MAX: u8 = 4;

/// How many there are.
pub const TARGETS: usize = LAYERS_MAX as usize * LAYERS_MAX as usize;

/// A structure of nine targets takes a hundred; more does not fit an element of 255 with the rest of a packet.
pub const DESCRIPTOR_BYTES_MAX: usize = 200;
