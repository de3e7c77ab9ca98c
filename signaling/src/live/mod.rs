//! Lessons in progress: seats, media, messages to pages, recording, attendance.

pub mod actor;
pub mod attendance;
pub mod bell;
mod presence;
pub mod recorded;
pub mod recording;
pub mod registry;
pub mod resource;
pub mod sample_buffer;
pub mod session;
pub mod table;
pub mod token;
pub mod unread;
pub mod wire;
