//! One dated teaching event, as everyone in it knows it.

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

/// The lead teacher, as the lesson names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Teacher {
    /// Who.
    pub person_id: PersonId,
    /// 张老师
    pub name: String,
}

/// A receiving classroom, as the lesson lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListedClassroom {
    /// Which.
    pub classroom_id: ClassroomId,
    /// What its school calls it.
    pub name: String,
    /// Its school or teaching point.
    pub school: String,
}

/// Whether a recording still grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It still grows.
    Recording,
    /// Complete: no byte of it changes any more.
    Sealed,
}

/// What is kept of the lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RecordingNote {
    /// Which.
    pub recording_id: RecordingId,
    /// Whether it still grows.
    pub state: RecordingState,
}

/// A lesson with everything that its rules ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// Its name in the store.
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
    /// Who teaches it.
    pub teacher: Teacher,
    /// Where it is in its life.
    pub state: LessonState,
    /// When it opens, starts, ends and is ended.
    pub times: LessonTimes,
    /// Who starts it.
    pub runs_by: RunsBy,
    /// When it went live. `None`: not yet.
    pub live_at: Option<UnixMs>,
    /// When it ended. `None`: not yet.
    pub ended_at: Option<UnixMs>,
    /// Who listens.
    pub classrooms: Vec<ListedClassroom>,
    /// Paths of the school that teaches and of those that listen, as the store knows them.
    pub places: Vec<String>,
    /// How many guests may watch at once. 0: it is not open to guests.
    pub guests_max: u32,
    /// What is kept. `None`: it never went live.
    pub recording: Option<RecordingNote>,
}

impl Lesson {
    /// The path of the school whose lesson it is. Empty: it does not come from the store.
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
