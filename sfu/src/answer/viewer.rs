//! Answers what a classroom's browser wants to receive.

use super::{Local, ViewTerms};
use crate::{
    hub::OfferError,
    media::{Codec, TrackKind},
};

/// Answers a viewer's offer.
///
/// # Errors
/// See [`OfferError`].
pub fn answer_viewer(
    _offer: &str,
    _slots: Option<&[TrackKind]>,
    _flowing: &[(TrackKind, Codec)],
    _ssrc: &mut dyn FnMut() -> u32,
    _local: &Local<'_>,
) -> Result<(String, ViewTerms), OfferError> {
    Err(OfferError::BadSdp("not read".to_owned()))
}
