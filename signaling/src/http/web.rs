//! Shared by all routes: extractors, cookies, lists, edits, idempotency, byte ranges, problems.

pub mod assets;
pub mod cookie;
pub mod extract;
pub mod idempotency;
pub mod list;
pub mod problem;
pub mod range;
pub mod version;
