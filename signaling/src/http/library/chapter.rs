//! Chapters of a recording, and the marks that give them titles.

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
    problem::LibraryReason,
    recording::blocking,
};
use crate::{
    app::App,
    http::{
        account::identity::Identity,
        library::app::LibraryApp,
        web::{
            extract::{JsonBody, PathId, named},
            list::Listed,
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::{IfMatch, Tagged, edited},
        },
    },
    store::library::mark::Marked,
};
use school::{
    account::{permission::Permission, system_scope},
    base::id::{MarkId, RecordingId},
    library::{
        chapter::{ChapterOrigin, MARKS_MAX, Mark, merged},
        clip::CLIP_MS_MAX,
    },
};

/// The routes of chapters.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_chapters))
        .routes(routes!(add_mark))
        .routes(routes!(edit_mark, delete_mark))
}

/// A chapter of a recording.
#[derive(Serialize, ToSchema)]
pub struct ChapterView {
    /// Lesson time.
    at_ms: i64,
    kind: ChapterOrigin,
    /// The title. Empty: there is none.
    title: String,
    /// The mark that gives the title. `null`: there is none.
    mark_id: Option<MarkId>,
    /// Version number of the mark: its ETag. `null`: there is no mark.
    version: Option<i64>,
}

/// A stored mark.
#[derive(Serialize, ToSchema)]
pub struct MarkView {
    mark_id: MarkId,
    at_ms: i64,
    title: String,
    version: i64,
}

/// A mark to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMark {
    /// Lesson time.
    #[schema(minimum = 0, maximum = 86_400_000)]
    at_ms: i64,
    /// The title. `null`: none.
    #[schema(min_length = 1, max_length = 80)]
    title: Option<String>,
}

/// An edit of a mark. Missing fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkEdit {
    #[schema(minimum = 0, maximum = 86_400_000)]
    at_ms: Option<i64>,
    #[schema(min_length = 1, max_length = 80)]
    title: Option<String>,
}

/// List the chapters of a recording: marks, board changes, stage turns
#[utoipa::path(get, path = "/recordings/{recording_id}/chapters", tag = "recordings",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("replay"))),
    responses((status = 200, body = Listed<ChapterView>), Problems))]
pub async fn list_chapters(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
) -> Result<Json<Listed<ChapterView>>, ApiError> {
    authorize_replay(&app, &identity, recording_id).await?;
    Ok(Json(Listed { items: chapters(&app, recording_id).await?, next: None }))
}

/// Add a mark to a recording
#[utoipa::path(post, path = "/recordings/{recording_id}/marks", tag = "recordings", request_body = NewMark,
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("edit_library"))),
    responses((status = 201, body = MarkView), Problems))]
pub async fn add_mark(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
    JsonBody(ask): JsonBody<NewMark>,
) -> Result<Tagged<MarkView>, ApiError> {
    let lesson = own(&app, &identity, Permission::EditLibrary, recording_id).await?;
    let title = ask.title.map(|title| named("title", &title)).transpose()?.unwrap_or_default();
    let mark = Mark { mark_id: MarkId::fresh(), at_ms: moment(ask.at_ms)?, title, version: 1 };
    let row = identity.row(&app.clock, "mark_recording", format!("recording:{recording_id}")).at_place(lesson.place());
    let row = row.saying(format!("at_ms={}", mark.at_ms));
    let scope = identity.reach(Permission::EditLibrary)?;
    match app.store.add_mark(&scope, recording_id, identity.person()?, mark, &row).await? {
        Marked::Done(mark) => {
            let location = format!("/api/v1/recordings/{recording_id}/marks/{}", mark.mark_id);
            Ok(Tagged::created(mark.version, view(mark), location))
        }
        Marked::Full => Err(invalid("marks", &LibraryReason::too_many(MARKS_MAX))),
    }
}

/// Edit the time or title of a mark
#[utoipa::path(patch, path = "/recordings/{recording_id}/marks/{mark_id}", tag = "recordings", request_body = MarkEdit,
    params(("recording_id" = RecordingId, Path), ("mark_id" = MarkId, Path), ("if-match" = String, Header)),
    extensions(("x-act" = json!("edit_library"))),
    responses((status = 200, body = MarkView), Problems))]
