//! 评课: comments at seconds of a recording, rubrics, and scores by them.
//!
//! Visible to the lesson's teacher and to those who edit or review the lessons of its school. Not visible to others,
//! even if they may replay the recording.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    authorize::{authorize_replay, own},
    chapter::{both, moment},
    problem::LibraryReason,
};
use crate::{
    app::App,
    http::{
        account::identity::Identity,
        library::{app::LibraryApp, prose},
        web::{
            extract::{JsonBody, PathId, named},
            list::Listed,
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::{IfMatch, Tagged, edited},
        },
    },
    store::library::{
        comment::{COMMENT_CHARACTERS_MAX, COMMENTS_MAX, Comment},
        review::{Review, Rubric},
    },
};
use school::{
    account::permission::{Permission, Readers},
    base::{
        id::{CommentId, OrganisationId, RecordingId, ReviewId, RubricId},
        time::UnixMs,
    },
    lesson::{Lesson, Teacher},
    library::rubric::{Average, Criterion, average, checked, tenths},
};

/// The routes of reviews.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_comments, add_comment))
        .routes(routes!(edit_comment, delete_comment))
        .routes(routes!(list_rubrics, add_rubric))
        .routes(routes!(revise_rubric))
        .routes(routes!(list_reviews, save_review))
}

/// A stored comment.
#[derive(Serialize, ToSchema)]
pub struct CommentView {
    comment_id: CommentId,
    /// Lesson time.
    at_ms: i64,
    text: String,
    author: Teacher,
    made_at_ms: UnixMs,
    /// When it was last edited. `null`: never.
    edited_at_ms: Option<UnixMs>,
    /// The caller is the author, and may edit it.
    own: bool,
    /// Version number: the ETag.
    version: i64,
}

/// A comment to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComment {
    /// Lesson time.
    #[schema(minimum = 0, maximum = 86_400_000)]
    at_ms: i64,
    #[schema(min_length = 1, max_length = 1000)]
    text: String,
}

/// An edit of a comment. Missing fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentEdit {
    #[schema(minimum = 0, maximum = 86_400_000)]
    at_ms: Option<i64>,
    #[schema(min_length = 1, max_length = 1000)]
    text: Option<String>,
}

/// The latest revision of a rubric.
#[derive(Serialize, ToSchema)]
pub struct RubricView {
    rubric_id: RubricId,
    /// Revision number: the ETag.
    revision: i64,
    organisation_id: OrganisationId,
    /// The name of the bureau that owns it.
    keeper: String,
    name: String,
    criteria: Vec<Criterion>,
}

/// A rubric to add to a bureau.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRubric {
    organisation_id: OrganisationId,
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    /// Weights are percentages and add up to 100.
    #[schema(min_items = 1, max_items = 20)]
    criteria: Vec<Criterion>,
}

/// A new revision of a rubric.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RubricRevision {
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    #[schema(min_items = 1, max_items = 20)]
    criteria: Vec<Criterion>,
}

/// The score of one criterion.
#[derive(Serialize, ToSchema)]
pub struct ScorePart {
    name: String,
    /// Its share of the total, in percent.
    weight: u32,
    highest: u32,
    score: u32,
}

/// One reviewer's review.
#[derive(Serialize, ToSchema)]
pub struct ReviewView {
    review_id: ReviewId,
    rubric_id: RubricId,
    revision: i64,
    rubric: String,
    reviewer: Teacher,
    /// Σ weight × score ÷ highest, of 100.
    total: f64,
    parts: Vec<ScorePart>,
    /// The reviewer's remarks. Empty: none.
    words: String,
    made_at_ms: UnixMs,
}

/// The average of all reviews by one revision of a rubric.
#[derive(Serialize, ToSchema)]
pub struct AverageView {
    rubric_id: RubricId,
    revision: i64,
    rubric: String,
    criteria: Vec<Criterion>,
    average: Average,
}

/// The reviews of a recording.
#[derive(Serialize, ToSchema)]
pub struct Reviews {
    items: Vec<ReviewView>,
    averages: Vec<AverageView>,
}

/// A review to store.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReview {
    rubric_id: RubricId,
    /// One score per criterion, in the same order.
    #[schema(min_items = 1, max_items = 20)]
    scores: Vec<u32>,
    /// Remarks.
    #[serde(default)]
    #[schema(max_length = 2000)]
    words: String,
}

