//! Reports of many lessons: list and table export.

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        account::identity::Identity,
        lesson::{days_in, read_cursor, write_cursor},
        organisation::{
            import::Format,
            sheet::{self, FileKind, XLSX},
        },
        report::{app::ReportApp, called, problem::ReportReason, seen_by},
        web::{
            extract::QueryParams,
            list::{self, Listed},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    store::report::{ReportSearch, StoredReport},
};
use school::{
    account::permission::{Permission, Place, Scope, may},
    base::{
        id::{LessonId, OrganisationId, RecordingId},
        time::UnixMs,
        zone::{SHANGHAI, Zone},
    },
    lesson::{Lesson, life::LessonState},
    report::{End, EndReport, attendance::AttendanceState, verdict::Verdict},
};

/// Rows per export, at most. A larger export must be split by days.
const EXPORT_MAX: usize = 50_000;

/// Lessons read from the store per query.
const BATCH: u32 = 500;

/// Filters of the list of reports.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportListing {
    /// `next` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{60,80}$")]
    after: Option<String>,
    /// Page size, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only lessons that start on or after this day.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Only lessons that start on or before this day.
    #[param(value_type = Option<String>, format = Date)]
    until: Option<Date>,
    /// Only lessons taught or received by this organisation or one below it.
    organisation_id: Option<OrganisationId>,
    /// Only lessons with this verdict at the teaching end.
    verdict: Option<Verdict>,
    /// Only lessons with this verdict at a listening end.
    listening_verdict: Option<Verdict>,
}

/// Filters and format of an export.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportExporting {
    /// Missing: CSV.
    #[serde(default)]
    format: Format,
    /// Only lessons that start on or after this day.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Only lessons that start on or before this day.
    #[param(value_type = Option<String>, format = Date)]
    until: Option<Date>,
    /// Only lessons taught or received by this organisation or one below it.
    organisation_id: Option<OrganisationId>,
    /// Only lessons with this verdict at the teaching end.
    verdict: Option<Verdict>,
    /// Only lessons with this verdict at a listening end.
    listening_verdict: Option<Verdict>,
}

/// One lesson's report in a list, with the listening ends that the caller may see.
#[derive(Serialize, ToSchema)]
pub struct ReportLine {
    lesson_id: LessonId,
    title: String,
    subject: String,
    grade: String,
    teacher: String,
    school: String,
    state: LessonState,
    starts_at_ms: UnixMs,
    ends_at_ms: UnixMs,
    /// Verdict at the teaching end.
    verdict: Verdict,
    /// Time held at the teaching end, in milliseconds. `null`: not evaluated.
    held_ms: Option<i64>,
    /// Number of listening ends.
    classrooms: usize,
    /// Of these, those that were present at all.
    present: usize,
    late: usize,
    left_early: usize,
    /// School and classroom of those that never joined.
    absent: Vec<String>,
    /// Number of listening ends with a valid lesson.
    valid: usize,
    /// Pupils counted. `null`: not counted.
    pupils: Option<u32>,
    /// `null`: not recorded, or the caller may not see the recording.
    recording_id: Option<RecordingId>,
}

/// List reports of lessons that are over, latest start first
#[utoipa::path(get, path = "/reports/lessons", tag = "reports", params(ReportListing),
    extensions(("x-act" = json!("see_reports"))),
    responses((status = 200, body = Listed<ReportLine>), Problems))]
pub async fn list_lesson_reports(
    State(app): State<ReportApp>,
    identity: Identity,
    QueryParams(listing): QueryParams<ReportListing>,
) -> Result<Json<Listed<ReportLine>>, ApiError> {
    let below = listing.after.as_deref().map(read_cursor).transpose()?;
    let limit = list::limit(listing.limit)?;
    let scope = identity.scope(Permission::SeeReports)?;
    let search = ReportSearch {
        organisation_id: listing.organisation_id,
        verdict: listing.verdict,
        listening_verdict: listing.listening_verdict,
    };
    let starts = days_in(listing.from, listing.until)?;
    let mut lessons = app.store.reported_lessons(&scope, starts, &search, below, limit + 1).await?;
    let more = lessons.len() > limit as usize;
    lessons.truncate(limit as usize);
    let next = lessons.last().filter(|_| more).map(write_cursor);
    let found = Found::of(&app, &scope, lessons).await?;
    let items = found.into_iter().map(|found| found.line(&identity, &scope)).collect();
    Ok(Json(Listed { items, next }))
}

/// Export lesson reports as a table, one row per end; the export itself is audited
#[utoipa::path(get, path = "/exports/lesson-reports", tag = "reports", params(ReportExporting),
    extensions(("x-act" = json!("see_reports"))),
    responses((status = 200, content((String = "text/csv"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), Problems))]
