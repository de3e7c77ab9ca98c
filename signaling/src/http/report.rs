//! Lesson reports: attendance, quality and verdict of each end, and how each figure is calculated.

pub mod app;
pub mod list;
pub mod problem;

use std::collections::{BTreeMap, HashSet};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use self::problem::ReportReason;
use crate::{
    http::{
        account::identity::Identity,
        lesson::find::find,
        report::app::ReportApp,
        retention::problem::{GoneView, RetentionProblem},
        web::{
            extract::{JsonBody, PathId},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    store::{NewHeadCount, report::chain::head_count_words},
};
use school::{
    account::permission::{Permission, Place, Scope, may},
    base::{
        formula::Formula,
        id::{ClassroomId, LessonId, RecordingId},
        time::UnixMs,
        zone::school_day,
    },
    lesson::{
        Lesson,
        life::{LessonState, WrongState},
    },
    report::{
        End, EndReport, HeadCount, LessonReport, PUPILS_MAX,
        attendance::{AttendanceState, Cause, Interruption},
        quality::{RolledUp, Sample},
        verdict::Judged,
        work_out,
    },
    retention::DeletionRule,
    timetable::two_ends::Span,
};

/// One end of a lesson.
#[derive(Serialize, ToSchema)]
pub struct EndReportView {
    /// `null`: the teaching end.
    classroom_id: Option<ClassroomId>,
    /// The teacher's or the classroom's name.
    name: String,
    /// Its school or teaching point.
    school: String,
    state: AttendanceState,
    judged: Judged,
    /// When the lesson was first on its screen. `null`: never.
    came_at_ms: Option<UnixMs>,
    /// When the lesson was last on its screen.
    left_at_ms: Option<UnixMs>,
    /// Time present, in milliseconds.
    present_ms: i64,
    /// Time from the start of the lesson to its arrival, in milliseconds.
    came_after_ms: i64,
    /// Time from its departure to the end of the lesson, in milliseconds.
    left_before_ms: i64,
    /// Intervals of absence between arrival and departure.
    interruptions: Vec<Interruption>,
    /// Intervals of presence.
    there: Vec<Span>,
    quality: RolledUp,
    /// Pupils counted by hand. `null`: not counted.
    heads: Option<HeadCount>,
}

/// The report of a lesson.
#[derive(Serialize, ToSchema)]
pub struct LessonReportView {
    lesson_id: LessonId,
    title: String,
    subject: String,
    grade: String,
    teacher: String,
    school: String,
    state: LessonState,
    starts_at_ms: UnixMs,
    ends_at_ms: UnixMs,
    /// When it went live. `null`: never.
    began_at_ms: Option<UnixMs>,
    /// When it ended, or now.
    ended_at_ms: Option<UnixMs>,
    /// Why it was cancelled. Empty: not cancelled, or no reason given.
    reason: String,
    /// `null`: not recorded, or the caller may not see the recording.
    recording_id: Option<RecordingId>,
    /// When the report was calculated. `null`: the lesson is not over and the report is provisional.
    worked_out_at_ms: Option<UnixMs>,
    /// SHA-256 of the report in the audit. `null`: provisional report.
    sha256: Option<String>,
    /// When its sample windows were deleted by the retention policy. `null`: still stored.
    samples_deleted_at_ms: Option<UnixMs>,
    /// Version of the bureau's figures that it was calculated with.
    figures_version: u32,
    /// The teaching end.
    broadcast: EndReportView,
    /// The listening ends that the caller may see.
    classrooms: Vec<EndReportView>,
    /// Number of other listening ends.
    others: usize,
    /// The formula of each figure as text.
    formulas: Vec<Formula>,
}

/// Show a lesson's report, final or provisional: attendance, quality and verdict of each end, with the formulas
#[utoipa::path(get, path = "/lessons/{lesson_id}/report", tag = "reports", operation_id = "show_lesson_report",
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("see_reports"))),
    responses((status = 200, body = LessonReportView), Problems))]
