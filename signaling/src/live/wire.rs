//! The socket's messages: JSON texts with a `type` tag.

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

/// Largest message from a page, in bytes. The hub's pages send less.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// A page sends a ping and a report every 5 s; at 20 a second it is in a loop.
pub const MESSAGES_PER_SECOND_MAX: u32 = 20;

/// A message from a page.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromPage {
    /// The first message, with the page's token.
    Hello {
        /// From the seat ticket, or the guest's link.
        token: String,
        /// The guest seat that this page had before it lost its connection. Other seats are in their token.
        seat_id: Option<SeatId>,
    },
    /// Measures the round trip.
    Ping {
        /// The page's own clock, returned unchanged.
        sent_ms: f64,
    },
    /// A report, every 5 s.
    Report(Report),
    /// 标记: the teacher marks this moment of the lesson.
    Mark {},
}

/// Playback statistics of a page since its last report: sent every 5 s, and at once when the lesson appears on its
/// screen or leaves it. `None`: not measured.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Report {
    /// Time since the last report, in milliseconds.
    pub span_ms: Option<f64>,
    /// How much of that the lesson was on the screen, in milliseconds: page in the foreground, audio on, and video or
    /// voice playing.
    pub shown_ms: Option<f64>,
    /// It is on the screen now: if it was there for a part only, then for the last part.
    pub shown_last: Option<bool>,
    /// Frames shown.
    pub frames_shown: Option<f64>,
    /// The page is in the foreground.
    pub visible: Option<bool>,
    /// Share of the audio that was concealed, 0 to 1.
    pub concealed_share: Option<f64>,
    /// Number of video freezes.
    pub freezes: Option<f64>,
    /// Total duration of the freezes, in milliseconds.
    pub frozen_ms: Option<f64>,
    /// Frames received and not shown.
    pub frames_dropped: Option<f64>,
    /// Share of packets lost, 0 to 1.
    pub loss: Option<f64>,
    /// Round trip in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Jitter of the voice, in milliseconds.
    pub jitter_ms: Option<f64>,
    /// Jitter buffer delay of the voice, in milliseconds.
    pub buffer_ms: Option<f64>,
    /// Width of the largest video, in pixels.
    pub width: Option<f64>,
    /// Its height, in pixels.
    pub height: Option<f64>,
    /// Media plays; false while the browser's autoplay policy waits for a key press.
    pub playing: Option<bool>,
}

/// A message from the hub.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPage {
    /// The answer to `hello`.
    Welcome {
        /// The page's seat.
        seat_id: SeatId,
        /// The role of the seat.
        role: SeatRole,
        /// The lesson.
        lesson: Box<LessonView>,
        /// The seats in use.
        seats: Vec<SeatView>,
        /// State of the slots.
        slots: Slots,
        /// The hub's clock, in milliseconds UTC.
        now_ms: UnixMs,
    },
    /// The lesson has changed.
    Lesson {
        /// Its current state.
        lesson: Box<LessonView>,
    },
    /// The seats in use have changed.
    Seats {
        /// The seats in use.
        seats: Vec<SeatView>,
    },
    /// The slots have changed.
    Slots {
        /// State of the slots.
        slots: Slots,
    },
    /// The tracks paused on this seat's line have changed.
    Spared {
        /// Tracks that flow in the lesson but are paused for this seat. Empty: none is paused.
        kinds: Vec<TrackKind>,
    },
    /// The state of the recording has changed. Sent to teachers only.
    Keeping {
        /// Its current state.
        keeping: Keeping,
    },
    /// The answer to `ping`.
    Pong {
        /// As received.
        sent_ms: f64,
        /// The hub's clock, in milliseconds UTC.
        now_ms: UnixMs,
    },
    /// The answer to `mark`.
    Marked {
        /// Time of the mark, in lesson time. `None`: the lesson is not live, or its limit of marks is reached.
        at_ms: Option<i64>,
    },
    /// The last message.
    Bye {
        /// The reason.
        reason: CloseReason,
    },
}

/// State of a lesson's recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keeping {
    /// Every track is recorded.
    Recording,
    /// The disk fills: voice and board are recorded, the camera or the stage is not.
    Lean,
    /// The disk is full. Recording resumes by itself when there is space.
    Paused,
}

/// Reason for which the hub closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The lesson is over.
    LessonEnded,
    /// The seat was taken by another page.
    Replaced,
    /// The token is no longer accepted: request a new ticket.
    TokenExpired,
    /// The hub restarts: reconnect.
    ShuttingDown,
}

/// Role of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeatRole {
    /// The lead teacher.
    Teacher,
    /// A receiving classroom.
    Classroom,
    /// An observer of the bureau: recorded in the audit, hidden from the room.
    Observer,
    /// A guest with a share link.
    Guest,
}

impl SeatRole {
    /// The name on the wire and in the store.
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

/// Connection quality of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Connected, with good quality.
    Online,
    /// Connected, with loss or delay.
    Weak,
    /// Disconnected; it may reconnect.
    Lost,
}

/// A seat as shown to others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeatView {
    /// The seat.
    pub seat_id: SeatId,
    /// Its role.
    pub role: SeatRole,
    /// The teacher's or the classroom's name.
    pub name: String,
    /// The classroom. `None`: not a classroom's seat.
    pub classroom_id: Option<ClassroomId>,
    /// Its connection quality.
    pub presence: Presence,
    /// It receives video and audio.
    pub receiving: bool,
    /// When it was first taken, in milliseconds UTC.
    pub joined_at_ms: UnixMs,
}

/// State of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Slot {
    /// Media flows.
    pub flowing: bool,
    /// Codec. `None`: nothing has flowed yet.
    pub codec: Option<Codec>,
}

/// State of every slot.
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
    /// The slot of a track kind.
    pub fn of(&mut self, kind: TrackKind) -> &mut Slot {
        match kind {
            // The mixed voice is never sent.
            TrackKind::Voice | TrackKind::MixedVoice => &mut self.voice,
            TrackKind::Board => &mut self.board,
            TrackKind::Camera => &mut self.camera,
            TrackKind::Stage => &mut self.stage,
            TrackKind::StageVoice => &mut self.stage_voice,
        }
    }
}

/// The reader's permissions in a lesson.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Act`")]
pub struct May {
    pub teach: bool,
    pub attend: bool,
    pub watch: bool,
    pub replay: bool,
}

impl May {
    /// The permissions of `asker`. Replay also needs a recording.
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

/// Counts of a readiness list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "each is what it says")]
pub struct ReadinessCount {
    pub met: u32,
    pub missing: u32,
    pub waived: u32,
}

/// A lesson as shown to one reader.
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
    /// Counts of its readiness list. `null`: the lesson has begun, or its bureau requires nothing.
    pub readiness: Option<ReadinessCount>,
    pub may: May,
    pub now_ms: UnixMs,
}

impl LessonView {
    /// The lesson as shown at `now` to a reader with these permissions.
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
