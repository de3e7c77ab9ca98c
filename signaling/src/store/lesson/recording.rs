//! Recordings of lessons. The recorder stores the media.

use recorder::Checkpoint;
use sqlx::{Row, any::AnyRow};

use crate::store::{AuditRow, Sql, Store, StoreError, word};
use school::{
    account::permission::Scope,
    base::{
        id::{LessonId, RecordingId},
        time::UnixMs,
    },
    lesson::Lesson,
};

impl Store {
    /// The lesson of a recording. `None`: no such recording in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
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

    /// Every recording with its lesson and that lesson's title, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
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

    /// Unsealed recordings of ended lessons: the hub was killed while sealing them.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
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
    /// [`StoreError`] if the database fails.
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

    /// Stores journal checkpoints. Ignores those already stored, and those of recordings that are not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn save_checkpoints(
        &self,
        scope: &Scope,
        checkpoints: &[Checkpoint],
        at: UnixMs,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        for checkpoint in checkpoints {
            let mut sql = Sql::new(
                "insert into recording_checkpoint
                     (recording_id, records, head, at_ms, algorithm, public_key, signature, kept_at_ms)
                 select recording.recording_id, ",
            );
            sql.push("cast(").bind(whole(checkpoint.records)).push(" as bigint), cast(");
            sql.bind(checkpoint.head.as_str()).push(" as text), cast(").bind(whole(checkpoint.at_ms));
            sql.push(" as bigint), cast(").bind(checkpoint.algorithm.as_str()).push(" as text), cast(");
            sql.bind(checkpoint.public_key.clone()).push(" as text), cast(");
            sql.bind(checkpoint.signature.clone()).push(" as text), cast(").bind(at.0).push(" as bigint)");
            sql.push(" from recording join lesson on lesson.lesson_id = recording.lesson_id");
            sql.push(" join organisation on organisation.organisation_id = lesson.organisation_id");
            sql.push(" where recording.recording_id = ").bind(checkpoint.recording_id.to_string()).push(" and ");
            sql.within(scope, "organisation.path").push(" on conflict do nothing");
            sql.run(writing.on()).await?;
        }
        writing.commit_unseen().await
    }

    /// Stored checkpoints of a recording's journal, in order.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn checkpoints(&self, scope: &Scope, recording_id: RecordingId) -> Result<Vec<Checkpoint>, StoreError> {
        let mut sql = Sql::new(
            "select kept.records, kept.head, kept.at_ms, kept.algorithm, kept.public_key, kept.signature
             from recording_checkpoint kept
             join recording on recording.recording_id = kept.recording_id
             join lesson on lesson.lesson_id = recording.lesson_id
             join organisation on organisation.organisation_id = lesson.organisation_id
             where kept.recording_id = ",
        );
        sql.bind(recording_id.to_string()).push(" and ").within(scope, "organisation.path");
        sql.push(" order by kept.records");
        sql.all(&self.pool).await?.iter().map(|row| checkpoint_of(row, recording_id)).collect()
    }
}

fn checkpoint_of(row: &AnyRow, recording_id: RecordingId) -> Result<Checkpoint, StoreError> {
    let count = |column| Ok::<_, StoreError>(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0));
    Ok(Checkpoint {
        recording_id: recorder::RecordingId(recording_id.uuid()),
        records: count("records")?,
        head: row.try_get("head")?,
        at_ms: count("at_ms")?,
        algorithm: row.try_get("algorithm")?,
        public_key: row.try_get("public_key")?,
        signature: row.try_get("signature")?,
    })
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        scheduling::planner::plan_term,
        store::{
            Database,
            stores::{fresh_postgres_url, on_both},
        },
    };
    use school::{account::system_scope, fixtures::county::County};

    const NOW: UnixMs = UnixMs(1_789_948_800_000);

    /// A running recording.
    async fn recorded(database: &Database) -> (Store, RecordingId) {
        let (store, county, scope) = (Store::open(database).await.unwrap(), County::fresh(), system_scope::sample());
        store.seed_county(&scope, &county, NOW).await.unwrap();
        let path = format!("/{}/", county.bureau().organisation_id);
        let plan = plan_term(&store, &scope, &county.terms[0], &path, UnixMs(0)).await.unwrap();
        let mut planned = plan.lessons.into_iter().next().unwrap();
        planned.course = None;
        let row = AuditRow::by_system(NOW, "schedule", "lesson".into());
        store.schedule(&scope, std::slice::from_ref(&planned), row).await.unwrap();
        let recording_id = RecordingId::fresh();
        sqlx::query(
            "insert into recording (recording_id, lesson_id, state, started_at_ms) values ($1, $2, 'recording', $3)",
        )
        .bind(recording_id.to_string())
        .bind(planned.lesson.lesson_id.to_string())
        .bind(NOW.0)
        .execute(&store.pool)
        .await
        .unwrap();
        (store, recording_id)
    }

    fn checkpoint(recording_id: RecordingId, records: u64) -> Checkpoint {
        let head = format!("{records:064x}");
        Checkpoint::new(recorder::RecordingId(recording_id.uuid()), records, head, records * 1_000, None)
    }

    on_both! {
        async fn checkpoints_are_kept_once_and_in_order(database) {
            let (store, recording_id) = recorded(&database).await;
            let everywhere = system_scope::bell();
            let all = [checkpoint(recording_id, 9), checkpoint(recording_id, 40), checkpoint(RecordingId::fresh(), 7)];
            store.save_checkpoints(&everywhere, &all[..1], NOW).await.unwrap();
            store.save_checkpoints(&everywhere, &all, NOW).await.unwrap();
            assert_eq!(store.checkpoints(&everywhere, recording_id).await.unwrap(), all[..2], "no row is kept twice");
            let kept: i64 =
                sqlx::query_scalar("select count(*) from recording_checkpoint").fetch_one(&store.pool).await.unwrap();
            assert_eq!(kept, 2, "nobody knows the third recording");
        }
    }
}
