//! Pure school rules: no clock, no file, no socket, no SQL.

pub mod code;
pub mod id;
pub mod lesson;
pub mod organisation;
pub mod permission;
pub mod session;
pub mod time;
pub mod words;
