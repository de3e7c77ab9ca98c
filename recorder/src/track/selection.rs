//! Which tracks of a lesson are recorded, chosen before it begins.

use sfu::media::TrackKind;

/// Which tracks are recorded. Default: the teacher's voice, camera and board.
///
/// A class on stage shows pupils of another school: it is recorded only if that school has agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackSelection {
    /// The teacher's voice.
    pub voice: bool,
    /// The teacher's face.
    pub camera: bool,
    /// The board.
    pub board: bool,
    /// Picture and sound of a class on stage. Together with `voice`, a mixed voice is recorded too.
    pub stage: bool,
}

impl Default for TrackSelection {
    fn default() -> Self {
        Self { voice: true, camera: true, board: true, stage: false }
    }
}

impl TrackSelection {
    /// All tracks, where the stage may be recorded.
    pub const WITH_STAGE: Self = Self { voice: true, camera: true, board: true, stage: true };

    /// Whether a track of that kind is recorded.
    #[must_use]
    pub fn includes(self, kind: TrackKind) -> bool {
        match kind {
            TrackKind::Voice => self.voice,
            TrackKind::Camera => self.camera,
            TrackKind::Board => self.board,
            TrackKind::Stage | TrackKind::StageVoice => self.stage,
            TrackKind::MixedVoice => false,
        }
    }
}