pub async fn show_report(
    State(app): State<ReportApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
) -> Result<Json<LessonReportView>, ApiError> {
    let lesson = find(&app.store, &identity, Permission::SeeReports, lesson_id).await?;
    let scope = identity.reach(Permission::SeeReports)?;
    audit_view(&app, &identity, &lesson).await?;
    let stored = app.store.report(&scope, lesson_id).await?;
    let (worked_out_at_ms, sha256) =
        stored.as_ref().map(|stored| (stored.worked_out_at, stored.sha256.clone())).unzip();
    let samples_deleted_at_ms = stored.as_ref().and_then(|stored| stored.samples_deleted_at);
    let report = match stored {
        Some(stored) => stored.report,
        None => {
            still_there(&app, &scope, lesson_id).await?;
            so_far(&app, &scope, &lesson).await?
        }
    };
    let seen = seen_by(&identity, &scope, &lesson);
    let mut classrooms = Vec::new();
    let mut broadcast = None;
    for end in report.ends {
        match end.end {
            End::Teacher => broadcast = Some(view(&lesson, end)),
            End::Classroom(classroom_id) if seen.contains(&classroom_id) => classrooms.push(view(&lesson, end)),
            End::Classroom(_) => {}
        }
    }
    classrooms.sort_by(|a, b| (&a.school, &a.name).cmp(&(&b.school, &b.name)));
    let school = app.store.teaching_schools(&scope, &[lesson_id]).await?.remove(&lesson_id).unwrap_or_default();
    let reason = app.store.reasons(&scope, &[lesson_id]).await?.remove(&lesson_id).unwrap_or_default();
    let replay = may(&identity.session.asker, Permission::Replay, Place::Lesson(&lesson), identity.now).is_ok();
    let mut broadcast = broadcast.ok_or(CommonProblem::NotFound)?;
    broadcast.school.clone_from(&school);
    Ok(Json(LessonReportView {
        lesson_id,
        others: lesson.classrooms.len() - seen.len(),
        began_at_ms: report.held.map(|held| held.starts_at),
        ended_at_ms: report.held.map(|held| held.ends_at),
        recording_id: lesson.recording.filter(|_| replay).map(|note| note.recording_id),
        starts_at_ms: lesson.times.starts_at,
        ends_at_ms: lesson.times.ends_at,
        state: lesson.state,
        teacher: lesson.teacher.name,
        title: lesson.title,
        subject: lesson.subject,
        grade: lesson.grade,
        school,
        reason,
        worked_out_at_ms,
        sha256,
        samples_deleted_at_ms,
        figures_version: report.figures_version,
        broadcast,
        classrooms,
        formulas: school::report::FORMULAS.to_vec(),
    }))
}

/// Sample windows of one end, one column per figure. `null`: not reported in that window.
#[derive(Default, Serialize, ToSchema)]
pub struct QualitySeries {
    /// `null`: the teaching end.
    classroom_id: Option<ClassroomId>,
    /// The teacher's or the classroom's name.
    name: String,
    /// Start of each window.
    at_ms: Vec<UnixMs>,
    /// Length of each window in milliseconds.
    span_ms: Vec<i64>,
    /// Time in the window with the lesson on the screen, in milliseconds.
    shown_ms: Vec<u32>,
    /// Why the lesson was not on the screen for the rest.
    cause: Vec<Option<Cause>>,
    /// Packet loss on the way to the page, 0 to 1.
    loss: Vec<Option<f64>>,
    /// Packet loss as measured by the hub, 0 to 1.
    hub_loss: Vec<Option<f64>>,
    /// Round-trip time in milliseconds.
    rtt_ms: Vec<Option<f64>>,
    /// Audio jitter in milliseconds.
    jitter_ms: Vec<Option<f64>>,
    /// Audio jitter-buffer delay in milliseconds.
    buffer_ms: Vec<Option<f64>>,
    /// Voice quality (MOS), 1 to 4.5.
    mos: Vec<Option<f64>>,
    /// Share of concealed audio samples, 0 to 1.
    concealed: Vec<Option<f64>>,
    /// Frames per second.
    fps: Vec<Option<f64>>,
    /// Height of the largest picture in pixels.
    height: Vec<Option<u16>>,
    /// Freezes that ended in the window.
    freezes: Vec<Option<u32>>,
    /// Their total length in milliseconds.
    frozen_ms: Vec<Option<u32>>,
    /// Simulcast layer of the camera, 0 the smallest.
    layer: Vec<Option<u8>>,
    /// Streams paused for lack of bandwidth.
    spared: Vec<Option<u8>>,
    /// Bit rate in kbit/s.
    kbps: Vec<Option<u32>>,
}

