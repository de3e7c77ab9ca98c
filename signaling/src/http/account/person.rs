//! Administration of people, their roles and their sessions.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::set_up::SET_UP_LINK_VALID;
use crate::{
    http::{
        account::{app::AccountApp, identity::Identity, problem::AccountReason},
        web::{
            extract::{JsonBody, Nothing, PathId, QueryParams, maybe_null, named},
            list::{Listed, Listing, limit},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::{IfMatch, Tagged, edited},
        },
    },
    secret::{sha256_hex, unguessable},
    store::account::person::{PersonEdit, StoredGrant, StoredPerson, StoredSession},
};
use school::{
    account::permission::{Permission, Scope, may_give},
    base::{
        id::{GrantId, OrganisationId, PersonId, SessionId},
        name,
        time::UnixMs,
    },
    organisation::{Person, Role},
};

/// A person to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    organisation_id: OrganisationId,
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    /// The name used to sign in.
    sign_in_name: Option<String>,
}

/// An edit of a person. Missing fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonChange {
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    #[serde(default, deserialize_with = "maybe_null")]
    #[schema(value_type = Option<String>)]
    sign_in_name: Option<Option<String>>,
    /// `true`: the person leaves permanently.
    #[serde(default)]
    closed: bool,
}

/// A role to grant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    role: Role,
    organisation_id: OrganisationId,
    /// Start of the role. `null`: now.
    from_ms: Option<UnixMs>,
    /// End of the role, for example of a guest teacher. `null`: until it is revoked.
    until_ms: Option<UnixMs>,
}

/// A role that was granted.
#[derive(Serialize, ToSchema)]
pub struct GivenRole {
    role_grant_id: GrantId,
}

/// A one-time link for setting a password. It is shown once.
#[derive(Serialize, ToSchema)]
pub struct SetUpLink {
    /// The path, with the secret in the fragment, which is not sent to servers.
    link: String,
    expires_at_ms: UnixMs,
}

/// Pagination and filter of sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionListing {
    /// `next` of the previous page.
    after: Option<SessionId>,
    /// Maximum number of items, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only sessions of this person.
    person_id: Option<PersonId>,
}

fn typed_sign_in_name(typed: Option<String>) -> Result<Option<String>, ApiError> {
    let check = |typed: String| name::sign_in_name(&typed);
    typed.map(check).transpose().map_err(|why| invalid("sign_in_name", &why))
}

/// List the people that the caller may see, by id
#[utoipa::path(get, path = "/people", tag = "people", params(Listing), extensions(("x-act" = json!("see_people"))),
    responses((status = 200, body = Listed<StoredPerson>), Problems))]
pub async fn list_people(
    State(app): State<AccountApp>,
    identity: Identity,
    QueryParams(listing): QueryParams<Listing>,
) -> Result<Json<Listed<StoredPerson>>, ApiError> {
    let (scope, ask) = (identity.scope(Permission::SeePeople)?, listing.ask()?);
    let found = app.store.people(&scope, &ask).await?;
    Ok(Json(Listed::new(found, ask.limit, |stored| stored.person_id.to_string())))
}

/// Add a person
#[utoipa::path(post, path = "/people", tag = "people", request_body = NewPerson,
    extensions(("x-act" = json!("edit_people"))),
    responses((status = 201, body = StoredPerson), Problems))]
pub async fn add_person(
    State(app): State<AccountApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewPerson>,
) -> Result<Tagged<StoredPerson>, ApiError> {
    let scope = identity.scope(Permission::EditPeople)?;
    let person = Person {
        person_id: PersonId::fresh(),
        organisation_id: ask.organisation_id,
        name: named("name", &ask.name)?,
        sign_in_name: typed_sign_in_name(ask.sign_in_name)?,
    };
    let id = person.person_id;
    let row = identity.row(&app.clock, "add_person", format!("person:{id}"));
    let stored = app.store.add_person(&scope, &person, row).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::created(stored.version, stored, format!("/api/v1/people/{id}")))
}

/// Show a person
#[utoipa::path(get, path = "/people/{person_id}", tag = "people", params(("person_id" = PersonId, Path)),
    extensions(("x-act" = json!("see_people"))), responses((status = 200, body = StoredPerson), Problems))]
