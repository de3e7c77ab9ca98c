//! 今日: lessons in progress, absences, connection trouble, lost and next lessons of the day.

use std::{cmp::Reverse, collections::HashSet};

use axum::{Json, extract::State};
use recorder::DiskLevel;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        account::identity::Identity,
        dispatch::app::DispatchApp,
        lesson::days_in,
        web::problem::{ApiError, Problems, common::CommonProblem},
    },
    live::wire::{Keeping, May, Presence, SeatRole, SeatView},
};
use school::{
    account::permission::{Asker, Permission},
    base::{
        id::{ClassroomId, LessonId, RecordingId},
        time::UnixMs,
        zone::{SHANGHAI, Zone},
    },
    lesson::{Lesson, life::LessonState},
};

/// The day in the caller's scope. Lists are truncated, counts are complete.
#[derive(Serialize, ToSchema)]
pub struct TodayView {
    now_ms: UnixMs,
    /// Fill level of the recordings' disk, and what is recorded at that level.
    disk: DiskLevel,
    counts: TodayCounts,
    /// Lessons open or live, latest start first.
    on: Vec<TodayLesson>,
    /// Absent although the lesson has started.
    missing: Vec<TodayTrouble>,
    /// With connection trouble.
    lines: Vec<TodayTrouble>,
    /// Lessons not held today, or not recorded.
    lost: Vec<TodayLesson>,
    /// Lessons to come, earliest first.
    next: Vec<TodayLesson>,
}

/// Counts of the day's lessons.
#[derive(Default, Serialize, ToSchema)]
#[expect(missing_docs, reason = "each is what it says")]
pub struct TodayCounts {
    pub all: usize,
    pub to_come: usize,
    pub on: usize,
    pub ended: usize,
    pub cancelled: usize,
    pub missed: usize,
    pub missing: usize,
    pub lines: usize,
    pub lost: usize,
}

/// A lesson of the day.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of the lesson")]
pub struct TodayLesson {
    pub lesson_id: LessonId,
    pub title: String,
    pub grade: String,
    pub subject: String,
    pub teacher: String,
    #[schema(value_type = String)]
    pub state: LessonState,
    pub starts_at_ms: UnixMs,
    pub ends_at_ms: UnixMs,
    /// Listening classrooms, and how many of them are present.
    pub classrooms: usize,
    pub present: usize,
    /// `null`: not recorded.
    pub recording_id: Option<RecordingId>,
    /// State of the recording. `null`: not recording now.
    pub keeping: Option<Keeping>,
    /// The caller may observe it now.
    pub may_watch: bool,
    /// Why it was cancelled or missed. Empty: no reason given.
    pub reason: String,
}

/// A participant that is absent or has connection trouble.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of the lesson")]
pub struct TodayTrouble {
    pub lesson_id: LessonId,
    pub title: String,
    /// The teacher or the classroom.
    pub name: String,
    /// The school of the classroom. Empty for the teacher.
    pub school: String,
    /// `absent`, `weak` or `lost`
    pub kind: &'static str,
    /// Start of the lesson.
    pub starts_at_ms: UnixMs,
}

/// 今日: show lessons in progress, absences, connection trouble, lost and next lessons
#[utoipa::path(get, path = "/today", tag = "lessons", extensions(("x-act" = json!("see_lessons"))),
    responses((status = 200, body = TodayView), Problems))]
