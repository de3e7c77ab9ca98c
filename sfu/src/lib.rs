//! The media plane of 同课: one teacher's voice, camera and board to many classrooms.
//!
//! The way in is [`Hub`]: a room per lesson, an SDP offer in, an answer out, and a [`tap`] for the recorder.
//! Deliberately not here: schools, people, storage, HTTP.

pub mod answer;
pub mod hub;
pub mod id;
pub mod limits;
pub mod media;
pub mod packet;
pub mod stats;
pub mod tap;

pub use hub::{Answered, EventSink, Hub, HubConfig, HubEvent, OfferError, PatchError, Patched, StartError};
pub use id::{PeerId, RoomId, TrackId, WorkerId};
pub use media::{Codec, TrackKind};