/// List the comments on a recording, in order of lesson time
#[utoipa::path(get, path = "/recordings/{recording_id}/comments", tag = "reviews",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("see_reviews"))),
    responses((status = 200, body = Listed<CommentView>), Problems))]
pub async fn list_comments(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
) -> Result<Json<Listed<CommentView>>, ApiError> {
    own(&app, &identity, Permission::SeeReviews, recording_id).await?;
    let comments = app.store.comments(&identity.reach(Permission::SeeReviews)?, recording_id).await?;
    let items = comments.into_iter().map(|comment| comment_view(&identity, comment)).collect();
    Ok(Json(Listed { items, next: None }))
}

/// Add a comment at a second of a recording
#[utoipa::path(post, path = "/recordings/{recording_id}/comments", tag = "reviews", request_body = NewComment,
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("comment"))),
    responses((status = 201, body = CommentView), Problems))]
pub async fn add_comment(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
    JsonBody(ask): JsonBody<NewComment>,
) -> Result<Tagged<CommentView>, ApiError> {
    let lesson = reviewed(&app, &identity, Permission::Comment, recording_id).await?;
    let comment = Comment {
        comment_id: CommentId::fresh(),
        at_ms: moment(ask.at_ms)?,
        text: said(&ask.text)?,
        author: Teacher { person_id: identity.person()?, name: identity.session.name.clone() },
        made_at: app.clock.wall(),
        edited_at: None,
        version: 1,
    };
    let row = identity.row(&app.clock, "comment", format!("recording:{recording_id}")).at_place(lesson.place());
    let row = row.saying(format!("comment:{} at_ms={}", comment.comment_id, comment.at_ms));
    if !app.store.add_comment(&identity.reach(Permission::Comment)?, recording_id, &comment, &row).await? {
        return Err(invalid("text", &LibraryReason::TooManyComments { max: COMMENTS_MAX }));
    }
    let location = format!("/api/v1/recordings/{recording_id}/comments/{}", comment.comment_id);
    Ok(Tagged::created(1, comment_view(&identity, comment), location))
}

/// Edit the caller's own comment
#[utoipa::path(patch, path = "/recordings/{recording_id}/comments/{comment_id}", tag = "reviews",
    request_body = CommentEdit,
    params(("recording_id" = RecordingId, Path), ("comment_id" = CommentId, Path), ("if-match" = String, Header)),
    extensions(("x-act" = json!("comment"))),
    responses((status = 200, body = CommentView), Problems))]
pub async fn edit_comment(
    State(app): State<LibraryApp>,
    identity: Identity,
    path: Path<(String, String)>,
    IfMatch(version): IfMatch,
    JsonBody(ask): JsonBody<CommentEdit>,
) -> Result<Tagged<CommentView>, ApiError> {
    let edit = (ask.at_ms.map(moment).transpose()?, ask.text.map(|text| said(&text)).transpose()?);
    let comment = change_comment(&app, &identity, &path, version, Some(edit)).await?;
    Ok(Tagged::new(comment.version, comment_view(&identity, comment)))
}

/// Delete the caller's own comment
#[utoipa::path(delete, path = "/recordings/{recording_id}/comments/{comment_id}", tag = "reviews",
    params(("recording_id" = RecordingId, Path), ("comment_id" = CommentId, Path), ("if-match" = String, Header)),
    extensions(("x-act" = json!("comment"))),
    responses((status = 204), Problems))]
pub async fn delete_comment(
    State(app): State<LibraryApp>,
    identity: Identity,
    path: Path<(String, String)>,
    IfMatch(version): IfMatch,
) -> Result<StatusCode, ApiError> {
    change_comment(&app, &identity, &path, version, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change_comment(
    app: &LibraryApp,
    identity: &Identity,
    path: &Path<(String, String)>,
    version: i64,
    edit: Option<(Option<i64>, Option<String>)>,
) -> Result<Comment, ApiError> {
    let (recording_id, comment_id): (RecordingId, CommentId) = both(path)?;
    let lesson = own(app, identity, Permission::Comment, recording_id).await?;
    let act = if edit.is_some() { "edit_comment" } else { "delete_comment" };
    let row = identity.row(&app.clock, act, format!("recording:{recording_id}")).at_place(lesson.place());
    let row = row.saying(format!("comment:{comment_id}"));
    let (scope, person_id) =
        (identity.reach(Permission::Comment)?, identity.person().map_err(|_| CommonProblem::NotFound)?);
    edited(app.store.edit_comment(&scope, (recording_id, comment_id, version), person_id, edit, &row).await?)
}

/// List the rubrics of the caller's organisations and of the bureaus above them
#[utoipa::path(get, path = "/rubrics", tag = "reviews", extensions(("x-act" = json!("see_reviews"))),
    responses((status = 200, body = Listed<RubricView>), Problems))]
