//! SRTP (RFC 3711, RFC 7714): RTP is sealed and opened by AES-128-GCM of `aws-lc-rs` directly, because that is most of
//! what the hub computes. SRTCP out, and the SHA-1 fallback both ways, go through `rtc-srtp`.
//!
//! State is made only for what has authenticated, so forged SSRCs cost nothing.

mod keys;
mod replay;

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN};
use bytes::BytesMut;
use rtc_crypto::RTCCrypto;
use rtc_srtp::context::Context;
use smallvec::SmallVec;

pub use keys::{BadKeys, Keys, Profile};

use keys::{foreign, gcm, rtcp_nonce, rtp_nonce};
use replay::ReplayWindow;

use crate::stats::Dropped;

/// Length of what sealing adds: the GCM tag. (The SHA-1 tag is shorter.)
pub const TAG_LEN: usize = 16;

/// The same of the SHA-1 profile (RFC 3711 §4.2.1).
const SHA1_TAG_LEN: usize = 10;

/// Seals what one peer is sent.
pub struct Sealer {
    rtp: SealCipher,
    rtcp: Context,
}

enum SealCipher {
    Gcm { key: LessSafeKey, salt: [u8; NONCE_LEN] },
    Sha1(Box<Context>),
}

impl Sealer {
    /// # Errors
    /// [`BadKeys`].
    pub fn new(keys: &Keys, crypto: &dyn RTCCrypto) -> Result<Self, BadKeys> {
        let rtp = match keys.profile {
            Profile::AeadAes128Gcm => {
                let (key, salt) = gcm(&keys.local_key, &keys.local_salt, false)?;
                SealCipher::Gcm { key, salt }
            }
            Profile::Aes128CmSha1 => SealCipher::Sha1(Box::new(foreign(keys, true, crypto)?)),
        };
        Ok(Self { rtp, rtcp: foreign(keys, true, crypto)? })
    }

    /// Bytes that sealing adds to a packet.
    #[must_use]
    pub fn tag_len(&self) -> usize {
        match &self.rtp {
            SealCipher::Gcm { .. } => TAG_LEN,
            SealCipher::Sha1(_) => SHA1_TAG_LEN,
        }
    }

    /// Writes one sealed RTP packet: `header`, then `payload` and `tail` encrypted, then the tag. `out` is exactly as
    /// long as these together ([`Self::tag_len`]); what stood in it does not matter.
    ///
    /// `index` is the packet's 48-bit index (roll-over counter and sequence number, RFC 3711 §3.3.1). **A pair of SSRC
    /// and index is used once per key, ever**: the owner of the sequence numbers answers for that.
    /// Returns false where the crypto fails: then `out` is not to be sent.
    pub fn seal_rtp_into(
        &mut self,
        ssrc: u32,
        index: u64,
        header: &[u8],
        payload: &[u8],
        tail: &[u8],
        out: &mut [u8],
    ) -> bool {
        if out.len() != header.len() + payload.len() + tail.len() + self.tag_len() {
            return false;
        }
        match &mut self.rtp {
            SealCipher::Gcm { key, salt } => {
                let (head, body) = out.split_at_mut(header.len());
                head.copy_from_slice(header);
                let (cipher, tag) = body.split_at_mut(payload.len());
                let nonce = rtp_nonce(salt, ssrc, index);
                key.seal_out_of_place_scatter(nonce, Aad::from(header), payload, cipher, tail, tag).is_ok()
            }
            SealCipher::Sha1(context) => {
                let plain = [header, payload, tail].concat();
                match context.encrypt_rtp(&plain) {
                    Ok(sealed) if sealed.len() == out.len() => {
                        out.copy_from_slice(&sealed);
                        true
                    }
                    _ => false,
                }
            }
        }
    }

    /// Appends what [`Self::seal_rtp_into`] writes to `out`. Returns false, with `out` as it was, where the crypto
    /// fails.
    pub fn seal_rtp(
        &mut self,
        ssrc: u32,
        index: u64,
        header: &[u8],
        payload: &[u8],
        tail: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        out.resize(start + header.len() + payload.len() + tail.len() + self.tag_len(), 0);
        let sealed = self.seal_rtp_into(ssrc, index, header, payload, tail, &mut out[start..]);
        if !sealed {
            out.truncate(start);
        }
        sealed
    }