pub async fn show_person(
    State(app): State<AccountApp>,
    identity: Identity,
    PathId(id): PathId<PersonId>,
) -> Result<Tagged<StoredPerson>, ApiError> {
    let stored = app.store.person(&identity.reach(Permission::SeePeople)?, id).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::new(stored.version, stored))
}

/// Change a person's name or sign-in name, or close the person
#[utoipa::path(patch, path = "/people/{person_id}", tag = "people",
    params(("person_id" = PersonId, Path), ("if-match" = String, Header)),
    request_body = PersonChange, extensions(("x-act" = json!("edit_people"))),
    responses((status = 200, body = StoredPerson), Problems))]
pub async fn change_person(
    State(app): State<AccountApp>,
    identity: Identity,
    PathId(id): PathId<PersonId>,
    IfMatch(version): IfMatch,
    JsonBody(ask): JsonBody<PersonChange>,
) -> Result<Tagged<StoredPerson>, ApiError> {
    let scope = identity.reach(Permission::EditPeople)?;
    let name = ask.name.as_deref().map(|name| named("name", name)).transpose()?;
    let sign_in_name = ask.sign_in_name.map(typed_sign_in_name).transpose()?;
    let edit = PersonEdit { name, sign_in_name, close: ask.closed };
    stands_above(&app, &identity, &scope, id, Permission::EditPeople).await?;
    let row = identity.row(&app.clock, "change_person", format!("person:{id}")).saying(format!("{edit:?}"));
    let stored = edited(app.store.edit_person(&scope, id, version, &edit, row).await?)?;
    app.rights.changed();
    Ok(Tagged::new(stored.version, stored))
}

/// Unless the caller administers all people, only people whose roles are all classroom roles within `scope` may be
/// edited, so that nobody gains a permission through another person's account.
async fn stands_above(
    app: &AccountApp,
    identity: &Identity,
    scope: &Scope,
    id: PersonId,
    act: Permission,
) -> Result<(), ApiError> {
    let grants = app.store.grants(scope, id).await?.ok_or(CommonProblem::NotFound)?;
    let of_all = identity.session.asker.roles(identity.now).any(|grant| match act {
        Permission::EditSessions => grant.role == Role::SecurityAdministrator,
        _ => grant.role == Role::SystemAdministrator,
    });
    let theirs = |grant: &StoredGrant| grant.role.is_in_the_classroom() && scope.covers(&grant.path);
    if of_all || grants.iter().all(theirs) { Ok(()) } else { Err(CommonProblem::NotAllowed.into()) }
}

/// Make a one-time link for setting a new or forgotten password
#[utoipa::path(post, path = "/people/{person_id}/set-up-links", tag = "people",
    params(("person_id" = PersonId, Path)), request_body = Nothing,
    extensions(("x-act" = json!(["edit_sessions", "edit_people"]))),
    responses((status = 201, body = SetUpLink), Problems))]
pub async fn make_set_up_link(
    State(app): State<AccountApp>,
    identity: Identity,
    PathId(id): PathId<PersonId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<(StatusCode, Json<SetUpLink>), ApiError> {
    let scope = match identity.reach(Permission::EditSessions) {
        Ok(scope) => scope,
        Err(_) => {
            let scope = identity.reach(Permission::EditPeople)?;
            let grants = app.store.grants(&scope, id).await?.ok_or(CommonProblem::NotFound)?;
            // Applies to system administrators too: the link gives access to the account.
            if !grants.iter().all(|grant| grant.role.is_in_the_classroom() && scope.covers(&grant.path)) {
                return Err(CommonProblem::NotAllowed.into());
            }
            scope
        }
    };
    let (secret, expires_at_ms) = (unguessable(), identity.now.plus(SET_UP_LINK_VALID));
    let row = identity.row(&app.clock, "make_set_up_link", format!("person:{id}"));
    if !app.store.insert_set_up_link(&scope, id, &sha256_hex(&secret), expires_at_ms, row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    Ok((StatusCode::CREATED, Json(SetUpLink { link: format!("/enter#{secret}"), expires_at_ms })))
}

/// Delete a person's second factor, for example after a lost phone
#[utoipa::path(delete, path = "/people/{person_id}/second-factor", tag = "people",
    params(("person_id" = PersonId, Path)), extensions(("x-act" = json!("edit_sessions"))),
    responses((status = 204), Problems))]
