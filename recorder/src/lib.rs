//! The recorder.

pub mod clock;
pub mod codec;
pub mod fmp4;
pub mod id;
pub mod reorder;
pub mod sample;
