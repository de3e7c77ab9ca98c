//! Recording retention: holds, and deletion in steps: marked, unmarked, deleted, with a tombstone in the audit.

pub mod expiry;
pub mod policy;
pub mod run;
pub mod storage;

use sqlx::{Row, any::AnyRow};

use self::policy::{Policies, policy_from};
use super::{AuditRow, Sql, Store, StoreError, Writing, word, word_or_null};
use crate::store::db::{
    column::{instant_or_null, unsigned},
    edit::Edited,
};
use school::{
    account::permission::Scope,
    base::{
        id::{LessonId, OrganisationId, RecordingId},
        time::UnixMs,
    },
    retention::{DeletionRule, RetainedItem, RetentionPolicy, StorageState},
};

/// A hold on a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// `person:<id>`
    pub by: String,
    /// Their name at the time.
    pub name: String,
    /// Reason.
    pub reason: String,
    /// Start.
    pub at: UnixMs,
    /// End. `None`: until it is released.
    pub until: Option<UnixMs>,
}

/// A pending deletion of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// When it was marked.
    pub since: UnixMs,
    /// Rule that applies.
    pub rule: DeletionRule,
    /// `system` or `person:<id>`.
    pub by: String,
    /// Reason given. Empty: by the rule alone.
    pub reason: String,
}

/// A retained recording with its lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the table")]
pub struct RetainedRecording {
    pub recording_id: RecordingId,
    pub lesson_id: LessonId,
    pub title: String,
    /// The teaching school.
    pub organisation_id: OrganisationId,
    pub school: String,
    pub path: String,
    pub state: StorageState,
    pub size_bytes: u64,
    pub duration_ms: u64,
    pub ended_at: UnixMs,
    pub is_mirrored: bool,
    /// Chosen to be played in a coming or current lesson, or published.
    pub is_chosen: bool,
    pub seal_sha256: Option<String>,
    pub hold: Option<Hold>,
    pub deletion: Option<Deletion>,
    pub runs_pending: u32,
    pub deleted_at: Option<UnixMs>,
}

impl RetainedRecording {
    /// Input of the retention rules.
    #[must_use]
    pub fn item(&self) -> RetainedItem {
        RetainedItem {
            state: self.state,
            ended_at: self.ended_at,
            held_until: self.hold.as_ref().map(|hold| hold.until.unwrap_or(UnixMs(i64::MAX))),
            is_chosen: self.is_chosen,
            is_mirrored: self.is_mirrored,
            pending: self.deletion.as_ref().map(|deletion| (deletion.since, deletion.rule)),
            runs_pending: self.runs_pending,
        }
    }
}

/// A deletion, completed or in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Rule that applied.
    pub rule: DeletionRule,
    /// When it completed. `None`: in progress.
    pub at: Option<UnixMs>,
}

/// Totals of retained recordings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetainedTotals {
    /// Recordings that are not deleted.
    pub recordings: u64,
    /// Size of their media.
    pub bytes: u64,
    /// Those of them that are marked for deletion.
    pub pending: u64,
}

/// Filter for retained recordings.
#[derive(Clone, Debug, Default)]
pub struct RetainedFilter {
    /// Only these states. Empty: all but deleted.
    pub states: Vec<StorageState>,
    /// Only recordings on hold.
    pub held: bool,
    /// After this one: end of its lesson, and its id.
    pub after: Option<(UnixMs, RecordingId)>,
    /// Maximum number of rows.
    pub limit: u32,
}

const SELECT_KEPT: &str = "
    select kept.recording_id as recording_id, lesson.lesson_id as lesson_id, lesson.title as title,
           organisation.organisation_id as organisation_id, organisation.name as school, organisation.path as path,
           kept.state as state, size_bytes, duration_ms, kept.ended_at_ms as ended_at_ms, is_mirrored, seal_sha256,
           held_by, held_name, held_reason, held_at_ms, held_until_ms, pending_since_ms, pending_rule, pending_by,
           pending_reason, runs_pending, deleted_at_ms,
           (select count(*) from lesson_source source join lesson playing on playing.lesson_id = source.lesson_id
                where source.recording_id = kept.recording_id and playing.state in ('scheduled', 'open', 'live'))
           + (select count(*) from library_entry entry where entry.recording_id = kept.recording_id
                and entry.published_to is not null and entry.taken_down_at_ms is null) as chosen
    from kept_recording kept
    join recording on recording.recording_id = kept.recording_id
    join lesson on lesson.lesson_id = recording.lesson_id
    join organisation on organisation.organisation_id = lesson.organisation_id
    where ";