pub async fn drop_second_factor(
    State(app): State<AccountApp>,
    identity: Identity,
    PathId(id): PathId<PersonId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<StatusCode, ApiError> {
    let scope = identity.reach(Permission::EditSessions)?;
    let row = identity.row(&app.clock, "drop_second_factor", format!("person:{id}"));
    if !app.store.drop_second_factor(&scope, id, row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    app.rights.changed();
    Ok(StatusCode::NO_CONTENT)
}

/// Lock a person and end all their sessions
#[utoipa::path(put, path = "/people/{person_id}/lock", tag = "people", params(("person_id" = PersonId, Path)),
    request_body = Nothing, extensions(("x-act" = json!("edit_sessions"))),
    responses((status = 200, body = StoredPerson), Problems))]
pub async fn lock_person(
    State(app): State<AccountApp>,
    identity: Identity,
    PathId(id): PathId<PersonId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Tagged<StoredPerson>, ApiError> {
    lock(&app, &identity, id, true).await
}

/// Unlock a person who was locked by an administrator or by too many wrong passwords
#[utoipa::path(delete, path = "/people/{person_id}/lock", tag = "people", params(("person_id" = PersonId, Path)),
    extensions(("x-act" = json!("edit_sessions"))), responses((status = 200, body = StoredPerson), Problems))]
pub async fn unlock_person(
    State(app): State<AccountApp>,
    identity: Identity,
    PathId(id): PathId<PersonId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Tagged<StoredPerson>, ApiError> {
    lock(&app, &identity, id, false).await
}

async fn lock(
    app: &AccountApp,
    identity: &Identity,
    id: PersonId,
    locked: bool,
) -> Result<Tagged<StoredPerson>, ApiError> {
    let scope = identity.reach(Permission::EditSessions)?;
    app.store.person(&scope, id).await?.ok_or(CommonProblem::NotFound)?;
    if identity.person()? == id {
        return Err(CommonProblem::NotAllowed.into()); // Nobody may lock or unlock themselves.
    }
    let row = identity.row(&app.clock, if locked { "lock_person" } else { "unlock_person" }, format!("person:{id}"));
    let stored = app.store.lock(&scope, id, locked, row).await?.ok_or(CommonProblem::NotFound)?;
    app.rights.changed();
    Ok(Tagged::new(stored.version, stored))
}

/// List a person's current, past and future roles
#[utoipa::path(get, path = "/people/{person_id}/roles", tag = "people", params(("person_id" = PersonId, Path)),
    extensions(("x-act" = json!("see_people"))), responses((status = 200, body = Listed<StoredGrant>), Problems))]
pub async fn list_roles(
    State(app): State<AccountApp>,
    identity: Identity,
    PathId(id): PathId<PersonId>,
) -> Result<Json<Listed<StoredGrant>>, ApiError> {
    let items = app.store.grants(&identity.reach(Permission::SeePeople)?, id).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Json(Listed { items, next: None }))
}

/// Grant a role at an organisation, from a start time to an end time
#[utoipa::path(post, path = "/people/{person_id}/roles", tag = "people", params(("person_id" = PersonId, Path)),
    request_body = NewGrant, extensions(("x-act" = json!("grant_roles"))),
    responses((status = 201, body = GivenRole), Problems))]
