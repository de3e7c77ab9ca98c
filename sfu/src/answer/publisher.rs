//! Answers what a teacher's browser, or an encoder, wants to send.

use super::{Local, PublishTerms};
use crate::{hub::OfferError, media::TrackKind};

/// Answers a publisher's offer.
///
/// # Errors
/// See [`OfferError`].
pub fn answer_publisher(
    _offer: &str,
    _picture: TrackKind,
    _local: &Local<'_>,
) -> Result<(String, PublishTerms), OfferError> {
    Err(OfferError::BadSdp("not read".to_owned()))
}
