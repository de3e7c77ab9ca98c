//! What the front door remembers in memory, each kind bounded: who tried how often, what is under way, what was told.
//! Below `http` and above the store, so that [`App`](crate::app::App) can hold it.

pub mod attempts;
pub mod challenges;
pub mod concurrency;
pub mod first_start;
pub mod key_locks;
pub mod recent_exports;
pub mod retention;
pub mod rights_watch;