pub async fn give_role(
    State(app): State<AccountApp>,
    identity: Identity,
    PathId(id): PathId<PersonId>,
    JsonBody(ask): JsonBody<NewGrant>,
) -> Result<(StatusCode, Json<GivenRole>), ApiError> {
    let scope = identity.reach(Permission::GrantRoles)?;
    app.store.person(&scope, id).await?.ok_or(CommonProblem::NotFound)?;
    let place = app.store.organisation(&scope, ask.organisation_id).await?.ok_or(CommonProblem::NotFound)?;
    may_give_there(&identity, ask.role, &place.path)?;
    if identity.person()? == id {
        return Err(CommonProblem::NotAllowed.into()); // Nobody may grant themselves a role.
    }
    let from = ask.from_ms.unwrap_or(identity.now);
    if ask.until_ms.is_some_and(|until| until <= from) {
        return Err(invalid("until_ms", &AccountReason::NotAfterStart));
    }
    let row = identity.row(&app.clock, "give_role", format!("person:{id}")).saying(ask.role.as_str());
    let times = (from, ask.until_ms);
    let given = app.store.grant(&scope, id, (ask.role, ask.organisation_id), times, row).await?;
    app.rights.changed();
    Ok((StatusCode::CREATED, Json(GivenRole { role_grant_id: given.ok_or(CommonProblem::NotFound)? })))
}

fn may_give_there(identity: &Identity, given: Role, path: &str) -> Result<(), ApiError> {
    let mut own = identity.session.asker.roles(identity.now);
    let may = own.any(|grant| may_give(grant.role, given) && path.starts_with(&grant.path));
    if may { Ok(()) } else { Err(CommonProblem::NotAllowed.into()) }
}

/// End a role now
#[utoipa::path(delete, path = "/people/{person_id}/roles/{role_grant_id}", tag = "people",
    params(("person_id" = PersonId, Path), ("role_grant_id" = GrantId, Path)),
    extensions(("x-act" = json!("grant_roles"))), responses((status = 204), Problems))]
pub async fn end_role(
    State(app): State<AccountApp>,
    identity: Identity,
    axum::extract::Path((person_id, grant_id)): axum::extract::Path<(String, String)>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<StatusCode, ApiError> {
    let scope = identity.reach(Permission::GrantRoles)?;
    let id: PersonId = person_id.parse().map_err(|_| CommonProblem::NotFound)?;
    let grant_id: GrantId = grant_id.parse().map_err(|_| CommonProblem::NotFound)?;
    let grants = app.store.grants(&scope, id).await?.ok_or(CommonProblem::NotFound)?;
    let grant = grants.iter().find(|grant| grant.role_grant_id == grant_id).ok_or(CommonProblem::NotFound)?;
    may_give_there(&identity, grant.role, &grant.path)?;
    let row = identity.row(&app.clock, "end_role", format!("person:{id}")).saying(grant.role.as_str());
    if !app.store.end_grant(&scope, id, grant_id, identity.now, row.at_place(grant.path.as_str())).await? {
        return Err(CommonProblem::NotFound.into());
    }
    app.rights.changed();
    Ok(StatusCode::NO_CONTENT)
}

/// List sessions, newest first
#[utoipa::path(get, path = "/sessions", tag = "people", params(SessionListing),
    extensions(("x-act" = json!("edit_sessions"))),
    responses((status = 200, body = Listed<StoredSession>), Problems))]
pub async fn list_sessions(
    State(app): State<AccountApp>,
    identity: Identity,
    QueryParams(listing): QueryParams<SessionListing>,
) -> Result<Json<Listed<StoredSession>>, ApiError> {
    let (scope, limit) = (identity.scope(Permission::EditSessions)?, limit(listing.limit)? + 1);
    let below = listing.after.map(|after| after.to_string());
    let found = app.store.sessions(&scope, listing.person_id, below.as_deref(), limit, identity.now).await?;
    Ok(Json(Listed::new(found, limit, |stored| stored.session_id.to_string())))
}

/// End a person's session
#[utoipa::path(delete, path = "/sessions/{session_id}", tag = "people", params(("session_id" = SessionId, Path)),
    extensions(("x-act" = json!("edit_sessions"))), responses((status = 204), Problems))]
pub async fn end_session(
    State(app): State<AccountApp>,
    identity: Identity,
    PathId(id): PathId<SessionId>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<StatusCode, ApiError> {
    let scope = identity.reach(Permission::EditSessions)?;
    let row = identity.row(&app.clock, "end_session", format!("session:{id}"));
    if !app.store.end_session(Err(&scope), id, &row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    app.rights.changed();
    Ok(StatusCode::NO_CONTENT)
}
