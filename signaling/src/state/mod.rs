//! In-memory state of the HTTP API, each kind bounded: attempts, challenges, concurrency limits, recent exports.
//! It is below `http` and above the store, so that [`App`](crate::app::App) can hold it.

pub mod attempts;
pub mod challenges;
pub mod concurrency;
pub mod first_start;
pub mod key_locks;
pub mod recent_exports;
pub mod retention;
pub mod rights_watch;
