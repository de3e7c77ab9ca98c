//! One dated teaching event and the four states of its life.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    id::{ClassroomId, LessonId, PersonId, RecordingId},
    time::UnixMs,
};

/// A lesson opens this long before its start: devices connect, the teacher tries sound and picture.
pub const OPENS_BEFORE_START: Duration = Duration::from_secs(10 * 60);

/// A lesson that nobody ends is ended this long after its planned end, so that no recording runs into the night.
pub const ENDS_AFTER_END: Duration = Duration::from_secs(10 * 60);

/// Where a lesson is in its life. It only ever goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LessonState {
    /// In the timetable.
    Scheduled,
    /// Seats may be taken; nothing is recorded yet.
    Open,
    /// Being taught and recorded.
    Live,
    /// Over; its recording can be replayed.
    Ended,
}

/// What moves a lesson on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Its time is near.
    Open,
    /// The teacher starts it.
    Start,
    /// The teacher, or the bell, ends it.
    End,
}

/// The step does not fit the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lesson that is {} cannot take this step", .0.as_str())]
pub struct WrongState(pub LessonState);

impl LessonState {
    const ALL: [Self; 4] = [Self::Scheduled, Self::Open, Self::Live, Self::Ended];

    /// The state after `step`. A step that was taken already changes nothing, so a double click is harmless.
    ///
    /// # Errors
    /// [`WrongState`] where the step does not fit.
    pub fn after(self, step: Step) -> Result<Self, WrongState> {
        match (self, step) {
            (Self::Scheduled | Self::Open, Step::Open) => Ok(Self::Open),
            (Self::Open | Self::Live, Step::Start) => Ok(Self::Live),
            (Self::Open | Self::Live | Self::Ended, Step::End) => Ok(Self::Ended),
            (state, _) => Err(WrongState(state)),
        }
    }

    /// Seats may be taken and media may flow.
    #[must_use]
    pub fn is_in_progress(self) -> bool {
        matches!(self, Self::Open | Self::Live)
    }

    /// The word on the wire and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Open => "open",
            Self::Live => "live",
            Self::Ended => "ended",
        }
    }

    /// Reads the store's word. `None`: no such state.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

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
    /// Planned start.
    pub starts_at: UnixMs,
    /// Planned end.
    pub ends_at: UnixMs,
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

    /// The step that is due by the wall clock at `now`, if any: lessons open before their start and end after their end.
    #[must_use]
    pub fn due(&self, now: UnixMs) -> Option<Step> {
        if self.state.is_in_progress() && now >= self.ends_at.plus(ENDS_AFTER_END) {
            return Some(Step::End);
        }
        (self.state == LessonState::Scheduled && now >= self.starts_at.minus(OPENS_BEFORE_START)).then_some(Step::Open)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An open lesson of 40 minutes from 1,000,000 s after 1970 on.
    pub(crate) fn lesson_of(teacher: PersonId, classrooms: &[ClassroomId]) -> Lesson {
        Lesson {
            lesson_id: LessonId::fresh(),
            title: "英语 三年级 第3课".into(),
            subject: "英语".into(),
            grade: "三年级".into(),
            program: "delivery_class".into(),
            mode: "live".into(),
            teacher: Teacher { person_id: teacher, name: "张老师".into() },
            state: LessonState::Open,
            starts_at: UnixMs(1_000_000_000),
            ends_at: UnixMs(1_002_400_000),
            live_at: None,
            ended_at: None,
            classrooms: classrooms
                .iter()
                .enumerate()
                .map(|(n, id)| ListedClassroom {
                    classroom_id: *id,
                    name: format!("教室{n}"),
                    school: "景家教学点".into(),
                })
                .collect(),
            places: Vec::new(),
            guests_max: 2,
            recording: None,
        }
    }

    #[test]
    fn a_lesson_only_goes_forward() {
        use LessonState::{Ended, Live, Open, Scheduled};
        let table = [
            (Scheduled, [Ok(Open), Err(WrongState(Scheduled)), Err(WrongState(Scheduled))]),
            (Open, [Ok(Open), Ok(Live), Ok(Ended)]),
            (Live, [Err(WrongState(Live)), Ok(Live), Ok(Ended)]),
            (Ended, [Err(WrongState(Ended)), Err(WrongState(Ended)), Ok(Ended)]),
        ];
        for (state, expected) in table {
            assert_eq!([Step::Open, Step::Start, Step::End].map(|step| state.after(step)), expected, "{state:?}");
            assert_eq!(LessonState::from_word(state.as_str()), Some(state));
        }
    }

    #[test]
    fn a_lesson_opens_ten_minutes_early_and_ends_ten_minutes_late() {
        let mut lesson = lesson_of(PersonId::fresh(), &[]);
        lesson.state = LessonState::Scheduled;
        assert_eq!(lesson.due(UnixMs(999_399_999)), None);
        assert_eq!(lesson.due(UnixMs(999_400_000)), Some(Step::Open));
        lesson.state = LessonState::Live;
        assert_eq!(lesson.due(UnixMs(1_002_999_999)), None);
        assert_eq!(lesson.due(UnixMs(1_003_000_000)), Some(Step::End));
        lesson.state = LessonState::Ended;
        assert_eq!(lesson.due(UnixMs(i64::MAX)), None);
    }
}
