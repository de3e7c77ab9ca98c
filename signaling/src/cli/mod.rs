//! Commands besides `serve`.

pub mod backup;
pub mod document;
pub mod recordings;
