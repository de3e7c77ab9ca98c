//! Reports of ended lessons: stored once; the report's hash covers each end's row and is in the audit.

use std::{collections::HashMap, fmt::Write as _, ops::Range};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use sqlx::{Row, any::AnyRow};

use super::{AuditRow, LessonCursor, Sql, Store, StoreError, lesson::scoped, word};
use crate::store::db::column::instant_or_null;
use school::{
    account::permission::{Reach, Scope},
    base::{
        id::{LessonId, OrganisationId},
        time::UnixMs,
    },
    lesson::Lesson,
    report::{
        Collected, End, EndReport, LessonReport,
        attendance::{Attendance, AttendanceState, Interruption},
        quality::RolledUp,
        verdict::{Judged, Verdict},
        window,
    },
    timetable::two_ends::Span,
};

/// Audit act of generating a report.
pub const ACT: &str = "work_out_report";

/// A stored report.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReport {
    /// Content. Ends are sorted by name.
    pub report: LessonReport,
    /// When it was generated.
    pub worked_out_at: UnixMs,
    /// Hash as recorded in the audit.
    pub sha256: String,
    /// When its samples were deleted; its figures stay. `None`: not deleted.
    pub samples_deleted_at: Option<UnixMs>,
}

/// Filter for reports. `None`: matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportSearch {
    /// Lessons that this organisation, or one below it, taught or listened to.
    pub organisation_id: Option<OrganisationId>,
    /// Verdict at the teaching end.
    pub verdict: Option<Verdict>,
    /// Verdict of any listening end in scope.
    pub listening_verdict: Option<Verdict>,
}

/// Fields of an end's row that have no column of their own, stored as JSON.
#[derive(Serialize, Deserialize)]
struct Detail {
    judged: Judged,
    came_after_ms: i64,
    left_before_ms: i64,
    interruptions: Vec<Interruption>,
    there: Vec<Span>,
    quality: RolledUp,
}

/// One end's row, as in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EndRow {
    pub(super) lesson_id: String,
    pub(super) end_name: String,
    state: String,
    verdict: String,
    came_at_ms: Option<i64>,
    left_at_ms: Option<i64>,
    present_ms: i64,
    detail: String,
    pub(super) windows: String,
}

/// A lesson's row, as in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReportRow {
    pub(super) lesson_id: String,
    pub(super) worked_out_at_ms: i64,
    figures_version: i64,
    began_ms: Option<i64>,
    ended_ms: Option<i64>,
    pub(super) ends: String,
    pub(super) samples_deleted_at_ms: Option<i64>,
    pub(super) sha256: String,
}

pub(super) const SELECT_END: &str = "select lesson_id, end_name, state, verdict, came_at_ms, left_at_ms, present_ms, \
                                     detail, windows from attendance where ";

pub(super) const SELECT_REPORT: &str =
    "select lesson_id, worked_out_at_ms, figures_version, began_ms, ended_ms, ends, samples_deleted_at_ms, sha256
     from lesson_report where ";

impl EndRow {
    /// SHA-256 of all columns, as a JSON list whose order and format never change.
    pub(super) fn hash(&self) -> String {
        hash(&(
            (&self.lesson_id, &self.end_name, &self.state, &self.verdict),
            (self.came_at_ms, self.left_at_ms, self.present_ms, &self.detail, &self.windows),
        ))
    }

