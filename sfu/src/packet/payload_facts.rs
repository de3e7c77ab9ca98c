//! What the first bytes of a payload say, whatever its codec.

/// What a payload's first bytes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadFacts {
    /// It starts a picture that needs no earlier one. Always true for sound.
    pub keyframe: bool,
    /// It may be the first of its picture. H.264 has no such bit: parameter sets and the first slice behind them may
    /// each say so, and share one timestamp.
    pub frame_start: bool,
    /// Temporal layer. 0 where unknown.
    pub temporal_id: u8,
    /// Spatial layer. 0 where unknown.
    pub spatial_id: u8,
    /// It begins what one spatial layer has of its picture.
    pub begins: bool,
    /// It ends that. Known of VP9 only: the others have one spatial layer, or leave it to the marker.
    pub ends: bool,
    /// From here on a receiver may take higher temporal layers: VP8's Y, VP9's U.
    pub switch: bool,
    /// What a layer switch has to rewrite. `None`: nothing.
    pub vp8: Option<Vp8Descriptor>,
}

impl PayloadFacts {
    /// Of a packet in a stream without layers.
    pub(super) const fn plain(frame_start: bool) -> Self {
        Self {
            keyframe: false,
            frame_start,
            temporal_id: 0,
            spatial_id: 0,
            begins: frame_start,
            ends: false,
            switch: false,
            vp8: None,
        }
    }
}

/// Where the numbers stand that must run on without a jump when a slot changes its source (RFC 7741 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// PictureID, 7 or 15 bits wide. `None`: the sender leaves it out.
    pub picture_id: Option<u16>,
    /// TL0PICIDX. `None`: the sender leaves it out.
    pub tl0_pic_idx: Option<u8>,
    /// Byte offset of the PictureID in the payload (0 where there is none).
    pub picture_id_at: u8,
    /// Byte offset of TL0PICIDX in the payload (0 where there is none).
    pub tl0_pic_idx_at: u8,
    /// The PictureID takes two bytes.
    pub long_picture_id: bool,
}
