//! The media plane of 同课: one teacher's voice, camera and board to many classrooms.
//!
//! The way in is [`Hub`]: a room per lesson, an SDP offer in, an answer out, and a [`tap`] for the recorder.
//!
//! The way of one packet: [`driver`] reads a batch and the clock once → [`worker`] finds the peer by its address →
//! [`transport::srtp`] opens, [`packet`] parses, [`uplink::publish`] accounts → [`forward::history`] keeps → at the end of the batch every viewer's
//! [`forward::slot`] gives it a place in its own series, [`forward::view`] writes the header and seals it into the outbox → [`driver`]
//! sends, one system call per viewer and burst. On a line that loses, [`forward::red`] lets voice carry earlier voice again.
//! Where UDP is blocked the same packets go by [`driver::tcp`], cut by [`transport::framing`].
//!
//! Everything but [`driver`] is told the time and the bytes. Deliberately not here: schools, people, storage, HTTP.

pub mod answer;
pub mod bandwidth;
pub mod driver;
pub mod event;
pub mod forward;
pub mod hub;
pub mod id;
pub mod limits;
pub mod lobby;
pub mod media;
pub mod packet;
pub mod room;
pub mod stats;
pub mod tap;
pub mod transport;
pub mod uplink;
pub mod worker;

pub use answer::{OfferError, PatchError};
pub use driver::tcp::Arrival;
pub use event::{EventSink, GoneReason, HubEvent, StartError};
pub use hub::{Answered, Hub, HubConfig, Patched};
pub use id::{PeerId, RoomId, TrackId, WorkerId};
pub use media::{Codec, TrackKind};
