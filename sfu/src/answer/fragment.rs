//! Trickled candidates and ICE restarts (RFC 8840, RFC 9725 §4.3).

use super::{Local, RemoteIce};
use crate::hub::PatchError;

/// The credentials in a fragment.
///
/// # Errors
/// [`PatchError::BadFragment`].
pub fn fragment_credentials(_fragment: &str) -> Result<Option<RemoteIce>, PatchError> {
    Ok(None)
}

/// Our side of an ICE restart.
#[must_use]
pub fn restart_fragment(_local: &Local<'_>, _mid: &str) -> String {
    String::new()
}
