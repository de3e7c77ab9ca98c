//! Clips of a recording. A clip stores start and end only; it is played and downloaded from the recording's files.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    authorize::{authorize_replay, own},
    problem::LibraryReason,
    recording::blocking,
    recording_may::{ClipMay, ClipsMay},
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
    store::library::clip::{Clip, ClipEdit},
};
use school::{
    account::{permission::Permission, system_scope},
    base::{
        id::{ClipId, RecordingId},
        time::UnixMs,
    },
    lesson::{Lesson, Teacher},
    library::clip::{CLIP_MS_MIN, CLIPS_MAX, Window},
};

/// The routes of clips.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_clips, add_clip)).routes(routes!(show_clip, edit_clip, delete_clip))
}

/// A stored clip.
#[derive(Serialize, ToSchema)]
pub struct ClipView {
    clip_id: ClipId,
    recording_id: RecordingId,
    from_ms: i64,
    to_ms: i64,
    title: String,
    /// Who made it.
    author: Teacher,
    made_at_ms: UnixMs,
    may: ClipMay,
    /// Version number: the ETag.
    version: i64,
}

/// A clip to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClip {
    #[schema(minimum = 0, maximum = 86_400_000)]
    from_ms: i64,
    /// At least 1 s after `from_ms`.
    #[schema(minimum = 1000, maximum = 86_400_000)]
    to_ms: i64,
    #[schema(min_length = 1, max_length = 80)]
    title: String,
}

/// An edit of a clip. Missing fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClipChange {
    #[schema(minimum = 0, maximum = 86_400_000)]
    from_ms: Option<i64>,
    #[schema(minimum = 1000, maximum = 86_400_000)]
    to_ms: Option<i64>,
    #[schema(min_length = 1, max_length = 80)]
    title: Option<String>,
}

/// List the clips of a recording
#[utoipa::path(get, path = "/recordings/{recording_id}/clips", tag = "recordings",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("replay"))),
    responses((status = 200, body = Listed<ClipView>), Problems))]
pub async fn list_clips(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
) -> Result<Json<Listed<ClipView>>, ApiError> {
    let lesson = authorize_replay(&app, &identity, recording_id).await?;
    let may = ClipsMay::read(&app, &identity, &lesson, recording_id).await?;
    let clips = app.store.clips(&system_scope::published(), recording_id).await?;
    Ok(Json(Listed { items: clips.into_iter().map(|clip| view(clip, may)).collect(), next: None }))
}

/// Add a clip; stores its start and end, no media is copied
#[utoipa::path(post, path = "/recordings/{recording_id}/clips", tag = "recordings", request_body = NewClip,
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("replay"))),
    responses((status = 201, body = ClipView), Problems))]
pub async fn add_clip(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
    JsonBody(ask): JsonBody<NewClip>,
) -> Result<Tagged<ClipView>, ApiError> {
    let lesson = authorize_replay(&app, &identity, recording_id).await?;
    let person_id = identity.person()?;
    let clip = Clip {
        clip_id: ClipId::fresh(),
        recording_id,
        window: within(&app, recording_id, ask.from_ms, ask.to_ms).await?,
        title: named("title", &ask.title)?,
        author: Teacher { person_id, name: identity.session.name.clone() },
        made_at: app.clock.wall(),
        version: 1,
    };
    let row = row(&app, &identity, "cut_clip", &clip, &lesson);
    if !app.store.add_clip(&system_scope::published(), &clip, &row).await? {
        return Err(invalid("clips", &LibraryReason::too_many(CLIPS_MAX)));
    }
    let location = format!("/api/v1/clips/{}", clip.clip_id);
    let may = ClipsMay::read(&app, &identity, &lesson, recording_id).await?;
    Ok(Tagged::created(1, view(clip, may), location))
}

/// Show a clip
#[utoipa::path(get, path = "/clips/{clip_id}", tag = "recordings",
    params(("clip_id" = ClipId, Path)), extensions(("x-act" = json!("replay"))),
    responses((status = 200, body = ClipView), Problems))]
pub async fn show_clip(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(clip_id): PathId<ClipId>,
) -> Result<Tagged<ClipView>, ApiError> {
    let (clip, lesson) = find(&app, &identity, clip_id).await?;
    let may = ClipsMay::read(&app, &identity, &lesson, clip.recording_id).await?;
    Ok(Tagged::new(clip.version, view(clip, may)))
}

/// Edit the start, end or title of a clip, as its author or as an editor of the recording
#[utoipa::path(patch, path = "/clips/{clip_id}", tag = "recordings", request_body = ClipChange,
    params(("clip_id" = ClipId, Path), ("if-match" = String, Header)), extensions(("x-act" = json!("edit_library"))),
    responses((status = 200, body = ClipView), Problems))]
