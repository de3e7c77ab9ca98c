//! What recordings take and when they are deleted.

mod expiry;
mod storage;