    pub(super) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            lesson_id: row.try_get("lesson_id")?,
            end_name: row.try_get("end_name")?,
            state: row.try_get("state")?,
            verdict: row.try_get("verdict")?,
            came_at_ms: row.try_get("came_at_ms")?,
            left_at_ms: row.try_get("left_at_ms")?,
            present_ms: row.try_get("present_ms")?,
            detail: row.try_get("detail")?,
            windows: row.try_get("windows")?,
        })
    }

    fn of(lesson_id: LessonId, report: &EndReport, collected: &Collected) -> Self {
        let mut samples = collected.windows.get(&report.end).cloned().unwrap_or_default();
        samples.sort_by_key(|sample| sample.from);
        let attendance = &report.attendance;
        let detail = Detail {
            judged: report.judged.clone(),
            came_after_ms: attendance.came_after_ms,
            left_before_ms: attendance.left_before_ms,
            interruptions: attendance.interruptions.clone(),
            there: attendance.there.clone(),
            quality: report.quality.clone(),
        };
        Self {
            lesson_id: lesson_id.to_string(),
            end_name: report.end.to_string(),
            state: attendance.state.as_str().into(),
            verdict: report.judged.verdict.as_str().into(),
            came_at_ms: attendance.came_at.map(|at| at.0),
            left_at_ms: attendance.left_at.map(|at| at.0),
            present_ms: attendance.present_ms,
            // Strings and numbers always serialise to JSON.
            detail: serde_json::to_string(&detail).unwrap_or_default(),
            windows: window::write(UnixMs(0), &samples),
        }
    }

    fn report(self) -> Result<EndReport, StoreError> {
        let unknown = |column, value| StoreError::UnknownWord { column, value };
        let detail: Detail =
            serde_json::from_str(&self.detail).map_err(|error| unknown("detail", error.to_string()))?;
        let end = self.end_name.parse().map_err(|_| unknown("end_name", self.end_name.clone()))?;
        let state = AttendanceState::from_word(&self.state).ok_or_else(|| unknown("state", self.state.clone()))?;
        let attendance = Attendance {
            state,
            came_at: self.came_at_ms.map(UnixMs),
            left_at: self.left_at_ms.map(UnixMs),
            present_ms: self.present_ms,
            came_after_ms: detail.came_after_ms,
            left_before_ms: detail.left_before_ms,
            interruptions: detail.interruptions,
            there: detail.there,
        };
        Ok(EndReport { end, attendance, judged: detail.judged, quality: detail.quality, heads: None })
    }
}

impl ReportRow {
    /// SHA-256 of all other columns. The deletion time of the samples is included only if set.
    pub(super) fn hash(&self) -> String {
        let times = (self.worked_out_at_ms, self.figures_version, self.began_ms, self.ended_ms);
        match self.samples_deleted_at_ms {
            None => hash(&(&self.lesson_id, times, &self.ends)),
            Some(at_ms) => hash(&(&self.lesson_id, times, &self.ends, at_ms)),
        }
    }

    /// Records the hashes of the ends' rows, in their order, and updates its own hash.
    pub(super) fn seal(&mut self, rows: &[EndRow]) {
        self.ends = rows.iter().map(|row| format!("{} {}", row.end_name, row.hash())).collect::<Vec<_>>().join("\n");
        self.sha256 = self.hash();
    }

    pub(super) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            lesson_id: row.try_get("lesson_id")?,
            worked_out_at_ms: row.try_get("worked_out_at_ms")?,
            figures_version: row.try_get("figures_version")?,
            began_ms: row.try_get("began_ms")?,
            ended_ms: row.try_get("ended_ms")?,
            ends: row.try_get("ends")?,
            samples_deleted_at_ms: row.try_get("samples_deleted_at_ms")?,
            sha256: row.try_get("sha256")?,
        })
    }

    fn stored(self, ends: Vec<EndReport>) -> Result<StoredReport, StoreError> {
        let lesson_id = self.lesson_id.parse();
        let lesson_id =
            lesson_id.map_err(|_| StoreError::UnknownWord { column: "lesson_id", value: self.lesson_id })?;
        let held = self.began_ms.zip(self.ended_ms);
        let held = held.map(|(from, until)| Span { starts_at: UnixMs(from), ends_at: UnixMs(until) });
        let figures_version = u32::try_from(self.figures_version).unwrap_or_default();
        let report = LessonReport { lesson_id, figures_version, held, ends };
        Ok(StoredReport {
            report,
            worked_out_at: UnixMs(self.worked_out_at_ms),
            sha256: self.sha256,
            samples_deleted_at: self.samples_deleted_at_ms.map(UnixMs),
        })
    }
}

