//! Fictitious lessons, samples and a county: for the sample county and for tests of every crate above.

pub mod county;

use crate::{
    base::{
        id::{ClassroomId, LessonId, PersonId},
        time::UnixMs,
    },
    lesson::{
        Lesson, ListedClassroom, Teacher,
        life::{LessonState, LessonTimes, RunsBy},
    },
    report::{attendance::Cause, quality::Sample},
    timetable::{rules::RuleSet, two_ends::Span},
};

/// An open lesson of 40 minutes that its teacher starts, beginning 1,000,000 s after 1970.
#[must_use]
pub fn lesson_of(teacher: PersonId, classrooms: &[ClassroomId]) -> Lesson {
    Lesson {
        lesson_id: LessonId::fresh(),
        title: "英语 三年级 第3课".into(),
        subject: "英语".into(),
        grade: "三年级".into(),
        program: "delivery_class".into(),
        mode: "live".into(),
        teacher: Teacher { person_id: teacher, name: "张老师".into() },
        state: LessonState::Open,
        times: LessonTimes::by_hand(
            &RuleSet::default(),
            Span { starts_at: UnixMs(1_000_000_000), ends_at: UnixMs(1_002_400_000) },
        ),
        runs_by: RunsBy::Teacher,
        live_at: None,
        ended_at: None,
        classrooms: classrooms
            .iter()
            .enumerate()
            .map(|(n, id)| ListedClassroom {
                classroom_id: *id, name: format!("教室{n}"), school: "景家教学点".into()
            })
            .collect(),
        places: Vec::new(),
        guests_max: 2,
        recording: None,
    }
}

/// A five-second sample of an end with `shown_ms` on screen; every other figure is unknown.
#[must_use]
pub fn sample(from_s: i64, shown_ms: u32) -> Sample {
    Sample {
        from: UnixMs(from_s * 1_000),
        until: UnixMs((from_s + 5) * 1_000),
        shown_ms,
        shown_last: false,
        cause: (shown_ms < 5_000).then_some(Cause::Hidden),
        loss: None,
        hub_loss: None,
        rtt_ms: None,
        jitter_ms: None,
        buffer_ms: None,
        concealed: None,
        frames: None,
        dropped: None,
        freezes: None,
        frozen_ms: None,
        size: None,
        layer: None,
        spared: None,
        kbps: None,
    }
}
