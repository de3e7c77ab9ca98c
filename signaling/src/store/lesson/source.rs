//! What a lesson plays: a recording, or a clip of one.

use sqlx::Row;

use crate::store::{AuditRow, Sql, Store, StoreError, word, word_or_null};
use school::{
    account::permission::Scope,
    base::{
        id::{ClipId, LessonId, PersonId, RecordingId},
        time::UnixMs,
    },
    library::clip::Window,
};

/// What a lesson plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Of which recording.
    pub recording_id: RecordingId,
    /// The clip that it is limited to. `None`: the whole recording.
    pub clip: Option<(ClipId, Window)>,
    /// What that is called.
    pub title: String,
    /// Who taught it.
    pub teacher: String,
    /// At which school.
    pub school: String,
    /// Since when its teacher has it played, where it is a piece that they play. `None`: they do not.
    pub played_from: Option<UnixMs>,
    /// It was deleted or taken down, or its clip taken away, since it was chosen.
    pub gone: bool,
}

impl Source {
    /// What it is limited to. `None`: nothing.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        self.clip.map(|(_, window)| window)
    }
}

impl Store {
    /// What a lesson plays that the asker may know of. `None`: nothing was chosen.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn source(&self, _scope: &Scope, lesson_id: LessonId) -> Result<Option<Source>, StoreError> {
        let mut sql = Sql::new(
            "select lesson_source.recording_id as recording_id, lesson_source.clip_id as clip_id, from_ms, to_ms,
                    clip.title as clip_title, clip.closed_at_ms as closed_at_ms, entry.title as title,
                    played_from_ms, person.name as teacher, school.name as school, entry.taken_down_at_ms as taken_down_at_ms,
                    (select count(*) from kept_recording where kept_recording.recording_id = entry.recording_id
                         and kept_recording.state in ('deleting', 'deleted')) as deleted
             from lesson_source
             join library_entry entry on entry.recording_id = lesson_source.recording_id
             join organisation school on school.organisation_id = entry.organisation_id
             join person on person.person_id = entry.teacher_id
             left join clip on clip.clip_id = lesson_source.clip_id
             where lesson_source.lesson_id = ",
        );
        let Some(row) = sql.bind(lesson_id.to_string()).optional(&self.pool).await? else { return Ok(None) };
        let clip_id: Option<ClipId> = word_or_null(&row, "clip_id")?;
        let clip = match clip_id {
            None => None,
            Some(id) => Some((id, Window { from_ms: row.try_get("from_ms")?, to_ms: row.try_get("to_ms")? })),
        };
        let gone = |column: &str| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.is_some());
        Ok(Some(Source {
            recording_id: word(&row, "recording_id")?,
            clip,
            title: match row.try_get::<Option<String>, _>("clip_title")? {
                Some(title) => title,
                None => row.try_get("title")?,
            },
            teacher: row.try_get("teacher")?,
            school: row.try_get("school")?,
            played_from: row.try_get::<Option<i64>, _>("played_from_ms")?.map(UnixMs),
            gone: gone("taken_down_at_ms")? || gone("closed_at_ms")? || row.try_get::<i64, _>("deleted")? > 0,
        }))
    }

    /// A lesson in scope plays its piece from now on, or, with `None`, plays it no longer. False: it is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn play_source(
        &self,
        scope: &Scope,
        lesson_id: LessonId,
        from: Option<UnixMs>,
        row: &AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        if !writing.sees_lesson(scope, lesson_id).await? {
            return Ok(false);
        }
        let mut sql = Sql::new("update lesson_source set played_from_ms = ");
        sql.bind(from.map(|at| at.0)).push(" where lesson_id = ").bind(lesson_id.to_string());
        sql.run(writing.on()).await?;
        writing.commit(row).await?;
        Ok(true)
    }

    /// Chooses what a lesson in scope plays, or, with `None`, that it plays nothing. False: it is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn choose_source(
        &self,
        scope: &Scope,
        lesson_id: LessonId,
        chosen: Option<(RecordingId, Option<ClipId>, String)>,
        person_id: PersonId,
        row: &AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        if !writing.sees_lesson(scope, lesson_id).await? {
            return Ok(false);
        }
        let mut sql = Sql::new("delete from lesson_source where lesson_id = ");
        sql.bind(lesson_id.to_string()).run(writing.on()).await?;
        // What the readiness list asks for: a recording in one mode, a piece in the other.
        let (to_play, piece) = match &chosen {
            Some((recording_id, _, title)) => (Some(recording_id.to_string()), Some(title.clone())),
            None => (None, None),
        };
        let mut sql = Sql::new("update lesson set to_play_id = ");
        sql.bind(to_play).push(", piece = ").bind(piece);
        sql.push(" where lesson_id = ").bind(lesson_id.to_string()).run(writing.on()).await?;
        if let Some((recording_id, clip_id, _)) = chosen {
            let mut sql = Sql::new(
                "insert into lesson_source (lesson_id, recording_id, clip_id, chosen_by, chosen_at_ms) values (",
            );
            sql.bind(lesson_id.to_string()).push(", ").bind(recording_id.to_string()).push(", ");
            sql.bind(clip_id.map(|id| id.to_string())).push(", ").bind(person_id.to_string()).push(", ");
            sql.bind(row.at.0).push(")").run(writing.on()).await?;
        }
        writing.commit(row).await?;
        Ok(true)
    }
}