pub async fn edit_clip(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(clip_id): PathId<ClipId>,
    IfMatch(version): IfMatch,
    JsonBody(ask): JsonBody<ClipChange>,
) -> Result<Tagged<ClipView>, ApiError> {
    let (clip, lesson) = find_to_edit(&app, &identity, clip_id).await?;
    let window = match (ask.from_ms, ask.to_ms) {
        (None, None) => None,
        (from_ms, to_ms) => {
            let (from_ms, to_ms) = (from_ms.unwrap_or(clip.window.from_ms), to_ms.unwrap_or(clip.window.to_ms));
            Some(within(&app, clip.recording_id, from_ms, to_ms).await?)
        }
    };
    let title = ask.title.map(|title| named("title", &title)).transpose()?;
    let may = ClipsMay::read(&app, &identity, &lesson, clip.recording_id).await?;
    let clip = change(&app, &identity, (clip, version, lesson), ClipEdit { window, title, close: false }).await?;
    Ok(Tagged::new(clip.version, view(clip, may)))
}

/// Delete a clip, as its author or as an editor of the recording; lessons and links no longer show it
#[utoipa::path(delete, path = "/clips/{clip_id}", tag = "recordings",
    params(("clip_id" = ClipId, Path), ("if-match" = String, Header)), extensions(("x-act" = json!("edit_library"))),
    responses((status = 204), Problems))]
pub async fn delete_clip(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(clip_id): PathId<ClipId>,
    IfMatch(version): IfMatch,
) -> Result<StatusCode, ApiError> {
    let (clip, lesson) = find_to_edit(&app, &identity, clip_id).await?;
    change(&app, &identity, (clip, version, lesson), ClipEdit { close: true, ..ClipEdit::default() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &LibraryApp, identity: &Identity, clip_id: ClipId) -> Result<(Clip, Lesson), ApiError> {
    let clip = app.store.clip(&system_scope::published(), clip_id).await?.ok_or(CommonProblem::NotFound)?;
    let lesson = authorize_replay(app, identity, clip.recording_id).await?;
    Ok((clip, lesson))
}

/// Editors of a recording may change its clips without the replay permission.
async fn find_to_edit(app: &LibraryApp, identity: &Identity, clip_id: ClipId) -> Result<(Clip, Lesson), ApiError> {
    let clip = app.store.clip(&system_scope::published(), clip_id).await?.ok_or(CommonProblem::NotFound)?;
    let lesson = match own(app, identity, Permission::EditLibrary, clip.recording_id).await {
        Ok(lesson) => lesson,
        Err(_) => authorize_replay(app, identity, clip.recording_id).await?,
    };
    Ok((clip, lesson))
}

async fn change(
    app: &LibraryApp,
    identity: &Identity,
    (clip, version, lesson): (Clip, i64, Lesson),
    edit: ClipEdit,
) -> Result<Clip, ApiError> {
    let keeps = identity.reach(Permission::EditLibrary).is_ok_and(|scope| scope.owns(&lesson));
    let row = row(app, identity, if edit.close { "delete_clip" } else { "edit_clip" }, &clip, &lesson);
    let editor = (identity.person().map_err(|_| CommonProblem::NotFound)?, keeps);
    edited(app.store.edit_clip(&system_scope::published(), (clip.clip_id, version), editor, &edit, &row).await?)
}

/// Validates start and end of a clip against the recording's length.
async fn within(app: &LibraryApp, recording_id: RecordingId, from_ms: i64, to_ms: i64) -> Result<Window, ApiError> {
    let too_short = || invalid("to_ms", &LibraryReason::ClipTooShort { min_seconds: CLIP_MS_MIN / 1_000 });
    let window = Window::new(from_ms, to_ms).ok_or_else(too_short)?;
    let recordings = app.recordings.clone();
    let manifest = blocking(move || recordings.manifest(recording_id)).await?;
    let length_ms = manifest.map_or(0, |manifest| i64::try_from(manifest.duration_ms).unwrap_or(i64::MAX));
    if window.to_ms > length_ms {
        return Err(invalid("to_ms", &LibraryReason::BeyondTheRecording));
    }
    Ok(window)
}

fn row(
    app: &LibraryApp,
    identity: &Identity,
    act: &'static str,
    clip: &Clip,
    lesson: &Lesson,
) -> crate::store::AuditRow {
    let said = format!("clip:{} {}-{}", clip.clip_id, clip.window.from_ms, clip.window.to_ms);
    identity.row(&app.clock, act, format!("recording:{}", clip.recording_id)).at_place(lesson.place()).saying(said)
}

fn view(clip: Clip, may: ClipsMay) -> ClipView {
    ClipView {
        clip_id: clip.clip_id,
        recording_id: clip.recording_id,
        from_ms: clip.window.from_ms,
        to_ms: clip.window.to_ms,
        title: clip.title,
        may: may.of(clip.author.person_id),
        author: clip.author,
        made_at_ms: clip.made_at,
        version: clip.version,
    }
}
