//! Pure school rules: no clock, no file, no socket, no SQL.

pub mod bell_clock;
pub mod bell_schedule;
pub mod booking;
pub mod calendar;
pub mod code;
pub mod course;
pub mod dispatch;
pub mod id;
pub mod lesson;
pub mod lesson_life;
pub mod name;
pub mod organisation;
pub mod pairing;
pub mod password;
pub mod permission;
pub mod program;
pub mod rules;
pub mod serve_scope;
pub mod session;
pub mod sheet;
pub mod time;
pub mod timetable;
pub mod totp;
pub mod two_ends;
pub mod words;
pub mod zone;
