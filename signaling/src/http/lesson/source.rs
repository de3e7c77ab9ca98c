//! What a lesson plays: chosen by its scheduler, played to its classrooms in step with the lesson's clock.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{
        account::identity::Identity,
        lesson::{app::LessonApp, find::find, problem::LessonReason},
        library::{
            authorize::library_reach,
            problem::LibraryReason,
            window::{PlayView, Shown},
        },
        web::{
            extract::{JsonBody, PathId},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    store::lesson::source::Source,
};
use school::{
    account::{permission::Permission, system_scope},
    base::{
        id::{ClipId, LessonId, RecordingId},
        time::UnixMs,
    },
    lesson::{
        Lesson, RecordingState,
        life::{LessonState, WrongState},
    },
    library::playable,
};

/// The routes of what lessons play.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show_source, choose_source, clear_source)).routes(routes!(play_source))
}

/// What a lesson plays, and where it is.
#[derive(Serialize, ToSchema)]
pub struct SourceView {
    recording_id: RecordingId,
    /// The clip that it is limited to. `null`: the whole recording.
    clip_id: Option<ClipId>,
    title: String,
    /// Who taught it.
    teacher: String,
    school: String,
    /// It was taken down since it was chosen: it is not played.
    gone: bool,
    /// When its first point is played. `null`: the lesson is not live yet, or its teacher does not have the piece played.
    played_from_ms: Option<UnixMs>,
    /// What is played. `null`: not now, or not to the asker.
    play: Option<PlayView>,
    /// The hub's clock.
    now_ms: UnixMs,
}

/// What a lesson shall play.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceRequest {
    /// A whole recording.
    Recording {
        /// Which.
        recording_id: RecordingId,
    },
    /// A clip.
    Clip {
        /// Which.
        clip_id: ClipId,
    },
}

/// Whether the piece of a lesson is played.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlayingRequest {
    playing: bool,
}

/// What a lesson plays
#[utoipa::path(get, path = "/lessons/{lesson_id}/source", tag = "lessons",
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("see_lessons"))),
    responses((status = 200, body = SourceView), Problems))]
pub async fn show_source(
    State(app): State<LessonApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
) -> Result<Json<SourceView>, ApiError> {
    let lesson = find(&app.store, &identity, Permission::SeeLessons, lesson_id).await?;
    view(&app, &identity, &lesson).await.map(Json)
}

/// Choose what a lesson plays: it must be there for every end of it
#[utoipa::path(put, path = "/lessons/{lesson_id}/source", tag = "lessons", request_body = SourceRequest,
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("dispatch"))),
    responses((status = 200, body = SourceView), Problems))]
pub async fn choose_source(
    State(app): State<LessonApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
    JsonBody(ask): JsonBody<SourceRequest>,
) -> Result<Json<SourceView>, ApiError> {
    let (lesson, person_id) = to_choose(&app, &identity, lesson_id).await?;
    let (recording_id, clip) = match ask {
        SourceRequest::Recording { recording_id } => (recording_id, None),
        SourceRequest::Clip { clip_id } => {
            let clip = app.store.clip(&system_scope::published(), clip_id).await?;
            let clip = clip.ok_or_else(|| invalid("clip_id", &LibraryReason::NoSuchClip))?;
            (clip.recording_id, Some(clip))
        }
    };
    let entry = app.store.library_entry(&library_reach(&identity)?, recording_id).await?;
    let entry = entry.ok_or_else(|| invalid("recording_id", &LessonReason::NoSuchRecording))?;
    if entry.state != RecordingState::Sealed {
        return Err(invalid("recording_id", &LessonReason::StillRecording));
    }
    let recorded = app.store.lesson_of_recording(&system_scope::published(), recording_id).await?;
    let heard: Vec<_> =
        recorded.iter().flat_map(|lesson| &lesson.classrooms).map(|listed| listed.classroom_id).collect();
    let published_to = entry.rights.published_to.map(|id| id.to_string());
    let receiving = lesson.classrooms.iter().zip(lesson.places.iter().skip(1));
    let ends = receiving
        .map(|(listed, place)| (place.as_str(), heard.contains(&listed.classroom_id)))
        .chain([(lesson.place(), false)]);
    playable(&entry.path, &entry.rights, entry.licence, published_to.as_deref(), ends)
        .map_err(|why| invalid("recording_id", &why))?;
    let title = clip.as_ref().map_or(entry.title, |clip| clip.title.clone());
    let row = identity.row(&app.clock, "choose_source", format!("lesson:{lesson_id}")).at_place(lesson.place());
    let row = row.saying(match &clip {
        Some(clip) => format!("recording:{recording_id} clip:{}", clip.clip_id),
        None => format!("recording:{recording_id}"),
    });
    let chosen = Some((recording_id, clip.map(|clip| clip.clip_id), title));
    let scope = identity.reach(Permission::Dispatch)?;
    if !app.store.choose_source(&scope, lesson_id, chosen, person_id, &row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    view(&app, &identity, &lesson).await.map(Json)
}

/// Let a lesson play nothing
#[utoipa::path(delete, path = "/lessons/{lesson_id}/source", tag = "lessons",
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("dispatch"))),
    responses((status = 204), Problems))]
