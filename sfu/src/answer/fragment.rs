//! Trickled candidates and ICE restarts (RFC 8840, RFC 9725 §4.3).

use super::{
    Local, RemoteIce,
    error::PatchError,
    offer::remote_ice,
    text::{candidates, credentials, line},
};
use crate::limits::SDP_BYTES_MAX;

/// The credentials in an `application/trickle-ice-sdpfrag`. `None`: it has only candidates.
///
/// Many clients repeat their credentials with each trickled candidate (RFC 9725 §4.3.2 shows it): only others than
/// those of the offer are a restart. Candidates are not read: an ICE-lite side learns addresses from checks.
///
/// # Errors
/// [`PatchError::BadFragment`] where it is too long, half of the credentials is missing, or its m-lines disagree.
pub fn fragment_credentials(fragment: &str) -> Result<Option<RemoteIce>, PatchError> {
    let bad = |reason: &str| PatchError::BadFragment(reason.to_owned());
    if fragment.len() > SDP_BYTES_MAX {
        return Err(bad("it is too long"));
    }
    let (mut ufrag, mut pwd) = (None, None);
    for text in fragment.lines().map(str::trim).filter(|text| !text.is_empty()) {
        if !text.as_bytes().get(..2).is_some_and(|key| key[0].is_ascii_lowercase() && key[1] == b'=') {
            return Err(bad("a line is no SDP"));
        }
        let (slot, value) = match text.split_once(':') {
            Some(("a=ice-ufrag", value)) => (&mut ufrag, value.trim()),
            Some(("a=ice-pwd", value)) => (&mut pwd, value.trim()),
            _ => continue,
        };
        if *slot.get_or_insert(value) != value {
            return Err(bad("its m-lines have different credentials"));
        }
    }
    match (ufrag, pwd) {
        (None, None) => Ok(None),
        (Some(ufrag), Some(pwd)) => remote_ice(ufrag.to_owned(), pwd.to_owned()).map(Some).map_err(bad),
        _ => Err(bad("half of its credentials is missing")),
    }
}

/// Our side of an ICE restart: new credentials, and the same candidates again, since they belong to the credentials.
///
/// `mid` is the offer's [`tagged_mid`](super::RemoteTransport::tagged_mid); its m-line is only a place for it (RFC 8840
/// §9).
#[must_use]
pub fn restart_fragment(local: &Local<'_>, mid: &str) -> String {
    let mut text = String::new();
    line(&mut text, "a=ice-lite");
    credentials(&mut text, local);
    line(&mut text, "m=audio 9 UDP/TLS/RTP/SAVPF 0");
    if !mid.is_empty() {
        line(&mut text, &format!("a=mid:{mid}"));
    }
    candidates(&mut text, local);
    text
}
