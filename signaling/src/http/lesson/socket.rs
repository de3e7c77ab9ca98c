//! The WebSocket of a page in a lesson: hello, then updates to the page, and reports and marks from it.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code},
    },
    http::{HeaderMap, Uri},
    response::Response,
};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::{
    error_chain::chain,
    http::{
        account::identity::held,
        lesson::app::LessonApp,
        web::{
            cookie::{cookie, cookie_name},
            extract::{Caller, HeldPlace, PathId, own_origin},
            problem::ApiError,
        },
    },
    live::{
        table::{Joined, SeatRefused, text_of},
        token::{Claims, TokenKind},
        unread::Outgoing,
        wire::{CloseReason, FromPage, MESSAGE_BYTES_MAX, MESSAGES_PER_SECOND_MAX, ToPage},
    },
    rate_limit::RateLimit,
    secret::sha256_hex,
    store::{AuditRow, library::mark::Marked},
};
use school::{
    account::{
        permission::{Permission, Place, may},
        system_scope,
    },
    base::{
        id::{LessonId, MarkId},
        time::UnixMs,
    },
    lesson::life::LessonState,
    library::chapter::Mark,
};

const SECOND: Duration = Duration::from_secs(1);

/// Timeout for the hello message.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// Interval of the expiry check: a seat is closed at most this long after its role or session has expired.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Receive timeout: a page pings every few seconds, so after this long its connection is lost.
const SILENT_AFTER: Duration = Duration::from_secs(30);

/// Send timeout of one message; a slower connection counts as lost.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// `GET /api/v1/lessons/{lesson_id}/socket`
pub async fn open(
    State(app): State<LessonApp>,
    caller: Caller,
    place: HeldPlace,
    PathId(lesson_id): PathId<LessonId>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    // A cross-site page can open a socket with the session cookie; it has no token either, but is refused here.
    own_origin(&headers, &uri)?;
    let upgrade = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _place = place;
        serve(app, caller, lesson_id, headers, socket).await;
    }))
}

async fn serve(app: LessonApp, caller: Caller, lesson_id: LessonId, headers: HeaderMap, mut socket: WebSocket) {
    let Some((token, had)) = hello(&mut socket).await else {
        return close(socket, close_code::POLICY, "hello").await;
    };
    let mut rights = app.rights.watch();
    let checked = match app.tokens.check_for(lesson_id, &token, app.clock.lasting().wall) {
        Ok(claims) => held(&app.store, &app.clock, &headers, &caller, &claims).await.map(|()| claims),
        Err(error) => Err(error),
    };
    let claims = match checked {
        Ok(claims) => claims,
        Err(error) => {
            debug!(lesson.id = %lesson_id, %error, "A socket was refused: {error}");
            let row = AuditRow::done(app.clock.wall(), "guest", "join", format!("lesson:{lesson_id}"));
            app.refusals.keep(row.refused().from(caller.ip().to_string()));
            return bye(socket, CloseReason::TokenExpired).await;
        }
    };
    let joined = match app.registry.join(&claims, had) {
        Ok(joined) => joined,
        Err(SeatRefused::WrongState(_)) => return bye(socket, CloseReason::LessonEnded).await,
        Err(SeatRefused::NotListed) => return bye(socket, CloseReason::TokenExpired).await,
        Err(SeatRefused::GuestsFull(_)) => return close(socket, close_code::AGAIN, "guests full").await,
    };
    let Joined { socket: name, seat_id, welcome, mut unread } = joined;
    if claims.kind != TokenKind::Guest {
        info!(lesson.id = %lesson_id, seat.id = %seat_id, "Seat {seat_id} has a page");
    }
    // The first check sets the real expiry.
    let mut may_until = UnixMs(0);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut messages = RateLimit::new(app.clock.now().steady);
    let mut patience = Instant::now() + SILENT_AFTER;
    let ended = if say(&mut socket, text_of(&welcome)).await { None } else { Some(Ended::Gone) };
    let ended = match ended {
        Some(ended) => ended,
        None => loop {
            tokio::select! {
                said = unread.next() => match said {
                    Some(Outgoing::Text(text)) => if !say(&mut socket, text).await { break Ended::Gone },
                    Some(Outgoing::Last(text)) => { say(&mut socket, text).await; break Ended::Bye }
                    None => break Ended::Deaf,
                },
                changed = rights.changed() => {
                    // Some session, device or role has changed, possibly this seat's.
                    if changed.is_err() { break Ended::Sent }
                    let Some(until) = may_stay(&app, &headers, &caller, &claims).await else { break Ended::Sent };
                    may_until = until;
                }
                _ = looks.tick() => {
                    if app.clock.lasting().wall < may_until { continue }
                    // A role or the session has expired.
                    let Some(until) = may_stay(&app, &headers, &caller, &claims).await else { break Ended::Sent };
                    may_until = until;
                }
                heard = timeout_at(patience, socket.recv()) => {
                    let Ok(Some(Ok(message))) = heard else { break Ended::Gone };
                    patience = Instant::now() + SILENT_AFTER;
                    if messages.take(app.clock.now().steady, MESSAGES_PER_SECOND_MAX, SECOND).is_err() { break Ended::TooFast }
                    match message {
                        Message::Text(text) => match serde_json::from_str(text.as_str()) {
                            Ok(FromPage::Ping { sent_ms }) => {
                                stay_signed_in(&app, &headers, &caller, &claims).await;
                                let pong = ToPage::Pong { sent_ms, now_ms: app.clock.wall() };
                                if !say(&mut socket, text_of(&pong)).await { break Ended::Gone }
                            }
                            Ok(FromPage::Report(report)) => app.registry.report(lesson_id, seat_id, report),
                            // Only the teacher may mark during the lesson; others do so in the replay.
                            Ok(FromPage::Mark {}) if claims.kind == TokenKind::Publish => {
                                let marked = ToPage::Marked { at_ms: mark(&app, &caller, lesson_id).await };
                                if !say(&mut socket, text_of(&marked)).await { break Ended::Gone }
                            }
                            // A second hello, a mark from another seat, or an unknown message.
                            Ok(FromPage::Hello { .. } | FromPage::Mark {}) | Err(_) => break Ended::Unreadable,
                        },
                        Message::Binary(_) => break Ended::Unreadable,
                        Message::Close(_) => break Ended::Gone,
                        Message::Ping(_) | Message::Pong(_) => {}
                    }
                }
            }
        },
    };
    app.registry.leave(lesson_id, seat_id, name);
    match ended {
        Ended::Gone => {}
        Ended::Bye => close(socket, close_code::NORMAL, "bye").await,
        Ended::Sent => {
            app.registry.close_seat(lesson_id, seat_id);
            bye(socket, CloseReason::TokenExpired).await;
        }
        Ended::Deaf => close(socket, close_code::POLICY, "not reading").await,
        Ended::TooFast => close(socket, close_code::POLICY, "too many messages").await,
        Ended::Unreadable => close(socket, close_code::POLICY, "unreadable").await,
    }
}

