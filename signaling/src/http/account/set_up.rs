//! The first start: there is no default password. A secret shown on the console allows creating the root organisation
//! and the three administrators, who are three people.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::Duration;
use utoipa::ToSchema;

use crate::{
    http::{
        account::{
            app::AccountApp,
            problem::{AccountProblem, AccountReason},
        },
        web::{
            extract::{Caller, JsonBody, named},
            problem::{ApiError, Problems, invalid},
        },
    },
    secret::{sha256_hex, unguessable},
    store::{AuditRow, Seed},
};
use school::{
    account::system_scope,
    base::{
        id::{OrganisationId, PersonId},
        name,
    },
    organisation::{Organisation, OrganisationKind, Person, Role, code},
};

/// How long a set-up link is valid; it is handed over in person or by the school's own mail.
pub const SET_UP_LINK_VALID: Duration = Duration::from_secs(72 * 3600);

/// The root organisation and administrators of a new hub.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHub {
    /// The secret shown on the console.
    secret: String,
    organisation: Top,
    system_administrator: Administrator,
    security_administrator: Administrator,
    audit_administrator: Administrator,
}

/// The root organisation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Top {
    kind: OrganisationKind,
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    /// 行政区划代码
    code: Option<String>,
}

/// One of the three administrators.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Administrator {
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    sign_in_name: String,
}

/// Whether the hub needs to be set up.
#[derive(Serialize, ToSchema)]
pub struct SetUpState {
    needed: bool,
}

/// The set-up links of the three administrators. They are shown once, and each can be used once.
#[derive(Serialize, ToSchema)]
pub struct SetUpLinks {
    organisation_id: OrganisationId,
    system_administrator: String,
    security_administrator: String,
    audit_administrator: String,
}

/// Show whether the hub needs to be set up
#[utoipa::path(get, path = "/set-up", tag = "sign-in", security(()),
    responses((status = 200, body = SetUpState), Problems))]
pub async fn show_set_up(State(app): State<AccountApp>) -> Result<Json<SetUpState>, ApiError> {
    Ok(Json(SetUpState { needed: app.store.is_empty().await? }))
}

/// Set up the hub; returns a one-time link for each administrator
#[utoipa::path(post, path = "/set-up", tag = "sign-in", request_body = NewHub, security(()),
    responses((status = 201, body = SetUpLinks), Problems))]
pub async fn set_up(
    State(app): State<AccountApp>,
    caller: Caller,
    JsonBody(ask): JsonBody<NewHub>,
) -> Result<(StatusCode, Json<SetUpLinks>), ApiError> {
    let now = app.clock.lasting();
    app.attempts.check(caller.ip(), now)?;
    if !caller.is_private() {
        return Err(AccountProblem::PlainHttp.into());
    }
    if !app.first_start.is(&ask.secret, now.wall) {
        app.attempts.failed(caller.ip(), now);
        let row = AuditRow::done(now.wall, "guest", "set_up", "hub").refused().from(caller.ip().to_string());
        app.refusals.keep(row);
        return Err(AccountProblem::LinkRefused.into());
    }
    if !app.store.is_empty().await? {
        return Err(AccountProblem::AlreadySetUp.into());
    }
    let kind = ask.organisation.kind;
    if !kind.may_stand_below(None) {
        return Err(invalid("organisation.kind", &AccountReason::NotATopKind));
    }
    if let Some(code) = &ask.organisation.code {
        code::check(kind, code, None).map_err(|why| invalid("organisation.code", &why))?;
    }
    let top = Organisation {
        organisation_id: OrganisationId::fresh(),
        parent_id: None,
        kind,
        name: named("organisation.name", &ask.organisation.name)?,
        code: ask.organisation.code,
    };
    let organisation_id = top.organisation_id;
    let mut seed = Seed { organisations: vec![top], ..Seed::default() };
    let three = [
        (ask.system_administrator, Role::SystemAdministrator),
        (ask.security_administrator, Role::SecurityAdministrator),
        (ask.audit_administrator, Role::AuditAdministrator),
    ];
    for (administrator, role) in three {
        let why = |why: name::BadSignInName| invalid("sign_in_name", &why);
        let person = Person {
            person_id: PersonId::fresh(),
            organisation_id,
            name: named("name", &administrator.name)?,
            sign_in_name: Some(name::sign_in_name(&administrator.sign_in_name).map_err(why)?),
        };
        seed.people.push((person, Some(role)));
    }
    let secrets = [unguessable(), unguessable(), unguessable()];
    let links = secrets.each_ref().map(sha256_hex);
    let until = now.wall.plus(SET_UP_LINK_VALID);
    let row = AuditRow::done(now.wall, "guest", "set_up", "hub").from(caller.ip().to_string());
    if !app.store.found(&system_scope::first_start(), &seed, &links, until, &row).await? {
        return Err(AccountProblem::AlreadySetUp.into());
    }
    app.first_start.forget();
    let [system_administrator, security_administrator, audit_administrator] =
        secrets.map(|secret| format!("/enter#{secret}"));
    let links = SetUpLinks { organisation_id, system_administrator, security_administrator, audit_administrator };
    Ok((StatusCode::CREATED, Json(links)))
}
