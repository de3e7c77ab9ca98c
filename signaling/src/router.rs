//! Routes and the headers of every answer.

use axum::{
    Router,
    extract::{FromRef, OriginalUri, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use tower_http::compression::CompressionLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::{
        account::{self, identity::Asking, person, set_up, sign_in},
        audit,
        dispatch::{self, readiness, today},
        lesson::{self, seat, socket, source, whip},
        library::{self, chapter, clip, composite, download, recording, review, share},
        organisation::{self, classroom, device, import, stage_consent},
        report::{self, list as report_list},
        retention::{self, retained},
        timetable,
        web::{
            assets,
            extract::{self, Caller},
            idempotency::{self, Idempotency},
            problem::{ApiError, common::CommonProblem},
        },
    },
    store::AuditRow,
};

/// The router of the public listeners.
pub fn router(app: App) -> Router {
    let (described, _) = described().split_for_parts();
    let api = described
        .route("/lessons/{lesson_id}/socket", get(socket::open))
        .method_not_allowed_fallback(async || ApiError::from(CommonProblem::MethodNotAllowed))
        .layer(from_fn(extract::own_pages_only))
        .layer(from_fn_with_state(Idempotency::from_ref(&app), idempotency::repeat))
        .layer(from_fn_with_state(app.clone(), note_refusals))
        .layer(from_fn(never_stored));
    let media = Router::new()
        .route("/api/v1/recordings/{recording_id}/media/{file}", get(recording::media))
        .route("/api/v1/recordings/{recording_id}/download", get(download::download))
        .route("/api/v1/shared/media/{file}", get(share::media))
        .route("/api/v1/lessons/{lesson_id}/source/media/{file}", get(source::media))
        .method_not_allowed_fallback(async || ApiError::from(CommonProblem::MethodNotAllowed));
    let wire = Router::new()
        .route("/whip/{lesson_id}", post(whip::publish).options(whip::options))
        .route("/whep/{lesson_id}", post(whip::play).options(whip::options))
        .route("/sessions/{name}", patch(whip::patch).delete(whip::leave).options(whip::options))
        .method_not_allowed_fallback(async || ApiError::from(CommonProblem::MethodNotAllowed))
        .layer(from_fn(whip::cross_origin));
    let pages = Router::new().fallback(assets::page).layer(CompressionLayer::new());
    Router::new()
        .nest("/api/v1", api)
        .merge(media)
        .merge(wire)
        .route("/ca.crt", get(ca))
        .merge(probes())
        .fallback_service(pages.with_state(app.clone()))
        .layer(from_fn_with_state(app.clone(), on_every_answer))
        .with_state(app)
}

/// Paths of `/api/v1` left out of the OpenAPI document, each with its reason.
pub const UNDESCRIBED: [(&str, &str); 5] = [
    ("/lessons/{lesson_id}/socket", "a WebSocket: its messages are those of `live::wire`"),
    ("/recordings/{recording_id}/media/{file}", "playlists and segments, as the playlists name them (RFC 8216)"),
    ("/recordings/{recording_id}/download", "an MP4 file, whole or in ranges: its fields are `http::download`'s"),
    ("/shared/media/{file}", "the same, of what a link shows"),
    ("/lessons/{lesson_id}/source/media/{file}", "the same, of what a lesson plays"),
];

/// Routes of `/api/v1` in the OpenAPI document.
pub fn described() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(set_up::show_set_up, set_up::set_up))
        .routes(routes!(sign_in::sign_in))
        .routes(routes!(sign_in::sign_out))
        .routes(routes!(sign_in::me))
        .routes(routes!(account::set_password))
        .routes(routes!(account::begin_second_factor, account::confirm_second_factor))
        .routes(routes!(account::list_own_sessions))
        .routes(routes!(account::end_own_session))
        .routes(routes!(account::list_assistants))
        .routes(routes!(account::name_assistant))
        .routes(routes!(organisation::list_organisations, organisation::add_organisation))
        .routes(routes!(organisation::show_organisation, organisation::change_organisation))
        .routes(routes!(organisation::list_children))
        .routes(routes!(organisation::list_codes))
        .routes(routes!(stage_consent::show_stage_consent, stage_consent::set_stage_consent))
        .routes(routes!(classroom::list_classrooms, classroom::add_classroom))
        .routes(routes!(classroom::show_classroom, classroom::change_classroom))
        .routes(routes!(classroom::list_classes, classroom::add_class))
        .routes(routes!(classroom::show_class, classroom::change_class))
        .routes(routes!(device::begin_enrolment))
        .routes(routes!(device::show_enrolment))
        .routes(routes!(device::challenge))
        .routes(routes!(device::list_devices, device::add_device))
        .routes(routes!(device::show_device, device::change_device))
        .routes(routes!(person::list_people, person::add_person))
        .routes(routes!(person::show_person, person::change_person))
        .routes(routes!(person::make_set_up_link))
        .routes(routes!(person::drop_second_factor))
        .routes(routes!(person::lock_person, person::unlock_person))
        .routes(routes!(person::list_roles, person::give_role))
        .routes(routes!(person::end_role))
        .routes(routes!(person::list_sessions))
        .routes(routes!(person::end_session))
        .routes(routes!(audit::list_audit))
        .routes(routes!(audit::export_audit))
        .routes(routes!(import::import_organisations))
        .routes(routes!(import::import_classrooms))
        .routes(routes!(import::import_classes))
        .routes(routes!(import::import_people))
        .routes(routes!(import::export_organisations))
        .routes(routes!(import::export_classrooms))
        .routes(routes!(import::export_classes))
        .routes(routes!(import::export_people))
        .routes(routes!(lesson::list))
        .routes(routes!(lesson::show))
        .routes(routes!(lesson::start))
        .routes(routes!(lesson::end))
        .routes(routes!(seat::take))
        .routes(routes!(recording::show))
        .routes(routes!(composite::show, composite::make, composite::cancel))
        .routes(routes!(report::show_report))
        .routes(routes!(report::show_quality))
        .routes(routes!(report::count_heads))
        .routes(routes!(report_list::list_lesson_reports))
        .routes(routes!(report_list::export_lesson_reports))
        .merge(library::routes())
        .merge(chapter::routes())
        .merge(clip::routes())
        .merge(review::routes())
        .merge(share::routes())
        .merge(source::routes())
        .routes(routes!(retention::show_storage))
        .routes(routes!(retention::list_school_use))
        .routes(routes!(retained::list_retained_recordings))
        .routes(routes!(retained::show_retained_recording))
        .routes(routes!(retained::hold_recording, retained::release_recording))
        .routes(routes!(retained::ask_for_deletion, retained::take_deletion_back))
        .routes(routes!(retention::show_quota, retention::set_quota))
        .routes(routes!(retention::show_policy, retention::set_policy))
        .routes(routes!(retention::confirm_retention))
        .merge(timetable::routes())
        .routes(routes!(dispatch::schedule))
        .routes(routes!(dispatch::act))
        .routes(routes!(dispatch::transitions))
        .routes(routes!(today::today))
        .routes(routes!(readiness::show))
        .routes(routes!(readiness::waive))
}

