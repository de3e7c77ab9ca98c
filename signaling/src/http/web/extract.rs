//! Request extractors: limited in bytes and time, strict in types, protected against cross-site requests.

use std::{
    any::Any,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, Uri, header, request::Parts},
    middleware::Next,
    response::Response,
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use utoipa::ToSchema;

use super::problem::{ApiError, common::CommonProblem, invalid};
use school::base::name;

/// Maximum size of a JSON body, in bytes.
pub const JSON_BYTES_MAX: usize = 64 * 1024;

/// Timeout for receiving a body.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// Where a request came from: set by the listener, overridden by request headers only from a trusted proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The remote address, or the client address forwarded by a trusted proxy; then the port is 0.
    pub address: SocketAddr,
    /// The connection is encrypted, by this server or by a trusted proxy.
    pub tls: bool,
    /// A proxy reported, or may hide, an unencrypted connection before this one.
    pub plain_before: bool,
}

impl Caller {
    /// Whether the connection cannot be read on the network: it is encrypted, or local to this machine.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let ip = self.ip();
        // An unspecified address means that the request came through no listener.
        self.tls || ((ip.is_loopback() || ip.is_unspecified()) && !self.plain_before)
    }

    /// The caller after applying proxy headers. A forwarded address and `https` are accepted from trusted proxies only,
    /// `http` from anyone.
    #[must_use]
    pub fn told_by(self, headers: &HeaderMap, trusted: &[IpAddr]) -> Self {
        let is_trusted = trusted.contains(&self.ip());
        let proto = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()).unwrap_or_default();
        // In a chain of proxies the first value is that of the connection to the browser.
        let proto = proto.split(',').next().unwrap_or_default().trim();
        let spoken_for = if is_trusted { spoken_for(headers, trusted) } else { None };
        Self {
            address: spoken_for.map_or(self.address, |ip| SocketAddr::new(ip, 0)),
            tls: self.tls || (is_trusted && proto.eq_ignore_ascii_case("https")),
            // The connection between the client and a proxy is unknown, so it counts as unencrypted.
            plain_before: spoken_for.is_some() || proto.eq_ignore_ascii_case("http"),
        }
    }

    /// The IP address without the port.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }
}

/// The last hop of `X-Forwarded-For` that is no trusted proxy: the client may have forged everything before it.
/// `None`: there is no such hop, or the header cannot be parsed.
fn spoken_for(headers: &HeaderMap, trusted: &[IpAddr]) -> Option<IpAddr> {
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().map(|line| line.to_str().ok()).collect::<Option<_>>()?;
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let hop = hop.trim();
        // Some proxies add the port.
        let ip = hop.parse().or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip())).ok()?.to_canonical();
        if !trusted.contains(&ip) {
            return Some(ip);
        }
    }
    None
}

/// One connection's slot in the connection limit of the listeners. A WebSocket, which outlives its HTTP connection,
/// holds it until it closes.
#[derive(Clone, Default)]
pub struct HeldPlace {
    _place: Option<Arc<dyn Any + Send + Sync>>,
}

impl HeldPlace {
    /// Keeps `place` until the last clone is dropped.
    pub fn new(place: impl Any + Send + Sync) -> Self {
        Self { _place: Some(Arc::new(place)) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for HeldPlace {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let nowhere = Self { address, tls: false, plain_before: false };
        Ok(parts.extensions.get().copied().unwrap_or(nowhere))
    }
}

/// A JSON body from a page of this origin. A cross-site page cannot send one without a CORS preflight.
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let own_page = own_origin(&parts.headers, &parts.uri)?;
        let is_json = media_type(&parts.headers).is_some_and(|kind| kind == "application/json");
        let has_type = parts.headers.contains_key(header::CONTENT_TYPE);
        // Browsers send `Origin` with every POST. Without it only the media type distinguishes a same-origin
        // request from a cross-site form.
        if !is_json && (has_type || own_page == OwnOrigin::NotNamed) {
            return Err(CommonProblem::CrossSite.into());
        }
        let bytes = read_body(body, JSON_BYTES_MAX).await?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // Serde would also accept an array of field values for a struct; the API describes objects only.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(CommonProblem::bad_request("the body is no JSON object").into());
        }
        serde_json::from_slice(text).map(Self).map_err(|error| CommonProblem::bad_request(error.to_string()).into())
    }
}

/// An empty body: `{}` or no bytes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// An id in the path. An unparsable id gives `not-found`, so the id format is not disclosed.
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| CommonProblem::NotFound)?;
        text.parse().map(Self).map_err(|_| CommonProblem::NotFound.into())
    }
}

/// The query parameters of a request.
pub struct QueryParams<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(asked)| Self(asked)).map_err(|error| CommonProblem::bad_request(error.body_text()).into())
    }
}

/// Validates and normalises a name in a body.
///
/// # Errors
/// [`CommonProblem::Invalid`] where it is not a valid name.
pub fn named(field: &'static str, typed: &str) -> Result<String, ApiError> {
    name::name(typed).map_err(|why| invalid(field, &why))
}

/// Deserialises a field of an edit: missing leaves it unchanged, `null` clears it, a value sets it.
pub fn maybe_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

