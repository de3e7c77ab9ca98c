//! The socket's messages: JSON texts, told apart by `type`.

use serde::{Deserialize, Serialize};
use sfu::{Codec, TrackKind};
use utoipa::ToSchema;

use school::{
    account::permission::{self, Asker, Permission, Place},
    base::{
        id::{ClassroomId, LessonId, SeatId},
        time::UnixMs,
    },
    lesson::{Lesson, ListedClassroom, RecordingNote, Teacher, life::LessonState},
    timetable::program::{Mode, Program},
};

/// A message is small; whoever sends more than this is not our page.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// A page sends a ping and a report every 5 s; 20 a second is a loop gone wild.
pub const MESSAGES_PER_SECOND_MAX: u32 = 20;

/// What a page says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromPage {
    /// The first message: here is my token.
    Hello {
        /// From the seat ticket, or the guest's link.
        token: String,
        /// The guest seat that this page had before its line broke. Others' seats are in their token.
        seat_id: Option<SeatId>,
    },
    /// Are you there?
    Ping {
        /// The page's own clock, given back as it came.
        sent_ms: f64,
    },
    /// How it goes, every 5 s.
    Report(Report),
    /// 标记: the teacher marks this moment of the lesson.
    Mark {},
}

/// What a page sees and hears, since its last report: every 5 s, and at once when the lesson comes onto its screen or goes
/// from it. `None`: it cannot tell.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Report {
    /// How long ago the last report was, in milliseconds.
    pub span_ms: Option<f64>,
    /// For how long of that the lesson was on the screen: in the foreground, its sound on, and a picture or the voice
    /// playing.
    pub shown_ms: Option<f64>,
    /// It is on the screen now: where it was there for a part only, that is the end of it.
    pub shown_last: Option<bool>,
    /// Frames drawn.
    pub frames_shown: Option<f64>,
    /// The page is in the foreground.
    pub visible: Option<bool>,
    /// Share of the sound that was made up, 0 to 1.
    pub concealed_share: Option<f64>,
    /// Freezes of the picture.
    pub freezes: Option<f64>,
    /// How long they were, in milliseconds.
    pub frozen_ms: Option<f64>,
    /// Frames that came and were not drawn.
    pub frames_dropped: Option<f64>,
    /// Share of packets lost, 0 to 1.
    pub loss: Option<f64>,
    /// Round trip in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Jitter of the voice in milliseconds.
    pub jitter_ms: Option<f64>,
    /// How long the voice waits before it is played, in milliseconds.
    pub buffer_ms: Option<f64>,
    /// Width of the largest picture.
    pub width: Option<f64>,
    /// Its height.
    pub height: Option<f64>,
    /// Media plays; false while the browser waits for a press of a key.
    pub playing: Option<bool>,
}

/// What the hub says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPage {
    /// The answer to `hello`.
    Welcome {
        /// The seat that this page sits in.
        seat_id: SeatId,
        /// In which role.
        role: SeatRole,
        /// The lesson.
        lesson: Box<LessonView>,
        /// Who is here.
        seats: Vec<SeatView>,
        /// What flows.
        slots: Slots,
        /// The hub's clock.
        now_ms: UnixMs,
    },
    /// The lesson has changed.
    Lesson {
        /// As it is now.
        lesson: Box<LessonView>,
    },
    /// Who is here has changed.
    Seats {
        /// As it is now.
        seats: Vec<SeatView>,
    },
    /// What flows has changed.
    Slots {
        /// As it is now.
        slots: Slots,
    },
    /// What this seat's line has no room for has changed.
    Spared {
        /// What flows in the lesson, but not to this seat now. Empty: all of it does.
        kinds: Vec<TrackKind>,
    },
    /// How the recording is doing has changed. Teachers alone are told.
    Keeping {
        /// As it is now.
        keeping: Keeping,
    },
    /// The answer to `ping`.
    Pong {
        /// As it came.
        sent_ms: f64,
        /// The hub's clock.
        now_ms: UnixMs,
    },
    /// The answer to `mark`.
    Marked {
        /// When, in lesson time. `None`: the lesson is not live, or has as many marks as it may.
        at_ms: Option<i64>,
    },
    /// The last message.
    Bye {
        /// Why.
        reason: CloseReason,
    },
}

/// How the recording of a lesson is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keeping {
    /// All of it is kept.
    Recording,
    /// The disk fills: voice and board are kept, the camera or what is on stage is not.
    Lean,
    /// The disk has no room. It goes on by itself when there is.
    Paused,
}

/// Why the hub ends a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The lesson is over.
    LessonEnded,
    /// The seat was taken from elsewhere.
    Replaced,
    /// The token is not accepted any more: ask for a new ticket.
    TokenExpired,
    /// The hub restarts: come back in a moment.
    ShuttingDown,
}

/// Who sits in a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeatRole {
    /// The lead teacher.
    Teacher,
    /// A receiving classroom.
    Classroom,
    /// Someone of the bureau: seen by the audit, unseen by the room.
    Observer,
    /// Someone with the guests' link.
    Guest,
}

impl SeatRole {
    /// The word on the wire and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Teacher => "teacher",
            Self::Classroom => "classroom",
            Self::Observer => "observer",
            Self::Guest => "guest",
        }
    }
}

/// How well a seat's line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// All is well.
    Online,
    /// It is here, but it loses or waits.
    Weak,
    /// It was here and may come back.
    Lost,
}

