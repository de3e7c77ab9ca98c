//! The timetable and the bell, on both stores.

mod bell;
mod county_timetable;
mod planning;
