//! 分享: expiring links that show a recording or a clip without an account.
//!
//! A link carries a signed token in its fragment, which is not sent to servers or logged. The page sends it by POST and
//! gets a cookie, which is valid for that recording, or that clip of it, only.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    authorize::own,
    problem::{LibraryProblem, LibraryReason},
    window::{PlayView, Shown},
};
use crate::{
    app::App,
    http::{
        account::{identity::Identity, problem::AccountProblem},
        library::app::LibraryApp,
        web::{
            cookie::cookie,
            extract::{Caller, JsonBody, PathId},
            list::Listed,
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    live::token::ShareClaims,
    secret::{sha256_hex, unguessable},
    store::{
        AuditRow,
        library::share::{NewShare, SHARES_MAX, Share},
    },
};
use school::{
    account::{permission::Permission, system_scope},
    base::{
        id::{ClipId, RecordingId, ShareId},
        time::UnixMs,
    },
    lesson::{Lesson, Teacher},
    library::{Licence, RightsError},
};

/// The routes of shares.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_shares, add_share))
        .routes(routes!(revoke_share))
        .routes(routes!(show_shared, open_share))
}

/// A share, as the editors of the recording see it.
#[derive(Serialize, ToSchema)]
pub struct ShareView {
    share_id: ShareId,
    /// The clip it is limited to. `null`: the whole recording.
    clip_id: Option<ClipId>,
    maker: Teacher,
    made_at_ms: UnixMs,
    expires_at_ms: UnixMs,
    /// How often it may be opened. `null`: no limit.
    views_max: Option<i64>,
    views: i64,
    /// When it was revoked. `null`: it was not.
    revoked_at_ms: Option<UnixMs>,
    /// The path of the page, with the token in the fragment. `null`: the share is expired, revoked or used up.
    link: Option<String>,
}

/// A share to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShareRequest {
    /// A clip of the recording. `null`: the whole recording.
    clip_id: Option<ClipId>,
    /// Lifetime in hours, 30 days at most.
    #[schema(minimum = 1, maximum = 720)]
    hours: u32,
    /// How often it may be opened. `null`: no limit.
    #[schema(minimum = 1, maximum = 10_000)]
    views_max: Option<i64>,
}

/// The token from the fragment of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareToken {
    #[schema(min_length = 1, max_length = 1024)]
    token: String,
}

/// The recording or clip that a link shows, and when the link expires.
#[derive(Serialize, ToSchema)]
pub struct SharedView {
    title: String,
    subject: String,
    grade: String,
    /// The teacher of the lesson.
    teacher: String,
    school: String,
    licence: Licence,
    recorded_at_ms: UnixMs,
    expires_at_ms: UnixMs,
    play: PlayView,
}

/// List the shares of a recording
#[utoipa::path(get, path = "/recordings/{recording_id}/shares", tag = "shares",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("edit_library"))),
    responses((status = 200, body = Listed<ShareView>), Problems))]
pub async fn list_shares(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
) -> Result<Json<Listed<ShareView>>, ApiError> {
    own(&app, &identity, Permission::EditLibrary, recording_id).await?;
    let shares = app.store.shares(&identity.reach(Permission::EditLibrary)?, recording_id).await?;
    Ok(Json(Listed { items: shares.into_iter().map(|share| view(&app, share)).collect(), next: None }))
}

/// Share a recording, or a clip of it, by a link without an account; needs the teacher's consent
#[utoipa::path(post, path = "/recordings/{recording_id}/shares", tag = "shares", request_body = NewShareRequest,
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("edit_library"))),
    responses((status = 201, body = ShareView), Problems))]
