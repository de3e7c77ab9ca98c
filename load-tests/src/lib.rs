//! Virtual teachers and classrooms: over real UDP for load, on a virtual clock for whole lessons.

pub mod client;
pub mod floor;
pub mod line;
pub mod load;
pub mod process;
pub mod receiver;
pub mod report;
pub mod simulate;
