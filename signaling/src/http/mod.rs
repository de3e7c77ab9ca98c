//! The front door's resources, one file each.

pub mod ask;
pub mod assets;
pub mod identity;
pub mod lesson;
pub mod problem;
pub mod recording;
pub mod seat;
pub mod sign_in;
pub mod socket;
pub mod whip;
