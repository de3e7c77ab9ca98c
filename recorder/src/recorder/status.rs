//! How a recording is doing.

use serde::Serialize;

/// How a recording is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecorderStatus {
    /// Whether everything is written.
    pub state: RecorderState,
    /// Playable up to here, in lesson time. Up to one more segment is durable.
    pub kept_ms: u64,
    /// Items that the tap dropped because this thread was too slow.
    pub dropped: u64,
    /// Bytes in memory that wait for the disk.
    pub waiting_bytes: usize,
}

/// See [`RecorderStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecorderState {
    /// Everything selected is written.
    Recording,
    /// The disk fills: the camera is reduced or omitted, the stage is omitted.
    Lean,
    /// The disk is full or fails. Retried until it works again.
    Paused,
    /// It has stopped.
    Stopped,
}
