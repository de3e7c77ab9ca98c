//! How a recording is doing.

use serde::Serialize;

/// How a recording is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecorderStatus {
    /// Whether the disk keeps up.
    pub state: RecorderState,
    /// How far it can be played. Up to a segment more is durable.
    pub kept_ms: u64,
    /// Items that the tap dropped because this thread was too slow.
    pub dropped: u64,
    /// What waits in memory for the disk.
    pub waiting_bytes: usize,
}

/// See [`RecorderStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecorderState {
    /// All is well.
    Recording,
    /// The disk fills: the camera is small or left out, and what is on stage is left out.
    Lean,
    /// The disk has no room, or refuses. It is tried again and again, and goes on by itself.
    Paused,
    /// It has stopped.
    Stopped,
}