/// `/healthz` and `/readyz`, on every listener.
pub fn probes() -> Router<App> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready))
}

async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    app.store.ping().await?;
    Ok("ready\n")
}

async fn ca(State(app): State<App>) -> Result<Response, ApiError> {
    let pem = app.ca_pem.as_ref().ok_or(CommonProblem::NotFound)?;
    Ok(([(header::CONTENT_TYPE, "application/x-x509-ca-cert")], pem.to_string()).into_response())
}

/// Audits what an authenticated caller was refused, which shows a search for others' data.
async fn note_refusals(State(app): State<App>, caller: Caller, mut request: Request, next: Next) -> Response {
    let asking = Asking::default();
    request.extensions_mut().insert(asking.clone());
    let whole = request.extensions().get::<OriginalUri>().map_or_else(|| request.uri().clone(), |uri| uri.0.clone());
    let asked: String = format!("{} {}", request.method(), whole.path()).chars().take(200).collect();
    let response = next.run(request).await;
    if matches!(response.status(), StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
        && let Some((actor, beside)) = asking.0.get()
    {
        let row =
            AuditRow::done(app.clock.wall(), actor.as_str(), "ask", asked).refused().from(caller.ip().to_string());
        app.refusals.keep(AuditRow { beside: beside.clone(), ..row.saying(response.status().as_str()) });
    }
    response
}

async fn never_stored(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// hls.js runs in a worker made from a blob and feeds the video from one. (Trusted types would forbid that worker.)
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; worker-src 'self' blob:; \
style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; \
font-src 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'self'";

async fn on_every_answer(State(app): State<App>, caller: Caller, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(self), microphone=(self), display-capture=(self), screen-wake-lock=(self), fullscreen=(self), \
             autoplay=(self), geolocation=(), payment=(), usb=()",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // HSTS with a generated certificate would lock a browser's user out for a year.
    if caller.tls && app.ca_pem.is_none() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}
