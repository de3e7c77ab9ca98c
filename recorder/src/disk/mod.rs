//! Everything that touches files: the disk and how full it is, a recording's files as they grow, and what is done with
//! them after a crash.

pub mod backlog;
pub mod local;
pub mod media_folder;
pub mod recording_files;
pub mod recover;
pub mod space;
pub mod verify;
pub mod volume;

pub use self::local::{Disk, DiskFile, LocalDisk};
