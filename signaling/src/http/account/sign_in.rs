//! Signing in, by a one-time link, by name and password, or by a device's key; and signing out.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;

use crate::{
    http::{
        account::{
            app::AccountApp,
            identity::{AnySession, actor},
            problem::AccountProblem,
        },
        web::{
            cookie::cookie_name,
            extract::{Caller, JsonBody, Nothing},
            problem::{ApiError, Problems, common::CommonProblem},
        },
    },
    secret::{sha256_hex, unguessable},
    store::{AuditRow, LinkPurpose, NewSession, Session, account::Credentials},
};
use school::{
    account::{
        password,
        session::{DEVICE_SESSION, PERSON_SESSION, SET_UP_SESSION, Stage},
        totp,
    },
    base::{
        id::{ClassroomId, DeviceId, OrganisationId, PersonId, SessionId},
        name,
        time::{Now, UnixMs},
    },
    organisation::{Grant, Holder, Part, Role},
};

/// Either `link`; or `sign_in_name` and `password`, with `code` where a second factor is bound; or `device_id`,
/// `challenge` and `signature`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    link: Option<String>,
    sign_in_name: Option<String>,
    password: Option<String>,
    /// Six digits from the authenticator app.
    code: Option<String>,
    device_id: Option<DeviceId>,
    /// From `POST /device-challenges`.
    challenge: Option<String>,
    /// Signature of `tongke-device-sign-in:` followed by the challenge, base64url.
    signature: Option<String>,
}

/// The caller's session.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Session`")]
pub struct Me {
    pub session_id: SessionId,
    pub person_id: Option<PersonId>,
    pub name: String,
    /// The role in lessons, which selects the page.
    pub role: Part,
    /// The roles that are valid now, each with its organisation.
    pub roles: Vec<MyRole>,
    /// `set_up`: a password or a second factor must be set first.
    pub stage: Stage,
    /// A second factor is bound.
    pub has_second_factor: bool,
    pub classroom: Option<MyClassroom>,
    pub device_id: Option<DeviceId>,
    /// The assistant teacher who is present in the classroom.
    pub assistant: Option<MyAssistant>,
    pub expires_at_ms: UnixMs,
}

/// A role that is valid now.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Grant`")]
pub struct MyRole {
    pub role: Role,
    pub organisation_id: OrganisationId,
    pub until_ms: Option<UnixMs>,
}

/// The classroom to which the device belongs.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Classroom`")]
pub struct MyClassroom {
    pub classroom_id: ClassroomId,
    pub name: String,
}

/// An assistant of the classroom.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Person`")]
pub struct MyAssistant {
    pub person_id: PersonId,
    pub name: String,
}

impl Me {
    /// The view of a session at `now`.
    #[must_use]
    pub fn of(session: Session, now: UnixMs) -> Self {
        let role =
            |grant: &Grant| MyRole { role: grant.role, organisation_id: grant.organisation_id, until_ms: grant.until };
        let classroom_id = session.asker.classroom_id();
        Self {
            session_id: session.session_id,
            person_id: session.asker.person_id(),
            role: session.asker.part(now),
            roles: session.asker.roles(now).map(role).collect(),
            stage: session.stage,
            has_second_factor: session.has_second_factor,
            classroom: classroom_id.map(|classroom_id| MyClassroom { classroom_id, name: session.name.clone() }),
            device_id: session.device_id,
            assistant: session.assistant.map(|(person_id, name)| MyAssistant { person_id, name }),
            name: session.name,
            expires_at_ms: session.expires_at,
        }
    }
}

/// A successful authentication: the holder, and the stage of the session to create.
struct Entered {
    holder: Holder,
    device_id: Option<DeviceId>,
    stage: Stage,
}

/// Sign in
#[utoipa::path(post, path = "/sign-in", tag = "sign-in", request_body = SignIn, security(()),
    responses((status = 200, body = Me), Problems))]
