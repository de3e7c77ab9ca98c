//! Who asks: the cookie of a signed-in person or an enrolled device.

use std::fmt::Write;

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{ask::Caller, problem::ApiError};
use crate::{
    app::App,
    domain::{
        lesson::Lesson,
        organisation::Holder,
        permission::{Action, may},
    },
    live::token::TokenError,
    store::{AuditRow, Outcome, Session},
};

/// Who asks, and from where.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The session behind the cookie.
    pub session: Session,
    /// SHA-256 of the cookie.
    pub session_sha256: String,
    /// Where the request came from.
    pub caller: Caller,
}

impl Identity {
    /// Refuses with 404 what the asker may not do: whether the lesson exists is not theirs to know.
    ///
    /// # Errors
    /// [`ApiError::NotFound`].
    pub fn may(&self, action: Action, lesson: &Lesson) -> Result<(), ApiError> {
        if may(&self.session.asker, action, lesson) { Ok(()) } else { Err(ApiError::NotFound) }
    }

    /// `person:<id>` or `classroom:<id>`, as the audit writes it.
    #[must_use]
    pub fn actor(&self) -> String {
        actor(self.session.asker.holder)
    }

    /// A line for the audit.
    #[must_use]
    pub fn row(&self, app: &App, act: &'static str, object: String) -> AuditRow {
        AuditRow {
            at: app.clock.wall(),
            actor: self.actor(),
            act,
            object,
            outcome: Outcome::Done,
            address: self.caller.ip().to_string(),
        }
    }
}

/// Who a session or link speaks for, as the audit writes it.
#[must_use]
pub fn actor(holder: Holder) -> String {
    match holder {
        Holder::Person(id) => format!("person:{id}"),
        Holder::Classroom(id) => format!("classroom:{id}"),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Identity
where
    App: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let app = App::from_ref(state);
        let Ok(caller) = Caller::from_request_parts(parts, state).await;
        let cookie = cookie(&parts.headers, cookie_name(caller.tls)).ok_or(ApiError::SignedOut)?;
        let session_sha256 = sha256_hex(&cookie);
        let session = app.store.session(&session_sha256, app.clock.wall()).await?.ok_or(ApiError::SignedOut)?;
        Ok(Self { session, session_sha256, caller })
    }
}

/// The bearer token of WHIP and WHEP.
///
/// # Errors
/// [`TokenError::Missing`] where there is none.
pub fn bearer(headers: &HeaderMap) -> Result<&str, TokenError> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(TokenError::Missing)?;
    let (scheme, token) = value.split_once(' ').ok_or(TokenError::Missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(TokenError::Missing) }
}

/// On TLS the browser itself holds the cookie to this host, to `Secure` and to the whole path.
#[must_use]
pub fn cookie_name(tls: bool) -> &'static str {
    if tls { "__Host-tongke" } else { "tongke" }
}

/// 256 bits that nobody can guess, as text for URLs, headers and cookies.
#[must_use]
pub fn unguessable() -> String {
    let mut bytes = [0_u8; 32];
    // The system's generator does not fail once it was seeded; without it nothing here may go on.
    SystemRandom::new().fill(&mut bytes).expect("the system has a random generator");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the store keeps of a secret.
#[must_use]
pub fn sha256_hex(secret: &str) -> String {
    digest(&SHA256, secret.as_bytes()).as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.find_map(|value| {
        value.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
    })
}
