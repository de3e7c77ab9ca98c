//! Lessons: list and show them, start and end them.

pub mod app;
pub mod find;
pub mod problem;
pub mod seat;
pub mod socket;
pub mod source;
pub mod whip;

use std::ops::Range;

use axum::{Json, extract::State};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::IntoParams;

use self::{find::find, problem::LessonReason};
use crate::{
    http::{
        account::identity::Identity,
        dispatch::readiness,
        lesson::app::LessonApp,
        library::authorize::may_look,
        web::{
            extract::{JsonBody, Nothing, PathId, QueryParams},
            list::{self, Listed},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    live::{
        actor::Actor,
        wire::{LessonView, May},
    },
    store::{LessonCursor, Store},
};
use school::{
    account::permission::Permission,
    base::{
        id::LessonId,
        time::UnixMs,
        zone::{Minute, SHANGHAI, Zone},
    },
    lesson::Lesson,
};

/// Pagination and filters of lessons.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// `next` of the previous page.
    #[param(pattern = "^[A-Za-z0-9_-]{60,80}$")]
    after: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only lessons that start on this day or later.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Only lessons that start on this day or earlier.
    #[param(value_type = Option<String>, format = Date)]
    until: Option<Date>,
    /// Only lessons that have a recording.
    #[serde(default)]
    recorded: bool,
}

/// List the lessons that the caller may see, latest start first
#[utoipa::path(get, path = "/lessons", tag = "lessons", params(Page), operation_id = "list_lessons",
    extensions(("x-act" = json!("see_lessons"))),
    responses((status = 200, body = Listed<LessonView>), Problems))]
pub async fn list(
    State(app): State<LessonApp>,
    identity: Identity,
    QueryParams(page): QueryParams<Page>,
) -> Result<Json<Listed<LessonView>>, ApiError> {
    let below = page.after.as_deref().map(read_cursor).transpose()?;
    let limit = list::limit(page.limit)?;
    let scope = identity.reach(Permission::SeeLessons)?;
    let starts = days_in(page.from, page.until)?;
    let mut lessons = app.store.lessons(&scope, starts, page.recorded, below, limit + 1).await?;
    let more = lessons.len() > limit as usize;
    lessons.truncate(limit as usize);
    let next = lessons.last().filter(|_| more).map(write_cursor);
    let counts = readiness::counts(&app.store, app.clock.wall(), &scope, &lessons).await?;
    let mut items = Vec::with_capacity(lessons.len());
    for lesson in &lessons {
        let readiness = counts.get(&lesson.lesson_id).copied();
        items.push(LessonView { readiness, ..view(&app.store, app.clock.wall(), &identity, lesson).await? });
    }
    Ok(Json(Listed { items, next }))
}

/// Show a lesson
#[utoipa::path(get, path = "/lessons/{lesson_id}", tag = "lessons", operation_id = "show_lesson",
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("see_lessons"))),
    responses((status = 200, body = LessonView), Problems))]
pub async fn show(
    State(app): State<LessonApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
) -> Result<Json<LessonView>, ApiError> {
    let lesson = find(&app.store, &identity, Permission::SeeLessons, lesson_id).await?;
    let counts = readiness::counts(
        &app.store,
        app.clock.wall(),
        &identity.reach(Permission::SeeLessons)?,
        std::slice::from_ref(&lesson),
    )
    .await?;
    let readiness = counts.get(&lesson_id).copied();
    Ok(Json(LessonView { readiness, ..view(&app.store, app.clock.wall(), &identity, &lesson).await? }))
}

/// Start a lesson now, where it does not start by the bell
#[utoipa::path(post, path = "/lessons/{lesson_id}/start", tag = "lessons", operation_id = "start_lesson",
    request_body = Nothing, params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("teach"))),
    responses((status = 200, body = LessonView), Problems))]
pub async fn start(
    State(app): State<LessonApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<LessonView>, ApiError> {
    let lesson = find(&app.store, &identity, Permission::Teach, lesson_id).await?;
    let lesson = app.registry.start(lesson, &actor(&identity)).await?;
    Ok(Json(view(&app.store, app.clock.wall(), &identity, &lesson).await?))
}

/// End a lesson now
#[utoipa::path(post, path = "/lessons/{lesson_id}/end", tag = "lessons", operation_id = "end_lesson",
    request_body = Nothing, params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("teach"))),
    responses((status = 200, body = LessonView), Problems))]
pub async fn end(
    State(app): State<LessonApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<LessonView>, ApiError> {
    let lesson = find(&app.store, &identity, Permission::Teach, lesson_id).await?;
    let lesson = app.registry.end(lesson, &actor(&identity)).await?;
    Ok(Json(view(&app.store, app.clock.wall(), &identity, &lesson).await?))
}

/// The lesson as the caller sees it.
pub(super) async fn view(
    store: &Store,
    now: UnixMs,
    identity: &Identity,
    lesson: &Lesson,
) -> Result<LessonView, ApiError> {
    let mut may = May::of(&identity.session.asker, lesson, now);
    // Listeners may replay by the listening right they had then: the same check as that of the replay routes.
    may.replay = may.replay && may_look(store, identity, &identity.reach(Permission::Replay)?, lesson).await?;
    Ok(LessonView::new(lesson, may, now))
}

fn actor(identity: &Identity) -> Actor {
    Actor { actor: identity.actor(), address: identity.caller.ip().to_string() }
}

/// From midnight at the start of `from` to midnight at the end of `until`, in the default time zone (Shanghai).
pub(super) fn days_in(from: Option<Date>, until: Option<Date>) -> Result<Range<UnixMs>, ApiError> {
    let beyond = || invalid("from", &LessonReason::DateOutOfRange);
    let zone = Zone::named(SHANGHAI).map_err(|_| beyond())?;
    let at = |date, minute| Minute::new(minute).and_then(|minute| zone.instant(date, minute)).ok_or_else(beyond);
    let from = from.map_or(Ok(UnixMs(i64::MIN)), |date| at(date, 0))?;
    let until = until.map_or(Ok(UnixMs(i64::MAX)), |date| at(date, 24 * 60))?;
    Ok(from..until)
}

pub(super) fn write_cursor(lesson: &Lesson) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", lesson.times.starts_at.0, lesson.lesson_id))
}

pub(super) fn read_cursor(text: &str) -> Result<LessonCursor, ApiError> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (starts_at, lesson_id) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
        Some(LessonCursor { starts_at: UnixMs(starts_at.parse().ok()?), lesson_id: lesson_id.parse().ok()? })
    };
    read().ok_or_else(|| CommonProblem::bad_request("`after` is no cursor of ours").into())
}
