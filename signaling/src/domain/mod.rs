//! Pure school rules: no clock, no file, no socket, no SQL.

pub mod code;
pub mod id;
pub mod lesson;
pub mod name;
pub mod organisation;
pub mod password;
pub mod permission;
pub mod session;
pub mod time;
pub mod totp;
pub mod words;
