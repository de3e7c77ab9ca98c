//! The session cookie: its name, and reading cookies from a request.

use axum::http::HeaderMap;
use axum_extra::extract::CookieJar;

/// On TLS the `__Host-` prefix makes the browser enforce this host, `Secure` and `Path=/`.
#[must_use]
pub fn cookie_name(tls: bool) -> &'static str {
    if tls { "__Host-tongke" } else { "tongke" }
}

/// The value of the cookie with this name. `None`: there is none.
#[must_use]
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    CookieJar::from_headers(headers).get(name).map(|cookie| cookie.value().to_owned())
}
