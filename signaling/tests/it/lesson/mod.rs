//! A lesson over HTTP, WHIP, WHEP and the socket; attendance.

mod attendance;
mod lesson;
mod socket;
mod whip;
