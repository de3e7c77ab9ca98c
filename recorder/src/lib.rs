//! What remains of a lesson: durable CMAF tracks on one lesson time, playable the moment it ends.
//!
//! **The way in** is [`archive::Archive`]: `open` a folder, `recover` it once, `record` what a tap of the hub tells,
//! and ask for `manifest`, `playlist` and `media_path` at any time, while the lesson runs and after.
//! [`recorder::Recorder`] is one lesson being recorded: `finish` seals it, `suspend` (or a drop) closes it so that the
//! next process goes on.
//!
//! **The way of one packet:** the recorder's thread reads it from the tap → [`recording`] finds its track →
//! [`reorder`](format::reorder) waits for those sent again → [`sample`](format::depacketize) joins packets to pictures
//! ([`codec`](format::codec) reads how they are decoded) → [`clock`](format::clock) places them on lesson time →
//! [`picture`](track::picture) and [`voice`](track::voice) lay them end to end, held pictures and silence where nothing
//! came → [`segment`](track::segment) cuts fragments of one second and segments of four, written by
//! [`fmp4`](format::fmp4) → [`store`](disk::recording_files) makes them durable and tells the [`journal`], from which
//! [`manifest`](journal::manifest) and [`playlist`](export::playlist) are folded. [`recover`](disk::recover) reads the
//! same files after a crash, [`export`] shows them as one MP4 file, and [`verify`](disk::verify) says whether they are
//! still as they were written, also beside the [`checkpoint`](journal::checkpoint)s that others keep.
//! [`kept`](track::selection) says what of it is wanted at all. [`mix`](track::mix) makes teacher and stage one voice,
//! [`sound`](track::sound_meter) listens along, [`chapter`](track::page_turns) sees when a page is turned.
//! [`volume`](disk::volume) says what there is room for, and [`space`](disk::space) why. [`mirror`] copies what is
//! whole into a bucket, and reads from there what was given away here; [`media_file`](disk::media_folder) opens what is
//! asked for.
//!
//! **Rims:** [`disk`] touches files, [`archive`] and [`recorder`] clocks and threads, [`mirror`] the network. All else
//! takes the time and the bytes, and gives [`track::action::Action`]s.
//!
//! **Not here:** who may see a recording, HTTP, SQL, keys; retention; any processing after the lesson.

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