pub async fn export_lesson_reports(
    State(app): State<ReportApp>,
    identity: Identity,
    QueryParams(exporting): QueryParams<ReportExporting>,
) -> Result<Response, ApiError> {
    let scope = identity.scope(Permission::SeeReports)?;
    let _turn = sheet::turn(&app.tables).await?;
    let search = ReportSearch {
        organisation_id: exporting.organisation_id,
        verdict: exporting.verdict,
        listening_verdict: exporting.listening_verdict,
    };
    let starts = days_in(exporting.from, exporting.until)?;
    let zone = Zone::named(SHANGHAI).map_err(|_| CommonProblem::NotFound)?;
    let (mut below, mut lines) = (None, Vec::new());
    loop {
        let lessons = app.store.reported_lessons(&scope, starts.clone(), &search, below, BATCH).await?;
        let Some(last) = lessons.last() else { break };
        below = Some(crate::store::LessonCursor { starts_at: last.times.starts_at, lesson_id: last.lesson_id });
        for found in Found::of(&app, &scope, lessons).await? {
            lines.extend(found.rows(&identity, &scope, &zone));
        }
        if lines.len() > EXPORT_MAX {
            return Err(invalid("from", &ReportReason::ExportTooLong { max: EXPORT_MAX }));
        }
    }
    let taken = lines.len();
    let (kind, media_type, end) = match exporting.format {
        Format::Csv => (FileKind::Csv, "text/csv; charset=utf-8", "csv"),
        Format::Xlsx => (FileKind::Xlsx, XLSX, "xlsx"),
    };
    let file = tokio::task::spawn_blocking(move || sheet::write_table(kind, &COLUMNS, &lines)).await;
    let file = file.map_err(ApiError::internal)?;
    let file = file.map_err(ApiError::internal)?;
    app.store.audit(&identity.row(&app.clock, "export_reports", format!("lesson_reports:{taken}"))).await?;
    let name = format!("attachment; filename=\"lesson-reports.{end}\"");
    Ok(([(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, name)], file).into_response())
}

/// Header row of the table.
const COLUMNS: [&str; 28] = [
    "日期",
    "上课",
    "下课",
    "课题",
    "年级",
    "学科",
    "主讲学校",
    "主讲教师",
    "端",
    "学校",
    "教室或教师",
    "出勤",
    "判定",
    "规则",
    "规则版本",
    "指标版本",
    "门槛（分）",
    "在课（分）",
    "到课",
    "离开",
    "晚到（秒）",
    "早走（秒）",
    "人数",
    "清点人",
    "丢包中位（%）",
    "语音得分中位",
    "卡顿占比（%）",
    "课节编号",
];

/// A lesson with its report.
struct Found {
    lesson: Lesson,
    school: String,
    stored: StoredReport,
}

impl Found {
    async fn of(app: &ReportApp, scope: &Scope, lessons: Vec<Lesson>) -> Result<Vec<Self>, ApiError> {
        let ids: Vec<LessonId> = lessons.iter().map(|lesson| lesson.lesson_id).collect();
        let mut reports = app.store.reports(scope, &ids).await?;
        let mut schools = app.store.teaching_schools(scope, &ids).await?;
        let found = lessons.into_iter().filter_map(|lesson| {
            let stored = reports.remove(&lesson.lesson_id)?;
            let school = schools.remove(&lesson.lesson_id).unwrap_or_default();
            Some(Self { lesson, school, stored })
        });
        Ok(found.collect())
    }

    /// The ends that the caller may see, the teaching one first.
    fn ends(&self, identity: &Identity, scope: &Scope) -> Vec<&EndReport> {
        let seen = seen_by(identity, scope, &self.lesson);
        let known = |end: End| match end {
            End::Teacher => true,
            End::Classroom(classroom_id) => seen.contains(&classroom_id),
        };
        self.stored.report.ends.iter().filter(|report| known(report.end)).collect()
    }

