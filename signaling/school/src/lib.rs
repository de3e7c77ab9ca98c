//! Rules of the school: permissions, timetable, verdicts on lessons, retention of recordings.
//!
//! No file, socket or SQL: the crate depends on nothing that does I/O, and time is passed in; Clippy enforces it
//! (`.clippy.toml`). Exception: fresh ids carry the clock (UUIDv7). Folders are named as in the hub's `http`, `store`.

pub mod account;
pub mod base;

pub mod dispatch;
pub mod fixtures;
pub mod lesson;
pub mod library;
pub mod organisation;
pub mod report;
pub mod retention;
pub mod timetable;
