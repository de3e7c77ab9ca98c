//! Media formats: packets in order and joined to pictures, decoder configuration, CMAF bytes, and lesson time.

pub mod clock;
pub mod codec;
pub mod depacketize;
pub mod fmp4;
pub mod reorder;
