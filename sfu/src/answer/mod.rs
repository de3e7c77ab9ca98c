//! One offer in, one answer out, and what the two sides have agreed on. Pure: no clock, no sockets, no memory.
//!
//! Nothing is renegotiated, so an answer is complete: every codec that a slot may ever carry, every candidate.
//! The offer is taken apart in `offer`, codecs are chosen in `codecs`, the answer is written in `text`.

mod attributes;
mod codecs;
mod error;
mod extensions;
mod fragment;
mod offer;
mod publisher;
mod text;
mod viewer;

use std::net::SocketAddr;

pub use error::{OfferError, PatchError};
pub use fragment::{fragment_credentials, restart_fragment};
pub use publisher::answer_publisher;
pub use viewer::answer_viewer;

use crate::media::{Codec, TrackKind};

/// Our side of the transport, written into each answer.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    /// Our ICE user fragment: 4 to 256 characters of RFC 8839 §5.4.
    pub ice_ufrag: &'a str,
    /// Our ICE password: 22 to 256 characters.
    pub ice_pwd: &'a str,
    /// SHA-256 of our certificate, as `AB:CD:…`.
    pub fingerprint_sha256: &'a str,
    /// UDP host candidates, best first.
    pub candidates: &'a [SocketAddr],
    /// The same addresses take TCP too (RFC 6544), for clients whose UDP is blocked.
    pub tcp: bool,
    /// For the `o=` line. Its top bit is not written: JSEP §5.2.1 leaves 63 bits.
    pub session_id: u64,
}

/// Our part in the DTLS handshake (RFC 5763 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtlsRole {
    /// We wait for the ClientHello.
    Passive,
    /// We send it: the offer said `setup:passive`, as ffmpeg's does.
    Active,
}

/// The other side's ICE credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteIce {
    /// Its user fragment.
    pub ufrag: String,
    /// Its password.
    pub pwd: String,
}

/// What ICE and DTLS need to know of the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteTransport {
    /// Its credentials.
    pub remote_ice: RemoteIce,
    /// Its certificate's hashes: algorithm in small letters (`sha-256`, `sha-384`, `sha-512`) and the bytes. Never
    /// empty. One match suffices (RFC 8122 §5).
    pub fingerprint: Vec<(String, Vec<u8>)>,
    /// Who sends the ClientHello.
    pub dtls_role: DtlsRole,
    /// The m-line that the bundled transport belongs to: [`restart_fragment`] names it. Empty: the offer had no mids.
    pub tagged_mid: String,
}

/// One codec as both sides have agreed on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadType {
    /// The codec.
    pub codec: Codec,
    /// Its payload type, as the offer numbered it.
    pub pt: u8,
    /// The payload type of its retransmissions (RFC 4588). `None`: the other side has none.
    pub rtx_pt: Option<u8>,
    /// Format parameters as the offer gave them. Empty: none.
    pub fmtp: String,
}

/// What a publisher may send us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishTerms {
    /// The other side of the transport.
    pub transport: RemoteTransport,
    /// At most one sound and one picture, in the order of the offer.
    pub tracks: Vec<PublishTrack>,
    /// Header extension id of the media id (RFC 8843 §15).
    pub mid_ext: Option<u8>,
    /// Header extension id of the simulcast layer's name (RFC 8852).
    pub rid_ext: Option<u8>,
    /// Header extension id of the layer that a retransmission repairs (RFC 8852).
    pub rrid_ext: Option<u8>,
    /// Header extension id of the transport-wide sequence number. `None`: no transport-cc feedback is expected.
    pub twcc_ext: Option<u8>,
    /// Header extension id of the sound's level (RFC 6464).
    pub audio_level_ext: Option<u8>,
    /// Header extension id of the AV1 dependency descriptor.
    pub dependency_descriptor_ext: Option<u8>,
}

/// One published track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishTrack {
    /// What it shows.
    pub kind: TrackKind,
    /// Its media id. Empty: the offer has none.
    pub mid: String,
    /// What was accepted, best first. Never empty.
    pub codecs: Vec<PayloadType>,
    /// SSRCs that the offer declares, without those of RTX and FEC. With rids Firefox declares one for each layer,
    /// Chromium none.
    pub ssrcs: Vec<u32>,
    /// `(primary, rtx)` of each `a=ssrc-group:FID`.
    pub rtx_ssrcs: Vec<(u32, u32)>,
    /// Simulcast layers in the order of `a=simulcast`. Empty: no simulcast. A layer may never come.
    pub rids: Vec<String>,
    /// It repairs on NACK.
    pub nack: bool,
    /// It makes keyframes on PLI.
    pub pli: bool,
    /// It makes keyframes on FIR.
    pub fir: bool,
}

impl PublishTrack {
    /// The codec of a payload type, and whether it is its retransmission. `None`: not agreed.
    #[must_use]
    pub fn payload_type(&self, pt: u8) -> Option<(&PayloadType, bool)> {
        self.codecs.iter().find_map(|codec| {
            if codec.pt == pt {
                Some((codec, false))
            } else if codec.rtx_pt == Some(pt) {
                Some((codec, true))
            } else {
                None
            }
        })
    }
}

/// What we may send a viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewTerms {
    /// The other side of the transport.
    pub transport: RemoteTransport,
    /// The slots in the order of the offer's m-lines.
    pub slots: Vec<ViewSlot>,
    /// Header extension id of the transport-wide sequence number. `None`: no transport-cc feedback will come.
    pub twcc_ext: Option<u8>,
    /// Header extension id of the media id.
    pub mid_ext: Option<u8>,
    /// Header extension id of the time of sending (24 bits, 6.18 fixed point seconds).
    pub abs_send_time_ext: Option<u8>,
    /// Header extension id of the wished playout delay (two times 12 bits, in 10 ms).
    pub playout_delay_ext: Option<u8>,
    /// Header extension id of the AV1 dependency descriptor.
    pub dependency_descriptor_ext: Option<u8>,
}

/// One receive slot of a viewer: its SSRC stays, what flows in it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewSlot {
    /// What it carries.
    pub kind: TrackKind,
    /// Its media id. Empty: the offer has none.
    pub mid: String,
    /// Our SSRC.
    pub ssrc: u32,
    /// Our SSRC for retransmissions. Unused where no codec has an `rtx_pt`.
    pub rtx_ssrc: u32,
    /// Everything the viewer decodes and we forward: what flows now first. Never empty.
    pub codecs: Vec<PayloadType>,
    /// Payload type of redundant Opus (RFC 2198), which may be chosen packet by packet. `None`: not offered.
    pub red_pt: Option<u8>,
    /// It asks again for what is lost (NACK).
    pub nack: bool,
}

impl ViewSlot {
    /// How to send `codec`. `None`: the viewer cannot decode it.
    #[must_use]
    pub fn payload_type(&self, codec: Codec) -> Option<&PayloadType> {
        self.codecs.iter().find(|payload_type| payload_type.codec == codec)
    }
}
