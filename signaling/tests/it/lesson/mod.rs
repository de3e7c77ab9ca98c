//! A lesson over HTTP, WHIP, WHEP and the socket; attendance.

mod attendance;
mod lifecycle;
mod socket;
mod whip;
