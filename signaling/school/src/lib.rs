//! The rules of the school: who may do what, when a lesson is, whether it counts, how long its recording stays.
//!
//! No file, socket or SQL: the crate depends on nothing that does them, and the time is handed in, which Clippy holds it to
//! (`.clippy.toml`). One exception: fresh ids carry the clock (UUIDv7). A folder for each feature, by the same names as in the front door's `http` and `store`.

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
