//! The media plane of 同课: one teacher's voice, camera and board to many classrooms.
//!
//! The way in is [`Hub`]: a room per lesson, an SDP offer in, an answer out, and a [`tap`] for the recorder.
//!
//! The way of one packet: [`driver`] reads a batch and the clock once → [`worker`] finds the peer by its address →
//! [`srtp`] opens, [`packet`] parses, [`publish`] accounts → [`history`] keeps → at the end of the batch every viewer's
//! [`slot`] gives it a place in its own series, [`view`] writes the header and seals it into the outbox → [`driver`]
//! sends, one system call per viewer and burst. On a line that loses, [`red`] lets voice carry earlier voice again.
//! Where UDP is blocked the same packets go by [`tcp`], cut by [`framing`].
//!
//! Everything but [`driver`] and [`tcp`] is told the time and the bytes. Deliberately not here: schools, people, storage, HTTP.

pub mod answer;
pub mod bandwidth;
pub mod driver;
pub mod dtls;
pub mod feedback;
pub mod framing;
pub mod history;
pub mod hub;
pub mod ice;
pub mod id;
pub mod keyframe;
pub mod limits;
pub mod load;
pub mod lobby;
pub mod media;
pub mod outbox;
pub mod packet;
pub mod peer;
pub mod publish;
pub mod rate;
pub mod red;
pub mod room;
pub mod rtcp;
pub mod slot;
pub mod srtp;
pub mod stats;
pub mod tap;
pub mod target;
pub mod tcp;
pub mod view;
pub mod worker;

pub use hub::{Answered, EventSink, Hub, HubConfig, HubEvent, OfferError, PatchError, Patched, StartError};
pub use id::{PeerId, RoomId, TrackId, WorkerId};
pub use media::{Codec, TrackKind};
pub use tcp::Arrival;