/// Marks the current moment of a live lesson; returns lesson time. `None`: not live, mark limit reached, or not stored.
async fn mark(app: &LessonApp, caller: &Caller, lesson_id: LessonId) -> Option<i64> {
    let lesson = app.registry.lesson(lesson_id).filter(|lesson| lesson.state == LessonState::Live)?;
    let (recording_id, now) = (lesson.recording?.recording_id, app.clock.wall());
    let at_ms = (now.0 - lesson.live_at?.0).max(0);
    let person_id = lesson.teacher.person_id;
    let row = AuditRow::done(now, format!("person:{person_id}"), "mark_recording", format!("recording:{recording_id}"));
    let row = row.from(caller.ip().to_string()).at_place(lesson.place()).saying(format!("at_ms={at_ms}"));
    let mark = Mark { mark_id: MarkId::fresh(), at_ms, title: String::new(), version: 1 };
    match app.store.add_mark(&system_scope::bearer_of_a_token(), recording_id, person_id, mark, &row).await {
        Ok(Marked::Done(_)) => Some(at_ms),
        Ok(Marked::Full) => None,
        Err(error) => {
            warn!(lesson.id = %lesson_id, error = chain(&error), "A mark of lesson {lesson_id} could not be kept");
            None
        }
    }
}

/// Renews the session, so that a teacher is not signed out for inactivity. Writes at most once a minute.
async fn stay_signed_in(app: &LessonApp, headers: &HeaderMap, caller: &Caller, claims: &Claims) {
    if claims.session.is_none() || claims.classroom_id.is_some() {
        return;
    }
    let Some(cookie) = cookie(headers, cookie_name(caller.tls)) else { return };
    let now = app.clock.lasting().wall;
    if let Ok(Some(session)) = app.store.session(&sha256_hex(&cookie), now).await {
        let _ = app.store.touch_session(&session, now).await;
    }
}

/// When the holder of this seat must be checked again: the first expiry among their roles and session. `None`: they may
/// not stay.
async fn may_stay(app: &LessonApp, headers: &HeaderMap, caller: &Caller, claims: &Claims) -> Option<UnixMs> {
    if claims.session.is_none() {
        return Some(UnixMs(i64::MAX));
    }
    let cookie = cookie(headers, cookie_name(caller.tls))?;
    let now = app.clock.lasting().wall;
    let session = match app.store.session(&sha256_hex(&cookie), now).await {
        Ok(Some(session)) => session,
        Ok(None) => return None,
        Err(_) => return Some(now), // Lessons continue while the store fails.
    };
    let act = match claims.kind {
        TokenKind::Publish => Permission::Teach,
        TokenKind::Receive => Permission::Attend,
        TokenKind::Observe | TokenKind::Guest => Permission::Watch,
    };
    let lesson = app.registry.lesson(claims.lesson_id)?;
    may(&session.asker, act, Place::Lesson(&lesson), now).ok()?;
    let ends = session.asker.roles(now).filter_map(|grant| grant.until);
    Some(ends.fold(session.expires_at, UnixMs::min))
}

enum Ended {
    /// The holder may no longer stay.
    Sent,
    /// The connection or the page is gone.
    Gone,
    /// The server has sent its last message.
    Bye,
    /// The page does not read its messages.
    Deaf,
    /// The page exceeds [`MESSAGES_PER_SECOND_MAX`].
    TooFast,
    /// The page sent an invalid message.
    Unreadable,
}

async fn hello(socket: &mut WebSocket) -> Option<(String, Option<school::base::id::SeatId>)> {
    let Ok(Some(Ok(Message::Text(text)))) = timeout(HELLO_WITHIN, socket.recv()).await else { return None };
    match serde_json::from_str(text.as_str()) {
        Ok(FromPage::Hello { token, seat_id }) => Some((token, seat_id)),
        _ => None,
    }
}

/// Sends a message. `false`: the connection is lost.
async fn say(socket: &mut WebSocket, text: Arc<str>) -> bool {
    let message = Message::Text(Utf8Bytes::from(&*text));
    matches!(timeout(SEND_WITHIN, socket.send(message)).await, Ok(Ok(())))
}

async fn bye(mut socket: WebSocket, reason: CloseReason) {
    if say(&mut socket, text_of(&ToPage::Bye { reason })).await {
        close(socket, close_code::NORMAL, "bye").await;
    }
}

async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    let _ = timeout(SEND_WITHIN, socket.send(Message::Close(Some(frame)))).await;
}
