//! What the command line does besides serving.

pub mod backup;
pub mod document;
pub mod recordings;
