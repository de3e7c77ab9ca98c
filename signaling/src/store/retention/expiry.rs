//! Expiry of clips, samples and attendance by age. Each is deleted in one transaction with its audit row, so that
//! a killed hub has done both or neither.

use sqlx::{Row, any::AnyRow};

use crate::store::{
    AuditRow, RuleKind, Sql, Store, StoreError, Writing,
    db::column::{instant_or_null, unsigned},
    report::{
        EndRow, ReportRow, SELECT_END, SELECT_REPORT,
        chain::{Edited, RETIRE_ATTENDANCE, RETIRE_SAMPLES},
    },
    word,
};
use school::{
    account::permission::Scope,
    base::{
        id::{ClipId, LessonId},
        time::UnixMs,
    },
    retention::{DataClass, ExpiringItem, RetentionPolicy},
};

/// Something that expires by age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// Id.
    pub id: ExpiringId,
    /// Path of the school whose policy applies: the teaching one.
    pub path: String,
    /// Input of the retention rules.
    pub item: ExpiringItem,
}

/// Id of something that expires by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiringId {
    /// A clip, with its share links.
    Clip(ClipId),
    /// Sample windows of five seconds of a lesson. Figures derived from them stay.
    Samples(LessonId),
    /// All attendance of a lesson: its report, the rows of its ends, and head counts of pupils.
    Attendance(LessonId),
}

/// Result of an expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retired {
    /// Deleted.
    Done,
    /// Concurrently held, chosen or deleted.
    Skipped,
    /// The lesson's attendance was tampered with: it stays, as evidence.
    Edited(Edited),
}

impl ExpiringId {
    fn class(self) -> DataClass {
        match self {
            Self::Clip(_) => DataClass::Clips,
            Self::Samples(_) => DataClass::Samples,
            Self::Attendance(_) => DataClass::Attendance,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Clip(id) => id.to_string(),
            Self::Samples(id) | Self::Attendance(id) => id.to_string(),
        }
    }
}

/// Audit act of a clip's expiry.
pub(crate) const RETIRE_CLIP: &str = "retire_clip";
const SELECT_CLIP: &str = "
    select clip.clip_id as id, organisation.path as path, clip.made_at_ms as since_ms,
           case when held_by is not null then coalesce(held_until_ms, 9223372036854775807) end as held_until_ms,
           (select count(*) from lesson_source source join lesson playing on playing.lesson_id = source.lesson_id
                where source.clip_id = clip.clip_id and playing.state in ('scheduled', 'open', 'live'))
           + (select count(*) from library_entry published where published.recording_id = clip.recording_id
                and published.published_to is not null and published.taken_down_at_ms is null) as chosen
    from clip
    join library_entry entry on entry.recording_id = clip.recording_id
    join organisation on organisation.organisation_id = entry.organisation_id
    left join kept_recording on kept_recording.recording_id = clip.recording_id
    where clip.made_at_ms <= ";

const SELECT_LESSON: &str = "
    select lesson.lesson_id as id, organisation.path as path,
           coalesce(lesson.ended_at_ms, lesson.ends_at_ms) as since_ms,
           case when held_by is not null then coalesce(held_until_ms, 9223372036854775807) end as held_until_ms,
           cast(0 as bigint) as chosen
    from lesson_report
    join lesson on lesson.lesson_id = lesson_report.lesson_id
    join organisation on organisation.organisation_id = lesson.organisation_id
    left join recording on recording.lesson_id = lesson.lesson_id
    left join kept_recording on kept_recording.recording_id = recording.recording_id
    where coalesce(lesson.ended_at_ms, lesson.ends_at_ms) <= ";

/// Query for the items of a class that existed at `until`, and its id column.
fn select(class: DataClass, until: UnixMs) -> (Sql, &'static str) {
    let (text, more, key) = match class {
        DataClass::Clips => (SELECT_CLIP, "", "clip.clip_id"),
        DataClass::Samples => {
            (SELECT_LESSON, " and lesson_report.samples_deleted_at_ms is null", "lesson_report.lesson_id")
        }
        DataClass::Attendance => (SELECT_LESSON, "", "lesson_report.lesson_id"),
        // Recordings have a week of notice and their own procedure: see `store/retention.rs`.
        DataClass::Recordings => (SELECT_CLIP, " and 1 = 0", "clip.clip_id"),
    };
    let mut sql = Sql::new(text);
    sql.bind(until.0).push(more);
    (sql, key)
}

