//! Storage use of recordings per school and day, and quotas.

use crate::store::{
    AuditRow, Sql, Store, StoreError,
    db::{
        column::{bound, instant_or_null, unsigned, whole},
        edit::Edited,
    },
    word, word_or_null,
};
use jiff::civil::Date;
use sqlx::{Row, any::AnyRow};

use school::{
    account::permission::Scope,
    base::{
        id::{OrganisationId, RecordingId},
        time::UnixMs,
    },
    retention::{
        StorageState,
        quota::{Quota, Used},
    },
};

/// A recording whose size is not counted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Uncounted {
    pub recording_id: RecordingId,
    pub organisation_id: OrganisationId,
    /// It is complete.
    pub is_sealed: bool,
    pub started_at: UnixMs,
    /// `None`: its lesson is live.
    pub ended_at: Option<UnixMs>,
}

/// Counted size and duration of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the table")]
pub struct Counted {
    pub recording_id: RecordingId,
    pub state: StorageState,
    pub size_bytes: u64,
    pub duration_ms: u64,
    pub recorded_on: Date,
    pub ended_at: UnixMs,
    pub seal_sha256: Option<String>,
}

/// Storage use of a school.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SchoolUse {
    pub organisation_id: OrganisationId,
    pub name: String,
    pub path: String,
    pub recordings: u64,
    pub used: Used,
    pub quota: Quota,
}

