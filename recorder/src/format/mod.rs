//! What media looks like: packets back in order and joined to pictures, how they are decoded, CMAF bytes, and lesson
//! time.

pub mod clock;
pub mod codec;
pub mod depacketize;
pub mod fmp4;
pub mod reorder;
