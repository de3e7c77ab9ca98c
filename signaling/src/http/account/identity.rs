//! Authentication: the session cookie of a signed-in person or an enrolled device.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use tracing::warn;

use crate::{
    app::App,
    clock::Clock,
    error_chain::chain,
    http::{
        account::problem::AccountProblem,
        web::{
            cookie::{cookie, cookie_name},
            extract::Caller,
            problem::{ApiError, common::CommonProblem},
        },
    },
    live::token::{Claims, TokenError},
    secret::sha256_hex,
    store::{AuditRow, Session, Store},
};
use school::{
    account::{
        permission::{Permission, Place, Scope, may},
        session::Stage,
    },
    base::{id::PersonId, time::UnixMs},
    organisation::Holder,
};

/// The authenticated caller of a request.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The session behind the cookie.
    pub session: Session,
    /// SHA-256 of the cookie, in hex.
    pub session_sha256: String,
    /// The network address and connection of the request.
    pub caller: Caller,
    /// When the request was received.
    pub now: UnixMs,
}

impl Identity {
    /// The scope of a query for one object by its id. A caller who may do `act` nowhere gets `not-found`, so that the
    /// object's existence is not disclosed.
    ///
    /// # Errors
    /// [`CommonProblem::NotFound`] where the caller may do `act` nowhere.
    pub fn reach(&self, act: Permission) -> Result<Scope, ApiError> {
        may(&self.session.asker, act, Place::Wherever, self.now).map_err(|_| CommonProblem::NotFound.into())
    }

    /// The scope of a query that lists objects or creates one.
    ///
    /// # Errors
    /// [`CommonProblem::NotAllowed`] where the caller may do `act` nowhere.
    pub fn scope(&self, act: Permission) -> Result<Scope, ApiError> {
        may(&self.session.asker, act, Place::Wherever, self.now).map_err(|_| CommonProblem::NotAllowed.into())
    }

    /// The actor of audit rows: `person:<id>` or `classroom:<id>`.
    #[must_use]
    pub fn actor(&self) -> String {
        actor(self.session.asker.holder)
    }

    /// The signed-in person.
    ///
    /// # Errors
    /// [`CommonProblem::NotAllowed`] where the session belongs to a classroom's device.
    pub fn person(&self) -> Result<PersonId, ApiError> {
        self.session.asker.person_id().ok_or_else(|| CommonProblem::NotAllowed.into())
    }

    /// The assistant present in the classroom, for audit rows. Empty: none is set.
    fn beside(&self) -> String {
        self.session.assistant.as_ref().map(|(id, _)| format!("person:{id}")).unwrap_or_default()
    }

    /// An audit row for `act` on `object` by this caller.
    #[must_use]
    pub fn row(&self, clock: &Clock, act: &'static str, object: String) -> AuditRow {
        let mut row = AuditRow::done(clock.wall(), self.actor(), act, object).from(self.caller.ip().to_string());
        row.beside = self.beside();
        row
    }
}

/// The actor of audit rows for the holder of a session or link.
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
        let AnySession(identity) = AnySession::from_request_parts(parts, state).await?;
        if identity.session.stage == Stage::Full { Ok(identity) } else { Err(AccountProblem::SetUpNeeded.into()) }
    }
}

/// A session of any stage: the person may still have to set a password or a second factor.
#[derive(Clone, Debug)]
pub struct AnySession(pub Identity);

impl<S: Send + Sync> FromRequestParts<S> for AnySession
where
    App: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let app = App::from_ref(state);
        let Ok(caller) = Caller::from_request_parts(parts, state).await;
        let cookie = cookie(&parts.headers, cookie_name(caller.tls)).ok_or(AccountProblem::SignedOut)?;
        let session_sha256 = sha256_hex(&cookie);
        let now = app.clock.lasting().wall;
        let session = app.store.session(&session_sha256, now).await?.ok_or(AccountProblem::SignedOut)?;
        if session.asker.person_id().is_some()
            && let Err(error) = app.store.touch_session(&session, now).await
        {
            // The session is valid even so.
            warn!(error = chain(&error), "A session's use could not be noted");
        }
        let identity = Self::identity(session, session_sha256, caller, now);
        if let Some(Asking(asking)) = parts.extensions.get::<Asking>() {
            let _ = asking.set((identity.actor(), identity.beside()));
        }
        Ok(Self(identity))
    }
}

impl AnySession {
    fn identity(session: Session, session_sha256: String, caller: Caller, now: UnixMs) -> Identity {
        Identity { session, session_sha256, caller, now }
    }
}

/// Slot in a request's extensions for its actor and assistant, read for the audit row of a refusal.
#[derive(Clone, Debug, Default)]
pub struct Asking(pub Arc<OnceLock<(String, String)>>);

/// The bearer token of a WHIP or WHEP request.
///
/// # Errors
/// [`TokenError::Missing`] where there is none.
pub fn bearer(headers: &HeaderMap) -> Result<&str, TokenError> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(TokenError::Missing)?;
    let (scheme, token) = value.split_once(' ').ok_or(TokenError::Missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(TokenError::Missing) }
}

/// Checks that a token is used by its holder: the request carries the holder's session cookie, and it is still valid.
///
/// If the store fails, token signature and cookie suffice: lessons continue without the database.
///
/// # Errors
/// [`TokenError::OtherHolder`] where the session is missing, another one or ended, or its device is another one.
pub async fn held(
    store: &Store,
    clock: &Clock,
    headers: &HeaderMap,
    caller: &Caller,
    claims: &Claims,
) -> Result<(), TokenError> {
    let Some(expected) = &claims.session else { return Ok(()) };
    let cookie = cookie(headers, cookie_name(caller.tls)).ok_or(TokenError::OtherHolder)?;
    let session_sha256 = sha256_hex(&cookie);
    if sha256_hex(&session_sha256) != *expected {
        return Err(TokenError::OtherHolder);
    }
    match store.session(&session_sha256, clock.lasting().wall).await {
        Ok(Some(session)) if session.device_id == claims.device_id => Ok(()),
        Ok(_) => Err(TokenError::OtherHolder),
        Err(_) => Ok(()),
    }
}
