//! Records a lesson: durable CMAF tracks on one lesson time, playable the moment it ends.
//!
//! **Entry point:** [`archive::Archive`]: `open` a folder, `recover` it once, `record` the items of a hub's tap, and
//! read `manifest`, `playlist` and `media_path` at any time, during the lesson and after. [`recorder::Recorder`] is one
//! recording in progress: `finish` seals it, `suspend` (or a drop) closes it so that the next process can resume it.
//!
//! **The way of one packet:** the recorder's thread reads it from the tap → [`recording`] finds its track →
//! [`format::reorder`] waits for retransmissions → [`format::depacketize`] joins packets to pictures ([`format::codec`]
//! reads their decoder configuration) → [`format::clock`] maps them to lesson time → [`track::picture`] and
//! [`track::voice`] lay them out without holes, with held pictures and silence in the gaps → [`track::segment`] cuts
//! fragments of one second and segments of four, encoded by [`format::fmp4`] → [`disk::recording_files`] makes them
//! durable and records them in the [`journal`], from which [`journal::manifest`] and [`export::playlist`] are folded.
//!
//! **Beside it:** [`track::selection`] decides which tracks are recorded, [`track::mix`] mixes teacher and stage,
//! [`track::sound_meter`] measures the voice, [`track::page_turns`] finds chapters. [`disk::volume`] measures free
//! space, and [`disk::space`] decides what is recorded with it. [`disk::recover`] restores a folder after a crash,
//! [`disk::verify`] checks it against its journal and against the [`journal::checkpoint`]s kept elsewhere.
//! [`export::mp4`] serves a recording as one MP4 file, [`mirror`] copies it into a bucket and fetches what was evicted
//! here.
//!
//! **Floors, from the ground:** [`id`] and the error; [`format`] and [`journal`], which touch no disk; [`track`];
//! [`disk`]; [`export`] and [`recording`]; [`archive`]; [`recorder`], [`mirror`] and [`composite`]. A file imports only
//! from its own folder and from lower floors.
//!
//! **I/O:** [`disk`] accesses files, [`archive`] and [`recorder`] clocks and threads, [`mirror`] the network,
//! [`composite`] ffmpeg. Everything else is given the time and the bytes, and returns [`track::action::Action`]s.
//!
//! **Not here:** who may see a recording, HTTP, SQL, keys, retention, or any processing after the lesson.

pub mod archive;
pub mod composite;
pub mod disk;
mod error;
pub mod export;
pub mod format;
pub mod id;
pub mod journal;
pub mod mirror;
pub mod recorder;
pub mod recording;
pub mod track;

pub use archive::{Archive, ArchiveOptions, Clock, SystemClock, media::Copies};
pub use disk::{
    space::{DiskLevel, DiskState},
    verify::{Expected, Mismatch, VerifyReport},
};
pub use error::ArchiveError;
pub use export::{
    mp4::{Export, ExportCursor},
    selection::{ExportSpan, ExportTracks},
};
pub use id::RecordingId;
pub use journal::{
    checkpoint::Checkpoint,
    fault::Fault,
    manifest::{Condition, GapManifest, Manifest, ManifestState, RecordingSummary, TrackManifest},
    record::{Chapter, ChapterKind},
    signature::{Signed, Signer},
};
pub use mirror::{Mirror, MirrorStatus, eviction::NotEvicted};
pub use recorder::{Recorder, RecorderState, RecorderStatus};
pub use track::selection::TrackSelection;