fn hash(columns: &impl Serialize) -> String {
    let bytes = serde_json::to_vec(columns).unwrap_or_default();
    digest(&SHA256, &bytes).as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Store {
    /// Lessons that are over and have no report yet, earliest first. A lesson that was not held waits until its closing
    /// time.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lessons_to_report(&self, scope: &Scope, now: UnixMs, limit: i64) -> Result<Vec<Lesson>, StoreError> {
        let mut query = scoped(scope);
        // Spelled as in the partial index, so that it is used.
        query.push(" and reported_at_ms is null and lesson.state in ('ended', 'cancelled', 'missed')");
        query.push(" and (lesson.state = 'ended' or closes_at_ms <= ").bind(now.0);
        query.push(") order by closes_at_ms, lesson.lesson_id limit ").bind(limit);
        self.fetch_lessons(query).await
    }

    /// Stores a lesson's report, once: the rows of its ends, its own row, and the audit row. Presence per minute moves
    /// into the ends' rows. False: a report exists already.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn save_report(
        &self,
        _scope: &Scope,
        report: &LessonReport,
        collected: &Collected,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let lesson_id = report.lesson_id.to_string();
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update lesson set reported_at_ms = ");
        sql.bind(row.at.0).push(" where reported_at_ms is null and lesson_id = ").bind(lesson_id.as_str());
        if sql.run(writing.on()).await? == 0 {
            return Ok(false);
        }
        let mut rows: Vec<EndRow> =
            report.ends.iter().map(|end| EndRow::of(report.lesson_id, end, collected)).collect();
        rows.sort_by(|a, b| a.end_name.cmp(&b.end_name));
        let mut stored = ReportRow {
            lesson_id: lesson_id.clone(),
            worked_out_at_ms: row.at.0,
            figures_version: i64::from(report.figures_version),
            began_ms: report.held.map(|held| held.starts_at.0),
            ended_ms: report.held.map(|held| held.ends_at.0),
            ends: String::new(),
            samples_deleted_at_ms: None,
            sha256: String::new(),
        };
        stored.seal(&rows);
        for row in &rows {
            let mut sql = Sql::new(
                "insert into attendance (lesson_id, end_name, state, verdict, came_at_ms, left_at_ms, present_ms, detail,
                                         windows) values (",
            );
            sql.bind(row.lesson_id.as_str()).push(", ").bind(row.end_name.as_str()).push(", ");
            sql.bind(row.state.as_str()).push(", ").bind(row.verdict.as_str()).push(", ").bind(row.came_at_ms);
            sql.push(", ").bind(row.left_at_ms).push(", ").bind(row.present_ms).push(", ");
            sql.bind(row.detail.as_str()).push(", ").bind(row.windows.as_str()).push(")");
            sql.run(writing.on()).await?;
        }
        let mut sql = Sql::new(
            "insert into lesson_report (lesson_id, worked_out_at_ms, figures_version, began_ms, ended_ms, ends, sha256)
             values (",
        );
        sql.bind(lesson_id.as_str()).push(", ").bind(stored.worked_out_at_ms).push(", ").bind(stored.figures_version);
        sql.push(", ").bind(stored.began_ms).push(", ").bind(stored.ended_ms).push(", ");
        sql.bind(stored.ends.as_str()).push(", ").bind(stored.sha256.as_str()).push(")");
        sql.run(writing.on()).await?;
        let mut sql = Sql::new("delete from presence_minute where lesson_id = ");
        sql.bind(lesson_id).run(writing.on()).await?;
        writing.commit(&row.saying(format!("sha256={}", stored.sha256))).await?;
        Ok(true)
    }

    /// Report of a lesson already found in scope. `None`: none is stored yet.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn report(&self, scope: &Scope, lesson_id: LessonId) -> Result<Option<StoredReport>, StoreError> {
        Ok(self.reports(scope, &[lesson_id]).await?.remove(&lesson_id))
    }

    /// When the report of a lesson already found in scope was deleted. `None`: not deleted.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn attendance_gone(&self, _scope: &Scope, lesson_id: LessonId) -> Result<Option<UnixMs>, StoreError> {
        let mut sql = Sql::new("select attendance_deleted_at_ms from lesson where lesson_id = ");
        let row = sql.bind(lesson_id.to_string()).optional(&self.pool).await?;
        Ok(row.map(|row| instant_or_null(&row, "attendance_deleted_at_ms")).transpose()?.flatten())
    }

    /// Reports of lessons already found in scope, with their head counts.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn reports(
        &self,
        scope: &Scope,
        lesson_ids: &[LessonId],
    ) -> Result<HashMap<LessonId, StoredReport>, StoreError> {
        let ids = || lesson_ids.iter().map(ToString::to_string);
        // Windows are long; they are read by a query of their own.
        let mut sql = Sql::new(SELECT_END.replace(" windows from", " '' as windows from"));
        sql.push("lesson_id in ").list(ids()).push(" order by lesson_id, end_name");
        let mut ends: HashMap<String, Vec<EndReport>> = HashMap::new();
        let mut heads = self.head_counts_of(scope, lesson_ids).await?;
        for row in sql.all(&self.pool).await? {
            let row = EndRow::read(&row)?;
            let lesson_id = row.lesson_id.clone();
            ends.entry(lesson_id).or_default().push(row.report()?);
        }
        let mut sql = Sql::new(SELECT_REPORT);
        sql.push("lesson_id in ").list(ids());
        let mut reports = HashMap::new();
        for row in sql.all(&self.pool).await? {
            let row = ReportRow::read(&row)?;
            let mut ends = ends.remove(&row.lesson_id).unwrap_or_default();
            ends.sort_by_key(|end| end.end);
            let mut stored = row.stored(ends)?;
            let mut heads = heads.remove(&stored.report.lesson_id).unwrap_or_default();
            for end in &mut stored.report.ends {
                if let End::Classroom(classroom_id) = end.end {
                    end.heads = heads.remove(&classroom_id);
                }
            }
            reports.insert(stored.report.lesson_id, stored);
        }
        Ok(reports)
    }

    /// Names of the teaching schools of these lessons, already found in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn teaching_schools(
        &self,
        _scope: &Scope,
        lesson_ids: &[LessonId],
    ) -> Result<HashMap<LessonId, String>, StoreError> {
        let mut sql = Sql::new(
            "select lesson_id, organisation.name as school from lesson
             join organisation on organisation.organisation_id = lesson.organisation_id where lesson_id in ",
        );
        sql.list(lesson_ids.iter().map(ToString::to_string));
        let read = |row: &AnyRow| Ok((word(row, "lesson_id")?, row.try_get("school")?));
        sql.all(&self.pool).await?.iter().map(read).collect()
    }

    /// Stored sample windows of each end of a lesson with a report.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails, or if stored windows cannot be read.
    pub async fn stored_windows(
        &self,
        _scope: &Scope,
        lesson_id: LessonId,
    ) -> Result<HashMap<End, Vec<school::report::quality::Sample>>, StoreError> {
        let mut sql = Sql::new("select end_name, windows from attendance where lesson_id = ");
        let rows = sql.bind(lesson_id.to_string()).all(&self.pool).await?;
        let read = |row: &AnyRow| {
            let text: String = row.try_get("windows")?;
            let samples = window::read(UnixMs(0), &text)
                .map_err(|error| StoreError::UnknownWord { column: "windows", value: error.to_string() })?;
            Ok((word(row, "end_name")?, samples))
        };
        rows.iter().map(read).collect()
    }

    /// Lessons with a report that start in `starts`, latest first, at most `limit`, from `below` on.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn reported_lessons(
        &self,
        scope: &Scope,
        starts: Range<UnixMs>,
        search: &ReportSearch,
        below: Option<LessonCursor>,
        limit: u32,
    ) -> Result<Vec<Lesson>, StoreError> {
        let mut query = scoped(scope);
        query.push(" and reported_at_ms is not null and attendance_deleted_at_ms is null");
        query.push(" and starts_at_ms >= ").bind(starts.start.0).push(" and starts_at_ms < ").bind(starts.end.0);
        if let Some(organisation_id) = search.organisation_id {
            query.push(" and exists (select 1 from organisation asked where asked.organisation_id = ");
            query.bind(organisation_id.to_string()).push(
                " and (school.path like asked.path || '%' or exists (
                    select 1 from lesson_classroom
                    join classroom on classroom.classroom_id = lesson_classroom.classroom_id
                    join organisation listener on listener.organisation_id = classroom.organisation_id
                    where lesson_classroom.lesson_id = lesson.lesson_id and listener.path like asked.path || '%')))",
            );
        }
        if let Some(verdict) = search.verdict {
            query.push(
                " and exists (select 1 from attendance taught where taught.lesson_id = lesson.lesson_id
                              and taught.end_name = 'teacher' and taught.verdict = ",
            );
            query.bind(verdict.as_str()).push(")");
        }
        if let Some(verdict) = search.listening_verdict {
            query.push(
                " and exists (select 1 from attendance heard
                              join classroom on classroom.classroom_id = heard.end_name
                              join organisation listener on listener.organisation_id = classroom.organisation_id
                              where heard.lesson_id = lesson.lesson_id and heard.verdict = ",
            );
            // Listeners search only their own ends; the teacher and the teaching school search all ends.
            query.bind(verdict.as_str()).push(" and (").within(scope, "listener.path").push(" or ");
            query.within(scope, "school.path");
            if let Reach::Some { teacher: Some(teacher), .. } = scope.reach() {
                query.push(" or teacher_id = ").bind(teacher.to_string());
            }
            query.push("))");
        }
        if let Some(below) = below {
            query.push(" and (starts_at_ms < ").bind(below.starts_at.0);
            query.push(" or (starts_at_ms = ").bind(below.starts_at.0);
            query.push(" and lesson.lesson_id < ").bind(below.lesson_id.to_string()).push("))");
        }
        query.push(" order by starts_at_ms desc, lesson.lesson_id desc limit ").bind(i64::from(limit));
        self.fetch_lessons(query).await
    }
}

pub mod chain;
pub(crate) mod presence;
#[cfg(test)]
mod tests;
