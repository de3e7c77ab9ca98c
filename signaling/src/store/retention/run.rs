//! The daily retention run: result of the last one, and confirmation of the next.

use sqlx::Row;

use crate::store::{
    AuditRow, Sql, Store, StoreError, Writing,
    db::column::{instant_or_null, unsigned, whole},
    word,
};
use school::{
    account::permission::Scope,
    base::{time::UnixMs, words::words},
};

words!(
    /// Result of the last daily retention run.
    RunOutcome {
        /// Everything due was done.
        Done = "done",
        /// Nothing was done: the clock was moved, and nobody has confirmed it.
        ClockMoved = "clock_moved",
        /// More was due than one run may delete: the rest waits for the next run, or for confirmation.
        TooMany = "too_many",
    }
);

/// The last daily retention run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRun {
    /// When it ran. `None`: never.
    pub ran_at: Option<UnixMs>,
    /// Result.
    pub outcome: RunOutcome,
    /// Clock offset, in milliseconds. 0: none.
    pub off_ms: i64,
    /// Recordings marked for deletion.
    pub marked: u64,
    /// Recordings deleted.
    pub deleted: u64,
    /// Clips deleted.
    pub clips: u64,
    /// Lessons whose samples were deleted.
    pub samples: u64,
    /// Lessons whose attendance was deleted.
    pub attendance: u64,
    /// Items due beyond the limit of one run.
    pub held_back: u64,
    /// Who has confirmed the next run. `None`: nobody.
    pub confirmed_by: Option<String>,
}

impl Default for RetentionRun {
    /// Never ran.
    fn default() -> Self {
        Self {
            ran_at: None,
            outcome: RunOutcome::Done,
            off_ms: 0,
            marked: 0,
            deleted: 0,
            clips: 0,
            samples: 0,
            attendance: 0,
            held_back: 0,
            confirmed_by: None,
        }
    }
}

impl Store {
    /// The last daily retention run.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn retention_run(&self, _scope: &Scope) -> Result<RetentionRun, StoreError> {
        let row = sqlx::query(
            "select ran_at_ms, outcome, off_ms, marked, deleted, clips, samples, attendance, held_back, confirmed_by
             from retention_run",
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(RetentionRun::default()) };
        Ok(RetentionRun {
            ran_at: instant_or_null(&row, "ran_at_ms")?,
            outcome: word(&row, "outcome")?,
            off_ms: row.try_get("off_ms")?,
            marked: unsigned(row.try_get("marked")?),
            deleted: unsigned(row.try_get("deleted")?),
            clips: unsigned(row.try_get("clips")?),
            samples: unsigned(row.try_get("samples")?),
            attendance: unsigned(row.try_get("attendance")?),
            held_back: unsigned(row.try_get("held_back")?),
            confirmed_by: row.try_get("confirmed_by")?,
        })
    }

    /// Stores the result of a daily run, and clears its confirmation.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn save_retention_run(&self, _scope: &Scope, run: &RetentionRun) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        writing.save_run(run).await?;
        writing.commit_unseen().await
    }

    /// Confirms the next run: the current clock, and everything that is due.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn confirm_retention(&self, scope: &Scope, by: &str, row: &AuditRow) -> Result<(), StoreError> {
        let run = self.retention_run(scope).await?;
        let mut writing = self.write().await?;
        writing.save_run(&RetentionRun { confirmed_by: Some(by.to_owned()), ..run }).await?;
        writing.commit(row).await
    }
}

impl Writing {
    async fn save_run(&mut self, run: &RetentionRun) -> Result<(), StoreError> {
        sqlx::query("delete from retention_run").execute(self.on()).await?;
        let mut sql = Sql::new(
            "insert into retention_run (one, ran_at_ms, outcome, off_ms, marked, deleted, clips, samples, attendance,
                                        held_back, confirmed_by) values (1, ",
        );
        sql.bind(run.ran_at.map(|at| at.0)).push(", ").bind(run.outcome.as_str()).push(", ").bind(run.off_ms);
        sql.push(", ").bind(whole(run.marked)).push(", ").bind(whole(run.deleted)).push(", ");
        sql.bind(whole(run.clips))
            .push(", ")
            .bind(whole(run.samples))
            .push(", ")
            .bind(whole(run.attendance))
            .push(", ");
        sql.bind(whole(run.held_back)).push(", ").bind(run.confirmed_by.clone()).push(")");
        sql.run(self.on()).await?;
        Ok(())
    }
}
