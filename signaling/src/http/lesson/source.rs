//! The source that a lesson plays: chosen by its scheduler, played to its classrooms in sync with the lesson's clock.

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

/// The routes of lesson sources.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show_source, choose_source, clear_source)).routes(routes!(play_source))
}

/// The source that a lesson plays, and its playback position.
#[derive(Serialize, ToSchema)]
pub struct SourceView {
    recording_id: RecordingId,
    /// The clip that is played. `null`: the whole recording.
    clip_id: Option<ClipId>,
    title: String,
    /// The teacher of the recorded lesson.
    teacher: String,
    school: String,
    /// It was taken down after it was chosen, and is not played.
    gone: bool,
    /// When playback started. `null`: the lesson is not live yet, or its teacher has not started playback.
    played_from_ms: Option<UnixMs>,
    /// The playlists. `null`: not played now, or not to the caller.
    play: Option<PlayView>,
    /// The hub's clock.
    now_ms: UnixMs,
}

/// The source to choose for a lesson.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceRequest {
    /// A whole recording.
    Recording {
        /// The recording.
        recording_id: RecordingId,
    },
    /// A clip.
    Clip {
        /// The clip.
        clip_id: ClipId,
    },
}

/// Whether the source of a lesson is played.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlayingRequest {
    playing: bool,
}

/// Show the source that a lesson plays
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

/// Choose the source that a lesson plays; all its classrooms must be allowed to see it
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

/// Clear the source of a lesson
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

/// Start playback of an embedded lesson's source in all classrooms, from its beginning, or stop it
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
    // Notifies all pages of the lesson, which then reload the source.
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

/// Whether the caller may attend, teach or watch the lesson, and it is in progress.
fn may_play(identity: &Identity, lesson: &Lesson) -> bool {
    use school::account::permission::{Place, may};
    let acts = [Permission::Attend, Permission::Teach, Permission::Watch];
    let asker = &identity.session.asker;
    lesson.state.is_in_progress()
        && acts.into_iter().any(|act| may(asker, act, Place::Lesson(lesson), identity.now).is_ok())
}

/// A lesson whose source the caller may choose: its mode plays one, and it has not started.
async fn to_choose(
    app: &LessonApp,
    identity: &Identity,
    lesson_id: LessonId,
) -> Result<(Lesson, school::base::id::PersonId), ApiError> {
    let scope = identity.reach(Permission::Dispatch)?;
    let lesson = find(&app.store, identity, Permission::Dispatch, lesson_id).await?;
    // Schools that only receive the lesson may not choose.
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
