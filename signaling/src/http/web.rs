//! What every route uses: reading requests, who asks, lists, edits, limits, problems.

pub mod assets;
pub mod cookie;
pub mod extract;
pub mod idempotency;
pub mod list;
pub mod problem;
pub mod range;
pub mod version;
