//! Which path leads where, and what every answer carries.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use tower_http::compression::CompressionLayer;

use crate::{
    app::App,
    http::{ask::Caller, assets, lesson, problem::ApiError, recording, seat, sign_in, socket, whip},
};

/// Everything that the public listeners answer.
pub fn router(app: App) -> Router {
    let api = Router::new()
        .route("/sign-in", post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/me", get(sign_in::me))
        .route("/lessons", get(lesson::list))
        .route("/lessons/{lesson_id}", get(lesson::show))
        .route("/lessons/{lesson_id}/start", post(lesson::start))
        .route("/lessons/{lesson_id}/end", post(lesson::end))
        .route("/lessons/{lesson_id}/seats", post(seat::take))
        .route("/lessons/{lesson_id}/socket", get(socket::open))
        .route("/recordings/{recording_id}", get(recording::show))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(from_fn(never_stored));
    let media = Router::new()
        .route("/api/v1/recordings/{recording_id}/media/{file}", get(recording::media))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed);
    let wire = Router::new()
        .route("/whip/{lesson_id}", post(whip::publish).options(whip::options))
        .route("/whep/{lesson_id}", post(whip::play).options(whip::options))
        .route("/sessions/{name}", patch(whip::patch).delete(whip::leave).options(whip::options))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
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

/// `/healthz` and `/readyz`, on every listener.
pub fn probes() -> Router<App> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready))
}

async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    app.store.ping().await?;
    Ok("ready\n")
}

async fn ca(State(app): State<App>) -> Result<Response, ApiError> {
    let pem = app.ca_pem.as_ref().ok_or(ApiError::NotFound)?;
    Ok(([(header::CONTENT_TYPE, "application/x-x509-ca-cert")], pem.to_string()).into_response())
}

async fn never_stored(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// hls.js works in a worker made from a blob and feeds the video from one. (Trusted types would forbid that worker.)
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
    // A browser that was told this about a certificate of our own making would lock its user out for a year.
    if caller.tls && app.ca_pem.is_none() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}
