//! Edits of library entries: title, description, and visibility rights.

use sqlx::Row;

use crate::store::{
    AuditRow, Sql, Store, StoreError, Writing,
    db::edit::Edited,
    library::{LibraryEntry, SELECT_ENTRY, entry_from, owned, rights_from},
};
use school::{
    account::permission::Scope,
    base::{
        id::{OrganisationId, PersonId, RecordingId},
        time::UnixMs,
    },
    lesson::Lesson,
    library::{Licence, Rights, RightsAct, RightsError, Side, normalised},
};

/// Changes to a recording's entry. `None`: unchanged.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of `LibraryEntry`")]
pub struct EntryEdit {
    pub title: Option<String>,
    pub summary: Option<String>,
    pub points: Option<Vec<String>>,
    pub licence: Option<Licence>,
}

/// Why a change of rights is refused.
#[derive(Debug, thiserror::Error)]
pub enum ChangeRightsError {
    /// Against a rule.
    #[error(transparent)]
    Rights(#[from] RightsError),
    /// A recording may be published only to its school or a bureau above it.
    #[error("it is not published there")]
    NoSuchPlace,
    /// Store error.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Rights of a recording. `None`: not in the library, as for lessons that only play another recording.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn rights_of_recording(
        &self,
        _scope: &Scope,
        recording_id: RecordingId,
    ) -> Result<Option<Rights>, StoreError> {
        let mut sql = Sql::new(
            "select consented_at_ms, published_to, taken_down_at_ms, taken_down_by, taken_down_reason
             from library_entry where recording_id = ",
        );
        sql.bind(recording_id.to_string()).optional(&self.pool).await?.as_ref().map(rights_from).transpose()
    }

    /// Entry of a recording, for callers admitted by a link or a lesson. `None`: not in the library.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn entry_of(&self, scope: &Scope, recording_id: RecordingId) -> Result<Option<LibraryEntry>, StoreError> {
        let mut sql = Sql::new(SELECT_ENTRY);
        owned(&mut sql, scope);
        sql.push(" and entry.recording_id = ").bind(recording_id.to_string());
        Ok(self.entries(&sql).await?.pop())
    }

    /// Changes a recording's title and description.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn edit_entry(
        &self,
        scope: &Scope,
        (recording_id, version): (RecordingId, i64),
        edit: &EntryEdit,
        row: AuditRow,
    ) -> Result<Edited<()>, StoreError> {
        let mut writing = self.write().await?;
        let Some(mut entry) = writing.owned_entry(scope, recording_id).await? else { return Ok(Edited::Gone) };
        if entry.version != version {
            return Ok(Edited::OtherVersion);
        }
        if let Some(points) = &edit.points {
            entry.points.clone_from(points);
            writing.set_points(recording_id, points).await?;
        }
        entry.title = edit.title.clone().unwrap_or(entry.title);
        entry.summary = edit.summary.clone().unwrap_or(entry.summary);
        entry.licence = edit.licence.unwrap_or(entry.licence);
        let mut sql = Sql::new("update library_entry set version = version + 1, title = ");
        sql.bind(entry.title.as_str()).push(", summary = ").bind(entry.summary.as_str());
        sql.push(", licence = ").bind(entry.licence.as_str()).push(", searched = ").bind(searched(&entry));
        sql.push(" where recording_id = ").bind(recording_id.to_string()).push(" and version = ").bind(version);
        if sql.run(writing.on()).await? == 0 {
            return Ok(Edited::OtherVersion);
        }
        writing.commit(&row.at_place(entry.path)).await?;
        Ok(Edited::Done(()))
    }

    /// Changes the rights of a recording that the caller administers.
    ///
    /// # Errors
    /// [`ChangeRightsError`].
    pub async fn change_rights(
        &self,
        scope: &Scope,
        person_id: PersonId,
        (recording_id, version): (RecordingId, i64),
        act: &RightsAct,
        row: AuditRow,
    ) -> Result<Edited<()>, ChangeRightsError> {
        let mut writing = self.write().await?;
        let Some(entry) = writing.owned_entry(scope, recording_id).await? else { return Ok(Edited::Gone) };
        if entry.version != version {
            return Ok(Edited::OtherVersion);
        }
        let mut sides = Vec::new();
        if entry.teacher.person_id == person_id {
            sides.push(Side::Author);
        }
        if scope.covers(&entry.path) {
            sides.push(Side::Keeper);
        }
        if let RightsAct::Publish { to } = act
            && !entry.path.split('/').any(|id| id == to.to_string())
        {
            return Err(ChangeRightsError::NoSuchPlace);
        }
        let rights = entry.rights.after(act, &sides, row.at)?;
        let down = rights.taken_down.as_ref();
        let mut sql = Sql::new("update library_entry set version = version + 1, consented_at_ms = ");
        sql.bind(rights.consented_at.map(|at| at.0));
        sql.push(", published_to = ").bind(rights.published_to.map(|id: OrganisationId| id.to_string()));
        sql.push(", taken_down_at_ms = ").bind(down.map(|down| down.at.0));
        sql.push(", taken_down_by = ").bind(down.map(|down| down.by.as_str().to_owned()));
        sql.push(", taken_down_reason = ").bind(down.map(|down| down.reason.clone()));
        sql.push(" where recording_id = ").bind(recording_id.to_string()).push(" and version = ").bind(version);
        if sql.run(writing.on()).await.map_err(ChangeRightsError::Store)? == 0 {
            return Ok(Edited::OtherVersion);
        }
        let said = match act {
            RightsAct::Publish { to } => format!("organisation:{to}"),
            RightsAct::TakeDown { reason } => reason.trim().to_owned(),
            _ => String::new(),
        };
        writing.commit(&row.at_place(entry.path).saying(said)).await?;
        Ok(Edited::Done(()))
    }
}

