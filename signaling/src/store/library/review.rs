//! Rubrics of bureaus, and reviews of recordings by them.

use sqlx::{Row, any::AnyRow};

use crate::store::{AuditRow, Sql, Store, StoreError, Writing, db::edit::Edited, word};
use school::{
    account::permission::{Readers, Scope},
    base::{
        id::{OrganisationId, PersonId, RecordingId, ReviewId, RubricId},
        time::UnixMs,
    },
    lesson::Teacher,
    library::rubric::Criterion,
};

/// One revision of a rubric. Old revisions stay, for the reviews that used them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rubric {
    /// The rubric.
    pub rubric_id: RubricId,
    /// Revision number, from 1.
    pub revision: i64,
    /// The organisation it belongs to.
    pub organisation_id: OrganisationId,
    /// Name of that organisation.
    pub keeper: String,
    /// 课堂教学评价表
    pub name: String,
    /// Criteria.
    pub criteria: Vec<Criterion>,
}

/// Scores of a recording by one revision of a rubric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The review.
    pub review_id: ReviewId,
    /// The revision of the rubric.
    pub rubric: Rubric,
    /// Reviewer.
    pub reviewer: Teacher,
    /// One score per criterion, in their order.
    pub scores: Vec<u32>,
    /// Free-text comment. Empty: none.
    pub words: String,
    /// When it was made or last changed.
    pub made_at: UnixMs,
    /// Number of edits, from 1.
    pub version: i64,
}

impl Store {
    /// Newest revisions of rubrics of the caller's organisations, and of those above or below their places.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn rubrics(&self, scope: &Scope, readers: &Readers) -> Result<Vec<Rubric>, StoreError> {
        let mut sql = Sql::new(SELECT_RUBRIC);
        sql.push("revision = (select max(revision) from rubric newer where newer.rubric_id = rubric.rubric_id) and (");
        sql.within(scope, "keeper.path").push(" or rubric.organisation_id in ");
        sql.list(readers.places().iter().map(String::as_str)).push(") order by rubric.name, rubric.rubric_id");
        sql.all(&self.pool).await?.iter().map(rubric_from).collect()
    }

    /// Stores a rubric, or the next revision after `revision`. Its organisation must be in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn save_rubric(
        &self,
        scope: &Scope,
        rubric: &Rubric,
        row: AuditRow,
    ) -> Result<Edited<Rubric>, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path(scope, rubric.organisation_id).await? else { return Ok(Edited::Gone) };
        // Strings and numbers always serialise to JSON.
        let criteria = serde_json::to_string(&rubric.criteria).unwrap_or_default();
        let mut sql =
            Sql::new("insert into rubric (rubric_id, revision, organisation_id, name, criteria, made_at_ms) values (");
        sql.bind(rubric.rubric_id.to_string()).push(", ").bind(rubric.revision).push(", ");
        sql.bind(rubric.organisation_id.to_string()).push(", ").bind(rubric.name.as_str()).push(", ");
        sql.bind(criteria).push(", ").bind(row.at.0).push(")");
        match sql.run(writing.on()).await {
            // A concurrent edit was faster.
            Err(error) if error.is_unique("rubric_revision_is_its_own", "rubric.rubric_id, rubric.revision") => {
                return Ok(Edited::OtherVersion);
            }
            stored => stored?,
        };
        let stored = writing.rubric(rubric.rubric_id).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(stored.map_or(Edited::Gone, Edited::Done))
    }

    /// Newest revision of a rubric. `None`: not found.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn rubric(
        &self,
        scope: &Scope,
        readers: &Readers,
        rubric_id: RubricId,
    ) -> Result<Option<Rubric>, StoreError> {
        Ok(self.rubrics(scope, readers).await?.into_iter().find(|rubric| rubric.rubric_id == rubric_id))
    }

    /// Reviews of a recording whose reviews the caller may see, earliest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn reviews(&self, _scope: &Scope, recording_id: RecordingId) -> Result<Vec<Review>, StoreError> {
        let mut sql = Sql::new(
            "select review_id, review.rubric_id as rubric_id, review.revision as revision, rubric.organisation_id as
                    organisation_id, keeper.name as keeper, rubric.name as name, criteria, reviewer_id,
                    person.name as reviewer_name, scores, words, review.made_at_ms as made_at_ms,
                    review.version as version
             from review
             join rubric on rubric.rubric_id = review.rubric_id and rubric.revision = review.revision
             join organisation keeper on keeper.organisation_id = rubric.organisation_id
             join person on person.person_id = reviewer_id
             where review.recording_id = ",
        );
        sql.bind(recording_id.to_string()).push(" order by review_id");
        sql.all(&self.pool).await?.iter().map(review_from).collect()
    }

    /// Stores or replaces a reviewer's scores by the newest revision of a rubric.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn save_review(
        &self,
        _scope: &Scope,
        recording_id: RecordingId,
        (rubric, reviewer): (&Rubric, PersonId),
        (scores, words): (&[u32], &str),
        row: &AuditRow,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let scores = scores.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        sqlx::query(
            "insert into review (review_id, recording_id, rubric_id, revision, reviewer_id, scores, words, made_at_ms)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (recording_id, rubric_id, reviewer_id) do update set revision = excluded.revision,
                scores = excluded.scores, words = excluded.words, made_at_ms = excluded.made_at_ms,
                version = review.version + 1",
        )
        .bind(ReviewId::fresh().to_string())
        .bind(recording_id.to_string())
        .bind(rubric.rubric_id.to_string())
        .bind(rubric.revision)
        .bind(reviewer.to_string())
        .bind(scores)
        .bind(words)
        .bind(row.at.0)
        .execute(writing.on())
        .await?;
        writing.commit(row).await
    }
}

impl Writing {
    async fn rubric(&mut self, rubric_id: RubricId) -> Result<Option<Rubric>, StoreError> {
        let mut sql = Sql::new(SELECT_RUBRIC);
        sql.push("rubric.rubric_id = ").bind(rubric_id.to_string()).push(" order by revision desc limit 1");
        sql.optional_on(self.on()).await?.as_ref().map(rubric_from).transpose()
    }
}

const SELECT_RUBRIC: &str = "
    select rubric_id, revision, rubric.organisation_id as organisation_id, keeper.name as keeper, rubric.name as name,
           criteria
    from rubric join organisation keeper on keeper.organisation_id = rubric.organisation_id where ";

fn rubric_from(row: &AnyRow) -> Result<Rubric, StoreError> {
    let criteria: String = row.try_get("criteria")?;
    Ok(Rubric {
        rubric_id: word(row, "rubric_id")?,
        revision: row.try_get("revision")?,
        organisation_id: word(row, "organisation_id")?,
        keeper: row.try_get("keeper")?,
        name: row.try_get("name")?,
        criteria: serde_json::from_str(&criteria)
            .map_err(|error| StoreError::UnknownWord { column: "criteria", value: error.to_string() })?,
    })
}

fn review_from(row: &AnyRow) -> Result<Review, StoreError> {
    let scores: String = row.try_get("scores")?;
    let scores = scores.split(' ').map(str::parse).collect::<Result<Vec<u32>, _>>();
    Ok(Review {
        review_id: word(row, "review_id")?,
        rubric: rubric_from(row)?,
        reviewer: Teacher { person_id: word(row, "reviewer_id")?, name: row.try_get("reviewer_name")? },
        scores: scores.map_err(|error| StoreError::UnknownWord { column: "scores", value: error.to_string() })?,
        words: row.try_get("words")?,
        made_at: UnixMs(row.try_get("made_at_ms")?),
        version: row.try_get("version")?,
    })
}
