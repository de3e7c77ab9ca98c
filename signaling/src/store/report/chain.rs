//! Verification of attendance: each end's row against its lesson's row, and that row against the audit.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::Row;

use crate::store::{
    Sql, Store, StoreError,
    report::{ACT, EndRow, ReportRow, SELECT_END, SELECT_REPORT},
};
use school::{
    account::permission::Scope,
    base::{id::LessonId, time::UnixMs},
};

pub(crate) const RETIRE_SAMPLES: &str = "retire_samples";
pub(crate) const RETIRE_ATTENDANCE: &str = "retire_attendance";

/// Result of a successful verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportsVerified {
    /// Lessons with a report.
    pub lessons: u64,
    /// Rows of ends.
    pub rows: u64,
    /// Lessons whose audit row was deleted after its retention: their rows are consistent, but no longer attested.
    pub unattested: u64,
    /// Lessons whose samples were deleted by policy: the audit holds the hash of the rest.
    pub without_samples: u64,
    /// Head counts of pupils.
    pub head_counts: u64,
    /// Lessons whose attendance was deleted entirely, according to the audit, by id.
    pub retired: Vec<RetiredAttendance>,
}

/// Deletion of a lesson's attendance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetiredAttendance {
    /// The lesson.
    pub lesson_id: String,
    /// Time of deletion.
    pub at: UnixMs,
    /// Rule, as `rule=retention days=1100`.
    pub rule: String,
}

/// State of a lesson's report according to its newest audit row.
enum Attested {
    /// Exists, with this hash.
    Kept(String),
    /// Deleted.
    Retired(RetiredAttendance),
}

/// The first inconsistency found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Edited {
    /// A row of an end.
    #[error("the attendance row of lesson {lesson_id}, end {end}, {how}")]
    Attendance {
        /// The lesson.
        lesson_id: String,
        /// `teacher`, or the classroom's id.
        end: String,
        /// Kind of tampering.
        how: How,
    },
    /// The lesson's row.
    #[error("the report row of lesson {lesson_id} {how}")]
    Report {
        /// The lesson.
        lesson_id: String,
        /// Kind of tampering.
        how: How,
    },
    /// A head count.
    #[error("the head count {head_count_id} of lesson {lesson_id} {how}")]
    HeadCount {
        /// The lesson.
        lesson_id: String,
        /// The head count.
        head_count_id: String,
        /// Kind of tampering.
        how: How,
    },
}

/// Kind of tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum How {
    /// The content differs from what was written.
    #[error("was changed")]
    Changed,
    /// The row is missing.
    #[error("is missing")]
    Missing,
    /// The row was not written by the hub.
    #[error("was added")]
    Added,
}

/// Lessons read per batch.
const BATCH: i64 = 500;

