//! Source of a lesson that plays a recording, or a clip of one.

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
    /// The recording.
    pub recording_id: RecordingId,
    /// Clip that limits it. `None`: the whole recording.
    pub clip: Option<(ClipId, Window)>,
    /// Title of the recording or clip.
    pub title: String,
    /// Name of its teacher.
    pub teacher: String,
    /// Name of their school.
    pub school: String,
    /// When the teacher started playing it as a piece. `None`: not playing.
    pub played_from: Option<UnixMs>,
    /// Since it was chosen, the recording was deleted or taken down, or the clip deleted.
    pub gone: bool,
}

impl Source {
    /// Time limits. `None`: unlimited.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        self.clip.map(|(_, window)| window)
    }
}

impl Store {
    /// Source of a lesson that the caller may see. `None`: none is chosen.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
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

    /// Starts playing a lesson's piece from this time, or, with `None`, stops it. False: the lesson is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
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

    /// Sets or, with `None`, clears the source of a lesson. False: the lesson is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
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
        // Input of the readiness list: a recording in one mode, a piece in the other.
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
