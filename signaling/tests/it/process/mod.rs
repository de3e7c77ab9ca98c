//! The binary as a process that is killed or runs out of disk.

mod full_disk;
mod kill;
