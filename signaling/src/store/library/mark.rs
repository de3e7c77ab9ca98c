//! Marks in recordings.

use sqlx::{Row, any::AnyRow};

use crate::store::{AuditRow, Sql, Store, StoreError, Writing, db::edit::Edited, word};
use school::{
    account::permission::Scope,
    base::id::{MarkId, PersonId, RecordingId},
    library::chapter::{MARKS_MAX, Mark},
};

/// Result of storing a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// Stored.
    Done(Mark),
    /// The recording already has [`MARKS_MAX`].
    Full,
}

impl Store {
    /// Marks of a recording that the caller is authorised for, by time.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn marks(&self, _scope: &Scope, recording_id: RecordingId) -> Result<Vec<Mark>, StoreError> {
        let mut sql = Sql::new(SELECT_MARK);
        sql.push("recording_id = ").bind(recording_id.to_string()).push(" order by at_ms, recording_mark_id");
        sql.all(&self.pool).await?.iter().map(mark_from).collect()
    }

    /// Marks a time of a recording that the caller is authorised for.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn add_mark(
        &self,
        _scope: &Scope,
        recording_id: RecordingId,
        person_id: PersonId,
        mark: Mark,
        row: &AuditRow,
    ) -> Result<Marked, StoreError> {
        let mut writing = self.write().await?;
        if writing.count("recording_mark", recording_id).await? >= MARKS_MAX {
            return Ok(Marked::Full);
        }
        let mut sql = Sql::new(
            "insert into recording_mark (recording_mark_id, recording_id, at_ms, title, person_id, made_at_ms) values (",
        );
        sql.bind(mark.mark_id.to_string()).push(", ").bind(recording_id.to_string()).push(", ").bind(mark.at_ms);
        sql.push(", ").bind(mark.title.as_str()).push(", ").bind(person_id.to_string());
        sql.push(", ").bind(row.at.0).push(")").run(writing.on()).await?;
        writing.commit(row).await?;
        Ok(Marked::Done(mark))
    }

    /// Moves or renames a mark of a recording that the caller administers. `None`: unchanged.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn edit_mark(
        &self,
        _scope: &Scope,
        (recording_id, mark_id, version): (RecordingId, MarkId, i64),
        (at_ms, title): (Option<i64>, Option<String>),
        row: &AuditRow,
    ) -> Result<Edited<Mark>, StoreError> {
        let mut writing = self.write().await?;
        let mut mark = match writing.mark(recording_id, mark_id, version).await? {
            Edited::Done(mark) => mark,
            other => return Ok(other),
        };
        mark.at_ms = at_ms.unwrap_or(mark.at_ms);
        mark.title = title.unwrap_or(mark.title);
        mark.version += 1;
        let mut sql = Sql::new("update recording_mark set version = version + 1, at_ms = ");
        sql.bind(mark.at_ms).push(", title = ").bind(mark.title.as_str());
        sql.push(" where recording_mark_id = ").bind(mark_id.to_string()).push(" and version = ").bind(version);
        if sql.run(writing.on()).await? == 0 {
            return Ok(Edited::OtherVersion);
        }
        writing.commit(row).await?;
        Ok(Edited::Done(mark))
    }

    /// Deletes a mark of a recording that the caller administers.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn delete_mark(
        &self,
        _scope: &Scope,
        (recording_id, mark_id, version): (RecordingId, MarkId, i64),
        row: &AuditRow,
    ) -> Result<Edited<()>, StoreError> {
        let mut writing = self.write().await?;
        match writing.mark(recording_id, mark_id, version).await? {
            Edited::Done(_) => {}
            other => return Ok(other.map(|_| ())),
        }
        let mut sql = Sql::new("delete from recording_mark where recording_mark_id = ");
        sql.bind(mark_id.to_string()).run(writing.on()).await?;
        writing.commit(row).await?;
        Ok(Edited::Done(()))
    }
}

impl Writing {
    /// Number of rows of a table for a recording.
    pub(crate) async fn count(&mut self, table: &'static str, recording_id: RecordingId) -> Result<i64, StoreError> {
        let mut sql = Sql::new("select count(*) as n from ");
        sql.push(table).push(" where recording_id = ").bind(recording_id.to_string());
        let row = sql.optional_on(self.on()).await?;
        Ok(row.map(|row| row.try_get("n")).transpose()?.unwrap_or_default())
    }

    async fn mark(
        &mut self,
        recording_id: RecordingId,
        mark_id: MarkId,
        version: i64,
    ) -> Result<Edited<Mark>, StoreError> {
        let mut sql = Sql::new(SELECT_MARK);
        sql.push("recording_mark_id = ").bind(mark_id.to_string());
        sql.push(" and recording_id = ").bind(recording_id.to_string());
        Ok(match sql.optional_on(self.on()).await?.as_ref().map(mark_from).transpose()? {
            None => Edited::Gone,
            Some(mark) if mark.version != version => Edited::OtherVersion,
            Some(mark) => Edited::Done(mark),
        })
    }
}

const SELECT_MARK: &str = "select recording_mark_id, at_ms, title, version from recording_mark where ";

fn mark_from(row: &AnyRow) -> Result<Mark, StoreError> {
    Ok(Mark {
        mark_id: word(row, "recording_mark_id")?,
        at_ms: row.try_get("at_ms")?,
        title: row.try_get("title")?,
        version: row.try_get("version")?,
    })
}
