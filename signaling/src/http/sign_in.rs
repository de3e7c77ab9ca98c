//! Signing in by a one-time link, and out again.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::{
    ask::{Asked, Caller, Nothing},
    identity::{Identity, actor, cookie_name, sha256_hex, unguessable},
    problem::ApiError,
};
use crate::{
    app::App,
    domain::{
        id::{ClassroomId, PersonId},
        organisation::{Holder, Part},
        session::{DEVICE_SESSION, PERSON_SESSION, Stage},
        time::{Now, UnixMs},
    },
    store::{AuditRow, NewSession, Session},
};

/// What a page sends to sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    link: String,
}

/// Who is signed in.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of `Session`")]
pub struct Me {
    pub person_id: Option<PersonId>,
    pub name: String,
    pub role: Part,
    pub classroom: Option<MyClassroom>,
    pub expires_at_ms: UnixMs,
}

/// The classroom whose device this is.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of `Classroom`")]
pub struct MyClassroom {
    pub classroom_id: ClassroomId,
    pub name: String,
}

impl Me {
    fn of(session: Session, now: UnixMs) -> Self {
        Self {
            person_id: session.asker.person_id(),
            role: session.asker.part(now),
            classroom: session
                .asker
                .classroom_id()
                .map(|classroom_id| MyClassroom { classroom_id, name: session.name.clone() }),
            name: session.name,
            expires_at_ms: session.expires_at,
        }
    }
}

/// `POST /api/v1/sign-in`
pub async fn sign_in(State(app): State<App>, caller: Caller, Asked(ask): Asked<SignIn>) -> Result<Response, ApiError> {
    let now = app.clock.now();
    app.attempts.check(caller.ip(), now)?;
    let address = caller.ip().to_string();
    let used = app.store.use_sign_in_link(&sha256_hex(&ask.link), now.wall).await?;
    let Some((holder, _)) = used else {
        app.attempts.failed(caller.ip(), now);
        let row = AuditRow::done(now.wall, "guest", "sign_in", "link").refused().from(address);
        app.store.audit(&row).await?;
        return Err(ApiError::LinkRefused);
    };
    let lifetime = match holder {
        Holder::Person(_) => PERSON_SESSION,
        Holder::Classroom(_) => DEVICE_SESSION,
    };
    let (cookie, expires_at) = (unguessable(), now.wall.plus(lifetime));
    let session_sha256 = sha256_hex(&cookie);
    let row = AuditRow::done(now.wall, actor(holder), "sign_in", "session").from(address.as_str());
    let new = NewSession {
        session_sha256: &session_sha256,
        holder,
        device_id: None,
        stage: Stage::Full,
        address,
        expires_at,
    };
    app.store.insert_session(&new, &row).await?;
    let session = app.store.session(&session_sha256, now.wall).await?.ok_or(ApiError::SignedOut)?;
    info!(actor = row.actor, "Signed in {}", row.actor);
    Ok((set_cookie(caller.tls, &cookie, lifetime), Json(Me::of(session, now.wall))).into_response())
}

/// `GET /api/v1/me`
pub async fn me(identity: Identity) -> Json<Me> {
    Json(Me::of(identity.session, identity.now))
}

/// `POST /api/v1/sign-out`
pub async fn sign_out(
    State(app): State<App>,
    identity: Identity,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, ApiError> {
    let row = identity.row(&app, "sign_out", "session".into());
    app.store.delete_session(&identity.session_sha256, &row).await?;
    Ok((StatusCode::NO_CONTENT, set_cookie(identity.caller.tls, "", Duration::ZERO)).into_response())
}

fn set_cookie(tls: bool, value: &str, lifetime: Duration) -> HeaderMap {
    let secure = if tls { "; Secure" } else { "" };
    let text =
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}", cookie_name(tls), lifetime.as_secs());
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(header::SET_COOKIE, value);
    }
    headers
}

/// Failed attempts to sign in, by network address.
///
/// Only failures count: at the bell a whole school signs in from one address, and a link cannot be guessed anyway.
#[derive(Debug, Default)]
pub struct Attempts {
    by_address: DashMap<IpAddr, (Instant, u32)>,
}

const FAILURES_PER_MINUTE: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// Addresses remembered at once. Beyond it the old ones are forgotten early, which costs a guesser's minute at most.
const ADDRESSES_MAX: usize = 10_000;

impl Attempts {
    fn check(&self, address: IpAddr, now: Now) -> Result<(), ApiError> {
        let Some(entry) = self.by_address.get(&address) else { return Ok(()) };
        let (since, failures) = *entry;
        let passed = now.steady.saturating_duration_since(since);
        if failures >= FAILURES_PER_MINUTE && passed < MINUTE {
            return Err(ApiError::TooManyRequests { retry_after: MINUTE - passed });
        }
        Ok(())
    }

    fn failed(&self, address: IpAddr, now: Now) {
        let is_fresh = |since: Instant| now.steady.saturating_duration_since(since) < MINUTE;
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.retain(|_, (since, _)| is_fresh(*since));
        }
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.clear();
        }
        let mut entry = self.by_address.entry(address).or_insert((now.steady, 0));
        *entry = if is_fresh(entry.0) { (entry.0, entry.1 + 1) } else { (now.steady, 1) };
    }
}
