//! Classroom devices: enrolled by the code on the screen, signed in with their own key.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use axum::{Json, extract::State};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::{
        account::identity::Identity,
        organisation::{app::OrganisationApp, problem::OrganisationReason},
        web::{
            extract::{Caller, JsonBody, PathId, QueryParams, named},
            list::{Listed, Listing},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::{IfMatch, Tagged, edited},
        },
    },
    secret::{self, sha256_hex},
    store::{
        AuditRow,
        organisation::device::{KeyAlgorithm, NewEnrolment, StoredDevice},
    },
};
use school::{
    account::permission::Permission,
    base::{
        id::{ClassroomId, DeviceId, EnrolmentId},
        time::UnixMs,
    },
};

/// Validity of an enrolment code.
const CODE_VALID: Duration = Duration::from_secs(10 * 60);

/// Letters and digits that are not confused when read out.
const CODE_LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const CODE_LENGTH: usize = 8;

/// A request to enrol a device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    algorithm: KeyAlgorithm,
    /// Raw, base64url: 32 bytes of Ed25519, or 65 of an uncompressed point of P-256.
    public_key: String,
}

/// The enrolment code that the device shows.
#[derive(Serialize, ToSchema)]
pub struct ShownCode {
    enrolment_id: EnrolmentId,
    /// For example `K7QX-29FM`: shown as text and as a QR code.
    code: String,
    expires_at_ms: UnixMs,
}

/// State of an enrolment.
#[derive(Serialize, ToSchema)]
pub struct Enrolment {
    /// `null`: the code has not been entered yet.
    device_id: Option<DeviceId>,
}

/// A device to be enrolled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// The code on its screen.
    code: String,
    classroom_id: ClassroomId,
    #[schema(min_length = 1, max_length = 80)]
    name: String,
}

/// Changes to a device; missing fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceChange {
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    /// `true` revokes it permanently: it is lost, or moves to another classroom.
    #[serde(default)]
    revoked: bool,
}

/// A request for a challenge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Knock {
    device_id: DeviceId,
}

/// The challenge for the device to sign.
#[derive(Serialize, ToSchema)]
pub struct Challenge {
    challenge: String,
}

/// Begin an enrolment: returns the code for the screen
#[utoipa::path(post, path = "/enrolments", tag = "devices", request_body = Enrol, security(()),
    responses((status = 201, body = ShownCode), Problems))]
pub async fn begin_enrolment(
    State(app): State<OrganisationApp>,
    caller: Caller,
    JsonBody(ask): JsonBody<Enrol>,
) -> Result<(axum::http::StatusCode, Json<ShownCode>), ApiError> {
    let now = app.clock.lasting();
    app.enrolments.check(caller.ip(), now)?;
    app.enrolments.failed(caller.ip(), now);
    let length = match ask.algorithm {
        KeyAlgorithm::Ed25519 => 32,
        KeyAlgorithm::P256 => 65,
    };
    if !URL_SAFE_NO_PAD.decode(&ask.public_key).is_ok_and(|key| key.len() == length) {
        return Err(invalid("public_key", &OrganisationReason::NotAPublicKey { bytes: length }));
    }
    let letters = secret::random::<CODE_LENGTH>().map(|byte| char::from(CODE_LETTERS[usize::from(byte % 32)]));
    let code: String = letters.iter().collect();
    let enrolment = NewEnrolment {
        enrolment_id: EnrolmentId::fresh(),
        code_sha256: &sha256_hex(&code),
        algorithm: ask.algorithm,
        public_key: &ask.public_key,
        expires_at: now.wall.plus(CODE_VALID),
    };
    let row = AuditRow::done(now.wall, "guest", "ask_to_enrol", format!("enrolment:{}", enrolment.enrolment_id));
    if !app.store.insert_enrolment(&enrolment, &row.from(caller.ip().to_string())).await? {
        return Err(CommonProblem::Busy.into());
    }
    let (enrolment_id, expires_at_ms) = (enrolment.enrolment_id, enrolment.expires_at);
    let shown = ShownCode { enrolment_id, code: format!("{}-{}", &code[..4], &code[4..]), expires_at_ms };
    Ok((axum::http::StatusCode::CREATED, Json(shown)))
}

/// Show whether a device has been enrolled
#[utoipa::path(get, path = "/enrolments/{enrolment_id}", tag = "devices", security(()),
    params(("enrolment_id" = EnrolmentId, Path)), responses((status = 200, body = Enrolment), Problems))]
pub async fn show_enrolment(
    State(app): State<OrganisationApp>,
    PathId(id): PathId<EnrolmentId>,
) -> Result<Json<Enrolment>, ApiError> {
    let device_id = app.store.enrolment(id, app.clock.lasting().wall).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Json(Enrolment { device_id }))
}

