//! The caller's own account: password, second factor, sessions, and the assistant of a classroom session.

pub mod app;
pub mod identity;
pub mod person;
pub mod problem;
pub mod set_up;
pub mod sign_in;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::{
        account::{
            app::AccountApp,
            identity::{AnySession, Identity},
            problem::{AccountProblem, AccountReason},
            sign_in::{MyAssistant, stage_of},
        },
        web::{
            extract::{JsonBody, Nothing, PathId},
            list::Listed,
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    secret,
    store::account::person::StoredSession,
};
use school::{
    account::{
        password::{self, WeakPassword},
        session::Stage,
        totp,
    },
    base::id::{PersonId, SessionId},
};

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The current password. Not needed in a session from a set-up link.
    current: Option<String>,
    #[schema(min_length = 10, max_length = 1024)]
    new: String,
}

/// Progress of setting up an account.
#[derive(Serialize, ToSchema)]
pub struct SetUp {
    /// `true`: set-up is complete; sign in with the new credentials.
    complete: bool,
}

/// The secret of a new second factor, for the authenticator app. It is shown once.
#[derive(Serialize, ToSchema)]
pub struct ShownSecret {
    /// Base32, for manual entry.
    secret: String,
    /// For a QR code.
    otpauth_url: String,
}

/// A code from the authenticator app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    #[schema(min_length = 6, max_length = 8)]
    code: String,
}

/// The assistant who is present in the classroom.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assistant {
    /// `null`: there is none.
    person_id: Option<PersonId>,
}

fn weak(why: WeakPassword) -> ApiError {
    invalid("new", &why)
}

/// Set the caller's password; ends all their other sessions
#[utoipa::path(put, path = "/me/password", tag = "me", request_body = NewPassword,
    responses((status = 200, body = SetUp), Problems))]
pub async fn set_password(
    State(app): State<AccountApp>,
    AnySession(identity): AnySession,
    JsonBody(ask): JsonBody<NewPassword>,
) -> Result<Json<SetUp>, ApiError> {
    let person_id = identity.person()?;
    let credentials = app.store.credentials(person_id).await?.ok_or(AccountProblem::SignedOut)?;
    let name = credentials.sign_in_name.clone().unwrap_or_default();
    password::check(&ask.new, &name).map_err(weak)?;
    if identity.session.stage == Stage::Full {
        let now = app.clock.now();
        app.attempts.check(identity.caller.ip(), now)?;
        let current = ask.current.filter(|current| current.len() <= password::BYTES_MAX).unwrap_or_default();
        let hashes = credentials.password.iter().map(|(hash, _)| hash.clone()).collect();
        if !app.secrets.is_one_of(&current, hashes).await? {
            app.attempts.failed(identity.caller.ip(), now);
            app.refusals.keep(identity.row(&app.clock, "set_password", format!("person:{person_id}")).refused());
            return Err(AccountProblem::sign_in_refused().into());
        }
    }
    let before = app.store.last_passwords(person_id).await?;
    if !before.is_empty() && app.secrets.is_one_of(&ask.new, before).await? {
        return Err(weak(WeakPassword::UsedBefore { last: password::HISTORY }));
    }
    let hash = app.secrets.hash(&ask.new).await?;
    let row = identity.row(&app.clock, "set_password", format!("person:{person_id}"));
    app.store.set_password(person_id, &hash, Some(identity.session.session_id), &row).await?;
    app.rights.changed();
    finish(&app, &identity, person_id).await
}

/// Start binding a second factor
#[utoipa::path(post, path = "/me/second-factor", tag = "me", request_body = Nothing,
    responses((status = 200, body = ShownSecret), Problems))]
pub async fn begin_second_factor(
    State(app): State<AccountApp>,
    AnySession(identity): AnySession,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<ShownSecret>, ApiError> {
    let person_id = identity.person()?;
    let credentials = app.store.credentials(person_id).await?.ok_or(AccountProblem::SignedOut)?;
    let bytes = secret::random::<{ totp::SECRET_BYTES }>();
    let row = identity.row(&app.clock, "begin_second_factor", format!("person:{person_id}"));
    if !app.store.begin_second_factor(person_id, &app.secrets.seal(&bytes), &row).await? {
        return Err(CommonProblem::AlreadyThere.into());
    }
    let (secret, name) = (totp::base32(&bytes), credentials.sign_in_name.unwrap_or_else(|| person_id.to_string()));
    let otpauth_url = format!("otpauth://totp/Tongke:{name}?secret={secret}&issuer=Tongke&digits=6&period=30");
    Ok(Json(ShownSecret { secret, otpauth_url }))
}

/// Confirm the second factor with a code
#[utoipa::path(put, path = "/me/second-factor", tag = "me", request_body = Code,
    responses((status = 200, body = SetUp), Problems))]
