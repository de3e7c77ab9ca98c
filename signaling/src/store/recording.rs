//! Which recording belongs to which lesson. The media itself is the recorder's.

use sqlx::Row;

use super::{AuditRow, Sql, Store, StoreError, word};
use crate::domain::{
    id::{LessonId, RecordingId},
    lesson::Lesson,
    permission::Scope,
};

impl Store {
    /// The lesson that a recording shows. `None`: there is no such recording in scope.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn lesson_of_recording(
        &self,
        scope: &Scope,
        recording_id: RecordingId,
    ) -> Result<Option<Lesson>, StoreError> {
        let row = sqlx::query("select lesson_id from recording where recording_id = $1")
            .bind(recording_id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        self.lesson(scope, word(&row, "lesson_id")?).await
    }

    /// Every recording with its lesson and that lesson's title, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn recorded_lessons(&self, scope: &Scope) -> Result<Vec<(RecordingId, LessonId, String)>, StoreError> {
        let mut sql = Sql::new(
            "select recording.recording_id, lesson.lesson_id, lesson.title from recording
             join lesson on lesson.lesson_id = recording.lesson_id
             join organisation on organisation.organisation_id = lesson.organisation_id
             where ",
        );
        sql.within(scope, "organisation.path").push(" order by recording.started_at_ms, recording.recording_id");
        let rows = sql.all(&self.pool).await?;
        rows.iter()
            .map(|row| Ok((word(row, "recording_id")?, word(row, "lesson_id")?, row.try_get("title")?)))
            .collect()
    }

    /// Recordings that still grow although their lesson is over: the hub was killed while it sealed them.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn unsealed_recordings(&self, scope: &Scope) -> Result<Vec<RecordingId>, StoreError> {
        let mut sql = Sql::new(
            "select recording_id from recording
             join lesson on lesson.lesson_id = recording.lesson_id
             join organisation on organisation.organisation_id = lesson.organisation_id
             where recording.state = 'recording' and lesson.state = 'ended' and ",
        );
        sql.within(scope, "organisation.path");
        sql.all(&self.pool).await?.iter().map(|row| word(row, "recording_id")).collect()
    }

    /// Marks a recording complete.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn seal_recording(
        &self,
        scope: &Scope,
        recording_id: RecordingId,
        row: &AuditRow,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update recording set state = 'sealed', sealed_at_ms = ");
        sql.bind(row.at.0).push(" where recording_id = ").bind(recording_id.to_string());
        sql.push(
            " and lesson_id in (select lesson_id from lesson
                                join organisation on organisation.organisation_id = lesson.organisation_id where ",
        );
        sql.within(scope, "organisation.path").push(")");
        sql.run(writing.on()).await?;
        writing.commit(row).await
    }
}
