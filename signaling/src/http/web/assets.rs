//! Serves the web client embedded in the binary. It routes on the client: every unknown path gets `index.html`.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

use super::problem::{ApiError, common::CommonProblem};

#[derive(RustEmbed)]
#[folder = "../web-client/dist"]
#[allow_missing = true]
struct WebClient;

/// Vite puts a content hash into the file names of this folder: the content of a name never changes.
const HASHED: &str = "assets/";

/// First path segments that are never a page: unknown paths below them get a problem, not the web client.
const NOT_PAGES: [&str; 5] = ["api", "whip", "whep", "sessions", "problems"];

const NOT_BUILT: &str = "<!doctype html><meta charset=\"utf-8\"><title>同课</title><p>网页还没有构建：请先运行 make build。\
<p>The web client has not been built yet: run <code>make build</code>.";

/// Fallback for requests that no other route matches.
pub async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.split('/').next().is_some_and(|first| NOT_PAGES.contains(&first)) {
        return ApiError::from(CommonProblem::NotFound).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return ApiError::from(CommonProblem::MethodNotAllowed).into_response();
    }
    if let Some(file) = WebClient::get(path) {
        let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
        return send(file, cache, &headers);
    }
    if path.starts_with(HASHED) {
        // A page of an older build requests a file that this build does not have.
        return ApiError::from(CommonProblem::NotFound).into_response();
    }
    match WebClient::get("index.html") {
        Some(file) => send(file, "no-cache", &headers),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")],
            NOT_BUILT,
        )
            .into_response(),
    }
}

fn send(file: rust_embed::EmbeddedFile, cache: &'static str, headers: &HeaderMap) -> Response {
    let tag =
        file.metadata.sha256_hash().iter().take(16).fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}"));
    let Ok(tag) = HeaderValue::try_from(tag + "\"") else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let cache = HeaderValue::from_static(cache);
    if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag), (header::CACHE_CONTROL, cache)]).into_response();
    }
    let kind = HeaderValue::try_from(with_charset(file.metadata.mimetype()))
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    let headers = [(header::CONTENT_TYPE, kind), (header::ETAG, tag), (header::CACHE_CONTROL, cache)];
    (headers, Body::from(file.data)).into_response()
}

fn with_charset(kind: &str) -> String {
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}
