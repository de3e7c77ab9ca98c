//! The recorder.

pub mod clock;
pub mod codec;
pub mod fmp4;
pub mod disk;
pub mod id;
pub mod journal;
pub mod manifest;
pub mod picture;
pub mod playlist;
pub mod recording;
pub mod reorder;
pub mod sample;
pub mod segment;
pub mod sound;
pub mod voice;
