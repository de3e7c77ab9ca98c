//! Optimistic concurrency of edits: the ETag is a version number, `If-Match` names the version an edit is based on.

use axum::{
    Json,
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::problem::{ApiError, common::CommonProblem};
use crate::store::db::edit::Edited;

/// The version that an edit is based on, read from `If-Match`.
#[derive(Clone, Copy, Debug)]
pub struct IfMatch(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let tag = parts.headers.get(header::IF_MATCH).ok_or(CommonProblem::VersionNeeded)?;
        let version = tag.to_str().ok().and_then(|tag| tag.strip_prefix("\"v")?.strip_suffix('"')?.parse().ok());
        version.map(Self).ok_or_else(|| CommonProblem::OtherVersion.into())
    }
}

/// `None`: there is no `If-Match`.
impl<S: Send + Sync> OptionalFromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Self::Rejection> {
        if !parts.headers.contains_key(header::IF_MATCH) {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state).await.map(Some)
    }
}

/// A JSON response for one object, with its ETag.
pub struct Tagged<T> {
    status: StatusCode,
    location: Option<String>,
    version: i64,
    thing: T,
}

impl<T> Tagged<T> {
    /// An existing object: 200.
    pub fn new(version: i64, thing: T) -> Self {
        Self { status: StatusCode::OK, location: None, version, thing }
    }

    /// A new object: 201, with `location` as `Location`.
    pub fn created(version: i64, thing: T, location: String) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location), version, thing }
    }
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.thing)).into_response();
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::try_from(format!("\"v{}\"", self.version)) {
            headers.insert(header::ETAG, tag);
        }
        if let Some(Ok(location)) = self.location.map(HeaderValue::try_from) {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

/// The edited object, or the problem that corresponds to the edit's outcome.
///
/// # Errors
/// [`CommonProblem::NotFound`] where it is gone, [`CommonProblem::OtherVersion`] where its version differs.
pub fn edited<T>(edited: Edited<T>) -> Result<T, ApiError> {
    match edited {
        Edited::Done(thing) => Ok(thing),
        Edited::Gone => Err(CommonProblem::NotFound.into()),
        Edited::OtherVersion => Err(CommonProblem::OtherVersion.into()),
    }
}
