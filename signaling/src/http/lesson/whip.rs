//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): offer and answer, for the web client and other clients.
//!
//! One WHIP session carries at most one audio and one video track; `?track=board` says that the video is the board.
//! `?slots=voice,board,camera` names the m-lines of a WHEP offer in order. There is no renegotiation.
//! The token is checked at POST; afterwards the unguessable session URL is the credential, valid as long as its peer.

use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use sfu::{Answered, OfferError, Patched, TrackKind, limits};
use tracing::info;

use crate::{
    http::{
        account::identity::{bearer, held},
        lesson::{app::LessonApp, problem::LessonProblem},
        web::{
            extract::{Caller, PathId, media_type, read_body},
            problem::{ApiError, common::CommonProblem},
        },
    },
    live::{
        session::{GuestUse, Purpose},
        token::{Claims, TokenKind},
    },
    secret::unguessable,
    store::AuditRow,
};
use school::{
    account::system_scope,
    base::id::{LessonId, SeatId},
    lesson::{Lesson, life::WrongState},
};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// The query of a WHIP endpoint.
#[derive(Deserialize)]
pub struct WhipQuery {
    track: Option<String>,
}

/// The query of a WHEP endpoint.
#[derive(Deserialize)]
pub struct WhepQuery {
    slots: Option<String>,
    /// The guest seat assigned to this page's socket. The seats of others are in their token.
    seat: Option<SeatId>,
}

/// `POST /whip/{lesson_id}`
pub async fn publish(
    State(app): State<LessonApp>,
    caller: Caller,
    PathId(lesson_id): PathId<LessonId>,
    Query(query): Query<WhipQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let claims = allowed(&app, caller, lesson_id, &headers, &[TokenKind::Publish]).await?;
    let picture = match query.track.as_deref() {
        None | Some("camera") => TrackKind::Camera,
        Some("board") => TrackKind::Board,
        Some(_) => return Err(CommonProblem::bad_request("`track` is `camera` or `board`").into()),
    };
    in_progress(&app, lesson_id).await?;
    let offer = read_sdp(&headers, SDP, body).await?;
    let purpose = Purpose::Publish { picture, auto_start: claims.auto_start };
    connect(&app, &claims, None, purpose, move |hub, room| hub.publish(room, picture, &offer)).await
}

/// `POST /whep/{lesson_id}`
pub async fn play(
    State(app): State<LessonApp>,
    caller: Caller,
    PathId(lesson_id): PathId<LessonId>,
    Query(query): Query<WhepQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    // A teacher may play what the classrooms receive.
    let kinds = [TokenKind::Receive, TokenKind::Guest, TokenKind::Observe, TokenKind::Publish];
    let claims = allowed(&app, caller, lesson_id, &headers, &kinds).await?;
    let slots = query.slots.as_deref().map(read_slots).transpose()?;
    in_progress(&app, lesson_id).await?;
    let offer = read_sdp(&headers, SDP, body).await?;
    connect(&app, &claims, query.seat, Purpose::Receive, move |hub, room| hub.play(room, slots.as_deref(), &offer))
        .await
}

/// `PATCH /sessions/{name}`: candidates, or an ICE restart (RFC 9725 §4.3).
pub async fn patch(
    State(app): State<LessonApp>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let session = app.registry.resources().find(&name).ok_or(CommonProblem::NotFound)?;
    let tag = headers.get(header::IF_MATCH).ok_or(LessonProblem::IfMatchRequired)?;
    if tag != "*" && tag != etag(&session.ice_ufrag) {
        return Err(LessonProblem::EtagDiffers.into());
    }
    let fragment = read_sdp(&headers, FRAGMENT, body).await?;
    let hub = app.hub.clone();
    let patched = on_a_thread(move || hub.patch(session.peer, &fragment)).await??;
    match patched {
        Patched::Trickled => Ok(StatusCode::NO_CONTENT.into_response()),
        Patched::Restarted { fragment, ice_ufrag } => {
            let tag = etag(&ice_ufrag);
            app.registry.resources().restarted(&name, &ice_ufrag);
            let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(FRAGMENT)), (header::ETAG, tag)];
            Ok((StatusCode::OK, headers, fragment).into_response())
        }
    }
}

/// `DELETE /sessions/{name}`: ends the session. Idempotent: 200 also where it has already ended.
pub async fn leave(State(app): State<LessonApp>, Path(name): Path<String>) -> StatusCode {
    if let Some(session) = app.registry.resources().take(&name) {
        app.registry.with_session(session.lesson_id, |seats, now| seats.handle_peer_left(now, session.peer));
        app.hub.close_peer(session.peer);
    }
    StatusCode::OK
}

/// `OPTIONS` of an endpoint or a session: a CORS preflight, or a client that queries the accepted media types.
pub async fn options() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(header::HeaderName::from_static("accept-post"), SDP)])
}

/// CORS: any origin may publish and play with a token; credentials are not allowed.
pub async fn cross_origin(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Location, ETag, Accept-Patch, Accept-Post, Link, Retry-After"),
    );
    if is_preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, PATCH, DELETE, OPTIONS"));
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, Content-Type, If-Match"),
        );
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    response
}

