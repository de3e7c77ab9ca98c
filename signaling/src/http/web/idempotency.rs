//! Idempotency: a create repeated with the same `Idempotency-Key` gets the first response again.

use std::{sync::Arc, time::Duration};

use super::{
    extract::{Caller, JSON_BYTES_MAX, read_body},
    problem::{ApiError, common::CommonProblem},
};
use crate::{
    clock::Clock,
    http::web::cookie::{cookie, cookie_name},
    secret::sha256_hex,
    state::key_locks::KeyLocks,
    store::{Store, db::idempotency::Answered},
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// State of the idempotency middleware.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// Stores the responses.
    pub store: Store,
    /// One lock per key, held while its request is processed.
    pub locks: Arc<KeyLocks>,
    /// The clock.
    pub clock: Clock,
}

/// How long a key and its response are stored.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Maximum length of a key, in bytes. The web client sends a UUID.
const KEY_BYTES_MAX: usize = 100;

/// Replays the first response to a repeated create. Responses that hold a secret have no `Location` and are not stored.
/// Imports are exempt: importing a table twice changes nothing, and its body exceeds the limit of this buffer.
pub async fn repeat(State(state): State<Idempotency>, caller: Caller, request: Request, next: Next) -> Response {
    let key = request.headers().get("idempotency-key").cloned();
    let creates = *request.method() == Method::POST && !request.uri().path().starts_with("/imports/");
    let Some(key) = key.filter(|_| creates) else { return next.run(request).await };
    match answer(&state, &caller, &key, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn answer(
    state: &Idempotency,
    caller: &Caller,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_BYTES_MAX);
    let why = || format!("an Idempotency-Key has 1 to {KEY_BYTES_MAX} bytes");
    let key = key.ok_or_else(|| CommonProblem::bad_request(why()))?.to_owned();
    // Keys are scoped to one session: without a session cookie there is nothing to replay.
    let Some(cookie) = cookie(request.headers(), cookie_name(caller.tls)) else { return Ok(next.run(request).await) };
    let holder = sha256_hex(&cookie);
    let (parts, body) = request.into_parts();
    let bytes = read_body(body, JSON_BYTES_MAX).await?;
    let mut asked = format!("{} {}\n", parts.method, parts.uri).into_bytes();
    asked.extend_from_slice(&bytes);
    let request_sha256 = sha256_hex(&asked);
    let lock = state.locks.keys.entry((holder.clone(), key.clone())).or_default().clone();
    let turn = lock.lock().await;
    let done = once(state, (&holder, &key), &request_sha256, Request::from_parts(parts, Body::from(bytes)), next).await;
    drop(turn);
    state.locks.keys.remove_if(&(holder, key), |_, lock| Arc::strong_count(lock) <= 2);
    done
}

async fn once(
    state: &Idempotency,
    (holder, key): (&str, &str),
    request_sha256: &str,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let now = state.clock.wall();
    if let Some(before) = state.store.answered(holder, key, now.minus(KEPT)).await? {
        if before.request_sha256 != request_sha256 {
            return Err(CommonProblem::KeyReused.into());
        }
        let status = u16::try_from(before.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(location) = HeaderValue::try_from(before.location) {
            headers.insert(header::LOCATION, location);
        }
        return Ok((status.unwrap_or(StatusCode::OK), headers, before.answer).into_response());
    }
    let response = next.run(request).await;
    if response.status() != StatusCode::CREATED || !response.headers().contains_key(header::LOCATION) {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = read_body(body, JSON_BYTES_MAX).await?;
    let location = parts.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let answered = Answered {
        request_sha256: request_sha256.into(),
        status: i64::from(parts.status.as_u16()),
        location: location.into(),
        answer: String::from_utf8_lossy(&bytes).into_owned(),
    };
    state.store.save_answer(holder, key, &answered, now, now.minus(KEPT)).await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}