impl Store {
    /// Number of items of a class: clips, or lessons.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn count_expiring(&self, _scope: &Scope, class: DataClass) -> Result<u64, StoreError> {
        let sql = Sql::new(match class {
            DataClass::Recordings => return Ok(0),
            DataClass::Clips => "select count(*) as n from clip",
            DataClass::Samples => "select count(*) as n from lesson_report where samples_deleted_at_ms is null",
            DataClass::Attendance => "select count(*) as n from lesson_report",
        });
        let row = sql.optional(&self.pool).await?;
        Ok(unsigned(row.map(|row| row.try_get("n")).transpose()?.unwrap_or_default()))
    }

    /// Items of a class that existed at `until`, by id, at most `limit`, after `after`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn expiring(
        &self,
        _scope: &Scope,
        class: DataClass,
        until: UnixMs,
        after: Option<ExpiringId>,
        limit: u32,
    ) -> Result<Vec<Expiring>, StoreError> {
        let (mut sql, key) = select(class, until);
        if let Some(after) = after {
            sql.push(" and ").push(key).push(" > ").bind(after.text());
        }
        sql.push(" order by ").push(key).push(" limit ").bind(i64::from(limit));
        sql.all(&self.pool).await?.iter().map(|row| expiring_from(class, row)).collect()
    }

    /// Deletes an item that is due by the policy, and writes its tombstone.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn retire(
        &self,
        scope: &Scope,
        id: ExpiringId,
        policy: &RetentionPolicy,
        now: UnixMs,
    ) -> Result<Retired, StoreError> {
        if let ExpiringId::Samples(lesson_id) | ExpiringId::Attendance(lesson_id) = id
            && let Err(edited) = self.verify_attendance(scope, Some(lesson_id)).await?
        {
            return Ok(Retired::Edited(edited));
        }
        let mut writing = self.write().await?;
        let expiring = writing.expiring(id, now).await?.filter(|expiring| expiring.item.is_due(policy, now));
        let Some(expiring) = expiring else { return Ok(Retired::Skipped) };
        let days = policy.kept(id.class()).map_or(0, |kept| kept.as_secs() / 86_400);
        let rule = format!("rule=retention days={days}");
        let (act, object, said) = match id {
            ExpiringId::Clip(clip_id) => match writing.delete_clip(clip_id).await {
                Ok(said) => (RETIRE_CLIP, format!("clip:{clip_id}"), format!("{rule} {said}")),
                // A concurrently planned lesson plays it.
                Err(StoreError::Rule { kind: RuleKind::Reference, .. }) => return Ok(Retired::Skipped),
                Err(error) => return Err(error),
            },
            ExpiringId::Samples(lesson_id) => {
                let (before, after) = writing.delete_samples(lesson_id, now).await?;
                (RETIRE_SAMPLES, format!("lesson:{lesson_id}"), format!("sha256={after} {rule} before={before}"))
            }
            ExpiringId::Attendance(lesson_id) => {
                let sha256 = writing.delete_attendance(lesson_id, now).await?;
                (RETIRE_ATTENDANCE, format!("lesson:{lesson_id}"), format!("sha256={sha256} {rule}"))
            }
        };
        writing.commit(&AuditRow::by_system(now, act, object).at_place(expiring.path).saying(said)).await?;
        Ok(Retired::Done)
    }
}

impl Writing {
    /// Reads one item in this transaction. Locks its recording, to serialise with holds.
    async fn expiring(&mut self, id: ExpiringId, now: UnixMs) -> Result<Option<Expiring>, StoreError> {
        let mut sql = Sql::new("update kept_recording set held_by = held_by where recording_id in (");
        match id {
            ExpiringId::Clip(_) => sql.push("select recording_id from clip where clip_id = "),
            ExpiringId::Samples(_) | ExpiringId::Attendance(_) => {
                sql.push("select recording_id from recording where lesson_id = ")
            }
        };
        sql.bind(id.text()).push(")").run(self.on()).await?;
        let (mut sql, key) = select(id.class(), now);
        sql.push(" and ").push(key).push(" = ").bind(id.text());
        sql.optional_on(self.on()).await?.map(|row| expiring_from(id.class(), &row)).transpose()
    }

