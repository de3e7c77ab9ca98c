//! The media plane of 同课: one teacher's voice, camera and board to many classrooms.
//!
//! The way in is [`Hub`]: a room per lesson, an SDP offer in, an answer out, and a [`tap`] for the recorder. What
//! happens comes back as [`event`]s.
//!
//! Folders, from the sockets to the bytes; each imports only from those below it:
//!
//! - [`hub`]: the interface. [`driver`]: sockets, the clock and threads, UDP and TCP; the only place with I/O.
//! - [`worker`]: one core. Peers, rooms, timers, and what is handed to other workers; the [`lobby`] is what all share.
//! - [`room`]: the tracks and layers of one lesson on one worker.
//! - [`forward`]: from a room's packets to one viewer. [`uplink`]: from a publisher. [`bandwidth`]: what a viewer's
//!   line carries, and which layers it is allocated.
//! - [`transport`]: ICE, DTLS, SRTP, RTCP, framing on TCP, the outbox. [`answer`]: SDP offers and answers.
//! - [`packet`]: RTP headers, payload headers, layers inside a stream. [`event`], [`id`], [`media`], [`limits`],
//!   [`stats`].
//!
//! The way of one packet: [`driver`] reads a batch and the clock once → `worker::receive` finds the peer by its address
//! → [`transport::srtp`] opens, [`packet`] parses, [`uplink::publish`] accounts → [`room::Room::admit`] gathers a
//! picture's packets → at the end of the batch they are released into [`forward::history`] and a burst → for every
//! viewer [`forward::slot`] gives each packet a place in its own series, [`forward::view`] writes the header and seals
//! it into [`transport::outbox`] → [`driver`] sends, one system call per viewer and burst. On a line that loses,
//! [`forward::red`] adds earlier voice to voice. Where UDP is blocked the same packets go by [`driver::tcp`], cut by
//! [`transport::framing`].
//!
//! Everything but [`driver`] is sans-I/O: time and bytes are arguments. Deliberately not here: schools, people,
//! storage, HTTP.

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