/// Get a challenge to sign
#[utoipa::path(post, path = "/device-challenges", tag = "devices", request_body = Knock, security(()),
    responses((status = 201, body = Challenge), Problems))]
pub async fn challenge(
    State(app): State<OrganisationApp>,
    caller: Caller,
    JsonBody(ask): JsonBody<Knock>,
) -> Result<(axum::http::StatusCode, Json<Challenge>), ApiError> {
    let now = app.clock.now();
    app.attempts.check(caller.ip(), now)?;
    // A challenge is given for unknown ids too, so that it does not reveal whether the device exists.
    let challenge = app.challenges.give(ask.device_id, now);
    Ok((axum::http::StatusCode::CREATED, Json(Challenge { challenge })))
}

/// List the devices that the caller may see, by id
#[utoipa::path(get, path = "/devices", tag = "devices", params(Listing),
    extensions(("x-act" = json!("see_devices"))),
    responses((status = 200, body = Listed<StoredDevice>), Problems))]
pub async fn list_devices(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(listing): QueryParams<Listing>,
) -> Result<Json<Listed<StoredDevice>>, ApiError> {
    let (scope, ask) = (identity.scope(Permission::SeeDevices)?, listing.ask()?);
    let found = app.store.devices(&scope, &ask).await?;
    Ok(Json(Listed::new(found, ask.limit, |stored| stored.device_id.to_string())))
}

/// Enrol a device by the code on its screen
#[utoipa::path(post, path = "/devices", tag = "devices", request_body = NewDevice,
    extensions(("x-act" = json!("edit_devices"))),
    responses((status = 201, body = StoredDevice), Problems))]
pub async fn add_device(
    State(app): State<OrganisationApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewDevice>,
) -> Result<Tagged<StoredDevice>, ApiError> {
    let scope = identity.scope(Permission::EditDevices)?;
    let now = app.clock.now();
    app.attempts.check(identity.caller.ip(), now)?;
    let (device_id, name) = (DeviceId::fresh(), named("name", &ask.name)?);
    let code: String = ask.code.chars().filter(char::is_ascii_alphanumeric).take(CODE_LENGTH + 1).collect();
    let code_sha256 = sha256_hex(code.to_ascii_uppercase());
    let row = identity.row(&app.clock, "enrol_device", format!("device:{device_id}"));
    let stored = app.store.enrol(&scope, &code_sha256, (device_id, &name), ask.classroom_id, row).await?;
    let Some(stored) = stored else {
        app.attempts.failed(identity.caller.ip(), now);
        return Err(CommonProblem::NotFound.into());
    };
    Ok(Tagged::created(stored.version, stored, format!("/api/v1/devices/{device_id}")))
}

/// Show one device
#[utoipa::path(get, path = "/devices/{device_id}", tag = "devices", params(("device_id" = DeviceId, Path)),
    extensions(("x-act" = json!("see_devices"))),
    responses((status = 200, body = StoredDevice), Problems))]
pub async fn show_device(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<DeviceId>,
) -> Result<Tagged<StoredDevice>, ApiError> {
    let stored =
        app.store.device(&identity.reach(Permission::SeeDevices)?, id).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::new(stored.version, stored))
}

/// Rename or revoke a device
#[utoipa::path(patch, path = "/devices/{device_id}", tag = "devices",
    params(("device_id" = DeviceId, Path), ("if-match" = String, Header)),
    request_body = DeviceChange, extensions(("x-act" = json!("edit_devices"))),
    responses((status = 200, body = StoredDevice), Problems))]
pub async fn change_device(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<DeviceId>,
    IfMatch(version): IfMatch,
    JsonBody(ask): JsonBody<DeviceChange>,
) -> Result<Tagged<StoredDevice>, ApiError> {
    let scope = identity.reach(Permission::EditDevices)?;
    let name = ask.name.as_deref().map(|name| named("name", name)).transpose()?;
    let act = if ask.revoked { "revoke_device" } else { "change_device" };
    let row = identity.row(&app.clock, act, format!("device:{id}"));
    let stored = edited(app.store.edit_device(&scope, id, version, (name.as_deref(), ask.revoked), row).await?)?;
    app.rights.changed();
    Ok(Tagged::new(stored.version, stored))
}

/// Verifies `signature` of the message with this key.
#[must_use]
pub fn is_signed(algorithm: KeyAlgorithm, public_key: &str, message: &[u8], signature: &str) -> bool {
    let (Ok(key), Ok(signature)) = (URL_SAFE_NO_PAD.decode(public_key), URL_SAFE_NO_PAD.decode(signature)) else {
        return false;
    };
    let verified = match algorithm {
        KeyAlgorithm::Ed25519 => UnparsedPublicKey::new(&ED25519, key).verify(message, &signature),
        KeyAlgorithm::P256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, &signature),
    };
    verified.is_ok()
}