pub async fn today(State(app): State<DispatchApp>, identity: Identity) -> Result<Json<TodayView>, ApiError> {
    let scope = identity.reach(Permission::SeeLessons)?;
    let now = app.clock.wall();
    let zone = Zone::named(SHANGHAI).map_err(|_| CommonProblem::NotFound)?;
    let date = zone.local(now).ok_or(CommonProblem::NotFound)?.date();
    let mut lessons = app.store.lessons(&scope, days_in(Some(date), Some(date))?, false, None, LESSONS_MAX).await?;
    lessons.sort_by_key(|lesson| (lesson.times.starts_at, lesson.lesson_id));
    let seats_of = |lesson: &Lesson| {
        app.registry.with_session(lesson.lesson_id, |session, now| session.seats(now)).unwrap_or_default()
    };
    let called_off: Vec<LessonId> = lessons
        .iter()
        .filter(|lesson| matches!(lesson.state, LessonState::Cancelled | LessonState::Missed))
        .map(|lesson| lesson.lesson_id)
        .collect();
    let reasons = app.store.reasons(&scope, &called_off).await?;
    let mut view = TodayView {
        now_ms: now,
        disk: app.recordings.disk().level,
        counts: TodayCounts { all: lessons.len(), ..TodayCounts::default() },
        on: Vec::new(),
        missing: Vec::new(),
        lines: Vec::new(),
        lost: Vec::new(),
        next: Vec::new(),
    };
    for lesson in &lessons {
        let seats = seats_of(lesson);
        let mut shown = shown(&identity.session.asker, lesson, &seats, now);
        match lesson.state {
            LessonState::Scheduled => {
                view.counts.to_come += 1;
                view.next.push(shown);
            }
            LessonState::Open | LessonState::Live => {
                view.counts.on += 1;
                view.lines.extend(weak(lesson, &seats));
                if lesson.times.starts_at <= now {
                    view.missing.extend(absent(lesson, &seats));
                }
                shown.keeping = app.registry.keeping(lesson.lesson_id);
                view.on.push(shown);
            }
            LessonState::Cancelled | LessonState::Missed => {
                let missed = lesson.state == LessonState::Missed;
                *(if missed { &mut view.counts.missed } else { &mut view.counts.cancelled }) += 1;
                shown.reason = reasons.get(&lesson.lesson_id).cloned().unwrap_or_default();
                view.lost.push(shown);
            }
            LessonState::Ended | LessonState::Archived => {
                view.counts.ended += 1;
                if lesson.recording.is_none() {
                    view.lost.push(shown);
                }
            }
        }
    }
    view.counts.missing = view.missing.len();
    view.counts.lines = view.lines.len();
    view.counts.lost = view.lost.len();
    view.on.sort_by_key(|lesson| Reverse(lesson.starts_at_ms));
    view.missing.truncate(SHOWN_MAX);
    view.lines.truncate(SHOWN_MAX);
    for lessons in [&mut view.on, &mut view.lost, &mut view.next] {
        lessons.truncate(SHOWN_MAX);
    }
    Ok(Json(view))
}

/// A county of 400 schools has 700 lessons a day; this leaves ample room.
const LESSONS_MAX: u32 = 3_000;

/// Entries shown per list, at most.
const SHOWN_MAX: usize = 100;

fn shown(asker: &Asker, lesson: &Lesson, seats: &[SeatView], now: UnixMs) -> TodayLesson {
    let there: HashSet<ClassroomId> = here(seats).filter_map(|seat| seat.classroom_id).collect();
    TodayLesson {
        lesson_id: lesson.lesson_id,
        title: lesson.title.clone(),
        grade: lesson.grade.clone(),
        subject: lesson.subject.clone(),
        teacher: lesson.teacher.name.clone(),
        state: lesson.state,
        starts_at_ms: lesson.times.starts_at,
        ends_at_ms: lesson.times.ends_at,
        classrooms: lesson.classrooms.len(),
        present: there.len(),
        recording_id: lesson.recording.map(|note| note.recording_id),
        keeping: None,
        may_watch: May::of(asker, lesson, now).watch,
        reason: String::new(),
    }
}

fn here(seats: &[SeatView]) -> impl Iterator<Item = &SeatView> {
    seats.iter().filter(|seat| seat.presence != Presence::Lost)
}

/// A participant with a seat and a lost connection counts as trouble, not as absent.
fn absent(lesson: &Lesson, seats: &[SeatView]) -> Vec<TodayTrouble> {
    let mut absent = Vec::new();
    if !seats.iter().any(|seat| seat.role == SeatRole::Teacher) {
        absent.push(trouble(lesson, lesson.teacher.name.clone(), String::new(), "absent"));
    }
    let rooms = lesson.classrooms.iter();
    let rooms = rooms.filter(|room| !seats.iter().any(|seat| seat.classroom_id == Some(room.classroom_id)));
    absent.extend(rooms.map(|room| trouble(lesson, room.name.clone(), room.school.clone(), "absent")));
    absent
}

fn weak(lesson: &Lesson, seats: &[SeatView]) -> Vec<TodayTrouble> {
    let told = |seat: &SeatView| {
        let kind = match seat.presence {
            Presence::Online => return None,
            Presence::Weak => "weak",
            Presence::Lost => "lost",
        };
        let room = lesson.classrooms.iter().find(|room| seat.classroom_id == Some(room.classroom_id));
        Some(trouble(lesson, seat.name.clone(), room.map(|room| room.school.clone()).unwrap_or_default(), kind))
    };
    seats.iter().filter_map(told).collect()
}

fn trouble(lesson: &Lesson, name: String, school: String, kind: &'static str) -> TodayTrouble {
    let (lesson_id, title) = (lesson.lesson_id, lesson.title.clone());
    TodayTrouble { lesson_id, title, name, school, kind, starts_at_ms: lesson.times.starts_at }
}