    fn line(self, identity: &Identity, scope: &Scope) -> ReportLine {
        let ends = self.ends(identity, scope);
        let (taught, heard): (Vec<&EndReport>, Vec<&EndReport>) =
            ends.into_iter().partition(|report| report.end == End::Teacher);
        let count = |states: &[AttendanceState]| {
            heard.iter().filter(|report| states.contains(&report.attendance.state)).count()
        };
        use AttendanceState::{Absent, Late, LateAndLeftEarly, LeftEarly, Present};
        let absent = heard.iter().filter(|report| report.attendance.state == Absent).map(|report| {
            let (_, name, school) = called(&self.lesson, report.end);
            format!("{school} {name}")
        });
        let pupils: Vec<u32> = heard.iter().filter_map(|report| Some(report.heads.as_ref()?.pupils)).collect();
        let replay =
            may(&identity.session.asker, Permission::Replay, Place::Lesson(&self.lesson), identity.now).is_ok();
        let judged = taught.first().map(|report| &report.judged);
        ReportLine {
            lesson_id: self.lesson.lesson_id,
            verdict: judged.map_or(Verdict::Unjudged, |judged| judged.verdict),
            held_ms: judged.and_then(|judged| judged.held_ms),
            classrooms: heard.len(),
            present: count(&[Present, Late, LeftEarly, LateAndLeftEarly]),
            late: count(&[Late, LateAndLeftEarly]),
            left_early: count(&[LeftEarly, LateAndLeftEarly]),
            absent: absent.collect(),
            valid: heard.iter().filter(|report| report.judged.verdict == Verdict::Valid).count(),
            pupils: (!pupils.is_empty()).then(|| pupils.iter().sum()),
            recording_id: self.lesson.recording.filter(|_| replay).map(|note| note.recording_id),
            state: self.lesson.state,
            starts_at_ms: self.lesson.times.starts_at,
            ends_at_ms: self.lesson.times.ends_at,
            title: self.lesson.title.clone(),
            subject: self.lesson.subject.clone(),
            grade: self.lesson.grade.clone(),
            teacher: self.lesson.teacher.name.clone(),
            school: self.school,
        }
    }

    fn rows(self, identity: &Identity, scope: &Scope, zone: &Zone) -> Vec<Vec<String>> {
        let lesson = &self.lesson;
        let local =
            |at: UnixMs, form: &str| zone.local(at).map_or_else(String::new, |at| at.strftime(form).to_string());
        let minutes = |ms: i64| format!("{:.1}", ms as f64 / 60_000.0);
        let percent = |share: Option<f64>| share.map_or_else(String::new, |share| format!("{:.2}", share * 100.0));
        let row = |report: &EndReport| {
            let (_, name, school) = called(lesson, report.end);
            let (taught, school) = match report.end {
                End::Teacher => ("主讲", self.school.clone()),
                End::Classroom(_) => ("听讲", school),
            };
            let (attendance, judged, quality) = (&report.attendance, &report.judged, &report.quality);
            let at = |at: Option<UnixMs>| at.map_or_else(String::new, |at| local(at, "%H:%M:%S"));
            let came = |ms: i64| attendance.came_at.map_or_else(String::new, |_| (ms / 1_000).to_string());
            vec![
                local(lesson.times.starts_at, "%Y-%m-%d"),
                local(lesson.times.starts_at, "%H:%M"),
                local(lesson.times.ends_at, "%H:%M"),
                lesson.title.clone(),
                lesson.grade.clone(),
                lesson.subject.clone(),
                self.school.clone(),
                lesson.teacher.name.clone(),
                taught.to_owned(),
                school,
                name,
                state_title(attendance.state).to_owned(),
                verdict_title(judged.verdict).to_owned(),
                judged.rule.clone(),
                judged.rule_version.to_string(),
                judged.figures_version.to_string(),
                minutes(judged.needed_ms),
                minutes(attendance.present_ms),
                at(attendance.came_at),
                at(attendance.left_at),
                came(attendance.came_after_ms),
                came(attendance.left_before_ms),
                report.heads.as_ref().map_or_else(String::new, |heads| heads.pupils.to_string()),
                report.heads.as_ref().map_or_else(String::new, |heads| heads.by.clone()),
                percent(quality.loss.or(quality.hub_loss).map(|figure| figure.median)),
                quality.mos.map_or_else(String::new, |figure| format!("{:.2}", figure.median)),
                percent(quality.frozen_share),
                lesson.lesson_id.to_string(),
            ]
        };
        self.ends(identity, scope).into_iter().map(row).collect()
    }
}

fn state_title(state: AttendanceState) -> &'static str {
    match state {
        AttendanceState::Present => "出勤",
        AttendanceState::Late => "迟到",
        AttendanceState::LeftEarly => "早退",
        AttendanceState::LateAndLeftEarly => "迟到并早退",
        AttendanceState::Absent => "未到",
        AttendanceState::Unknown => "没有采集",
    }
}

fn verdict_title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "有效授课",
        Verdict::Short => "无效授课",
        Verdict::Cancelled => "因故停课",
        Verdict::Missed => "无故停课",
        Verdict::Unjudged => "未判定",
    }
}
