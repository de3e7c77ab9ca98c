//! Clips: time ranges of recordings.

use sqlx::{Row, any::AnyRow};

use crate::store::{AuditRow, Sql, Store, StoreError, db::edit::Edited, word};
use school::{
    account::permission::Scope,
    base::{
        id::{ClipId, PersonId, RecordingId},
        time::UnixMs,
    },
    lesson::Teacher,
    library::clip::{CLIPS_MAX, Window},
};

/// A stored clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// The clip.
    pub clip_id: ClipId,
    /// Its recording.
    pub recording_id: RecordingId,
    /// Start and end.
    pub window: Window,
    /// 分数的意义
    pub title: String,
    /// Who made it.
    pub author: Teacher,
    /// When it was made.
    pub made_at: UnixMs,
    /// Number of edits, from 1.
    pub version: i64,
}

/// Changes to a clip. `None`: unchanged.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of `Clip`")]
pub struct ClipEdit {
    pub window: Option<Window>,
    pub title: Option<String>,
    /// Deletes the clip. Lessons that play it stop playing it.
    pub close: bool,
}

impl Store {
    /// Clips of a recording that the caller is authorised for, by time.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn clips(&self, _scope: &Scope, recording_id: RecordingId) -> Result<Vec<Clip>, StoreError> {
        let mut sql = Sql::new(SELECT_CLIP);
        sql.push("recording_id = ").bind(recording_id.to_string()).push(" order by from_ms, clip_id");
        sql.all(&self.pool).await?.iter().map(clip_from).collect()
    }

    /// One clip. The handler authorises the caller for its recording. `None`: not found or deleted.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn clip(&self, _scope: &Scope, clip_id: ClipId) -> Result<Option<Clip>, StoreError> {
        let mut sql = Sql::new(SELECT_CLIP);
        sql.push("clip_id = ").bind(clip_id.to_string());
        sql.optional(&self.pool).await?.as_ref().map(clip_from).transpose()
    }

    /// Stores a new clip of a recording that the caller is authorised for. False: there are already [`CLIPS_MAX`].
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn add_clip(&self, _scope: &Scope, clip: &Clip, row: &AuditRow) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("select count(*) as n from clip where closed_at_ms is null and recording_id = ");
        let row_of = sql.bind(clip.recording_id.to_string()).optional_on(writing.on()).await?;
        let there: i64 = row_of.map(|row| row.try_get("n")).transpose()?.unwrap_or_default();
        if there >= CLIPS_MAX as i64 {
            return Ok(false);
        }
        let mut sql =
            Sql::new("insert into clip (clip_id, recording_id, from_ms, to_ms, title, author_id, made_at_ms) values (");
        sql.bind(clip.clip_id.to_string()).push(", ").bind(clip.recording_id.to_string());
        sql.push(", ").bind(clip.window.from_ms).push(", ").bind(clip.window.to_ms);
        sql.push(", ").bind(clip.title.as_str()).push(", ").bind(clip.author.person_id.to_string());
        sql.push(", ").bind(clip.made_at.0).push(")").run(writing.on()).await?;
        writing.commit(row).await?;
        Ok(true)
    }

    /// Changes a clip: only its author's, or, with `anybodys`, anyone's.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn edit_clip(
        &self,
        _scope: &Scope,
        (clip_id, version): (ClipId, i64),
        (editor, anybodys): (PersonId, bool),
        edit: &ClipEdit,
        row: &AuditRow,
    ) -> Result<Edited<Clip>, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new(SELECT_CLIP);
        sql.push("clip_id = ").bind(clip_id.to_string());
        let found = sql.optional_on(writing.on()).await?.as_ref().map(clip_from).transpose()?;
        let Some(mut clip) = found.filter(|clip| anybodys || clip.author.person_id == editor) else {
            return Ok(Edited::Gone);
        };
        if clip.version != version {
            return Ok(Edited::OtherVersion);
        }
        clip.window = edit.window.unwrap_or(clip.window);
        clip.title = edit.title.clone().unwrap_or(clip.title);
        clip.version += 1;
        let mut sql = Sql::new("update clip set version = version + 1, from_ms = ");
        sql.bind(clip.window.from_ms).push(", to_ms = ").bind(clip.window.to_ms);
        sql.push(", title = ").bind(clip.title.as_str());
        if edit.close {
            sql.push(", closed_at_ms = ").bind(row.at.0);
        }
        sql.push(" where clip_id = ").bind(clip_id.to_string()).push(" and version = ").bind(version);
        if sql.run(writing.on()).await? == 0 {
            return Ok(Edited::OtherVersion);
        }
        writing.commit(row).await?;
        Ok(Edited::Done(clip))
    }
}

const SELECT_CLIP: &str = "
    select clip_id, recording_id, from_ms, to_ms, title, author_id, person.name as author_name, made_at_ms,
           clip.version as version
    from clip join person on person.person_id = author_id where clip.closed_at_ms is null and ";

fn clip_from(row: &AnyRow) -> Result<Clip, StoreError> {
    Ok(Clip {
        clip_id: word(row, "clip_id")?,
        recording_id: word(row, "recording_id")?,
        window: Window { from_ms: row.try_get("from_ms")?, to_ms: row.try_get("to_ms")? },
        title: row.try_get("title")?,
        author: Teacher { person_id: word(row, "author_id")?, name: row.try_get("author_name")? },
        made_at: UnixMs(row.try_get("made_at_ms")?),
        version: row.try_get("version")?,
    })
}