impl Store {
    /// Recordings not counted since they were completed, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn uncounted(&self, scope: &Scope, limit: u32) -> Result<Vec<Uncounted>, StoreError> {
        let mut sql = Sql::new(
            "select recording.recording_id as recording_id, recording.state as state, recording.started_at_ms as began,
                    lesson.ended_at_ms as ended_at_ms, lesson.organisation_id as organisation_id
             from recording
             join lesson on lesson.lesson_id = recording.lesson_id
             join organisation on organisation.organisation_id = lesson.organisation_id
             left join kept_recording kept on kept.recording_id = recording.recording_id
             where (kept.state is null or kept.state = 'live') and ",
        );
        sql.within(scope, "organisation.path").push(" order by recording.recording_id limit ").bind(i64::from(limit));
        let read = |row: &AnyRow| {
            Ok(Uncounted {
                recording_id: word(row, "recording_id")?,
                organisation_id: word(row, "organisation_id")?,
                is_sealed: row.try_get::<String, _>("state")? == "sealed",
                started_at: UnixMs(row.try_get("began")?),
                ended_at: instant_or_null(row, "ended_at_ms")?,
            })
        };
        sql.all(&self.pool).await?.iter().map(read).collect()
    }

    /// Stores counts. Those of complete recordings are final.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn count_recordings(&self, _scope: &Scope, counted: &[Counted]) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        for one in counted {
            let mut sql = Sql::new(
                "insert into kept_recording (recording_id, state, size_bytes, duration_ms, recorded_on, ended_at_ms,
                                             seal_sha256) values (",
            );
            sql.bind(one.recording_id.to_string()).push(", ").bind(one.state.as_str()).push(", ");
            sql.bind(whole(one.size_bytes)).push(", ").bind(whole(one.duration_ms)).push(", ");
            sql.bind(one.recorded_on.to_string()).push(", ").bind(one.ended_at.0).push(", ");
            sql.bind(one.seal_sha256.clone());
            sql.push(
                ") on conflict (recording_id) do update set state = excluded.state, size_bytes = excluded.size_bytes,
                     duration_ms = excluded.duration_ms, ended_at_ms = excluded.ended_at_ms,
                     seal_sha256 = excluded.seal_sha256 where kept_recording.state = 'live'",
            );
            sql.run(writing.on()).await?;
        }
        writing.commit_unseen().await
    }

    /// Marks these recordings as fully mirrored to the bucket.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn note_mirrored(&self, _scope: &Scope, recordings: &[RecordingId]) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update kept_recording set is_mirrored = 1 where recording_id in ");
        sql.list(recordings.iter().map(ToString::to_string)).run(writing.on()).await?;
        writing.commit_unseen().await
    }

    /// Complete recordings not known to be fully mirrored to the bucket.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn unmirrored(&self, scope: &Scope, limit: u32) -> Result<Vec<RecordingId>, StoreError> {
        let mut sql = Sql::new(
            "select kept.recording_id as recording_id from kept_recording kept
             join recording on recording.recording_id = kept.recording_id
             join lesson on lesson.lesson_id = recording.lesson_id
             join organisation on organisation.organisation_id = lesson.organisation_id
             where is_mirrored = 0 and kept.state in ('sealed', 'archived', 'pending_deletion') and ",
        );
        sql.within(scope, "organisation.path").push(" order by kept.ended_at_ms limit ").bind(i64::from(limit));
        sql.all(&self.pool).await?.iter().map(|row| word(row, "recording_id")).collect()
    }

    /// Storage use of every school in scope, with its own quota; by name, after `after`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn use_of_schools(
        &self,
        scope: &Scope,
        today: Date,
        after: Option<OrganisationId>,
        limit: u32,
    ) -> Result<Vec<SchoolUse>, StoreError> {
        let mut sql = Sql::new(
            "select organisation.organisation_id as organisation_id, organisation.name as name,
                    organisation.path as path, gigabytes, days,
                    count(kept.recording_id) as recordings, coalesce(cast(sum(size_bytes) as bigint), 0) as bytes,
                    min(recorded_on) as oldest
             from organisation
             left join storage_quota on storage_quota.organisation_id = organisation.organisation_id
             left join lesson on lesson.organisation_id = organisation.organisation_id
             left join recording on recording.lesson_id = lesson.lesson_id
             left join kept_recording kept on kept.recording_id = recording.recording_id and kept.state <> 'deleted'
             where organisation.kind in ('centre_school', 'school', 'teaching_point') and ",
        );
        sql.within(scope, "organisation.path");
        if let Some(after) = after {
            sql.push(" and organisation.organisation_id > ").bind(after.to_string());
        }
        sql.push(
            " group by organisation.organisation_id, organisation.name, organisation.path, gigabytes, days
              having count(kept.recording_id) > 0 or gigabytes is not null or days is not null
              order by organisation.organisation_id limit ",
        );
        sql.bind(i64::from(limit));
        let read = |row: &AnyRow| {
            let oldest: Option<Date> = word_or_null(row, "oldest")?;
            let oldest_days = oldest.and_then(|day| day.until(today).ok()).map_or(0, |span| span.get_days());
            Ok(SchoolUse {
                organisation_id: word(row, "organisation_id")?,
                name: row.try_get("name")?,
                path: row.try_get("path")?,
                recordings: unsigned(row.try_get("recordings")?),
                used: Used {
                    bytes: unsigned(row.try_get("bytes")?),
                    oldest_days: u32::try_from(oldest_days).unwrap_or(0),
                },
                quota: quota_from(row)?,
            })
        };
        sql.all(&self.pool).await?.iter().map(read).collect()
    }

    /// Bytes recorded on each day since `since`, including recordings deleted later.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn recorded_by_day(&self, scope: &Scope, since: Date) -> Result<Vec<(Date, u64)>, StoreError> {
        let mut sql = Sql::new(
            "select recorded_on, cast(sum(size_bytes) as bigint) as bytes from kept_recording kept
             join recording on recording.recording_id = kept.recording_id
             join lesson on lesson.lesson_id = recording.lesson_id
             join organisation on organisation.organisation_id = lesson.organisation_id
             where recorded_on >= ",
        );
        sql.bind(since.to_string()).push(" and ").within(scope, "organisation.path");
        sql.push(" group by recorded_on order by recorded_on");
        let read = |row: &AnyRow| Ok((word(row, "recorded_on")?, unsigned(row.try_get("bytes")?)));
        sql.all(&self.pool).await?.iter().map(read).collect()
    }

    /// Paths of the organisations at the top of the tree.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn tops(&self, scope: &Scope) -> Result<Vec<String>, StoreError> {
        let mut sql = Sql::new("select path from organisation where parent_id is null and ");
        let rows = sql.within(scope, "path").all(&self.pool).await?;
        rows.iter().map(|row| Ok(row.try_get("path")?)).collect()
    }

    /// Quota set at one organisation, and its version; version 0 if none is set.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn quota(&self, _scope: &Scope, id: OrganisationId) -> Result<(Quota, i64), StoreError> {
        let mut sql = Sql::new("select gigabytes, days, version from storage_quota where organisation_id = ");
        let row = sql.bind(id.to_string()).optional(&self.pool).await?;
        row.map_or(Ok((Quota::default(), 0)), |row| Ok((quota_from(&row)?, row.try_get("version")?)))
    }

    /// Sets the quota of an organisation.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn set_quota(
        &self,
        scope: &Scope,
        id: OrganisationId,
        quota: Quota,
        version: i64,
        row: AuditRow,
    ) -> Result<Edited<i64>, StoreError> {
        let bounds = [quota.gigabytes, quota.days].map(|bound| bound.map(i64::from));
        self.set_figures(scope, ("storage_quota", &["gigabytes", "days"]), &bounds, id, version, row).await
    }

    pub(crate) async fn set_figures(
        &self,
        scope: &Scope,
        (table, columns): (&str, &[&str]),
        values: &[Option<i64>],
        id: OrganisationId,
        version: i64,
        row: AuditRow,
    ) -> Result<Edited<i64>, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path(scope, id).await? else { return Ok(Edited::Gone) };
        let mut sql = Sql::new(format!("select version from {table} where organisation_id = "));
        let is = sql.bind(id.to_string()).optional_on(writing.on()).await?;
        let is = is.map_or(Ok(0), |row| row.try_get::<i64, _>("version"))?;
        if is != version {
            return Ok(Edited::OtherVersion);
        }
        let mut sql = Sql::new(format!("delete from {table} where organisation_id = "));
        sql.bind(id.to_string()).run(writing.on()).await?;
        let mut sql = Sql::new(format!("insert into {table} (organisation_id, version"));
        for column in columns {
            sql.push(", ").push(column);
        }
        sql.push(") values (").bind(id.to_string()).push(", ").bind(version + 1);
        for value in values {
            sql.push(", ").bind(*value);
        }
        sql.push(")").run(writing.on()).await?;
        let said = columns.iter().zip(values).map(|(column, value)| match value {
            Some(value) => format!("{column}={value}"),
            None => format!("{column}=none"),
        });
        writing.commit(&row.at_place(path).saying(said.collect::<Vec<_>>().join(" "))).await?;
        Ok(Edited::Done(version + 1))
    }
}

fn quota_from(row: &AnyRow) -> Result<Quota, StoreError> {
    Ok(Quota { gigabytes: bound(row, "gigabytes")?, days: bound(row, "days")? })
}
