//! Integration tests of the front door, one program: a module for each feature, shared fixtures.
//!
//! One test: `cargo test -p signaling --test it whip::`.

mod fixtures;

mod abuse;
mod account;
mod cli;
mod contract;
mod lesson;
mod library;
mod organisation;
mod process;
mod retention;
mod timetable;