    /// Appends one sealed RTCP compound to `out`. False where the crypto fails.
    pub fn seal_rtcp(&mut self, compound: &[u8], out: &mut Vec<u8>) -> bool {
        match self.rtcp.encrypt_rtcp(compound) {
            Ok(sealed) => {
                out.extend_from_slice(&sealed);
                true
            }
            Err(_) => false,
        }
    }
}

/// Opens what one peer sends.
pub struct Opener {
    kind: OpenCipher,
    rtp: SmallVec<[(u32, ReplayWindow); 6]>,
    rtcp: SmallVec<[(u32, ReplayWindow); 2]>,
}

struct GcmKeys {
    rtp: (LessSafeKey, [u8; NONCE_LEN]),
    rtcp: (LessSafeKey, [u8; NONCE_LEN]),
}

enum OpenCipher {
    Gcm(Box<GcmKeys>),
    Sha1(Box<Context>),
}

impl Opener {
    /// # Errors
    /// [`BadKeys`].
    pub fn new(keys: &Keys, crypto: &dyn RTCCrypto) -> Result<Self, BadKeys> {
        let kind = match keys.profile {
            Profile::AeadAes128Gcm => {
                let rtp = gcm(&keys.remote_key, &keys.remote_salt, false)?;
                let rtcp = gcm(&keys.remote_key, &keys.remote_salt, true)?;
                OpenCipher::Gcm(Box::new(GcmKeys { rtp, rtcp }))
            }
            Profile::Aes128CmSha1 => OpenCipher::Sha1(Box::new(foreign(keys, false, crypto)?)),
        };
        Ok(Self { kind, rtp: SmallVec::new(), rtcp: SmallVec::new() })
    }

    /// Can an unknown sender's packet be tried on this peer's keys without leaving state behind?
    #[must_use]
    pub fn can_be_tried(&self) -> bool {
        matches!(self.kind, OpenCipher::Gcm(_))
    }

    /// By how much an RTP packet is ahead of all that this peer has sent on its SSRC, if it is this peer's, by
    /// the header alone. `Some(0)`: the SSRC is new. `None`: it cannot be, or it is a late one.
    #[must_use]
    pub fn rtp_lead(&self, ssrc: u32, seq: u16) -> Option<u64> {
        lead(&self.rtp, ssrc, |received| received.guess(seq))
    }

    /// As [`Self::rtp_lead`], of an RTCP packet. Its index stands in the clear (RFC 7714 §9.2).
    #[must_use]
    pub fn rtcp_lead(&self, packet: &[u8]) -> Option<u64> {
        let ssrc = u32::from_be_bytes(*packet.get(4..)?.first_chunk()?);
        let word = match self.kind {
            OpenCipher::Gcm(_) => packet.last_chunk()?,
            OpenCipher::Sha1(_) => packet.get(..packet.len().checked_sub(SHA1_TAG_LEN)?)?.last_chunk()?,
        };
        let index = u32::from_be_bytes(*word) & !ENCRYPTED;
        lead(&self.rtcp, ssrc, |_| index.into()).filter(|lead| *lead <= RTCP_LEAD_MAX)
    }

    /// Opens one RTP packet in place and cuts the tag off. Returns its 48-bit index.
    ///
    /// # Errors
    /// `Replayed`, `NotAuthentic`, `TooManySsrcs`: nothing has changed then.
    pub fn open_rtp(&mut self, ssrc: u32, seq: u16, header_len: usize, packet: &mut BytesMut) -> Result<u64, Dropped> {
        let at = self.rtp.iter().position(|(known, _)| *known == ssrc);
        if at.is_none() && self.rtp.len() >= SSRCS_PER_PEER_MAX {
            return Err(Dropped::TooManySsrcs);
        }
        let index = at.map_or(u64::from(seq), |at| self.rtp[at].1.guess(seq));
        if at.is_some_and(|at| self.rtp[at].1.has(index)) {
            return Err(Dropped::Replayed);
        }
        match &mut self.kind {
            OpenCipher::Gcm(gcm) => {
                let (key, salt) = &gcm.rtp;
                let (header, body) = packet.split_at_mut_checked(header_len).ok_or(Dropped::Malformed)?;
                key.open_in_place(rtp_nonce(salt, ssrc, index), Aad::from(&*header), body)
                    .map_err(|_| Dropped::NotAuthentic)?;
                let opened = packet.len() - TAG_LEN;
                packet.truncate(opened);
            }
            OpenCipher::Sha1(context) => {
                let opened = context.decrypt_rtp(packet).map_err(|_| Dropped::NotAuthentic)?;
                *packet = opened;
            }
        }
        match at {
            Some(at) => self.rtp[at].1.note(index),
            None => self.rtp.push((ssrc, ReplayWindow::starting_at(index))),
        }
        Ok(index)
    }

