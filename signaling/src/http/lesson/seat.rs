//! Taking a seat: issues the ticket with which a page connects.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    http::{
        account::identity::Identity,
        lesson::{app::LessonApp, find::find},
        web::{
            extract::{JsonBody, Nothing, PathId},
            problem::{ApiError, Problems, common::CommonProblem},
        },
    },
    live::{
        table::role_of,
        token::{Claims, TokenKind},
        wire::SeatRole,
    },
    secret::sha256_hex,
};
use school::{
    account::permission::{self, Permission, Place},
    base::{
        id::{LessonId, SeatId},
        time::UnixMs,
    },
    lesson::{Lesson, life::WrongState},
};

/// What a page needs to connect.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of the contract with pages")]
pub struct SeatTicket {
    pub seat_id: SeatId,
    pub role: SeatRole,
    pub token: String,
    pub expires_at_ms: UnixMs,
    pub whip_url: String,
    pub whep_url: String,
    pub socket_url: String,
}

/// A ticket expires this long after the lesson closes, so that nobody is disconnected while it is being ended.
const TICKET_MARGIN: Duration = Duration::from_secs(5 * 60);

/// Take a seat; returns the ticket for the socket, WHIP and WHEP
#[utoipa::path(post, path = "/lessons/{lesson_id}/seats", tag = "lessons", operation_id = "take_seat",
    request_body = Nothing, params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("watch"))),
    responses((status = 201, body = SeatTicket), Problems))]
pub async fn take(
    State(app): State<LessonApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    let lesson = find(&app.store, &identity, Permission::SeeLessons, lesson_id).await?;
    // In order of precedence: a teacher who may also watch publishes.
    let kinds = [
        (Permission::Teach, TokenKind::Publish),
        (Permission::Attend, TokenKind::Receive),
        (Permission::Watch, TokenKind::Observe),
    ];
    let now = app.clock.lasting().wall;
    let may = |act| permission::may(&identity.session.asker, act, Place::Lesson(&lesson), now);
    let (scope, kind) =
        kinds.into_iter().find_map(|(act, kind)| Some((may(act).ok()?, kind))).ok_or(CommonProblem::NotFound)?;
    if !lesson.state.is_in_progress() {
        return Err(WrongState(lesson.state).into());
    }
    let role = role_of(kind);
    let holder = identity.session.asker.holder;
    let seat_id = app.store.seat_of(&scope, lesson_id, holder, role.as_str(), SeatId::fresh()).await?;
    let seat_id = seat_id.ok_or(CommonProblem::NotFound)?;
    if kind == TokenKind::Observe {
        // Observers are not visible in the room, so each is audited.
        let row = identity.row(&app.clock, "look_into_lesson", format!("lesson:{lesson_id}")).at_place(lesson.place());
        app.store.audit(&row).await?;
    }
    let claims = Claims {
        kind,
        lesson_id,
        seat_id: Some(seat_id),
        classroom_id: identity.session.asker.classroom_id(),
        session: Some(sha256_hex(&identity.session_sha256)),
        device_id: identity.session.device_id,
        auto_start: false,
        exp: ticket_ends(&lesson, app.clock.lasting().wall),
        jti: Uuid::now_v7(),
    };
    let ticket = SeatTicket {
        seat_id,
        role,
        token: app.tokens.sign(&claims),
        expires_at_ms: claims.exp,
        whip_url: format!("/whip/{lesson_id}"),
        whep_url: format!("/whep/{lesson_id}"),
        socket_url: format!("/api/v1/lessons/{lesson_id}/socket"),
    };
    Ok((StatusCode::CREATED, Json(ticket)).into_response())
}

/// A ticket is valid for the whole lesson: a classroom that loses its connection in minute 30 reconnects with it, even
/// while the database does not answer.
fn ticket_ends(lesson: &Lesson, now: UnixMs) -> UnixMs {
    lesson.times.closes_at.plus(TICKET_MARGIN).max(now.plus(TICKET_MARGIN))
}