/// Result of the `Origin` check of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnOrigin {
    /// `Origin` is this host.
    Ours,
    /// There is no `Origin`: not a browser, or an old one.
    NotNamed,
}

/// Compares `Origin` with the requested host.
///
/// # Errors
/// [`CommonProblem::CrossSite`] where they differ.
pub fn own_origin(headers: &HeaderMap, uri: &Uri) -> Result<OwnOrigin, ApiError> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(OwnOrigin::NotNamed) };
    let origin = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
    // HTTP/2 carries the host in the URI.
    let host =
        headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.authority().map(|a| a.as_str()));
    match (origin.as_ref().and_then(|origin| origin.authority()), host) {
        (Some(origin), Some(host)) if origin.as_str().eq_ignore_ascii_case(host) => Ok(OwnOrigin::Ours),
        _ => Err(CommonProblem::CrossSite.into()),
    }
}

/// CSRF protection: refuses cross-site requests with unsafe methods, independent of the handler's extractors.
///
/// # Errors
/// [`CommonProblem::CrossSite`] where an unsafe request comes from another site, or may: browsers omit `Origin` only
/// for old forms, and those have one of three media types.
pub async fn own_pages_only(request: Request, next: Next) -> Result<Response, ApiError> {
    if !request.method().is_safe() && own_origin(request.headers(), request.uri())? == OwnOrigin::NotNamed {
        let is_form = |kind: String| FORM_TYPES.contains(&kind.as_str());
        if media_type(request.headers()).is_some_and(is_form) {
            return Err(CommonProblem::CrossSite.into());
        }
    }
    Ok(next.run(request).await)
}

/// Media types that a form can send without a preflight (Fetch, CORS-safelisted request headers).
const FORM_TYPES: [&str; 3] = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];

/// The media type without parameters, in lower case. `None`: there is none.
#[must_use]
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// [`CommonProblem::TooLarge`], [`CommonProblem::TooSlow`] at the timeout, [`CommonProblem::BadRequest`] on I/O errors.
pub async fn read_body(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    // An announced length above the limit is refused before any byte is read.
    if axum::body::HttpBody::size_hint(&body).lower() > limit as u64 {
        return Err(CommonProblem::TooLarge { max_bytes: limit }.into());
    }
    match tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, limit)).await {
        Err(_) => Err(CommonProblem::TooSlow.into()),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_large(&error) => Err(CommonProblem::TooLarge { max_bytes: limit }.into()),
        Ok(Err(error)) => Err(CommonProblem::bad_request(error.to_string()).into()),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_private_where_it_is_encrypted_or_never_leaves_the_machine() {
        let (proxy, far, here) = ("10.0.0.1", "10.0.0.9", "127.0.0.1");
        let table = [
            (here, None, true),
            (here, Some("https"), true),
            (here, Some("http"), false),
            (far, None, false),
            (far, Some("https"), false),
            (proxy, None, false),
            (proxy, Some("http"), false),
            (proxy, Some("HTTPS, http"), true),
        ];
        for (ip, proto, private) in table {
            let mut headers = HeaderMap::new();
            if let Some(proto) = proto {
                headers.insert("x-forwarded-proto", proto.parse().unwrap());
            }
            let address = SocketAddr::new(ip.parse().unwrap(), 1);
            let caller = Caller { address, tls: false, plain_before: false };
            let told = caller.told_by(&headers, &[proxy.parse().unwrap()]);
            assert_eq!(told.is_private(), private, "{ip} {proto:?}");
            // Only a trusted proxy makes the connection count as TLS.
            assert_eq!(told.tls, ip == proxy && private, "{ip} {proto:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_whom_it_speaks_for_and_only_its_own_word() {
        let (proxy, inner, far) = ("10.0.0.1", "10.0.0.2", "203.0.113.7");
        let table: [(&str, &[&str], &str); 10] = [
            (far, &["198.51.100.1"], far),
            ("127.0.0.1", &["198.51.100.1"], "127.0.0.1"),
            (proxy, &[], proxy),
            (proxy, &[far], far),
            (proxy, &["::ffff:203.0.113.7"], far),
            // Values sent by the browser itself are on the left.
            (proxy, &["127.0.0.1, 198.51.100.1, 203.0.113.7"], far),
            (proxy, &["198.51.100.1", "203.0.113.7:50123, 10.0.0.2"], far),
            (proxy, &["198.51.100.1, unknown"], proxy),
            (proxy, &["198.51.100.1,"], proxy),
            (proxy, &["10.0.0.2"], proxy),
        ];
        for (ip, lines, told) in table {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            let address = SocketAddr::new(ip.parse().unwrap(), 1);
            let caller = Caller { address, tls: false, plain_before: false };
            let caller = caller.told_by(&headers, &[proxy.parse().unwrap(), inner.parse().unwrap()]);
            assert_eq!(caller.ip().to_string(), told, "{ip} {lines:?}");
        }
        // A local proxy that forwards a client address does not make the client's connection private.
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let caller = Caller { address: here, tls: false, plain_before: false };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "127.0.0.1, 127.0.0.9".parse().unwrap());
        assert!(!caller.told_by(&headers, &[here.ip()]).is_private());
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert!(caller.told_by(&headers, &[here.ip()]).is_private());
    }
}