    /// Opens one RTCP compound.
    ///
    /// # Errors
    /// `Malformed`, `Replayed`, `NotAuthentic`, `TooManySsrcs`: nothing has changed then.
    pub fn open_rtcp(&mut self, packet: &mut BytesMut) -> Result<(), Dropped> {
        let ssrc = packet.get(4..8).ok_or(Dropped::Malformed)?;
        let ssrc = u32::from_be_bytes([ssrc[0], ssrc[1], ssrc[2], ssrc[3]]);
        let at = self.rtcp.iter().position(|(known, _)| *known == ssrc);
        if at.is_none() && self.rtcp.len() >= SSRCS_PER_PEER_MAX {
            return Err(Dropped::TooManySsrcs);
        }
        match &mut self.kind {
            OpenCipher::Gcm(gcm) => {
                let (key, salt) = &gcm.rtcp;
                // header (8) ‖ ciphertext ‖ tag (16) ‖ E and index (4), RFC 7714 §9.2
                let end = packet.len().checked_sub(4).filter(|end| *end >= 8 + TAG_LEN).ok_or(Dropped::Malformed)?;
                let word: [u8; 4] = packet[end..].try_into().map_err(|_| Dropped::Malformed)?;
                let index = u32::from_be_bytes(word);
                if index & ENCRYPTED == 0 {
                    return Err(Dropped::NotAuthentic);
                }
                let index = index & !ENCRYPTED;
                if at.is_some_and(|at| self.rtcp[at].1.has(index.into())) {
                    return Err(Dropped::Replayed);
                }
                let mut aad = [0; 12];
                aad[..8].copy_from_slice(&packet[..8]);
                aad[8..].copy_from_slice(&word);
                key.open_in_place(rtcp_nonce(salt, ssrc, index), Aad::from(aad), &mut packet[8..end])
                    .map_err(|_| Dropped::NotAuthentic)?;
                packet.truncate(end - TAG_LEN);
                match at {
                    Some(at) => self.rtcp[at].1.note(index.into()),
                    None => self.rtcp.push((ssrc, ReplayWindow::starting_at(index.into()))),
                }
            }
            OpenCipher::Sha1(context) => {
                let index = packet.len().checked_sub(SHA1_TAG_LEN).and_then(|end| packet.get(..end)?.last_chunk());
                let index = index.map_or(0, |word| u64::from(u32::from_be_bytes(*word) & !ENCRYPTED));
                *packet = context.decrypt_rtcp(packet).map_err(|_| Dropped::NotAuthentic)?;
                match at {
                    Some(at) => self.rtcp[at].1.note(index),
                    None => self.rtcp.push((ssrc, ReplayWindow::starting_at(index))),
                }
            }
        }
        Ok(())
    }
}

fn lead(known: &[(u32, ReplayWindow)], ssrc: u32, index: impl Fn(&ReplayWindow) -> u64) -> Option<u64> {
    match known.iter().find(|(known, _)| *known == ssrc) {
        Some((_, received)) => index(received).checked_sub(received.highest).filter(|lead| *lead > 0),
        None => (known.len() < SSRCS_PER_PEER_MAX).then_some(0),
    }
}

/// Reports that may have been lost before one comes through: a peer that was silent for longer is forgotten anyway.
const RTCP_LEAD_MAX: u64 = 1_024;

/// The E bit of an SRTCP packet (RFC 3711 §3.4).
const ENCRYPTED: u32 = 1 << 31;