pub async fn edit_mark(
    State(app): State<LibraryApp>,
    identity: Identity,
    path: Path<(String, String)>,
    IfMatch(version): IfMatch,
    JsonBody(ask): JsonBody<MarkEdit>,
) -> Result<Tagged<MarkView>, ApiError> {
    let (recording_id, mark_id): (RecordingId, MarkId) = both(&path)?;
    let lesson = own(&app, &identity, Permission::EditLibrary, recording_id).await?;
    let title = ask.title.map(|title| named("title", &title)).transpose()?;
    let at_ms = ask.at_ms.map(moment).transpose()?;
    let row = identity.row(&app.clock, "edit_mark", format!("recording:{recording_id}")).at_place(lesson.place());
    let scope = identity.reach(Permission::EditLibrary)?;
    let mark = app.store.edit_mark(&scope, (recording_id, mark_id, version), (at_ms, title), &row).await?;
    let mark = edited(mark)?;
    Ok(Tagged::new(mark.version, view(mark)))
}

/// Delete a mark
#[utoipa::path(delete, path = "/recordings/{recording_id}/marks/{mark_id}", tag = "recordings",
    params(("recording_id" = RecordingId, Path), ("mark_id" = MarkId, Path), ("if-match" = String, Header)),
    extensions(("x-act" = json!("edit_library"))),
    responses((status = 204), Problems))]
pub async fn delete_mark(
    State(app): State<LibraryApp>,
    identity: Identity,
    path: Path<(String, String)>,
    IfMatch(version): IfMatch,
) -> Result<StatusCode, ApiError> {
    let (recording_id, mark_id): (RecordingId, MarkId) = both(&path)?;
    let lesson = own(&app, &identity, Permission::EditLibrary, recording_id).await?;
    let row = identity.row(&app.clock, "delete_mark", format!("recording:{recording_id}")).at_place(lesson.place());
    let scope = identity.reach(Permission::EditLibrary)?;
    edited(app.store.delete_mark(&scope, (recording_id, mark_id, version), &row).await?)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The chapters of a recording. The caller must already be authorised.
pub(crate) async fn chapters(app: &LibraryApp, recording_id: RecordingId) -> Result<Vec<ChapterView>, ApiError> {
    let recordings = app.recordings.clone();
    let manifest = blocking(move || recordings.manifest(recording_id)).await?;
    let seen = manifest.into_iter().flat_map(|manifest| manifest.chapters).map(|chapter| {
        let origin = match chapter.kind {
            recorder::ChapterKind::Board => ChapterOrigin::Board,
            recorder::ChapterKind::Stage => ChapterOrigin::Stage,
        };
        (i64::try_from(chapter.at_ms).unwrap_or(i64::MAX), origin)
    });
    let marks = app.store.marks(&system_scope::published(), recording_id).await?;
    let view = |chapter: school::library::chapter::Chapter| ChapterView {
        at_ms: chapter.at_ms,
        kind: chapter.kind,
        mark_id: chapter.mark.as_ref().map(|mark| mark.mark_id),
        version: chapter.mark.as_ref().map(|mark| mark.version),
        title: chapter.mark.map(|mark| mark.title).unwrap_or_default(),
    };
    Ok(merged(seen, marks).into_iter().map(view).collect())
}

/// Parses two ids of a path.
///
/// # Errors
/// [`CommonProblem::NotFound`] where one cannot be parsed.
pub(crate) fn both<A: std::str::FromStr, B: std::str::FromStr>(
    Path((one, other)): &Path<(String, String)>,
) -> Result<(A, B), ApiError> {
    Ok((one.parse().map_err(|_| CommonProblem::NotFound)?, other.parse().map_err(|_| CommonProblem::NotFound)?))
}

/// Validates a lesson time, in ms.
///
/// # Errors
/// [`CommonProblem::Invalid`] where it is outside any lesson.
pub(crate) fn moment(at_ms: i64) -> Result<i64, ApiError> {
    if (0..=CLIP_MS_MAX).contains(&at_ms) { Ok(at_ms) } else { Err(invalid("at_ms", &LibraryReason::OutsideTheLesson)) }
}

fn view(mark: Mark) -> MarkView {
    MarkView { mark_id: mark.mark_id, at_ms: mark.at_ms, title: mark.title, version: mark.version }
}