pub async fn add_share(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
    JsonBody(ask): JsonBody<NewShareRequest>,
) -> Result<(StatusCode, Json<ShareView>), ApiError> {
    let lesson = own(&app, &identity, Permission::EditLibrary, recording_id).await?;
    let scope = identity.reach(Permission::EditLibrary)?;
    if !(1..=HOURS_MAX).contains(&ask.hours) {
        return Err(invalid("hours", &LibraryReason::OutOfRange { min: 1, max: i64::from(HOURS_MAX) }));
    }
    if ask.views_max.is_some_and(|views| !(1..=VIEWS_MAX).contains(&views)) {
        return Err(invalid("views_max", &LibraryReason::OutOfRange { min: 1, max: VIEWS_MAX }));
    }
    let rights = app.store.rights_of_recording(&scope, recording_id).await?.ok_or(CommonProblem::NotFound)?;
    if let Some(taken_down) = rights.taken_down {
        return Err(LibraryProblem::TakenDown { reason: taken_down.reason }.into());
    }
    if rights.consented_at.is_none() {
        return Err(RightsError::NoConsent.into());
    }
    if let Some(clip_id) = ask.clip_id {
        let clip = app.store.clip(&scope, clip_id).await?.filter(|clip| clip.recording_id == recording_id);
        clip.ok_or_else(|| invalid("clip_id", &LibraryReason::NoSuchClip))?;
    }
    let now = app.clock.wall();
    let share = NewShare {
        share_id: ShareId::fresh(),
        recording_id,
        clip_id: ask.clip_id,
        maker: identity.person()?,
        expires_at: now.plus(Duration::from_secs(u64::from(ask.hours) * 3_600)),
        views_max: ask.views_max,
    };
    let row = identity.row(&app.clock, "share_recording", format!("recording:{recording_id}")).at_place(lesson.place());
    let row = row.saying(format!("share:{} hours={}", share.share_id, ask.hours));
    if !app.store.add_share(&scope, &share, &row).await? {
        return Err(invalid("shares", &LibraryReason::too_many(SHARES_MAX)));
    }
    let stored = app.store.share(&scope, share.share_id).await?.ok_or(CommonProblem::NotFound)?;
    // No `Location`, so that a response with a secret is not stored for idempotency.
    Ok((StatusCode::CREATED, Json(view(&app, stored))))
}

/// Revoke a share; opened links stop working
#[utoipa::path(delete, path = "/recordings/{recording_id}/shares/{share_id}", tag = "shares",
    params(("recording_id" = RecordingId, Path), ("share_id" = ShareId, Path)),
    extensions(("x-act" = json!("edit_library"))),
    responses((status = 204), Problems))]
pub async fn revoke_share(
    State(app): State<LibraryApp>,
    identity: Identity,
    path: Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (recording_id, share_id): (RecordingId, ShareId) = super::chapter::both(&path)?;
    let lesson = own(&app, &identity, Permission::EditLibrary, recording_id).await?;
    let scope = identity.reach(Permission::EditLibrary)?;
    let share = app.store.share(&scope, share_id).await?.filter(|share| share.recording_id == recording_id);
    share.ok_or(CommonProblem::NotFound)?;
    let row = identity.row(&app.clock, "revoke_share", format!("recording:{recording_id}")).at_place(lesson.place());
    app.store.revoke_share(&scope, share_id, &row.saying(format!("share:{share_id}"))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Open a link: exchange its token for a cookie that is valid for that recording or clip only
#[utoipa::path(post, path = "/shared", tag = "shares", request_body = ShareToken, security(()),
    responses((status = 200, body = SharedView), Problems))]
pub async fn open_share(
    State(app): State<LibraryApp>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<ShareToken>,
) -> Result<Response, ApiError> {
    let (now, scope) = (app.clock.wall(), system_scope::published());
    let claims = app.tokens.check_share(&ask.token, now).map_err(|_| AccountProblem::LinkRefused)?;
    let share = app.store.share(&scope, claims.share_id).await?.filter(|share| share.holds(now));
    let share = share.ok_or(AccountProblem::LinkRefused)?;
    let (lesson, shown) = shown(&app, &share).await?;
    // A reload of the page does not count as another view.
    if viewed(&app, &caller, &headers).await?.is_some_and(|viewed| viewed.share_id == share.share_id) {
        return Ok(Json(shown).into_response());
    }
    let value = unguessable();
    let until = share.expires_at.min(now.plus(VIEWED_FOR));
    let row = AuditRow::done(now, "guest", "open_share", format!("share:{}", share.share_id))
        .from(caller.ip().to_string())
        .at_place(lesson.place())
        .saying(format!("recording:{}", share.recording_id));
    if !app.store.open_share(&scope, share.share_id, (&sha256_hex(&value), until), &row).await? {
        app.refusals.keep(row.refused());
        return Err(AccountProblem::LinkRefused.into());
    }
    let lifetime = u64::try_from(until.0 - now.0).unwrap_or_default() / 1_000;
    let secure = if caller.tls { "; Secure" } else { "" };
    let text = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={lifetime}{secure}",
        view_cookie_name(caller.tls)
    );
    let mut response = Json(shown).into_response();
    if let Ok(text) = HeaderValue::try_from(text) {
        response.headers_mut().insert(header::SET_COOKIE, text);
    }
    Ok(response)
}