impl Store {
    /// Retained recordings, those whose lessons ended first coming first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn retained_recordings(
        &self,
        scope: &Scope,
        ask: &RetainedFilter,
    ) -> Result<Vec<RetainedRecording>, StoreError> {
        let mut sql = Sql::new(SELECT_KEPT);
        sql.within(scope, "organisation.path");
        if ask.states.is_empty() {
            sql.push(" and kept.state <> 'deleted'");
        } else {
            sql.push(" and kept.state in ").list(ask.states.iter().map(|state| state.as_str()));
        }
        if ask.held {
            sql.push(" and held_by is not null");
        }
        if let Some((ended_at, recording_id)) = ask.after {
            sql.push(" and (kept.ended_at_ms > ").bind(ended_at.0);
            sql.push(" or (kept.ended_at_ms = ").bind(ended_at.0);
            sql.push(" and kept.recording_id > ").bind(recording_id.to_string()).push("))");
        }
        sql.push(" order by kept.ended_at_ms, kept.recording_id limit ").bind(i64::from(ask.limit));
        sql.all(&self.pool).await?.iter().map(retained_from).collect()
    }

    /// One retained recording. `None`: not in scope, or never counted.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn retained_recording(
        &self,
        scope: &Scope,
        recording_id: RecordingId,
    ) -> Result<Option<RetainedRecording>, StoreError> {
        let mut sql = Sql::new(SELECT_KEPT);
        sql.within(scope, "organisation.path").push(" and kept.recording_id = ").bind(recording_id.to_string());
        sql.optional(&self.pool).await?.as_ref().map(retained_from).transpose()
    }

    /// Deletion of a recording that the caller is authorised for. `None`: not deleted.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn recording_gone(&self, _scope: &Scope, recording_id: RecordingId) -> Result<Option<Gone>, StoreError> {
        let mut sql = Sql::new(
            "select pending_rule, deleted_at_ms from kept_recording where state in ('deleting', 'deleted')
             and recording_id = ",
        );
        let row = sql.bind(recording_id.to_string()).optional(&self.pool).await?;
        row.map(|row| Ok(Gone { rule: word(&row, "pending_rule")?, at: instant_or_null(&row, "deleted_at_ms")? }))
            .transpose()
    }

    /// Totals of retained recordings in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn retained_totals(&self, scope: &Scope) -> Result<RetainedTotals, StoreError> {
        let mut sql = Sql::new(
            "select count(*) as n, coalesce(cast(sum(size_bytes) as bigint), 0) as bytes,
                    coalesce(cast(sum(case kept.state when 'pending_deletion' then 1 else 0 end) as bigint), 0) as pending
             from kept_recording kept
             join recording on recording.recording_id = kept.recording_id
             join lesson on lesson.lesson_id = recording.lesson_id
             join organisation on organisation.organisation_id = lesson.organisation_id
             where kept.state <> 'deleted' and ",
        );
        let Some(row) = sql.within(scope, "organisation.path").optional(&self.pool).await? else {
            return Ok(RetainedTotals::default());
        };
        Ok(RetainedTotals {
            recordings: unsigned(row.try_get("n")?),
            bytes: unsigned(row.try_get("bytes")?),
            pending: unsigned(row.try_get("pending")?),
        })
    }

    /// Policy set at one organisation, and its version. `None`: none is set there.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn policy(
        &self,
        _scope: &Scope,
        id: OrganisationId,
    ) -> Result<Option<(RetentionPolicy, i64)>, StoreError> {
        let mut sql = Sql::new(SELECT_POLICY);
        let row = sql.push(" where organisation_id = ").bind(id.to_string()).optional(&self.pool).await?;
        row.map(|row| Ok((policy_from(&row)?, row.try_get("version")?))).transpose()
    }

    /// All policies that are set.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn policies(&self, _scope: &Scope) -> Result<Policies, StoreError> {
        let rows = Sql::new(SELECT_POLICY).all(&self.pool).await?;
        let read = |row: &AnyRow| Ok((row.try_get("organisation_id")?, policy_from(row)?));
        rows.iter().map(read).collect::<Result<_, StoreError>>().map(Policies)
    }

    /// Sets the policy of an organisation.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn set_policy(
        &self,
        scope: &Scope,
        id: OrganisationId,
        policy: &RetentionPolicy,
        version: i64,
        row: AuditRow,
    ) -> Result<Edited<i64>, StoreError> {
        let columns = ["recordings_days", "clips_days", "samples_days", "attendance_days"];
        let days = [policy.recordings_days, policy.clips_days, policy.samples_days, policy.attendance_days];
        self.set_figures(scope, ("retention_policy", &columns), &days.map(|days| days.map(i64::from)), id, version, row)
            .await
    }

    /// Puts a recording on hold, or releases it if `hold` is `None`. False: not in scope, or its deletion has begun.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn hold_recording(
        &self,
        scope: &Scope,
        recording_id: RecordingId,
        hold: Option<&Hold>,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path_of_retained(scope, recording_id).await? else { return Ok(false) };
        let mut sql = Sql::new("update kept_recording set held_by = ");
        sql.bind(hold.map(|hold| hold.by.clone())).push(", held_name = ").bind(hold.map(|hold| hold.name.clone()));
        sql.push(", held_reason = ").bind(hold.map(|hold| hold.reason.clone())).push(", held_at_ms = ");
        sql.bind(hold.map(|hold| hold.at.0)).push(", held_until_ms = ");
        sql.bind(hold.and_then(|hold| hold.until).map(|until| until.0));
        // A hold also cancels a pending deletion, in the same transaction.
        if hold.is_some() {
            sql.push(
                ", runs_pending = 0, pending_since_ms = null, pending_rule = null, pending_by = null,
                       pending_reason = null, state = case state when 'pending_deletion' then 'sealed' else state end",
            );
        }
        sql.push(" where state in ('live', 'sealed', 'archived', 'pending_deletion') and recording_id = ");
        if sql.bind(recording_id.to_string()).run(writing.on()).await? == 0 {
            return Ok(false);
        }
        writing.commit(&row.at_place(path).saying(hold.map(|hold| hold.reason.as_str()).unwrap_or_default())).await?;
        Ok(true)
    }

    /// Marks a complete recording for deletion. False: not found in scope, still recording, on hold, or already
    /// marked.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn mark_for_deletion(
        &self,
        scope: &Scope,
        recording_id: RecordingId,
        deletion: &Deletion,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path_of_retained(scope, recording_id).await? else { return Ok(false) };
        let mut sql =
            Sql::new("update kept_recording set state = 'pending_deletion', runs_pending = 0, pending_since_ms = ");
        sql.bind(deletion.since.0).push(", pending_rule = ").bind(deletion.rule.as_str()).push(", pending_by = ");
        sql.bind(deletion.by.as_str()).push(", pending_reason = ").bind(deletion.reason.as_str());
        sql.push(" where state in ('sealed', 'archived') and (held_by is null or held_until_ms <= ");
        sql.bind(deletion.since.0).push(") and recording_id = ").bind(recording_id.to_string());
        if sql.run(writing.on()).await? == 0 {
            return Ok(false);
        }
        writing.commit(&row.at_place(path).saying(format!("{} {}", deletion.rule.as_str(), deletion.reason))).await?;
        Ok(true)
    }

    /// Cancels a deletion that has not begun. False: no marked recording in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn unmark(&self, scope: &Scope, recording_id: RecordingId, row: AuditRow) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path_of_retained(scope, recording_id).await? else { return Ok(false) };
        let mut sql = Sql::new(
            "update kept_recording set state = 'sealed', runs_pending = 0, pending_since_ms = null, pending_rule = null,
                    pending_by = null, pending_reason = null where state = 'pending_deletion' and recording_id = ",
        );
        if sql.bind(recording_id.to_string()).run(writing.on()).await? == 0 {
            return Ok(false);
        }
        writing.commit(&row.at_place(path)).await?;
        Ok(true)
    }

    /// Marks a recording as archived: a day old and in the bucket.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn archive_recording(&self, _scope: &Scope, recording_id: RecordingId) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let mut sql =
            Sql::new("update kept_recording set state = 'archived' where state = 'sealed' and recording_id = ");
        sql.bind(recording_id.to_string()).run(writing.on()).await?;
        writing.commit_unseen().await
    }

    /// Counts a daily run for each recording marked for deletion.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn count_run(&self, _scope: &Scope) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let sql =
            Sql::new("update kept_recording set runs_pending = runs_pending + 1 where state = 'pending_deletion'");
        sql.run(writing.on()).await?;
        writing.commit_unseen().await
    }

    /// Begins the irreversible deletion: files may be partly deleted. False: concurrently held or unmarked.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn begin_deletion(
        &self,
        _scope: &Scope,
        recording_id: RecordingId,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new(
            "update kept_recording set state = 'deleting' where state = 'pending_deletion'
             and (held_by is null or held_until_ms <= ",
        );
        sql.bind(now.0).push(") and recording_id = ").bind(recording_id.to_string());
        let begun = sql.run(writing.on()).await? > 0;
        writing.commit_unseen().await?;
        Ok(begun)
    }

    /// Files and objects are deleted: writes the tombstone to the audit chain in the same transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn mark_deleted(
        &self,
        _scope: &Scope,
        retained: &RetainedRecording,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let deletion = retained.deletion.as_ref();
        let by = deletion.map_or("system", |deletion| deletion.by.as_str());
        let detail = format!(
            "seal_sha256={} rule={} size_bytes={} ended_at_ms={} reason={}",
            retained.seal_sha256.as_deref().unwrap_or("none"),
            deletion.map_or("retention", |deletion| deletion.rule.as_str()),
            retained.size_bytes,
            retained.ended_at.0,
            deletion.map_or("", |deletion| deletion.reason.as_str()),
        );
        let row = AuditRow::done(now, by, TOMBSTONE, format!("recording:{}", retained.recording_id))
            .at_place(retained.path.as_str())
            .saying(detail);
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update kept_recording set state = 'deleted', deleted_at_ms = ");
        sql.bind(now.0).push(" where state = 'deleting' and recording_id = ").bind(retained.recording_id.to_string());
        if sql.run(writing.on()).await? == 0 {
            return Ok(()); // Marked concurrently.
        }
        writing.commit(&row).await
    }
}