pub async fn confirm_second_factor(
    State(app): State<AccountApp>,
    AnySession(identity): AnySession,
    JsonBody(ask): JsonBody<Code>,
) -> Result<Json<SetUp>, ApiError> {
    let person_id = identity.person()?;
    let now = app.clock.now();
    app.attempts.check(identity.caller.ip(), now)?;
    let credentials = app.store.credentials(person_id).await?.ok_or(AccountProblem::SignedOut)?;
    let factor = credentials.second_factor.filter(|factor| !factor.confirmed).ok_or(CommonProblem::NotFound)?;
    let secret = app.secrets.open_sealed(&factor.sealed_secret).ok_or(CommonProblem::NotFound)?;
    let used = match totp::step_of(&secret, &ask.code, now.wall, factor.last_step) {
        Some(step) => app.store.use_code(person_id, step, Some(now.wall)).await?,
        None => false,
    };
    if !used {
        app.attempts.failed(identity.caller.ip(), now);
        return Err(invalid("code", &AccountReason::WrongCode));
    }
    app.store.audit(&identity.row(&app.clock, "bind_second_factor", format!("person:{person_id}"))).await?;
    finish(&app, &identity, person_id).await
}

/// Ends a set-up session once set-up is complete: the person then signs in with the new credentials.
async fn finish(app: &AccountApp, identity: &Identity, person_id: PersonId) -> Result<Json<SetUp>, ApiError> {
    let credentials = app.store.credentials(person_id).await?.ok_or(AccountProblem::SignedOut)?;
    let complete = stage_of(app, &credentials, app.clock.lasting().wall).await? == Stage::Full;
    if complete && identity.session.stage == Stage::SetUp {
        let row = identity.row(&app.clock, "finish_set_up", format!("person:{person_id}"));
        app.store.delete_session(&identity.session_sha256, &row).await?;
    }
    Ok(Json(SetUp { complete }))
}

/// List the caller's sessions
#[utoipa::path(get, path = "/me/sessions", tag = "me",
    responses((status = 200, body = Listed<StoredSession>), Problems))]
pub async fn list_own_sessions(
    State(app): State<AccountApp>,
    identity: Identity,
) -> Result<Json<Listed<StoredSession>>, ApiError> {
    let items = app.store.own_sessions(identity.person()?, identity.now).await?;
    Ok(Json(Listed { items, next: None }))
}

/// End one of the caller's sessions
#[utoipa::path(delete, path = "/me/sessions/{session_id}", tag = "me", params(("session_id" = SessionId, Path)),
    responses((status = 204), Problems))]
pub async fn end_own_session(
    State(app): State<AccountApp>,
    identity: Identity,
    PathId(id): PathId<SessionId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<StatusCode, ApiError> {
    let row = identity.row(&app.clock, "end_session", format!("session:{id}"));
    if !app.store.end_session(Ok(identity.person()?), id, &row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    app.rights.changed();
    Ok(StatusCode::NO_CONTENT)
}

/// List the assistants of this classroom
#[utoipa::path(get, path = "/me/assistants", tag = "me",
    responses((status = 200, body = Listed<MyAssistant>), Problems))]
pub async fn list_assistants(
    State(app): State<AccountApp>,
    identity: Identity,
) -> Result<Json<Listed<MyAssistant>>, ApiError> {
    let classroom_id = identity.session.asker.classroom_id().ok_or(CommonProblem::NotAllowed)?;
    let found = app.store.assistants_of(classroom_id, identity.now).await?;
    let items = found.into_iter().map(|(person_id, name)| MyAssistant { person_id, name }).collect();
    Ok(Json(Listed { items, next: None }))
}

/// Set the assistant who is present in this classroom; audit rows then name the device and the assistant
#[utoipa::path(put, path = "/me/assistant", tag = "me", request_body = Assistant,
    responses((status = 204), Problems))]
pub async fn name_assistant(
    State(app): State<AccountApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<Assistant>,
) -> Result<StatusCode, ApiError> {
    let classroom_id = identity.session.asker.classroom_id().ok_or(CommonProblem::NotAllowed)?;
    let mut row = identity.row(&app.clock, "name_assistant", format!("classroom:{classroom_id}"));
    if let Some(person_id) = ask.person_id {
        let known = app.store.assistants_of(classroom_id, identity.now).await?;
        if !known.iter().any(|(id, _)| *id == person_id) {
            return Err(CommonProblem::NotFound.into());
        }
        row.beside = format!("person:{person_id}");
    }
    app.store.name_assistant(identity.session.session_id, ask.person_id, &row).await?;
    Ok(StatusCode::NO_CONTENT)
}
