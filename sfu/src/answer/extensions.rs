//! Header extensions and payload types over all m-lines of one transport: a number means one thing there.

use super::{
    attributes::{Direction, Extension, Payload},
    codecs::CodecChoice,
    error::{OfferError, bad},
    offer::MediaLine,
};
use crate::media::Codec;

/// The ids agreed on so far.
#[derive(Default)]
pub(super) struct AgreedExtensions {
    extensions: Vec<Extension>,
}

impl AgreedExtensions {
    /// Those of a line's extensions that are wanted and that `ours` lets flow.
    ///
    /// In one bundle an id stands for one URI (RFC 8843 §9.2): where a later line says otherwise it goes without.
    pub(super) fn agree(&mut self, line: &MediaLine, wanted: &[&str], ours: Direction) -> Vec<Extension> {
        let mut taken: Vec<Extension> = Vec::new();
        for extension in &line.extensions {
            let flows = match extension.direction {
                None | Some(Direction::SendRecv) => true,
                Some(Direction::SendOnly) => ours == Direction::RecvOnly,
                Some(Direction::RecvOnly) => ours == Direction::SendOnly,
                Some(Direction::Inactive) => false,
            };
            let known = self.extensions.iter().chain(&taken);
            let clashes = known
                .filter(|known| known.id == extension.id || known.uri == extension.uri)
                .any(|known| known.id != extension.id || known.uri != extension.uri);
            let twice = taken.iter().any(|known| known.id == extension.id);
            if flows && !clashes && !twice && wanted.contains(&extension.uri.as_str()) {
                taken.push(extension.clone());
            }
        }
        self.extensions.extend(taken.iter().cloned());
        taken
    }

    /// The id of an extension. `None`: not agreed on.
    pub(super) fn id(&self, uri: &str) -> Option<u8> {
        self.extensions.iter().find(|known| known.uri == uri).map(|known| known.id)
    }

    /// In one bundle a payload type stands for one codec (RFC 8843 §9.1).
    ///
    /// # Errors
    /// [`OfferError::BadSdp`] where it stands for two.
    pub(super) fn refuse_shared_payload_types<'a>(
        &self,
        lines: impl Iterator<Item = &'a [CodecChoice]>,
        redundancy: Option<&Payload>,
    ) -> Result<(), OfferError> {
        let mut meanings: [Option<(Codec, bool)>; 128] = [None; 128];
        if let Some(redundancy) = redundancy {
            meanings[usize::from(redundancy.pt & 0x7f)] = Some((Codec::Opus, true));
        }
        for choice in lines.flatten() {
            let codec = choice.payload_type.codec;
            for (pt, meaning) in
                [(Some(choice.payload_type.pt), (codec, false)), (choice.payload_type.rtx_pt, (codec, true))]
            {
                let Some(pt) = pt else { continue };
                let known = meanings[usize::from(pt & 0x7f)].get_or_insert(meaning);
                if *known != meaning {
                    return Err(bad(format!("payload type {pt} stands for two codecs")));
                }
            }
        }
        Ok(())
    }
}