/// Authenticates and authorises a request by its token. Refusals are audited.
async fn allowed(
    app: &LessonApp,
    caller: Caller,
    lesson_id: LessonId,
    headers: &HeaderMap,
    kinds: &[TokenKind],
) -> Result<Claims, ApiError> {
    let checked = bearer(headers).and_then(|token| app.tokens.check_for(lesson_id, token, app.clock.lasting().wall));
    let refused: ApiError = match checked {
        Ok(claims) if kinds.contains(&claims.kind) => {
            match held(&app.store, &app.clock, headers, &caller, &claims).await {
                Ok(()) => return Ok(claims),
                Err(error) => error.into(),
            }
        }
        Ok(_) => LessonProblem::WrongKindOfToken.into(),
        Err(error) => error.into(),
    };
    let row = AuditRow::done(app.clock.wall(), "guest", "connect", format!("lesson:{lesson_id}"));
    app.refusals.keep(row.refused().from(caller.ip().to_string()));
    Err(refused)
}

/// The lesson if it is open or live; otherwise a problem with its state.
async fn in_progress(app: &LessonApp, lesson_id: LessonId) -> Result<Lesson, ApiError> {
    if let Some(lesson) = app.registry.lesson(lesson_id)
        && lesson.state.is_in_progress()
    {
        return Ok(lesson);
    }
    // The token is for this lesson, so its bearer may know the state.
    let lesson =
        app.store.lesson(&system_scope::bearer_of_a_token(), lesson_id).await?.ok_or(CommonProblem::NotFound)?;
    Err(WrongState(lesson.state).into())
}

async fn connect(
    app: &LessonApp,
    claims: &Claims,
    guest_had: Option<SeatId>,
    purpose: Purpose,
    ask: impl FnOnce(&sfu::Hub, sfu::RoomId) -> Result<Answered, OfferError> + Send + 'static,
) -> Result<Response, ApiError> {
    let lesson_id = claims.lesson_id;
    let seat_id = app.registry.sit(claims, guest_had, GuestUse::Media)?;
    let answered = async {
        app.registry.with_session(lesson_id, |seats, now| seats.handle_offer(now, seat_id)).transpose()?;
        let room = app.registry.room(lesson_id).ok_or(OfferError::NoRoom)?;
        let hub = app.hub.clone();
        Ok::<_, ApiError>(on_a_thread(move || ask(&hub, room)).await??)
    };
    let answered = match answered.await {
        Ok(answered) => answered,
        Err(error) => {
            app.registry.with_session(lesson_id, |seats, _| seats.stand_up(seat_id));
            return Err(error);
        }
    };
    let peer = answered.peer;
    let name = unguessable();
    app.registry.resources().insert(name.clone(), lesson_id, &answered);
    let kept = app.registry.with_session(lesson_id, |seats, _| seats.handle_peer_answered(seat_id, peer, purpose));
    if kept.is_none() {
        // The lesson ended while the hub created the answer.
        app.registry.close_peer(peer);
        return Err(OfferError::NoRoom.into());
    }
    info!(lesson.id = %lesson_id, seat.id = %seat_id, peer = %peer, kind = ?claims.kind, "Answered peer {peer}");
    let location = HeaderValue::try_from(format!("/sessions/{name}")).map_err(ApiError::internal)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(SDP)),
        (header::LOCATION, location),
        (header::ETAG, etag(&answered.ice_ufrag)),
        (header::HeaderName::from_static("accept-patch"), HeaderValue::from_static(FRAGMENT)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::CREATED, headers, answered.sdp).into_response())
}

/// Runs blocking work: the hub answers from its own workers, and waiting must not block the runtime's threads.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
}

async fn read_sdp(headers: &HeaderMap, expected: &'static str, body: Body) -> Result<String, ApiError> {
    if media_type(headers).as_deref() != Some(expected) {
        return Err(CommonProblem::UnsupportedMediaType { expected }.into());
    }
    let bytes = read_body(body, limits::SDP_BYTES_MAX).await?;
    String::from_utf8(bytes.into()).map_err(|_| OfferError::BadSdp("it is not UTF-8".into()).into())
}

fn read_slots(text: &str) -> Result<Vec<TrackKind>, ApiError> {
    let unknown = || CommonProblem::bad_request("`slots` are among voice, board, camera, stage and stage_voice");
    let kinds: Vec<TrackKind> = text
        .split(',')
        .take(limits::SLOTS_PER_PEER_MAX + 1)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| unknown())?;
    if kinds.len() > limits::SLOTS_PER_PEER_MAX {
        return Err(
            CommonProblem::bad_request(format!("there are at most {} `slots`", limits::SLOTS_PER_PEER_MAX)).into()
        );
    }
    Ok(kinds)
}

fn etag(ice_ufrag: &str) -> HeaderValue {
    // An ICE user fragment consists of letters, digits, + and / (RFC 8839 §5.4).
    HeaderValue::try_from(format!("\"{ice_ufrag}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}