pub async fn clear_source(
    State(app): State<LessonApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
) -> Result<StatusCode, ApiError> {
    let (lesson, person_id) = to_choose(&app, &identity, lesson_id).await?;
    let row = identity.row(&app.clock, "clear_source", format!("lesson:{lesson_id}")).at_place(lesson.place());
    app.store.choose_source(&identity.reach(Permission::Dispatch)?, lesson_id, None, person_id, &row).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Have the piece of an embedded lesson played in every classroom, from its first point on, or no longer
#[utoipa::path(put, path = "/lessons/{lesson_id}/source/playing", tag = "lessons", request_body = PlayingRequest,
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("teach"))),
    responses((status = 200, body = SourceView), Problems))]
pub async fn play_source(
    State(app): State<LessonApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
    JsonBody(ask): JsonBody<PlayingRequest>,
) -> Result<Json<SourceView>, ApiError> {
    let lesson = find(&app.store, &identity, Permission::Teach, lesson_id).await?;
    if lesson.state != LessonState::Live {
        return Err(WrongState(lesson.state).into());
    }
    if lesson.mode != "embedded" {
        return Err(invalid("mode", &LessonReason::NotEmbedded));
    }
    let from = ask.playing.then(|| app.clock.wall());
    let act = if ask.playing { "play_source" } else { "stop_source" };
    let row = identity.row(&app.clock, act, format!("lesson:{lesson_id}")).at_place(lesson.place());
    if !app.store.play_source(&identity.reach(Permission::Teach)?, lesson_id, from, &row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    // Every page of the lesson hears that there is news of it, and looks.
    app.registry.reread(lesson_id).await?;
    view(&app, &identity, &lesson).await.map(Json)
}

/// `GET /api/v1/lessons/{lesson_id}/source/media/{file}`
pub async fn media(
    State(app): State<LessonApp>,
    identity: Identity,
    Path((lesson_id, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let lesson_id: LessonId = lesson_id.parse().map_err(|_| CommonProblem::NotFound)?;
    let lesson = find(&app.store, &identity, Permission::SeeLessons, lesson_id).await?;
    let source = app.store.source(&system_scope::published(), lesson_id).await?.filter(|source| !source.gone);
    let source = source.filter(|_| may_play(&identity, &lesson)).ok_or(CommonProblem::NotFound)?;
    let shown = Shown { recording_id: source.recording_id, window: source.window() };
    shown.file(&app.recordings, &app.segments, &identity.session_sha256, file, &headers).await
}

/// Whoever sits in the lesson, or looks over it, while it is in progress.
fn may_play(identity: &Identity, lesson: &Lesson) -> bool {
    use school::account::permission::{Place, may};
    let acts = [Permission::Attend, Permission::Teach, Permission::Watch];
    let asker = &identity.session.asker;
    lesson.state.is_in_progress()
        && acts.into_iter().any(|act| may(asker, act, Place::Lesson(lesson), identity.now).is_ok())
}

/// A lesson whose source may be chosen: it plays one, and has not begun.
async fn to_choose(
    app: &LessonApp,
    identity: &Identity,
    lesson_id: LessonId,
) -> Result<(Lesson, school::base::id::PersonId), ApiError> {
    let scope = identity.reach(Permission::Dispatch)?;
    let lesson = find(&app.store, identity, Permission::Dispatch, lesson_id).await?;
    // Who only listens chooses nothing of it.
    if !scope.owns(&lesson) {
        return Err(CommonProblem::NotFound.into());
    }
    if !matches!(lesson.state, LessonState::Scheduled | LessonState::Open) {
        return Err(WrongState(lesson.state).into());
    }
    if !matches!(lesson.mode.as_str(), "recorded" | "embedded") {
        return Err(invalid("mode", &LessonReason::PlaysNoRecording));
    }
    Ok((lesson, identity.person().map_err(|_| CommonProblem::NotFound)?))
}

async fn view(app: &LessonApp, identity: &Identity, lesson: &Lesson) -> Result<SourceView, ApiError> {
    let source =
        app.store.source(&system_scope::published(), lesson.lesson_id).await?.ok_or(CommonProblem::NotFound)?;
    let play = if !source.gone && may_play(identity, lesson) {
        let base = format!("/api/v1/lessons/{}/source/media", lesson.lesson_id);
        Some(
            Shown { recording_id: source.recording_id, window: source.window() }
                .playlists(&app.recordings, base)
                .await?,
        )
    } else {
        None
    };
    let Source { recording_id, clip, title, teacher, school, played_from, gone } = source;
    Ok(SourceView {
        recording_id,
        clip_id: clip.map(|(clip_id, _)| clip_id),
        title,
        teacher,
        school,
        gone,
        played_from_ms: if lesson.mode == "recorded" { lesson.live_at } else { played_from },
        play,
        now_ms: app.clock.wall(),
    })
}
