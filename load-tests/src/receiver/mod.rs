//! The receiver model: what pupils would have seen and heard of the packets that arrived.
//!
//! - **The screen** decodes pictures in order. A picture can be shown when all its packets are there and the one before
//!   was decoded, or when it is a whole keyframe. Missing packets are asked for by NACK, the first time at once, again
//!   after each round trip, ten times at most (`client::subscriber`). A whole keyframe further on ends the wait.
//!   Where a packet is given up, or no picture could be decoded for 200 ms at the start or 3 s later, it asks for a
//!   keyframe, at most once a second. (libwebrtc's receiver does the same.)
//! - Pictures are rendered on the sender's clock, later by a delay that is 10 ms longer than the latest picture needed,
//!   at most 1 s, and which falls by 20 ms each second. A picture that is still later is rendered when it is whole.
//! - **A freeze** is a gap between rendered pictures of at least three times the average gap, or the average and 150
//!   ms, whichever is longer; the average is of the last 30 gaps, and nothing counts before there were five. The gap
//!   that is open when the question is asked counts like one that ends then.
//! - **The speaker** plays 20 ms of voice every 20 ms, later than the fastest packet by a delay that is 20 ms longer
//!   than the latest packet needed, between 40 and 400 ms, and which falls by 3 ms each second. A packet that is not
//!   there when its time comes is **concealed**. A packet that comes again in a later one (RED, RFC 2198) counts as
//!   there, and the delay learns from how late the first copy was, as libwebrtc's does. Voice rebuilt from in-band FEC
//!   is not counted as there: 0 for now, so figures are worse than a browser's. Voice that is stretched while the delay
//!   grows is not counted as concealed.
//! - Decoding takes no time, and screens show a picture the moment it is due.

mod clock;
mod screen;
mod speaker;

pub use screen::{Freeze, PicturePacket, Screen, ScreenCounts};
pub use speaker::{Speaker, SpeakerCounts};