impl Writing {
    /// Path of a retained recording's school. `None`: not in scope.
    async fn path_of_retained(&mut self, scope: &Scope, id: RecordingId) -> Result<Option<String>, StoreError> {
        let mut sql = Sql::new(
            "select organisation.path as path from kept_recording kept
             join recording on recording.recording_id = kept.recording_id
             join lesson on lesson.lesson_id = recording.lesson_id
             join organisation on organisation.organisation_id = lesson.organisation_id where ",
        );
        sql.within(scope, "organisation.path").push(" and kept.recording_id = ").bind(id.to_string());
        let row = sql.optional_on(self.on()).await?;
        row.map(|row| Ok(row.try_get("path")?)).transpose()
    }
}

fn retained_from(row: &AnyRow) -> Result<RetainedRecording, StoreError> {
    let by: Option<String> = row.try_get("held_by")?;
    let hold = match by {
        None => None,
        Some(by) => Some(Hold {
            by,
            name: row.try_get::<Option<String>, _>("held_name")?.unwrap_or_default(),
            reason: row.try_get::<Option<String>, _>("held_reason")?.unwrap_or_default(),
            at: instant_or_null(row, "held_at_ms")?.unwrap_or_default(),
            until: instant_or_null(row, "held_until_ms")?,
        }),
    };
    let rule: Option<DeletionRule> = word_or_null(row, "pending_rule")?;
    let deletion = match rule {
        None => None,
        Some(rule) => Some(Deletion {
            since: instant_or_null(row, "pending_since_ms")?.unwrap_or_default(),
            rule,
            by: row.try_get::<Option<String>, _>("pending_by")?.unwrap_or_default(),
            reason: row.try_get::<Option<String>, _>("pending_reason")?.unwrap_or_default(),
        }),
    };
    Ok(RetainedRecording {
        recording_id: word(row, "recording_id")?,
        lesson_id: word(row, "lesson_id")?,
        title: row.try_get("title")?,
        organisation_id: word(row, "organisation_id")?,
        school: row.try_get("school")?,
        path: row.try_get("path")?,
        state: word(row, "state")?,
        size_bytes: unsigned(row.try_get("size_bytes")?),
        duration_ms: unsigned(row.try_get("duration_ms")?),
        ended_at: UnixMs(row.try_get("ended_at_ms")?),
        is_mirrored: row.try_get::<i64, _>("is_mirrored")? != 0,
        is_chosen: row.try_get::<i64, _>("chosen")? > 0,
        seal_sha256: row.try_get("seal_sha256")?,
        hold,
        deletion,
        runs_pending: u32::try_from(row.try_get::<i64, _>("runs_pending")?).unwrap_or(0),
        deleted_at: instant_or_null(row, "deleted_at_ms")?,
    })
}

const SELECT_POLICY: &str =
    "select organisation_id, recordings_days, clips_days, samples_days, attendance_days, version from retention_policy";

/// Audit act of the tombstone: with the seal's digest it proves that a recording existed and was deleted by a rule.
pub const TOMBSTONE: &str = "delete_recording";
