//! Presence samples of running lessons, and head counts of pupils.

use std::collections::{BTreeMap, HashMap};

use sqlx::Row;

use crate::store::{AuditRow, Sql, Store, StoreError, word};
use school::{
    account::permission::Scope,
    base::{
        id::{ClassroomId, LessonId},
        time::UnixMs,
    },
    lesson::Lesson,
    report::{Collected, End, HeadCount, window},
};

/// Presence samples of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minute {
    /// The lesson.
    pub lesson_id: LessonId,
    /// The end.
    pub end: End,
    /// Start time.
    pub from: UnixMs,
    /// Start time of the hub process that took the samples.
    pub run: UnixMs,
    /// Encoded by [`window::write`].
    pub windows: String,
}

/// Head count of the pupils in a classroom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHeadCount {
    /// Public id.
    pub head_count_id: String,
    /// The lesson.
    pub lesson_id: LessonId,
    /// The classroom.
    pub classroom_id: ClassroomId,
    /// Number, time, and name of the assistant teacher.
    pub count: HeadCount,
}

/// Rows per statement: PostgreSQL takes at most 65,535 values, SQLite 32,766.
const ROWS_A_STATEMENT: usize = 500;

impl Store {
    /// Stores presence rows in one transaction. Overwrites existing rows, as new ones hold the same windows and more.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn save_minutes(&self, _scope: &Scope, minutes: &[Minute]) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        for rows in minutes.chunks(ROWS_A_STATEMENT) {
            let mut sql =
                Sql::new("insert into presence_minute (lesson_id, end_name, from_ms, run_ms, windows) values ");
            for (n, row) in rows.iter().enumerate() {
                sql.push(if n == 0 { "(" } else { ", (" }).bind(row.lesson_id.to_string()).push(", ");
                sql.bind(row.end.to_string()).push(", ").bind(row.from.0).push(", ");
                sql.bind(row.run.0).push(", ").bind(row.windows.as_str()).push(")");
            }
            sql.push(" on conflict (lesson_id, end_name, from_ms) do update set windows = excluded.windows");
            sql.run(writing.on()).await?;
        }
        writing.commit_unseen().await
    }

    /// All presence data of a lesson's ends. `unkept`: rows that are not stored yet, newer than the stored ones.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails, or if a stored row cannot be read.
    pub async fn collected(
        &self,
        scope: &Scope,
        lesson: &Lesson,
        unkept: Vec<Minute>,
    ) -> Result<Collected, StoreError> {
        let mut collected =
            Collected { heads: self.head_counts(scope, lesson.lesson_id).await?, ..Collected::default() };
        let mut rows: BTreeMap<(End, UnixMs), Minute> = BTreeMap::new();
        let mut sql = Sql::new("select end_name, from_ms, run_ms, windows from presence_minute where lesson_id = ");
        for row in sql.bind(lesson.lesson_id.to_string()).all(&self.pool).await? {
            let (end, from) = (word(&row, "end_name")?, UnixMs(row.try_get("from_ms")?));
            let run = UnixMs(row.try_get("run_ms")?);
            let minute = Minute { lesson_id: lesson.lesson_id, end, from, run, windows: row.try_get("windows")? };
            rows.insert((end, from), minute);
        }
        rows.extend(unkept.into_iter().map(|minute| ((minute.end, minute.from), minute)));
        for ((end, from), minute) in rows {
            let windows = window::read(from, &minute.windows).map_err(|error| StoreError::UnknownWord {
                column: "windows",
                value: format!("{} {end} {}: {error}", lesson.lesson_id, from.0),
            })?;
            collected.runs.insert(minute.run);
            collected.windows.entry(end).or_default().extend(windows);
        }
        let mut sql =
            Sql::new("select classroom_id, join_until_ms from lesson_classroom where join_until_ms is not null");
        sql.push(" and lesson_id = ").bind(lesson.lesson_id.to_string());
        for row in sql.all(&self.pool).await? {
            collected.late_after.insert(word(&row, "classroom_id")?, UnixMs(row.try_get("join_until_ms")?));
        }
        Ok(collected)
    }

    /// Stores a head count. False: the lesson is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn save_head_count(
        &self,
        scope: &Scope,
        count: &NewHeadCount,
        row: &AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        if !writing.sees_lesson(scope, count.lesson_id).await? {
            return Ok(false);
        }
        let mut sql = Sql::new(
            "insert into head_count (head_count_id, lesson_id, classroom_id, pupils, at_ms, actor, beside, beside_name)
             values (",
        );
        sql.bind(count.head_count_id.as_str()).push(", ").bind(count.lesson_id.to_string()).push(", ");
        sql.bind(count.classroom_id.to_string()).push(", ").bind(i64::from(count.count.pupils)).push(", ");
        sql.bind(count.count.at_ms.0).push(", ").bind(row.actor.as_str()).push(", ").bind(row.beside.as_str());
        sql.push(", ").bind(count.count.by.as_str()).push(")");
        sql.run(writing.on()).await?;
        writing.commit(row).await?;
        Ok(true)
    }

    /// Newest head count of each classroom of a lesson.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn head_counts(
        &self,
        scope: &Scope,
        lesson_id: LessonId,
    ) -> Result<BTreeMap<ClassroomId, HeadCount>, StoreError> {
        Ok(self.head_counts_of(scope, &[lesson_id]).await?.remove(&lesson_id).unwrap_or_default())
    }

    /// The same for many lessons.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn head_counts_of(
        &self,
        _scope: &Scope,
        lesson_ids: &[LessonId],
    ) -> Result<HashMap<LessonId, BTreeMap<ClassroomId, HeadCount>>, StoreError> {
        let mut sql =
            Sql::new("select lesson_id, classroom_id, pupils, at_ms, beside_name from head_count where lesson_id in ");
        sql.list(lesson_ids.iter().map(ToString::to_string)).push(" order by at_ms, head_count_id");
        let mut counts: HashMap<LessonId, BTreeMap<ClassroomId, HeadCount>> = HashMap::new();
        for row in sql.all(&self.pool).await? {
            let count = HeadCount {
                pupils: u32::try_from(row.try_get::<i64, _>("pupils")?).unwrap_or_default(),
                at_ms: UnixMs(row.try_get("at_ms")?),
                by: row.try_get("beside_name")?,
            };
            counts.entry(word(&row, "lesson_id")?).or_default().insert(word(&row, "classroom_id")?, count);
        }
        Ok(counts)
    }
}
