//! From a room's packets to one viewer: what a slot sends, under which numbers, and what it sends again.

pub mod egress;
pub mod history;
pub mod rate;
pub mod red;
pub mod redundancy;
pub mod renumber;
mod repeats;
pub mod slot;
#[cfg(test)]
mod slot_tests;
pub mod view;
