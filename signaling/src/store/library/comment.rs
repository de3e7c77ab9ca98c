//! Comments on recordings at a point of lesson time.

use sqlx::{Row, any::AnyRow};

use crate::store::{AuditRow, Sql, Store, StoreError, db::edit::Edited, word};
use school::{
    account::permission::Scope,
    base::{
        id::{CommentId, PersonId, RecordingId},
        time::UnixMs,
    },
    lesson::Teacher,
};

/// A stored comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The comment.
    pub comment_id: CommentId,
    /// Lesson time, in milliseconds.
    pub at_ms: i64,
    /// Text.
    pub text: String,
    /// Author.
    pub author: Teacher,
    /// When it was written.
    pub made_at: UnixMs,
    /// Last edit. `None`: never edited.
    pub edited_at: Option<UnixMs>,
    /// Number of edits, from 1.
    pub version: i64,
}

/// Most comments on one recording: twelve per minute of a lesson.
pub const COMMENTS_MAX: i64 = 500;

/// Most characters of a comment.
pub const COMMENT_CHARACTERS_MAX: usize = 1_000;

impl Store {
    /// Comments on a recording whose reviews the caller may see, by lesson time.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn comments(&self, _scope: &Scope, recording_id: RecordingId) -> Result<Vec<Comment>, StoreError> {
        let mut sql = Sql::new(SELECT_COMMENT);
        sql.push("recording_id = ").bind(recording_id.to_string()).push(" order by at_ms, recording_comment_id");
        sql.all(&self.pool).await?.iter().map(comment_from).collect()
    }

    /// Stores a comment on a recording that the caller may comment on. False: there are already [`COMMENTS_MAX`].
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn add_comment(
        &self,
        _scope: &Scope,
        recording_id: RecordingId,
        comment: &Comment,
        row: &AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        if writing.count("recording_comment", recording_id).await? >= COMMENTS_MAX {
            return Ok(false);
        }
        let mut sql = Sql::new(
            "insert into recording_comment (recording_comment_id, recording_id, at_ms, text, author_id, made_at_ms)
             values (",
        );
        sql.bind(comment.comment_id.to_string()).push(", ").bind(recording_id.to_string()).push(", ");
        sql.bind(comment.at_ms).push(", ").bind(comment.text.as_str()).push(", ");
        sql.bind(comment.author.person_id.to_string()).push(", ").bind(comment.made_at.0).push(")");
        sql.run(writing.on()).await?;
        writing.commit(row).await?;
        Ok(true)
    }

    /// Changes a comment; only its author may. `None`: deletes it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn edit_comment(
        &self,
        _scope: &Scope,
        (recording_id, comment_id, version): (RecordingId, CommentId, i64),
        author: PersonId,
        edit: Option<(Option<i64>, Option<String>)>,
        row: &AuditRow,
    ) -> Result<Edited<Comment>, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new(SELECT_COMMENT);
        sql.push("recording_comment_id = ").bind(comment_id.to_string());
        sql.push(" and recording_id = ").bind(recording_id.to_string());
        sql.push(" and author_id = ").bind(author.to_string());
        let found = sql.optional_on(writing.on()).await?.as_ref().map(comment_from).transpose()?;
        let Some(mut comment) = found else { return Ok(Edited::Gone) };
        if comment.version != version {
            return Ok(Edited::OtherVersion);
        }
        let mut sql = match edit {
            None => Sql::new("delete from recording_comment"),
            Some((at_ms, text)) => {
                comment.at_ms = at_ms.unwrap_or(comment.at_ms);
                comment.text = text.unwrap_or(comment.text);
                comment.edited_at = Some(row.at);
                comment.version += 1;
                let mut sql = Sql::new("update recording_comment set version = version + 1, at_ms = ");
                sql.bind(comment.at_ms).push(", text = ").bind(comment.text.as_str());
                sql.push(", edited_at_ms = ").bind(row.at.0);
                sql
            }
        };
        sql.push(" where recording_comment_id = ").bind(comment_id.to_string()).push(" and version = ").bind(version);
        if sql.run(writing.on()).await? == 0 {
            return Ok(Edited::OtherVersion);
        }
        writing.commit(row).await?;
        Ok(Edited::Done(comment))
    }
}

const SELECT_COMMENT: &str = "
    select recording_comment_id, at_ms, text, author_id, person.name as author_name, made_at_ms, edited_at_ms,
           recording_comment.version as version
    from recording_comment join person on person.person_id = author_id where ";

fn comment_from(row: &AnyRow) -> Result<Comment, StoreError> {
    Ok(Comment {
        comment_id: word(row, "recording_comment_id")?,
        at_ms: row.try_get("at_ms")?,
        text: row.try_get("text")?,
        author: Teacher { person_id: word(row, "author_id")?, name: row.try_get("author_name")? },
        made_at: UnixMs(row.try_get("made_at_ms")?),
        edited_at: row.try_get::<Option<i64>, _>("edited_at_ms")?.map(UnixMs),
        version: row.try_get("version")?,
    })
}
