//! What is taught: encoded clips, and the RTP and H.264 of their packets.

pub mod clip;
pub mod encode;
pub mod picture;
pub mod rtp;