pub async fn list_rubrics(
    State(app): State<LibraryApp>,
    identity: Identity,
) -> Result<Json<Listed<RubricView>>, ApiError> {
    let scope = identity.scope(Permission::SeeReviews)?;
    let readers = Readers::of(&identity.session.asker, identity.now);
    let rubrics = app.store.rubrics(&scope, &readers).await?;
    Ok(Json(Listed { items: rubrics.into_iter().map(rubric_view).collect(), next: None }))
}

/// Add a rubric to a bureau
#[utoipa::path(post, path = "/rubrics", tag = "reviews", request_body = NewRubric,
    extensions(("x-act" = json!("edit_rubrics"))),
    responses((status = 201, body = RubricView), Problems))]
pub async fn add_rubric(
    State(app): State<LibraryApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewRubric>,
) -> Result<Tagged<RubricView>, ApiError> {
    let scope = identity.scope(Permission::EditRubrics)?;
    let rubric = Rubric {
        rubric_id: RubricId::fresh(),
        revision: 1,
        organisation_id: ask.organisation_id,
        keeper: String::new(),
        name: named("name", &ask.name)?,
        criteria: checked(ask.criteria).map_err(|why| invalid("criteria", &why))?,
    };
    let row = identity.row(&app.clock, "add_rubric", format!("rubric:{}", rubric.rubric_id));
    let stored = edited(app.store.save_rubric(&scope, &rubric, row).await?)?;
    let location = format!("/api/v1/rubrics/{}", stored.rubric_id);
    Ok(Tagged::created(stored.revision, rubric_view(stored), location))
}

/// Add a revision of a rubric; existing reviews keep the revision they were made by
#[utoipa::path(put, path = "/rubrics/{rubric_id}", tag = "reviews", request_body = RubricRevision,
    params(("rubric_id" = RubricId, Path), ("if-match" = String, Header)),
    extensions(("x-act" = json!("edit_rubrics"))),
    responses((status = 200, body = RubricView), Problems))]
pub async fn revise_rubric(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(rubric_id): PathId<RubricId>,
    IfMatch(revision): IfMatch,
    JsonBody(ask): JsonBody<RubricRevision>,
) -> Result<Tagged<RubricView>, ApiError> {
    let scope = identity.reach(Permission::EditRubrics)?;
    let before = app.store.rubric(&scope, &Readers::none(), rubric_id).await?.ok_or(CommonProblem::NotFound)?;
    if before.revision != revision {
        return Err(CommonProblem::OtherVersion.into());
    }
    let rubric = Rubric {
        revision: revision + 1,
        name: named("name", &ask.name)?,
        criteria: checked(ask.criteria).map_err(|why| invalid("criteria", &why))?,
        ..before
    };
    let row = identity.row(&app.clock, "revise_rubric", format!("rubric:{rubric_id}"));
    let stored = edited(app.store.save_rubric(&scope, &rubric, row).await?)?;
    Ok(Tagged::new(stored.revision, rubric_view(stored)))
}

/// List the reviews of a recording, with scores, totals and averages
#[utoipa::path(get, path = "/recordings/{recording_id}/reviews", tag = "reviews",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("see_reviews"))),
    responses((status = 200, body = Reviews), Problems))]
pub async fn list_reviews(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
) -> Result<Json<Reviews>, ApiError> {
    own(&app, &identity, Permission::SeeReviews, recording_id).await?;
    reviews(&app, &identity, recording_id).await.map(Json)
}

/// Score a recording by a rubric; replaces the caller's earlier review
#[utoipa::path(put, path = "/recordings/{recording_id}/reviews", tag = "reviews", request_body = NewReview,
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("review"))),
    responses((status = 200, body = Reviews), Problems))]
