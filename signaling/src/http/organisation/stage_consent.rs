//! A school's consent to recording its classes on stage.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::OrganisationReason;
use crate::{
    http::{
        account::identity::Identity,
        organisation::app::OrganisationApp,
        web::{
            extract::{JsonBody, PathId, named},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    store::StageConsent,
};
use school::{
    account::permission::Permission,
    base::{id::OrganisationId, time::UnixMs},
};

/// A school's stage consent.
#[derive(Serialize, ToSchema)]
pub struct StageConsentView {
    organisation_id: OrganisationId,
    /// Its classes are recorded while they are on stage. Default: `false`.
    record_on_stage: bool,
    /// The legal basis. `null`: not recorded.
    basis: Option<String>,
    /// When it was set. `null`: never.
    set_at_ms: Option<UnixMs>,
}

/// A stage consent to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStageConsent {
    record_on_stage: bool,
    /// The legal basis, for example 三年级家长同意书，2026-09-01，存教导处. Required where classes are recorded.
    #[schema(min_length = 1, max_length = 80)]
    basis: Option<String>,
}

fn view(organisation_id: OrganisationId, consent: StageConsent) -> StageConsentView {
    StageConsentView {
        organisation_id,
        record_on_stage: consent.record_on_stage,
        basis: (!consent.basis.is_empty()).then_some(consent.basis),
        set_at_ms: consent.set_at,
    }
}

/// Show whether a school's classes are recorded while they are on stage
#[utoipa::path(get, path = "/organisations/{organisation_id}/stage-consent", tag = "recordings",
    params(("organisation_id" = OrganisationId, Path)), extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, body = StageConsentView), Problems))]
pub async fn show_stage_consent(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
) -> Result<Json<StageConsentView>, ApiError> {
    let scope = identity.reach(Permission::SeeOrganisations)?;
    let consent = app.store.stage_consent(&scope, id).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Json(view(id, consent)))
}

/// Set whether a school's classes are recorded while they are on stage, effective from its next lesson
#[utoipa::path(put, path = "/organisations/{organisation_id}/stage-consent", tag = "recordings",
    request_body = NewStageConsent, params(("organisation_id" = OrganisationId, Path)),
    extensions(("x-act" = json!("edit_classrooms"))),
    responses((status = 200, body = StageConsentView), Problems))]
pub async fn set_stage_consent(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
    JsonBody(ask): JsonBody<NewStageConsent>,
) -> Result<Json<StageConsentView>, ApiError> {
    let scope = identity.reach(Permission::EditClassrooms)?;
    let basis = match (ask.record_on_stage, ask.basis) {
        (true, Some(basis)) => named("basis", &basis)?,
        (true, None) => return Err(invalid("basis", &OrganisationReason::BasisNeeded)),
        (false, _) => String::new(),
    };
    let row = identity.row(&app.clock, "set_stage_consent", format!("organisation:{id}"));
    let row = row.saying(if ask.record_on_stage { basis.as_str() } else { "off" });
    let consent = StageConsent { record_on_stage: ask.record_on_stage, basis, set_at: Some(row.at) };
    if !app.store.set_stage_consent(&scope, id, &consent, row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    Ok(Json(view(id, consent)))
}