/// Quality of a lesson at each end, by window.
#[derive(Serialize, ToSchema)]
pub struct LessonQuality {
    lesson_id: LessonId,
    /// When it went live. `null`: never.
    began_at_ms: Option<UnixMs>,
    /// The teaching end first.
    ends: Vec<QualitySeries>,
}

/// Show a lesson's quality at each end as series of five-second windows
#[utoipa::path(get, path = "/lessons/{lesson_id}/quality", tag = "reports", operation_id = "show_lesson_quality",
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("see_reports"))),
    responses((status = 200, body = LessonQuality), Problems))]
pub async fn show_quality(
    State(app): State<ReportApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
) -> Result<Json<LessonQuality>, ApiError> {
    let lesson = find(&app.store, &identity, Permission::SeeReports, lesson_id).await?;
    let scope = identity.reach(Permission::SeeReports)?;
    audit_view(&app, &identity, &lesson).await?;
    let mut windows: BTreeMap<End, Vec<Sample>> =
        app.store.stored_windows(&scope, lesson_id).await?.into_iter().collect();
    if windows.is_empty() {
        still_there(&app, &scope, lesson_id).await?;
        let unkept = app.registry.sample_buffer(|sample_buffer| sample_buffer.of(lesson_id));
        windows = app.store.collected(&scope, &lesson, unkept).await?.windows;
    }
    let seen = seen_by(&identity, &scope, &lesson);
    let known = |end: &End| match end {
        End::Teacher => true,
        End::Classroom(classroom_id) => seen.contains(classroom_id),
    };
    let ends = windows.into_iter().filter(|(end, _)| known(end));
    let ends = ends.map(|(end, samples)| QualitySeries::of(&lesson, end, samples)).collect();
    Ok(Json(LessonQuality { lesson_id, began_at_ms: lesson.live_at, ends }))
}

impl QualitySeries {
    fn of(lesson: &Lesson, end: End, mut samples: Vec<Sample>) -> Self {
        let (classroom_id, name, _) = called(lesson, end);
        samples.sort_by_key(|sample| sample.from);
        let mut series = Self { classroom_id, name, ..Self::default() };
        for sample in samples {
            series.at_ms.push(sample.from);
            series.span_ms.push(sample.span_ms());
            series.shown_ms.push(sample.shown_ms);
            series.cause.push(sample.cause);
            series.loss.push(sample.loss);
            series.hub_loss.push(sample.hub_loss);
            series.rtt_ms.push(sample.rtt_ms);
            series.jitter_ms.push(sample.jitter_ms);
            series.buffer_ms.push(sample.buffer_ms);
            series.mos.push(sample.mos());
            series.concealed.push(sample.concealed);
            series.fps.push(sample.fps());
            series.height.push(sample.size.map(|(_, height)| height));
            series.freezes.push(sample.freezes);
            series.frozen_ms.push(sample.frozen_ms);
            series.layer.push(sample.layer);
            series.spared.push(sample.spared);
            series.kbps.push(sample.kbps);
        }
        series
    }
}

/// Head count of the caller's classroom.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHeads {
    /// Counted by hand, 0 to 500. Contains no names.
    #[schema(maximum = 500)]
    pupils: u32,
}

/// Report the head count of the device's own classroom, counted by hand
#[utoipa::path(post, path = "/lessons/{lesson_id}/head-counts", tag = "reports", request_body = NewHeads,
    operation_id = "count_heads", params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("attend"))),
    responses((status = 201, body = HeadCount), Problems))]