pub async fn save_review(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
    JsonBody(ask): JsonBody<NewReview>,
) -> Result<Json<Reviews>, ApiError> {
    let lesson = reviewed(&app, &identity, Permission::Review, recording_id).await?;
    let person_id = identity.person().map_err(|_| CommonProblem::NotFound)?;
    if lesson.teacher.person_id == person_id {
        return Err(invalid("scores", &LibraryReason::OwnLesson));
    }
    let (scope, readers) = (identity.reach(Permission::Review)?, Readers::of(&identity.session.asker, identity.now));
    let rubric = app.store.rubric(&scope, &readers, ask.rubric_id).await?;
    let rubric = rubric.ok_or_else(|| invalid("rubric_id", &LibraryReason::NoSuchRubric))?;
    let total = tenths(&rubric.criteria, &ask.scores).map_err(|why| invalid("scores", &why))?;
    let words = prose("words", &ask.words, WORDS_CHARACTERS_MAX)?;
    let row =
        identity.row(&app.clock, "review_recording", format!("recording:{recording_id}")).at_place(lesson.place());
    let said = format!("rubric:{} revision={} total={}", rubric.rubric_id, rubric.revision, f64::from(total) / 10.0);
    let stored = (&ask.scores[..], words.as_str());
    app.store.save_review(&scope, recording_id, (&rubric, person_id), stored, &row.saying(said)).await?;
    reviews(&app, &identity, recording_id).await.map(Json)
}

/// Maximum length of remarks, in characters.
const WORDS_CHARACTERS_MAX: usize = 2_000;

/// The lesson of a recording that the caller may comment on or review: they own it for `act`, and may replay it.
async fn reviewed(
    app: &LibraryApp,
    identity: &Identity,
    act: Permission,
    recording_id: RecordingId,
) -> Result<Lesson, ApiError> {
    let lesson = own(app, identity, act, recording_id).await?;
    authorize_replay(app, identity, recording_id).await?;
    Ok(lesson)
}

async fn reviews(app: &LibraryApp, identity: &Identity, recording_id: RecordingId) -> Result<Reviews, ApiError> {
    let stored = app.store.reviews(&identity.reach(Permission::SeeReviews)?, recording_id).await?;
    let mut by_revision: BTreeMap<(RubricId, i64), Vec<&Review>> = BTreeMap::new();
    for review in &stored {
        by_revision.entry((review.rubric.rubric_id, review.rubric.revision)).or_default().push(review);
    }
    let averages = by_revision.into_values().filter_map(|reviews| {
        let rubric = &reviews.first()?.rubric;
        let scores: Vec<Vec<u32>> = reviews.iter().map(|review| review.scores.clone()).collect();
        Some(AverageView {
            average: average(&rubric.criteria, &scores),
            rubric_id: rubric.rubric_id,
            revision: rubric.revision,
            rubric: rubric.name.clone(),
            criteria: rubric.criteria.clone(),
        })
    });
    Ok(Reviews { averages: averages.collect(), items: stored.into_iter().map(review_view).collect() })
}

fn said(text: &str) -> Result<String, ApiError> {
    let text = prose("text", text, COMMENT_CHARACTERS_MAX)?;
    if text.is_empty() { Err(invalid("text", &LibraryReason::Empty)) } else { Ok(text) }
}

fn comment_view(identity: &Identity, comment: Comment) -> CommentView {
    CommentView {
        own: identity.session.asker.person_id() == Some(comment.author.person_id),
        comment_id: comment.comment_id,
        at_ms: comment.at_ms,
        text: comment.text,
        author: comment.author,
        made_at_ms: comment.made_at,
        edited_at_ms: comment.edited_at,
        version: comment.version,
    }
}

fn rubric_view(rubric: Rubric) -> RubricView {
    RubricView {
        rubric_id: rubric.rubric_id,
        revision: rubric.revision,
        organisation_id: rubric.organisation_id,
        keeper: rubric.keeper,
        name: rubric.name,
        criteria: rubric.criteria,
    }
}

fn review_view(review: Review) -> ReviewView {
    let total = tenths(&review.rubric.criteria, &review.scores).map_or(0.0, |tenths| f64::from(tenths) / 10.0);
    let parts = review.rubric.criteria.into_iter().zip(review.scores).map(|(criterion, score)| ScorePart {
        name: criterion.name,
        weight: criterion.weight,
        highest: criterion.highest,
        score,
    });
    ReviewView {
        review_id: review.review_id,
        rubric_id: review.rubric.rubric_id,
        revision: review.rubric.revision,
        rubric: review.rubric.name,
        reviewer: review.reviewer,
        total,
        parts: parts.collect(),
        words: review.words,
        made_at_ms: review.made_at,
    }
}