pub async fn sign_in(
    State(app): State<AccountApp>,
    caller: Caller,
    JsonBody(ask): JsonBody<SignIn>,
) -> Result<Response, ApiError> {
    let now = app.clock.lasting();
    app.attempts.check(caller.ip(), now)?;
    let entered = match ask {
        SignIn { link: Some(link), sign_in_name: None, password: None, code: None, device_id: None, .. } => {
            by_link(&app, &caller, &link, now).await?
        }
        SignIn { link: None, sign_in_name: Some(name), password: Some(password), code, device_id: None, .. } => {
            by_password(&app, &caller, &name, &password, code.as_deref(), now).await?
        }
        SignIn { link: None, password: None, device_id: Some(id), challenge: Some(c), signature: Some(s), .. } => {
            by_device(&app, &caller, id, &c, &s, now).await?
        }
        _ => {
            let why = "either `link`, or `sign_in_name` and `password`, or `device_id`, `challenge` and `signature`";
            return Err(CommonProblem::bad_request(why).into());
        }
    };
    needs_a_private_line(&app, &caller, &entered, now.wall).await?;
    enter(&app, &caller, entered, now).await
}

/// Refuses unencrypted connections to people whose roles need a second factor.
async fn needs_a_private_line(
    app: &AccountApp,
    caller: &Caller,
    entered: &Entered,
    now: UnixMs,
) -> Result<(), ApiError> {
    let Holder::Person(person_id) = entered.holder else { return Ok(()) };
    if caller.is_private() {
        return Ok(());
    }
    let grants = app.store.grants_of(person_id).await?;
    // Includes roles that start in the future.
    if !grants.iter().any(|grant| grant.role.needs_second_factor() && grant.until.is_none_or(|until| now < until)) {
        return Ok(());
    }
    let row = AuditRow::done(now, actor(entered.holder), "sign_in", "session").refused().saying("plain http");
    app.store.audit(&row.from(caller.ip().to_string())).await?;
    Err(AccountProblem::PlainHttp.into())
}

async fn enter(app: &AccountApp, caller: &Caller, entered: Entered, now: Now) -> Result<Response, ApiError> {
    let lifetime = match (entered.holder, entered.stage) {
        (Holder::Classroom(_), _) => DEVICE_SESSION,
        (Holder::Person(_), Stage::Full) => PERSON_SESSION,
        (Holder::Person(_), Stage::SetUp) => SET_UP_SESSION,
    };
    // Always a new cookie, against session fixation.
    let (cookie, expires_at) = (unguessable(), now.wall.plus(lifetime));
    let session_sha256 = sha256_hex(&cookie);
    let row = AuditRow::done(now.wall, actor(entered.holder), "sign_in", "session")
        .from(caller.ip().to_string())
        .saying(entered.stage.as_str());
    let new = NewSession {
        session_sha256: &session_sha256,
        holder: entered.holder,
        device_id: entered.device_id,
        stage: entered.stage,
        address: caller.ip().to_string(),
        expires_at,
    };
    app.store.insert_session(&new, &row).await?;
    let session = app.store.session(&session_sha256, now.wall).await?.ok_or(AccountProblem::SignedOut)?;
    info!(actor = row.actor, "Signed in {}", row.actor);
    Ok((set_cookie(caller.tls, &cookie, lifetime), Json(Me::of(session, now.wall))).into_response())
}

async fn by_link(app: &AccountApp, caller: &Caller, link: &str, now: Now) -> Result<Entered, ApiError> {
    let Some((holder, purpose)) = app.store.use_sign_in_link(&sha256_hex(link), now.wall).await? else {
        app.attempts.failed(caller.ip(), now);
        let row = AuditRow::done(now.wall, "guest", "sign_in", "link").refused().from(caller.ip().to_string());
        app.store.audit(&row).await?;
        return Err(AccountProblem::LinkRefused.into());
    };
    let stage = match purpose {
        LinkPurpose::SignIn => Stage::Full,
        LinkPurpose::SetUp => Stage::SetUp,
    };
    Ok(Entered { holder, device_id: None, stage })
}

