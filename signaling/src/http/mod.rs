//! The front door's resources, one file each.

pub mod account;
pub mod again;
pub mod ask;
pub mod assets;
pub mod audit;
pub mod classroom;
pub mod course;
pub mod device;
pub mod dispatch;
pub mod identity;
pub mod import;
pub mod lesson;
pub mod list;
pub mod organisation;
pub mod person;
pub mod problem;
pub mod recording;
pub mod seat;
pub mod set_up;
pub mod sheet;
pub mod sign_in;
pub mod socket;
pub mod timetable;
pub mod version;
pub mod whip;