    /// Deletes a clip with its links and its references from past lessons. Returns its description for the audit.
    async fn delete_clip(&mut self, clip_id: ClipId) -> Result<String, StoreError> {
        let id = clip_id.to_string();
        let mut sql = Sql::new("select recording_id, from_ms, to_ms, author_id, made_at_ms from clip where clip_id = ");
        let said = match sql.bind(id.as_str()).optional_on(self.on()).await? {
            None => String::new(),
            Some(row) => format!(
                "recording:{} {}-{} author=person:{} made_at_ms={}",
                row.try_get::<String, _>("recording_id")?,
                row.try_get::<i64, _>("from_ms")?,
                row.try_get::<i64, _>("to_ms")?,
                row.try_get::<String, _>("author_id")?,
                row.try_get::<i64, _>("made_at_ms")?,
            ),
        };
        for (what, end) in [
            ("delete from share_view where share_id in (select share_id from share where clip_id = ", ")"),
            ("delete from share where clip_id = ", ""),
            (
                "delete from lesson_source where clip_id = ",
                " and lesson_id not in (select lesson_id from lesson where state in ('scheduled', 'open', 'live'))",
            ),
            ("delete from clip where clip_id = ", ""),
        ] {
            Sql::new(what).bind(id.as_str()).push(end).run(self.on()).await?;
        }
        Ok(said)
    }

    /// Deletes the windows of every end of a lesson and rehashes its rows. Returns the report's hash before and after.
    pub(crate) async fn delete_samples(
        &mut self,
        lesson_id: LessonId,
        now: UnixMs,
    ) -> Result<(String, String), StoreError> {
        let id = lesson_id.to_string();
        let mut sql = Sql::new("update attendance set windows = '' where lesson_id = ");
        sql.bind(id.as_str()).run(self.on()).await?;
        let mut sql = Sql::new(SELECT_END);
        sql.push("lesson_id = ").bind(id.as_str()).push(" order by end_name");
        let rows = sql.query().fetch_all(self.on()).await?;
        let mut rows = rows.iter().map(EndRow::read).collect::<Result<Vec<_>, _>>()?;
        // The dialects collate text differently.
        rows.sort_by(|a, b| a.end_name.cmp(&b.end_name));
        let mut sql = Sql::new(SELECT_REPORT);
        let row = sql.push("lesson_id = ").bind(id.as_str()).query().fetch_one(self.on()).await?;
        let mut report = ReportRow::read(&row)?;
        let before = report.sha256.clone();
        report.samples_deleted_at_ms = Some(now.0);
        report.seal(&rows);
        let mut sql = Sql::new("update lesson_report set samples_deleted_at_ms = ");
        sql.bind(now.0).push(", ends = ").bind(report.ends.as_str()).push(", sha256 = ").bind(report.sha256.as_str());
        sql.push(" where lesson_id = ").bind(id.as_str()).run(self.on()).await?;
        Ok((before, report.sha256))
    }

    /// Deletes all attendance of a lesson. Returns its report's hash.
    pub(crate) async fn delete_attendance(&mut self, lesson_id: LessonId, now: UnixMs) -> Result<String, StoreError> {
        let id = lesson_id.to_string();
        let mut sql = Sql::new("select sha256 from lesson_report where lesson_id = ");
        let row = sql.bind(id.as_str()).query().fetch_one(self.on()).await?;
        let mut sql = Sql::new("update lesson set attendance_deleted_at_ms = ");
        sql.bind(now.0).push(" where lesson_id = ").bind(id.as_str()).run(self.on()).await?;
        for table in ["presence_minute", "head_count", "attendance", "lesson_report"] {
            let mut sql = Sql::new("delete from ");
            sql.push(table).push(" where lesson_id = ").bind(id.as_str()).run(self.on()).await?;
        }
        Ok(row.try_get("sha256")?)
    }
}

fn expiring_from(class: DataClass, row: &AnyRow) -> Result<Expiring, StoreError> {
    let id = match class {
        DataClass::Recordings | DataClass::Clips => ExpiringId::Clip(word(row, "id")?),
        DataClass::Samples => ExpiringId::Samples(word(row, "id")?),
        DataClass::Attendance => ExpiringId::Attendance(word(row, "id")?),
    };
    let item = ExpiringItem {
        class,
        since: UnixMs(row.try_get("since_ms")?),
        held_until: instant_or_null(row, "held_until_ms")?,
        is_chosen: row.try_get::<i64, _>("chosen")? > 0,
    };
    Ok(Expiring { id, path: row.try_get("path")?, item })
}
