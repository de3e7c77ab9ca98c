//! What recordings take and when they are deleted.

mod aged;
mod storage;
