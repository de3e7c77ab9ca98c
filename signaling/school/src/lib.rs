//! The rules of the school: who may do what, when a lesson is, whether it counts, how long its recording stays.
//!
//! Pure: no clock, file, socket or SQL. The crate depends on nothing that could do any of these, so that the compiler
//! holds it to that. A folder for each feature, by the same names as in the front door's `http` and `store`.

pub mod account;
pub mod base;

pub mod dispatch;
pub mod fixtures;
pub mod lesson;
pub mod library;
pub mod organisation;
pub mod report;
pub mod retention;
pub mod timetable;
