//! The database itself: connections, the two dialects, statements, and the whole of it as lines of JSON.

pub mod again;
pub mod copy;
pub(crate) mod dialect;
pub(crate) mod sql;
