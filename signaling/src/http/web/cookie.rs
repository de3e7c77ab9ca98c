//! The cookie of a session.

use axum::http::{HeaderMap, header};

/// On TLS the browser itself holds the cookie to this host, to `Secure` and to the whole path.
#[must_use]
pub fn cookie_name(tls: bool) -> &'static str {
    if tls { "__Host-tongke" } else { "tongke" }
}

/// A cookie of this name. `None`: there is none.
#[must_use]
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.find_map(|value| {
        value.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
    })
}