impl Writing {
    /// Adds the recording of a starting lesson. Not for lessons that only play another: those record nothing new.
    pub(crate) async fn enter_library(
        &mut self,
        lesson: &Lesson,
        recording_id: RecordingId,
        at: UnixMs,
    ) -> Result<(), StoreError> {
        if lesson.mode == "recorded" {
            return Ok(());
        }
        let text = [&lesson.title, &lesson.subject, &lesson.grade, &lesson.teacher.name].map(String::as_str).join(" ");
        sqlx::query(
            "insert into library_entry (recording_id, lesson_id, organisation_id, teacher_id, term_id, subject, grade,
                                        started_at_ms, title, searched)
             select $1, lesson_id, organisation_id, teacher_id, term_id, subject, grade, $3, title, $4
             from lesson where lesson_id = $2",
        )
        .bind(recording_id.to_string())
        .bind(lesson.lesson_id.to_string())
        .bind(at.0)
        .bind(normalised(&text))
        .execute(self.on())
        .await?;
        Ok(())
    }

    /// An entry that the caller administers, with its knowledge points. `None`: not in scope.
    pub(crate) async fn owned_entry(
        &mut self,
        scope: &Scope,
        recording_id: RecordingId,
    ) -> Result<Option<LibraryEntry>, StoreError> {
        let mut sql = Sql::new(SELECT_ENTRY);
        owned(&mut sql, scope);
        sql.push(" and entry.recording_id = ").bind(recording_id.to_string());
        let Some(row) = sql.optional_on(self.on()).await? else { return Ok(None) };
        let mut entry = entry_from(&row)?;
        let points = sqlx::query("select point from recording_point where recording_id = $1 order by point")
            .bind(recording_id.to_string())
            .fetch_all(self.on())
            .await?;
        entry.points = points.iter().map(|row| row.try_get("point")).collect::<Result<_, _>>()?;
        Ok(Some(entry))
    }

    async fn set_points(&mut self, recording_id: RecordingId, points: &[String]) -> Result<(), StoreError> {
        let mut sql = Sql::new("delete from recording_point where recording_id = ");
        sql.bind(recording_id.to_string()).run(self.on()).await?;
        for point in points {
            let mut sql = Sql::new("insert into recording_point (recording_id, point) values (");
            sql.bind(recording_id.to_string()).push(", ").bind(point.as_str()).push(")").run(self.on()).await?;
        }
        Ok(())
    }
}

fn searched(entry: &LibraryEntry) -> String {
    let own = [&entry.title, &entry.subject, &entry.grade, &entry.teacher.name, &entry.summary];
    let all: Vec<&str> = own.into_iter().chain(&entry.points).map(String::as_str).collect();
    normalised(&all.join(" "))
}
