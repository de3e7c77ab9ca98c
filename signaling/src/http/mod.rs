//! The front door's resources: a folder for each feature, by the names that `store` and the rules use, and `web` beneath.

pub mod account;
pub mod audit;
pub mod dispatch;
pub mod lesson;
pub mod library;
pub mod organisation;
pub mod report;
pub mod retention;
pub mod timetable;
pub mod web;