/// A seat, as others see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeatView {
    /// Which.
    pub seat_id: SeatId,
    /// Who sits there.
    pub role: SeatRole,
    /// The teacher's or the classroom's name.
    pub name: String,
    /// The classroom, where it is one.
    pub classroom_id: Option<ClassroomId>,
    /// How well its line holds.
    pub presence: Presence,
    /// Picture and sound arrive there.
    pub receiving: bool,
    /// When it was first taken.
    pub joined_at_ms: UnixMs,
}

/// What flows in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Slot {
    /// Something flows.
    pub flowing: bool,
    /// How it is encoded. `None`: nothing flowed yet.
    pub codec: Option<Codec>,
}

/// What flows in every slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are those of `TrackKind`")]
pub struct Slots {
    pub voice: Slot,
    pub board: Slot,
    pub camera: Slot,
    pub stage: Slot,
    pub stage_voice: Slot,
}

impl Slots {
    /// The slot of a kind.
    pub fn of(&mut self, kind: TrackKind) -> &mut Slot {
        match kind {
            // Mixed voices never flow.
            TrackKind::Voice | TrackKind::MixedVoice => &mut self.voice,
            TrackKind::Board => &mut self.board,
            TrackKind::Camera => &mut self.camera,
            TrackKind::Stage => &mut self.stage,
            TrackKind::StageVoice => &mut self.stage_voice,
        }
    }
}

/// What the reader of a lesson may do with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Act`")]
pub struct May {
    pub teach: bool,
    pub attend: bool,
    pub watch: bool,
    pub replay: bool,
}

impl May {
    /// What `asker` may do. Replay needs something to replay.
    #[must_use]
    pub fn of(asker: &Asker, lesson: &Lesson, now: UnixMs) -> Self {
        let may = |act| permission::may(asker, act, Place::Lesson(lesson), now).is_ok();
        Self {
            teach: may(Permission::Teach),
            attend: may(Permission::Attend),
            watch: may(Permission::Watch),
            replay: lesson.recording.is_some() && may(Permission::Replay),
        }
    }
}

/// How a readiness list stands, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "each is what it says")]
pub struct ReadinessCount {
    pub met: u32,
    pub missing: u32,
    pub waived: u32,
}

/// A lesson, as one reader sees it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Lesson`")]
pub struct LessonView {
    pub lesson_id: LessonId,
    pub title: String,
    pub subject: String,
    pub grade: String,
    #[schema(value_type = Program)]
    pub program: String,
    #[schema(value_type = Mode)]
    pub mode: String,
    pub teacher: Teacher,
    pub state: LessonState,
    pub opens_at_ms: UnixMs,
    pub starts_at_ms: UnixMs,
    pub ends_at_ms: UnixMs,
    pub closes_at_ms: UnixMs,
    pub live_at_ms: Option<UnixMs>,
    pub ended_at_ms: Option<UnixMs>,
    pub classrooms: Vec<ListedClassroom>,
    pub guests_max: u32,
    pub recording: Option<RecordingNote>,
    /// How its readiness list stands. `null`: it began already, or its bureau asks for nothing.
    pub readiness: Option<ReadinessCount>,
    pub may: May,
    pub now_ms: UnixMs,
}

impl LessonView {
    /// The lesson as one with these rights sees it at `now`.
    #[must_use]
    pub fn new(lesson: &Lesson, may: May, now: UnixMs) -> Self {
        Self {
            lesson_id: lesson.lesson_id,
            title: lesson.title.clone(),
            subject: lesson.subject.clone(),
            grade: lesson.grade.clone(),
            program: lesson.program.clone(),
            mode: lesson.mode.clone(),
            teacher: lesson.teacher.clone(),
            state: lesson.state,
            opens_at_ms: lesson.times.opens_at,
            starts_at_ms: lesson.times.starts_at,
            ends_at_ms: lesson.times.ends_at,
            closes_at_ms: lesson.times.closes_at,
            live_at_ms: lesson.live_at,
            ended_at_ms: lesson.ended_at,
            classrooms: lesson.classrooms.clone(),
            guests_max: lesson.guests_max,
            recording: lesson.recording,
            readiness: None,
            may,
            now_ms: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pages_words_are_read_strictly() {
        let report = r#"{"type":"report","frames_shown":120,"visible":true,"concealed_share":0.01,"freezes":0,
            "loss":0.0,"rtt_ms":null,"width":1280,"height":720,"playing":true}"#;
        let Ok(FromPage::Report(report)) = serde_json::from_str(report) else { panic!("a report") };
        assert_eq!((report.frames_shown, report.rtt_ms, report.playing), (Some(120.0), None, Some(true)));
        assert_eq!(
            serde_json::from_str::<FromPage>(r#"{"type":"hello","token":"t","seat_id":null}"#).unwrap(),
            FromPage::Hello { token: "t".into(), seat_id: None }
        );
        for refused in [
            r#"{"type":"ping","sent_ms":1,"more":2}"#,
            r#"{"type":"report","admin":true}"#,
            r#"{"type":"mark","at_ms":0}"#,
            r#"{"type":"hello","token":"t","seat_id":"../.."}"#,
            r#"{"type":"hello","token":"t","token":"u","seat_id":null}"#,
            r#"{"type":"ping","sent_ms":1e400}"#,
            r#"{"type":"dance"}"#,
            r#"{"type":"ping","sent_ms":1}x"#,
            &"[".repeat(10_000),
            "\u{0}",
        ] {
            assert!(serde_json::from_str::<FromPage>(refused).is_err(), "{refused}");
        }
    }
}