impl Store {
    /// Checks the attendance of one lesson, or of all, for tampering. The audit is trusted;
    /// [`Store::verify_audit`] verifies it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn verify_attendance(
        &self,
        _scope: &Scope,
        lesson_id: Option<LessonId>,
    ) -> Result<Result<ReportsVerified, Edited>, StoreError> {
        let mut said = self.attested(lesson_id).await?;
        let oldest: Option<i64> = sqlx::query_scalar("select min(at_ms) from audit").fetch_one(&self.pool).await?;
        let (mut verified, mut after) = (ReportsVerified::default(), String::new());
        loop {
            let mut sql = Sql::new(SELECT_REPORT);
            sql.push("lesson_id > ").bind(after.as_str());
            if let Some(lesson_id) = lesson_id {
                sql.push(" and lesson_id = ").bind(lesson_id.to_string());
            }
            sql.push(" order by lesson_id limit ").bind(BATCH);
            let reports = sql.all(&self.pool).await?.iter().map(ReportRow::read).collect::<Result<Vec<_>, _>>()?;
            let Some(last) = reports.last() else { break };
            after.clone_from(&last.lesson_id);
            let mut ends: HashMap<String, BTreeMap<String, EndRow>> = HashMap::new();
            let mut sql = Sql::new(SELECT_END);
            sql.push("lesson_id in ").list(reports.iter().map(|report| report.lesson_id.as_str()));
            for row in sql.all(&self.pool).await? {
                let row = EndRow::read(&row)?;
                ends.entry(row.lesson_id.clone()).or_default().insert(row.end_name.clone(), row);
            }
            for report in reports {
                let edited = |how| Edited::Report { lesson_id: report.lesson_id.clone(), how };
                match said.remove(&report.lesson_id) {
                    Some(Attested::Kept(sha256)) if sha256 != report.sha256 => return Ok(Err(edited(How::Changed))),
                    Some(Attested::Kept(_)) => {}
                    Some(Attested::Retired(_)) => return Ok(Err(edited(How::Added))),
                    None if oldest.is_some_and(|oldest| report.worked_out_at_ms < oldest) => verified.unattested += 1,
                    None => return Ok(Err(edited(How::Added))),
                }
                if report.hash() != report.sha256 {
                    return Ok(Err(edited(How::Changed)));
                }
                let mut rows = ends.remove(&report.lesson_id).unwrap_or_default();
                for line in report.ends.lines() {
                    let (end, sha256) = line.split_once(' ').unwrap_or((line, ""));
                    let edited =
                        |how| Edited::Attendance { lesson_id: report.lesson_id.clone(), end: end.to_owned(), how };
                    match rows.remove(end) {
                        None => return Ok(Err(edited(How::Missing))),
                        Some(row) if row.hash() != sha256 => return Ok(Err(edited(How::Changed))),
                        Some(_) => verified.rows += 1,
                    }
                }
                if let Some((end, _)) = rows.pop_first() {
                    return Ok(Err(Edited::Attendance { lesson_id: report.lesson_id, end, how: How::Added }));
                }
                verified.lessons += 1;
                verified.without_samples += u64::from(report.samples_deleted_at_ms.is_some());
            }
        }
        for (lesson_id, attested) in said {
            match attested {
                Attested::Kept(_) => return Ok(Err(Edited::Report { lesson_id, how: How::Missing })),
                Attested::Retired(retired) => verified.retired.push(retired),
            }
        }
        self.verify_head_counts(lesson_id, verified).await
    }

    async fn verify_head_counts(
        &self,
        lesson_id: Option<LessonId>,
        mut verified: ReportsVerified,
    ) -> Result<Result<ReportsVerified, Edited>, StoreError> {
        let mut sql = Sql::new("select detail, object from audit where act = 'count_heads' and outcome = 'done'");
        if let Some(lesson_id) = lesson_id {
            sql.push(" and object = ").bind(format!("lesson:{lesson_id}"));
        }
        let mut said: BTreeMap<String, (String, String)> = BTreeMap::new();
        for row in sql.all(&self.pool).await? {
            let (detail, object): (String, String) = (row.try_get("detail")?, row.try_get("object")?);
            let (id, rest) = detail.split_once(' ').unwrap_or((&detail, ""));
            said.insert(id.to_owned(), (object.trim_start_matches("lesson:").to_owned(), rest.to_owned()));
        }
        // Head counts are deleted together with a lesson's attendance.
        let retired: BTreeSet<String> = verified.retired.iter().map(|retired| retired.lesson_id.clone()).collect();
        let retired = |lesson_id: &str| retired.contains(lesson_id);
        let mut sql = Sql::new(
            "select head_count_id, lesson_id, classroom_id, pupils, at_ms, beside_name from head_count where ",
        );
        match lesson_id {
            Some(lesson_id) => sql.push("lesson_id = ").bind(lesson_id.to_string()),
            None => sql.push("1 = 1"),
        };
        let oldest: Option<i64> = sqlx::query_scalar("select min(at_ms) from audit").fetch_one(&self.pool).await?;
        for row in sql.push(" order by head_count_id").all(&self.pool).await? {
            let (head_count_id, lesson_id): (String, String) =
                (row.try_get("head_count_id")?, row.try_get("lesson_id")?);
            let (classroom_id, by): (String, String) = (row.try_get("classroom_id")?, row.try_get("beside_name")?);
            let (pupils, at_ms): (i64, i64) = (row.try_get("pupils")?, row.try_get("at_ms")?);
            let now = (lesson_id.clone(), head_count_words(&classroom_id, pupils, at_ms, &by));
            let how = match said.remove(&head_count_id) {
                _ if retired(&lesson_id) => Some(How::Added),
                Some(then) if then == now => None,
                Some(_) => Some(How::Changed),
                None if oldest.is_some_and(|oldest| at_ms < oldest) => None,
                None => Some(How::Added),
            };
            if let Some(how) = how {
                return Ok(Err(Edited::HeadCount { lesson_id, head_count_id, how }));
            }
            verified.head_counts += 1;
        }
        let missing = said.into_iter().find(|(_, (lesson_id, _))| !retired(lesson_id));
        if let Some((head_count_id, (lesson_id, _))) = missing {
            return Ok(Err(Edited::HeadCount { lesson_id, head_count_id, how: How::Missing }));
        }
        Ok(Ok(verified))
    }

    /// State of each lesson's report according to the newest audit row.
    async fn attested(&self, lesson_id: Option<LessonId>) -> Result<BTreeMap<String, Attested>, StoreError> {
        let mut sql = Sql::new("select at_ms, act, object, detail from audit where outcome = 'done' and act in ");
        sql.list([ACT, RETIRE_SAMPLES, RETIRE_ATTENDANCE]);
        if let Some(lesson_id) = lesson_id {
            sql.push(" and object = ").bind(format!("lesson:{lesson_id}"));
        }
        let mut said = BTreeMap::new();
        for row in sql.push(" order by seq").all(&self.pool).await? {
            let (act, object, detail): (String, String, String) =
                (row.try_get("act")?, row.try_get("object")?, row.try_get("detail")?);
            let lesson_id = object.trim_start_matches("lesson:").to_owned();
            let (sha256, rest) = detail.split_once(' ').unwrap_or((&detail, ""));
            let attested = if act == RETIRE_ATTENDANCE {
                let (at, rule) = (UnixMs(row.try_get("at_ms")?), rest.to_owned());
                Attested::Retired(RetiredAttendance { lesson_id: lesson_id.clone(), at, rule })
            } else {
                Attested::Kept(sha256.strip_prefix("sha256=").unwrap_or_default().to_owned())
            };
            said.insert(lesson_id, attested);
        }
        Ok(said)
    }
}

/// Audit detail of a head count, after its id.
#[must_use]
pub fn head_count_words(classroom_id: &str, pupils: i64, at_ms: i64, by: &str) -> String {
    format!("classroom={classroom_id} pupils={pupils} at_ms={at_ms} by={by}")
}
