//! The lesson in progress: who sits in it, what flows, and what everyone is told.

pub mod attendance;
pub mod bell;
pub mod mover;
pub mod recorded;
pub mod recording;
pub mod registry;
pub mod resource;
pub mod roll;
mod seen;
pub mod session;
pub mod table;
pub mod token;
pub mod unread;
pub mod wire;