pub async fn count_heads(
    State(app): State<ReportApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
    JsonBody(ask): JsonBody<NewHeads>,
) -> Result<Response, ApiError> {
    let lesson = find(&app.store, &identity, Permission::Attend, lesson_id).await?;
    let classroom_id = identity.session.asker.classroom_id().ok_or(CommonProblem::NotFound)?;
    let now = app.clock.wall();
    let counts = match lesson.state {
        LessonState::Open | LessonState::Live => true,
        LessonState::Ended => now < lesson.times.closes_at.plus(COUNTS_UNTIL),
        _ => false,
    };
    if !counts {
        return Err(WrongState(lesson.state).into());
    }
    if ask.pupils > PUPILS_MAX {
        return Err(invalid("pupils", &ReportReason::OutOfRange { min: 0, max: PUPILS_MAX }));
    }
    let by = identity.session.assistant.as_ref().map(|(_, name)| name.clone()).unwrap_or_default();
    let count = HeadCount { pupils: ask.pupils, at_ms: now, by };
    let head_count_id = Uuid::now_v7().to_string();
    let words = head_count_words(&classroom_id.to_string(), i64::from(count.pupils), now.0, &count.by);
    let row = identity.row(&app.clock, "count_heads", format!("lesson:{lesson_id}")).at_place(lesson.place());
    let row = row.saying(format!("{head_count_id} {words}"));
    let new = NewHeadCount { head_count_id, lesson_id, classroom_id, count };
    if !app.store.save_head_count(&identity.reach(Permission::Attend)?, &new, &row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    let location = [(header::LOCATION, format!("/api/v1/lessons/{lesson_id}/report"))];
    Ok((StatusCode::CREATED, location, Json(new.count)).into_response())
}

/// Head counts are accepted for this long after the lesson closes.
const COUNTS_UNTIL: std::time::Duration = std::time::Duration::from_secs(2 * 3600);

/// The provisional report of a lesson without a stored one.
async fn so_far(app: &ReportApp, scope: &Scope, lesson: &Lesson) -> Result<LessonReport, ApiError> {
    let unkept = app.registry.sample_buffer(|sample_buffer| sample_buffer.of(lesson.lesson_id));
    let collected = app.store.collected(scope, lesson, unkept).await?;
    let rules = app.store.rules_at(scope, lesson.place()).await?;
    Ok(work_out(lesson, &collected, &rules, app.clock.wall()))
}

/// Checks that a report which is not stored is yet to be calculated and was not deleted.
///
/// # Errors
/// [`RetentionProblem::ReportDeleted`] where the report was deleted by the retention policy.
async fn still_there(app: &ReportApp, scope: &Scope, lesson_id: LessonId) -> Result<(), ApiError> {
    let gone = app.store.attendance_gone(scope, lesson_id).await?;
    let gone = gone.map(|at| GoneView { rule: DeletionRule::Retention, on: Some(school_day(at)) });
    gone.map_or(Ok(()), |gone| Err(RetentionProblem::ReportDeleted { gone }.into()))
}

/// Writes an audit row: attendance of minors was read.
async fn audit_view(app: &ReportApp, identity: &Identity, lesson: &Lesson) -> Result<(), ApiError> {
    let object = format!("lesson:{}", lesson.lesson_id);
    Ok(app.store.audit(&identity.row(&app.clock, "look_into_report", object).at_place(lesson.place())).await?)
}

/// The listening ends that the caller may see: all for the teacher and where the scope covers the teaching school,
/// otherwise those in the caller's scope.
pub(super) fn seen_by(identity: &Identity, scope: &Scope, lesson: &Lesson) -> HashSet<ClassroomId> {
    let teaches = identity.session.asker.person_id() == Some(lesson.teacher.person_id);
    let all = teaches || scope.covers(lesson.place());
    // `places`: the teaching school first, then those of the classrooms in their order.
    let listed = lesson.classrooms.iter().zip(lesson.places.iter().skip(1));
    listed.filter(|(_, path)| all || scope.covers(path)).map(|(listed, _)| listed.classroom_id).collect()
}

/// Id, name and school of an end.
pub(super) fn called(lesson: &Lesson, end: End) -> (Option<ClassroomId>, String, String) {
    let End::Classroom(classroom_id) = end else { return (None, lesson.teacher.name.clone(), String::new()) };
    let listed = lesson.classrooms.iter().find(|listed| listed.classroom_id == classroom_id);
    let (name, school) = listed.map(|listed| (listed.name.clone(), listed.school.clone())).unwrap_or_default();
    (Some(classroom_id), name, school)
}

fn view(lesson: &Lesson, report: EndReport) -> EndReportView {
    let (classroom_id, name, school) = called(lesson, report.end);
    let attendance = report.attendance;
    EndReportView {
        classroom_id,
        name,
        school,
        state: attendance.state,
        judged: report.judged,
        came_at_ms: attendance.came_at,
        left_at_ms: attendance.left_at,
        present_ms: attendance.present_ms,
        came_after_ms: attendance.came_after_ms,
        left_before_ms: attendance.left_before_ms,
        interruptions: attendance.interruptions,
        there: attendance.there,
        quality: report.quality,
        heads: report.heads,
    }
}
