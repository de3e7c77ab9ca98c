//! Lessons put into the timetable: a term at once, or one by hand. From what is asked to what the store keeps.

pub mod dispatcher;
pub mod planner;