async fn by_password(
    app: &AccountApp,
    caller: &Caller,
    typed_name: &str,
    typed: &str,
    code: Option<&str>,
    now: Now,
) -> Result<Entered, ApiError> {
    // An impossible name or password is refused like an unknown one, after the same work (timing).
    let name = name::sign_in_name(typed_name).unwrap_or_default();
    let fits = typed.len() <= password::BYTES_MAX && !name.is_empty();
    let locked = fits && app.store.is_locked(&name, now.wall).await?;
    let credentials = if fits { app.store.credentials_of_name(&name).await? } else { None };
    let hash = credentials.as_ref().and_then(|credentials| credentials.password.clone());
    let hashes = hash.iter().map(|(hash, _)| hash.clone()).collect();
    let right = app.secrets.is_one_of(if fits { typed } else { "" }, hashes).await?;
    let entered = match credentials {
        Some(credentials) if right && !locked && code_is_right(app, &credentials, code, now.wall).await? => credentials,
        _ => {
            app.attempts.failed(caller.ip(), now);
            let row = AuditRow::done(now.wall, "guest", "sign_in", format!("name:{name}"));
            let row = row.refused().from(caller.ip().to_string());
            if fits && !locked {
                app.store.sign_in_failed(&name, row).await?;
            } else {
                app.store.audit(&row.saying(if locked { "locked" } else { "" })).await?;
            }
            return Err(AccountProblem::sign_in_refused().into());
        }
    };
    let stage = stage_of(app, &entered, now.wall).await?;
    Ok(Entered { holder: Holder::Person(entered.person_id), device_id: None, stage })
}

/// Checks the code where a second factor is confirmed. Each code can be used once.
async fn code_is_right(
    app: &AccountApp,
    credentials: &Credentials,
    code: Option<&str>,
    now: UnixMs,
) -> Result<bool, ApiError> {
    let Some(factor) = credentials.second_factor.as_ref().filter(|factor| factor.confirmed) else { return Ok(true) };
    let Some(secret) = app.secrets.open_sealed(&factor.sealed_secret) else { return Ok(false) };
    let Some(step) = totp::step_of(&secret, code.unwrap_or_default(), now, factor.last_step) else { return Ok(false) };
    Ok(app.store.use_code(credentials.person_id, step, None).await?)
}

/// The stage of a session after a correct password: full, or set-up where the password or second factor is missing.
pub(crate) async fn stage_of(app: &AccountApp, credentials: &Credentials, now: UnixMs) -> Result<Stage, ApiError> {
    let expired = credentials.password.as_ref().is_none_or(|(_, set)| now >= set.plus(password::VALID));
    let bound = credentials.second_factor.as_ref().is_some_and(|factor| factor.confirmed);
    let grants = app.store.grants_of(credentials.person_id).await?;
    let needs = grants.iter().any(|grant| grant.role.needs_second_factor() && grant.holds(now));
    Ok(if expired || (needs && !bound) { Stage::SetUp } else { Stage::Full })
}

async fn by_device(
    app: &AccountApp,
    caller: &Caller,
    device_id: DeviceId,
    challenge: &str,
    signature: &str,
    now: Now,
) -> Result<Entered, ApiError> {
    let asked = app.challenges.take(challenge, device_id, now);
    if asked && let Some((classroom_id, algorithm, key)) = app.store.device_at_the_door(device_id).await? {
        let message = format!("tongke-device-sign-in:{challenge}");
        if crate::http::organisation::device::is_signed(algorithm, &key, message.as_bytes(), signature) {
            let holder = Holder::Classroom(classroom_id);
            return Ok(Entered { holder, device_id: Some(device_id), stage: Stage::Full });
        }
    }
    app.attempts.failed(caller.ip(), now);
    let row = AuditRow::done(now.wall, "guest", "sign_in", format!("device:{device_id}"));
    app.store.audit(&row.refused().from(caller.ip().to_string())).await?;
    Err(AccountProblem::sign_in_refused().into())
}

/// Show the caller's session
#[utoipa::path(get, path = "/me", tag = "me", responses((status = 200, body = Me), Problems))]
pub async fn me(AnySession(identity): AnySession) -> Json<Me> {
    Json(Me::of(identity.session, identity.now))
}

/// Sign out
#[utoipa::path(post, path = "/sign-out", tag = "sign-in", request_body = Nothing,
    responses((status = 204), Problems))]
pub async fn sign_out(
    State(app): State<AccountApp>,
    AnySession(identity): AnySession,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    let row = identity.row(&app.clock, "sign_out", "session".into());
    app.store.delete_session(&identity.session_sha256, &row).await?;
    app.rights.changed();
    Ok((StatusCode::NO_CONTENT, set_cookie(identity.caller.tls, "", Duration::ZERO)).into_response())
}

/// The `Set-Cookie` header of a session. An empty value with lifetime 0 deletes the cookie.
pub(crate) fn set_cookie(tls: bool, value: &str, lifetime: Duration) -> HeaderMap {
    let secure = if tls { "; Secure" } else { "" };
    let text =
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}", cookie_name(tls), lifetime.as_secs());
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(header::SET_COOKIE, value);
    }
    headers
}
