//! The cookie of a session.

use axum::http::HeaderMap;
use axum_extra::extract::CookieJar;

/// On TLS the browser itself holds the cookie to this host, to `Secure` and to the whole path.
#[must_use]
pub fn cookie_name(tls: bool) -> &'static str {
    if tls { "__Host-tongke" } else { "tongke" }
}

/// A cookie of this name. `None`: there is none.
#[must_use]
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    CookieJar::from_headers(headers).get(name).map(|cookie| cookie.value().to_owned())
}
