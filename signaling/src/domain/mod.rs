//! Pure school rules: no clock, no file, no socket, no SQL.

pub mod calendar;
pub mod id;
pub mod lesson;
pub mod organisation;
pub mod permission;
pub mod time;
pub mod zone;