/// Show the recording or clip of an opened link
#[utoipa::path(get, path = "/shared", tag = "shares", responses((status = 200, body = SharedView), Problems))]
pub async fn show_shared(
    State(app): State<LibraryApp>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Json<SharedView>, ApiError> {
    let share = viewed(&app, &caller, &headers).await?.ok_or(AccountProblem::LinkRefused)?;
    Ok(Json(shown(&app, &share).await?.1))
}

/// `GET /api/v1/shared/media/{file}`
pub async fn media(
    State(app): State<LibraryApp>,
    caller: Caller,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let share = viewed(&app, &caller, &headers).await?.ok_or(AccountProblem::LinkRefused)?;
    lesson_of(&app, &share).await?;
    let shown = Shown { recording_id: share.recording_id, window: share.window() };
    // The limit of concurrent reads applies to each viewer of a link separately.
    let holder = cookie(&headers, view_cookie_name(caller.tls)).map(sha256_hex).unwrap_or_default();
    shown.file(&app.recordings, &app.segments, &holder, file, &headers).await
}

async fn viewed(app: &LibraryApp, caller: &Caller, headers: &HeaderMap) -> Result<Option<Share>, ApiError> {
    let Some(cookie) = cookie(headers, view_cookie_name(caller.tls)) else { return Ok(None) };
    Ok(app.store.viewed(&system_scope::published(), &sha256_hex(cookie), app.clock.wall()).await?)
}

/// The lesson of a share. Refused where the recording is deleted or taken down, or the teacher's consent is withdrawn.
async fn lesson_of(app: &LibraryApp, share: &Share) -> Result<Lesson, ApiError> {
    let scope = system_scope::published();
    let rights = app.store.rights_of_recording(&scope, share.recording_id).await?.unwrap_or_default();
    let gone = app.store.recording_gone(&scope, share.recording_id).await?.is_some();
    if gone || rights.taken_down.is_some() || rights.consented_at.is_none() {
        return Err(AccountProblem::LinkRefused.into());
    }
    app.store.lesson_of_recording(&scope, share.recording_id).await?.ok_or_else(|| AccountProblem::LinkRefused.into())
}

async fn shown(app: &LibraryApp, share: &Share) -> Result<(Lesson, SharedView), ApiError> {
    let lesson = lesson_of(app, share).await?;
    let entry = app.store.entry_of(&system_scope::published(), share.recording_id).await?;
    let entry = entry.ok_or(AccountProblem::LinkRefused)?;
    let shown = Shown { recording_id: share.recording_id, window: share.window() };
    let view = SharedView {
        title: share.clip.as_ref().map_or(entry.title, |(_, _, title)| title.clone()),
        subject: entry.subject,
        grade: entry.grade,
        teacher: entry.teacher.name,
        school: entry.school,
        licence: entry.licence,
        recorded_at_ms: entry.started_at,
        expires_at_ms: share.expires_at,
        play: shown.playlists(&app.recordings, "/api/v1/shared/media".into()).await?,
    };
    Ok((lesson, view))
}

fn view(app: &LibraryApp, share: Share) -> ShareView {
    let holds = share.holds(app.clock.wall()) && share.views_max.is_none_or(|max| share.views < max);
    let claims = ShareClaims { share_id: share.share_id, exp: share.expires_at };
    ShareView {
        link: holds.then(|| format!("/shared#{}", app.tokens.sign_share(&claims))),
        share_id: share.share_id,
        clip_id: share.clip.map(|(clip_id, _, _)| clip_id),
        maker: share.maker,
        made_at_ms: share.made_at,
        expires_at_ms: share.expires_at,
        views_max: share.views_max,
        views: share.views,
        revoked_at_ms: share.revoked_at,
    }
}

/// Separate from the session cookie, so that a signed-in person can open a link without being signed out.
fn view_cookie_name(tls: bool) -> &'static str {
    if tls { "__Host-tongke-shared" } else { "tongke-shared" }
}

/// Lifetime of the cookie of an opened link; after that the link must be opened again.
const VIEWED_FOR: Duration = Duration::from_secs(12 * 3_600);

/// Maximum lifetime of a share: 30 days. Publication is meant for longer access.
const HOURS_MAX: u32 = 720;

/// Maximum of `views_max`. Publication is meant for more views.
const VIEWS_MAX: i64 = 10_000;
