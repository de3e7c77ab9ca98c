//! Share links to a recording or clip, and the views opened by them.

use sqlx::{Row, any::AnyRow};

use crate::store::{AuditRow, Sql, Store, StoreError, word, word_or_null};
use school::{
    account::permission::Scope,
    base::{
        id::{ClipId, PersonId, RecordingId, ShareId},
        time::UnixMs,
    },
    lesson::Teacher,
    library::clip::Window,
};

/// A stored share link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The share.
    pub share_id: ShareId,
    /// Shared recording.
    pub recording_id: RecordingId,
    /// Clip that limits it, with its title. `None`: the whole recording.
    pub clip: Option<(ClipId, Window, String)>,
    /// Who made it.
    pub maker: Teacher,
    /// When it was made.
    pub made_at: UnixMs,
    /// Expiry.
    pub expires_at: UnixMs,
    /// Maximum number of views. `None`: unlimited.
    pub views_max: Option<i64>,
    /// Number of views so far.
    pub views: i64,
    /// When it was revoked. `None`: not revoked.
    pub revoked_at: Option<UnixMs>,
    /// The shared clip was deleted.
    pub clip_gone: bool,
}

impl Share {
    /// Whether it may be opened, or an open view continued.
    #[must_use]
    pub fn holds(&self, now: UnixMs) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && !self.clip_gone
    }

    /// Time limits. `None`: unlimited.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        self.clip.as_ref().map(|(_, window, _)| *window)
    }
}

/// A share to be stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of `Share`")]
pub struct NewShare {
    pub share_id: ShareId,
    pub recording_id: RecordingId,
    pub clip_id: Option<ClipId>,
    pub maker: PersonId,
    pub expires_at: UnixMs,
    pub views_max: Option<i64>,
}

/// Most shares ever made of one recording.
pub const SHARES_MAX: i64 = 200;

impl Store {
    /// Stores a share of a recording that the caller administers. False: there are already [`SHARES_MAX`].
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn add_share(&self, _scope: &Scope, share: &NewShare, row: &AuditRow) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        if writing.count("share", share.recording_id).await? >= SHARES_MAX {
            return Ok(false);
        }
        let mut sql = Sql::new(
            "insert into share (share_id, recording_id, clip_id, made_by, made_at_ms, expires_at_ms, views_max) values (",
        );
        sql.bind(share.share_id.to_string()).push(", ").bind(share.recording_id.to_string()).push(", ");
        sql.bind(share.clip_id.map(|id| id.to_string())).push(", ").bind(share.maker.to_string()).push(", ");
        sql.bind(row.at.0).push(", ").bind(share.expires_at.0).push(", ").bind(share.views_max).push(")");
        sql.run(writing.on()).await?;
        writing.commit(row).await?;
        Ok(true)
    }

    /// Shares of a recording that the caller administers, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn shares(&self, _scope: &Scope, recording_id: RecordingId) -> Result<Vec<Share>, StoreError> {
        let mut sql = Sql::new(SELECT_SHARE);
        sql.push("share.recording_id = ").bind(recording_id.to_string()).push(" order by share_id desc");
        sql.all(&self.pool).await?.iter().map(share_from).collect()
    }

    /// One share. `None`: not found.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn share(&self, _scope: &Scope, share_id: ShareId) -> Result<Option<Share>, StoreError> {
        let mut sql = Sql::new(SELECT_SHARE);
        sql.push("share_id = ").bind(share_id.to_string());
        sql.optional(&self.pool).await?.as_ref().map(share_from).transpose()
    }

    /// Revokes a share: open views end too. Idempotent.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn revoke_share(&self, _scope: &Scope, share_id: ShareId, row: &AuditRow) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update share set revoked_at_ms = coalesce(revoked_at_ms, ");
        sql.bind(row.at.0).push(") where share_id = ").bind(share_id.to_string()).run(writing.on()).await?;
        let mut sql = Sql::new("delete from share_view where share_id = ");
        sql.bind(share_id.to_string()).run(writing.on()).await?;
        writing.commit(row).await
    }

    /// Opens a share: counts a view and authorises the cookie's holder until `until`. False: the views are used up,
    /// or the share is no longer valid.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn open_share(
        &self,
        _scope: &Scope,
        share_id: ShareId,
        (view_sha256, until): (&str, UnixMs),
        row: &AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update share set views = views + 1 where revoked_at_ms is null and expires_at_ms > ");
        sql.bind(row.at.0).push(" and (views_max is null or views < views_max) and share_id = ");
        if sql.bind(share_id.to_string()).run(writing.on()).await? == 0 {
            return Ok(false);
        }
        let mut sql = Sql::new("delete from share_view where expires_at_ms <= ");
        sql.bind(row.at.0).run(writing.on()).await?;
        let mut sql = Sql::new("insert into share_view (view_sha256, share_id, expires_at_ms) values (");
        sql.bind(view_sha256).push(", ").bind(share_id.to_string()).push(", ").bind(until.0).push(")");
        sql.run(writing.on()).await?;
        writing.commit(row).await?;
        Ok(true)
    }

    /// The share behind a view cookie. `None`: not valid any more.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn viewed(&self, _scope: &Scope, view_sha256: &str, now: UnixMs) -> Result<Option<Share>, StoreError> {
        let mut sql = Sql::new(SELECT_SHARE);
        sql.push("share_id = (select share_id from share_view where view_sha256 = ").bind(view_sha256);
        sql.push(" and share_view.expires_at_ms > ").bind(now.0).push(")");
        let share = sql.optional(&self.pool).await?.as_ref().map(share_from).transpose()?;
        Ok(share.filter(|share| share.holds(now)))
    }
}

const SELECT_SHARE: &str = "
    select share_id, share.recording_id as recording_id, share.clip_id as clip_id, from_ms, to_ms, clip.title as title,
           clip.closed_at_ms as clip_closed_at_ms, made_by, person.name as maker_name, share.made_at_ms as made_at_ms,
           expires_at_ms, views_max, views, revoked_at_ms
    from share
    join person on person.person_id = made_by
    left join clip on clip.clip_id = share.clip_id
    where ";

fn share_from(row: &AnyRow) -> Result<Share, StoreError> {
    let clip = match word_or_null::<ClipId>(row, "clip_id")? {
        None => None,
        Some(clip_id) => {
            let window = Window { from_ms: row.try_get("from_ms")?, to_ms: row.try_get("to_ms")? };
            Some((clip_id, window, row.try_get("title")?))
        }
    };
    Ok(Share {
        share_id: word(row, "share_id")?,
        recording_id: word(row, "recording_id")?,
        clip,
        maker: Teacher { person_id: word(row, "made_by")?, name: row.try_get("maker_name")? },
        made_at: UnixMs(row.try_get("made_at_ms")?),
        expires_at: UnixMs(row.try_get("expires_at_ms")?),
        views_max: row.try_get("views_max")?,
        views: row.try_get("views")?,
        revoked_at: row.try_get::<Option<i64>, _>("revoked_at_ms")?.map(UnixMs),
        clip_gone: row.try_get::<Option<i64>, _>("clip_closed_at_ms")?.is_some(),
    })
}