/// Camera with three layers, each with RTX, and a voice make 7; a sender may restart one.
const SSRCS_PER_PEER_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(profile: Profile) -> Keys {
        let material: Vec<u8> = (0..profile.keying_material_len()).map(|byte| byte as u8).collect();
        Keys::from_keying_material(profile, &material, false)
    }

    fn header(seq: u16, ssrc: u32) -> Vec<u8> {
        let mut header = vec![0x80, 96, 0, 0, 0, 0, 1, 2];
        header[2..4].copy_from_slice(&seq.to_be_bytes());
        header.extend_from_slice(&ssrc.to_be_bytes());
        header
    }

    fn sealed(sealer: &mut Sealer, index: u64) -> BytesMut {
        let mut out = Vec::new();
        assert!(sealer.seal_rtp(7, index, &header(index as u16, 7), b"a board", &[0, 2], &mut out));
        BytesMut::from(&out[..])
    }

    #[test]
    fn what_we_seal_is_byte_for_byte_what_the_reference_seals() {
        let provider = rtc_crypto::default_provider().unwrap();
        for profile in [Profile::AeadAes128Gcm, Profile::Aes128CmSha1] {
            let mut ours = Sealer::new(&keys(profile), provider.crypto()).unwrap();
            let mut reference = foreign(&keys(profile), true, provider.crypto()).unwrap();
            for index in 0..70_000u64 {
                let mut plain = header(index as u16, 7);
                plain.extend_from_slice(b"a board\0\x02");
                let expected = reference.encrypt_rtp(&plain).unwrap();
                assert_eq!(sealed(&mut ours, index), expected, "{profile:?} at {index}");
            }
        }
    }

    #[test]
    fn what_was_sealed_opens_once_and_over_the_wrap() {
        let provider = rtc_crypto::default_provider().unwrap();
        for profile in [Profile::AeadAes128Gcm, Profile::Aes128CmSha1] {
            let mut sealer = Sealer::new(&keys(profile), provider.crypto()).unwrap();
            let mut opener = Opener::new(&keys(profile).mirrored(), provider.crypto()).unwrap();
            for index in 32_000..66_000u64 {
                let mut packet = sealed(&mut sealer, index);
                let again = packet.clone();
                assert_eq!(opener.open_rtp(7, index as u16, 12, &mut packet), Ok(index), "{profile:?}");
                assert_eq!(&packet[12..], b"a board\0\x02");
                if index % 1000 == 0 {
                    assert_eq!(opener.open_rtp(7, index as u16, 12, &mut again.clone()), Err(Dropped::Replayed));
                }
            }
        }
    }

    #[test]
    fn forged_packets_leave_no_state() {
        let provider = rtc_crypto::default_provider().unwrap();
        let mut opener = Opener::new(&keys(Profile::AeadAes128Gcm), provider.crypto()).unwrap();
        for ssrc in 0..1000 {
            let mut packet = BytesMut::from(&[0x80; 60][..]);
            assert_eq!(opener.open_rtp(ssrc, 1, 12, &mut packet), Err(Dropped::NotAuthentic));
        }
        assert!(opener.rtp.is_empty());
    }

    #[test]
    fn reports_open_on_the_other_side() {
        let provider = rtc_crypto::default_provider().unwrap();
        let mut sealer = Sealer::new(&keys(Profile::AeadAes128Gcm), provider.crypto()).unwrap();
        let mut opener = Opener::new(&keys(Profile::AeadAes128Gcm).mirrored(), provider.crypto()).unwrap();
        let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
        let mut out = Vec::new();
        assert!(sealer.seal_rtcp(&report, &mut out));
        let mut packet = BytesMut::from(&out[..]);
        assert_eq!(opener.open_rtcp(&mut packet), Ok(()));
        assert_eq!(&packet[..], &report);
        assert_eq!(opener.open_rtcp(&mut BytesMut::from(&out[..])), Err(Dropped::Replayed));
    }

    proptest::proptest! {
        #[test]
        fn no_packet_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80), header_len in 0usize..90) {
            let provider = rtc_crypto::default_provider().unwrap();
            let mut opener = Opener::new(&keys(Profile::AeadAes128Gcm), provider.crypto()).unwrap();
            let _ = opener.open_rtp(1, 1, header_len, &mut BytesMut::from(&bytes[..]));
            let _ = opener.open_rtcp(&mut BytesMut::from(&bytes[..]));
        }
    }
}
