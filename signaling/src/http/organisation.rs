//! The tree of bureaus and schools.

pub mod app;
pub mod classroom;
pub mod device;
pub mod import;
pub mod problem;
pub mod sheet;
pub mod stage_consent;

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    http::{
        account::identity::Identity,
        organisation::app::OrganisationApp,
        web::{
            extract::{JsonBody, PathId, QueryParams, maybe_null, named},
            list::{Listed, Listing},
            problem::{ApiError, Problems, common::CommonProblem},
            version::{IfMatch, Tagged, edited},
        },
    },
    store::{
        Store,
        organisation::place::{OrganisationEdit, StoredOrganisation},
    },
};
use school::{
    account::permission::{Permission, Scope},
    base::id::OrganisationId,
    organisation::{Organisation, OrganisationKind, code::CodeInUse},
};

/// A node of the tree to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganisation {
    /// The parent node. `null`: a top-level node.
    parent_id: Option<OrganisationId>,
    kind: OrganisationKind,
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    /// 行政区划代码 or 学校标识码.
    code: Option<String>,
}

/// Changes to a node; missing fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganisationChange {
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    /// `null` removes the current code.
    #[serde(default, deserialize_with = "maybe_null")]
    #[schema(value_type = Option<String>)]
    code: Option<Option<String>>,
    parent_id: Option<OrganisationId>,
    /// `true` closes it permanently.
    #[serde(default)]
    closed: bool,
}

/// List the organisations that the caller may see, by id
#[utoipa::path(get, path = "/organisations", tag = "organisations", params(Listing),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, body = Listed<StoredOrganisation>), Problems))]
pub async fn list_organisations(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(listing): QueryParams<Listing>,
) -> Result<Json<Listed<StoredOrganisation>>, ApiError> {
    let (scope, ask) = (identity.scope(Permission::SeeOrganisations)?, listing.ask()?);
    let found = app.store.organisations(&scope, &ask).await?;
    Ok(Json(Listed::new(found, ask.limit, |stored| stored.organisation_id.to_string())))
}

/// Add a node
#[utoipa::path(post, path = "/organisations", tag = "organisations", request_body = NewOrganisation,
    extensions(("x-act" = json!("edit_organisations"))),
    responses((status = 201, body = StoredOrganisation), Problems))]
pub async fn add_organisation(
    State(app): State<OrganisationApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewOrganisation>,
) -> Result<Tagged<StoredOrganisation>, ApiError> {
    let scope = identity.scope(Permission::EditOrganisations)?;
    let organisation = Organisation {
        organisation_id: OrganisationId::fresh(),
        parent_id: ask.parent_id,
        kind: ask.kind,
        name: named("name", &ask.name)?,
        code: ask.code,
    };
    let id = organisation.organisation_id;
    let row = identity.row(&app.clock, "add_organisation", format!("organisation:{id}"));
    let stored = app.store.add_organisation(&scope, &organisation, row).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::created(stored.version, stored, format!("/api/v1/organisations/{id}")))
}

/// Show one node
#[utoipa::path(get, path = "/organisations/{organisation_id}", tag = "organisations",
    params(("organisation_id" = OrganisationId, Path)),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, body = StoredOrganisation), Problems))]
pub async fn show_organisation(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
) -> Result<Tagged<StoredOrganisation>, ApiError> {
    let stored = app.store.organisation(&identity.reach(Permission::SeeOrganisations)?, id).await?;
    let stored = stored.ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::new(stored.version, stored))
}

/// Change a node's name, code or parent, or close it
#[utoipa::path(patch, path = "/organisations/{organisation_id}", tag = "organisations",
    params(("organisation_id" = OrganisationId, Path), ("if-match" = String, Header)),
    request_body = OrganisationChange, extensions(("x-act" = json!("edit_organisations"))),
    responses((status = 200, body = StoredOrganisation), Problems))]
pub async fn change_organisation(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
    IfMatch(version): IfMatch,
    JsonBody(ask): JsonBody<OrganisationChange>,
) -> Result<Tagged<StoredOrganisation>, ApiError> {
    let scope = identity.reach(Permission::EditOrganisations)?;
    let name = ask.name.as_deref().map(|name| named("name", name)).transpose()?;
    let edit = OrganisationEdit { name, code: ask.code, parent_id: ask.parent_id, close: ask.closed };
    let row = identity.row(&app.clock, "change_organisation", format!("organisation:{id}")).saying(format!("{edit:?}"));
    let stored = edited(app.store.edit_organisation(&scope, id, version, &edit, row).await?)?;
    Ok(Tagged::new(stored.version, stored))
}

/// List the child nodes of a node
#[utoipa::path(get, path = "/organisations/{organisation_id}/children", tag = "organisations",
    params(("organisation_id" = OrganisationId, Path), Listing),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, body = Listed<StoredOrganisation>), Problems))]
pub async fn list_children(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
    QueryParams(listing): QueryParams<Listing>,
) -> Result<Json<Listed<StoredOrganisation>>, ApiError> {
    let scope = identity.reach(Permission::SeeOrganisations)?;
    app.store.organisation(&scope, id).await?.ok_or(CommonProblem::NotFound)?;
    let mut ask = listing.ask()?;
    ask.parent_id = Some(id);
    let found = app.store.organisations(&scope, &ask).await?;
    Ok(Json(Listed::new(found, ask.limit, |stored| stored.organisation_id.to_string())))
}

/// List all codes that a node has had
#[utoipa::path(get, path = "/organisations/{organisation_id}/codes", tag = "organisations",
    params(("organisation_id" = OrganisationId, Path)),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, body = Listed<CodeInUse>), Problems))]
pub async fn list_codes(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
) -> Result<Json<Listed<CodeInUse>>, ApiError> {
    let scope = identity.reach(Permission::SeeOrganisations)?;
    app.store.organisation(&scope, id).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Json(Listed { items: app.store.codes(&scope, id).await?, next: None }))
}

/// Path of an organisation in the tree.
///
/// # Errors
/// [`CommonProblem::NotFound`] where the caller's scope does not cover it.
pub(crate) async fn place_of(store: &Store, scope: &Scope, id: OrganisationId) -> Result<String, ApiError> {
    let path = store.paths(scope, [id]).await?.remove(&id);
    path.filter(|path| scope.covers(path)).ok_or_else(|| CommonProblem::NotFound.into())
}
