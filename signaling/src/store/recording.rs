//! Which recording belongs to which lesson. The media itself is the recorder's.

use super::{AuditRow, Store, StoreError, audit, word};
use crate::domain::id::{LessonId, RecordingId};

impl Store {
    /// The lesson that a recording shows. `None`: there is no such recording.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn lesson_of_recording(&self, recording_id: RecordingId) -> Result<Option<LessonId>, StoreError> {
        let row = sqlx::query("select lesson_id from recording where recording_id = $1")
            .bind(recording_id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| word(&row, "lesson_id")).transpose()
    }

    /// Recordings that still grow although their lesson is over: the hub was killed while it sealed them.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn unsealed_recordings(&self) -> Result<Vec<RecordingId>, StoreError> {
        let rows = sqlx::query(
            "select recording_id from recording join lesson using (lesson_id)
             where recording.state = 'recording' and lesson.state = 'ended'",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| word(row, "recording_id")).collect()
    }

    /// Marks a recording complete.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn seal_recording(&self, recording_id: RecordingId, row: &AuditRow) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("update recording set state = 'sealed', sealed_at_ms = $2 where recording_id = $1")
            .bind(recording_id.to_string())
            .bind(row.at.0)
            .execute(&mut *transaction)
            .await?;
        audit::insert(&mut *transaction, row).await?;
        transaction.commit().await?;
        Ok(())
    }
}
