//! A lesson: one dated teaching event, with its participants and recording.

pub mod bell_clock;
pub mod life;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    base::{
        id::{ClassroomId, LessonId, PersonId, RecordingId},
        time::UnixMs,
    },
    lesson::life::{LessonState, LessonTimes, RunsBy, Standing},
};

/// The lead teacher of a lesson.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Teacher {
    /// The person.
    pub person_id: PersonId,
    /// 张老师
    pub name: String,
}

/// A receiving classroom of a lesson.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListedClassroom {
    /// The classroom.
    pub classroom_id: ClassroomId,
    /// Its name in its school.
    pub name: String,
    /// Its school or teaching point.
    pub school: String,
}

/// Whether a recording is still being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// Still being written.
    Recording,
    /// Complete; never changes again.
    Sealed,
}

/// The recording of a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RecordingNote {
    /// The recording.
    pub recording_id: RecordingId,
    /// Whether it is still being written.
    pub state: RecordingState,
}

/// A lesson with everything that its rules need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// Its id in the store.
    pub lesson_id: LessonId,
    /// 英语 三年级 第3课
    pub title: String,
    /// 英语
    pub subject: String,
    /// 三年级
    pub grade: String,
    /// `delivery_class`, `master_class` or `open_school_class`.
    pub program: String,
    /// `live`, `recorded`, `embedded` or `observed`.
    pub mode: String,
    /// The lead teacher.
    pub teacher: Teacher,
    /// State in its life.
    pub state: LessonState,
    /// Instants at which it opens, starts, ends and closes.
    pub times: LessonTimes,
    /// What starts it.
    pub runs_by: RunsBy,
    /// When it went live. `None`: not yet live.
    pub live_at: Option<UnixMs>,
    /// When it ended. `None`: not yet ended.
    pub ended_at: Option<UnixMs>,
    /// The receiving classrooms.
    pub classrooms: Vec<ListedClassroom>,
    /// Paths of the teaching school and of the receiving schools, as in the store.
    pub places: Vec<String>,
    /// Maximum number of concurrent guests. 0: not open to guests.
    pub guests_max: u32,
    /// Its recording. `None`: it never went live.
    pub recording: Option<RecordingNote>,
}

impl Lesson {
    /// The path of the teaching school. Empty: the lesson is not from the store.
    #[must_use]
    pub fn place(&self) -> &str {
        self.places.first().map_or("", String::as_str)
    }

    /// What the bell needs to know of it.
    #[must_use]
    pub fn standing(&self, teacher_is_there: bool) -> Standing {
        Standing { state: self.state, times: self.times, runs_by: self.runs_by, teacher_is_there }
    }
}
