//! What remains of a lesson: durable CMAF tracks on one lesson time, playable the moment it ends.
//!
//! **The way in** is [`archive::Archive`]: `open` a folder, `recover` it once, `record` what a tap of the hub tells, and
//! ask for `manifest`, `playlist` and `media_path` at any time, while the lesson runs and after.
//! [`recorder::Recorder`] is one lesson being recorded: `finish` seals it, `suspend` (or a drop) closes it so that the
//! next process goes on.
//!
//! **The way of one packet:** the recorder's thread reads it from the tap → [`recording`] finds its track → [`reorder`]
//! waits for those sent again → [`sample`] joins packets to pictures ([`codec`] reads how they are decoded) → [`clock`]
//! places them on lesson time → [`picture`] and [`voice`] lay them end to end, held pictures and silence where nothing
//! came → [`segment`] cuts fragments of one second and segments of four, written by [`fmp4`] → [`store`] makes them
//! durable and tells the [`journal`], from which [`manifest`] and [`playlist`] are folded. [`recover`] reads the same
//! files after a crash, [`export`] shows them as one MP4 file, and [`verify`] says whether they are still as they were
//! written, also beside the [`checkpoint`]s that others keep. [`kept`] says what of it is wanted at all. [`mix`] makes
//! teacher and stage one voice, [`sound`] listens along, [`chapter`] sees when a page is turned. [`volume`] says what there
//! is room for, and [`space`] why. [`mirror`] copies what is whole into a bucket, and reads from there what was given away
//! here; [`media_file`] opens what is asked for.
//!
//! **Rims:** [`disk`] touches files, [`archive`] and [`recorder`] clocks and threads, [`mirror`] the network. All else takes
//! the time and the bytes, and gives [`recording::Action`]s.
//!
//! **Not here:** who may see a recording, HTTP, SQL, keys; retention; any processing after the lesson.

pub mod archive;
pub mod backlog;
pub mod chapter;
pub mod checkpoint;
pub mod clock;
pub mod codec;
pub mod composite;
mod copy;
pub mod disk;
pub mod export;
pub mod fmp4;
pub mod id;
pub mod journal;
pub mod kept;
pub mod manifest;
pub mod media_file;
pub mod mirror;
pub mod mix;
pub mod picture;
pub mod playlist;
pub mod recorder;
pub mod recording;
pub mod recover;
pub mod reorder;
pub mod sample;
pub mod seal;
pub mod segment;
pub mod sound;
pub mod space;
pub mod store;
pub mod verify;
pub mod voice;
pub mod volume;

pub use archive::{Archive, ArchiveError, Clock, SystemClock};
pub use chapter::{Chapter, ChapterKind};
pub use checkpoint::Checkpoint;
pub use export::{Export, ExportCursor, ExportTracks, Span};
pub use id::RecordingId;
pub use kept::Kept;
pub use manifest::{Condition, GapManifest, Listed, Manifest, RecordingState, TrackManifest};
pub use mirror::{
    Mirror, MirrorStatus,
    eviction::{Copies, NotEvicted},
};
pub use recorder::{Recorder, RecorderState, RecorderStatus};
pub use seal::{Signed, Signer};
pub use space::{DiskLevel, DiskState};
pub use verify::{Fault, Known, Misfit, Verified};
