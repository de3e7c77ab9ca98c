//! Master keys from the DTLS handshake, the session keys derived from them, and the nonces under which they are used.

use aws_lc_rs::{
    aead::{AES_128_GCM, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    cipher::{AES_128, DecryptingKey, DecryptionContext, UnboundCipherKey},
};
use rtc_crypto::RTCCrypto;
use rtc_srtp::{context::Context, option, protection_profile::ProtectionProfile};

use super::replay::REPLAY_WINDOW;

/// The two protection profiles that the hub speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `SRTP_AEAD_AES_128_GCM` (RFC 7714).
    AeadAes128Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80` (RFC 3711), 2.4 times the cost.
    Aes128CmSha1,
}

impl Profile {
    pub(super) const KEY_LEN: usize = 16;

    fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 12,
            Self::Aes128CmSha1 => 14,
        }
    }

    /// Bytes that the DTLS exporter must give (RFC 5764 §4.2).
    #[must_use]
    pub fn keying_material_len(self) -> usize {
        2 * (Self::KEY_LEN + self.salt_len())
    }

    pub(super) fn foreign(self) -> ProtectionProfile {
        match self {
            Self::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Self::Aes128CmSha1 => ProtectionProfile::Aes128CmHmacSha1_80,
        }
    }
}

/// Master keys and salts of both directions.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// How they are used.
    pub profile: Profile,
    /// For what we send.
    pub local_key: Vec<u8>,
    /// For what we send.
    pub local_salt: Vec<u8>,
    /// For what we receive.
    pub remote_key: Vec<u8>,
    /// For what we receive.
    pub remote_salt: Vec<u8>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl Keys {
    /// Cuts exporter output: client key, server key, client salt, server salt (RFC 5764 §4.2).
    ///
    /// `material` is [`Profile::keying_material_len`] bytes long.
    #[must_use]
    pub fn from_keying_material(profile: Profile, material: &[u8], we_are_client: bool) -> Self {
        let (keys, salts) = material.split_at(2 * Profile::KEY_LEN);
        let (client_key, server_key) = keys.split_at(Profile::KEY_LEN);
        let (client_salt, server_salt) = salts.split_at(profile.salt_len());
        let [local_key, remote_key, local_salt, remote_salt] = match we_are_client {
            true => [client_key, server_key, client_salt, server_salt],
            false => [server_key, client_key, server_salt, client_salt],
        };
        Self {
            profile,
            local_key: local_key.to_vec(),
            local_salt: local_salt.to_vec(),
            remote_key: remote_key.to_vec(),
            remote_salt: remote_salt.to_vec(),
        }
    }

    /// The same keys as the other end holds them.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        Self {
            profile: self.profile,
            local_key: self.remote_key.clone(),
            local_salt: self.remote_salt.clone(),
            remote_key: self.local_key.clone(),
            remote_salt: self.local_salt.clone(),
        }
    }
}

/// The keys do not have their profile's lengths, or the crypto provider refuses them.
#[derive(Debug, thiserror::Error)]
#[error("the SRTP keys are not usable")]
pub struct BadKeys;

/// A session's cipher and salt, derived from the master key (RFC 3711 §4.3.1; RFC 7714 §11 widens the salt by zeros).
pub(super) fn gcm(key: &[u8], salt: &[u8], for_rtcp: bool) -> Result<(LessSafeKey, [u8; NONCE_LEN]), BadKeys> {
    let derive = |label: u8, bytes: &mut [u8]| {
        let mut iv = [0; 16];
        iv[..NONCE_LEN].copy_from_slice(salt.get(..NONCE_LEN).ok_or(BadKeys)?);
        iv[7] ^= label;
        let master = UnboundCipherKey::new(&AES_128, key).map_err(|_| BadKeys)?;
        let counter = DecryptingKey::ctr(master).map_err(|_| BadKeys)?;
        // Counter mode over zeros is the key stream itself.
        counter.decrypt(bytes, DecryptionContext::Iv128(iv.into())).map_err(|_| BadKeys).map(|_| ())
    };
    let (mut session_key, mut session_salt) = ([0; Profile::KEY_LEN], [0; NONCE_LEN]);
    let first_label = if for_rtcp { 3 } else { 0 };
    derive(first_label, &mut session_key)?;
    derive(first_label + 2, &mut session_salt)?;
    let session_key = UnboundKey::new(&AES_128_GCM, &session_key).map_err(|_| BadKeys)?;
    Ok((LessSafeKey::new(session_key), session_salt))
}

pub(super) fn foreign(keys: &Keys, local: bool, crypto: &dyn RTCCrypto) -> Result<Context, BadKeys> {
    let (key, salt) = if local { (&keys.local_key, &keys.local_salt) } else { (&keys.remote_key, &keys.remote_salt) };
    let replay = (!local).then(|| option::srtp_replay_protection(REPLAY_WINDOW));
    let replay_rtcp = (!local).then(|| option::srtcp_replay_protection(REPLAY_WINDOW));
    Context::new(key, salt, keys.profile.foreign(), replay, replay_rtcp, crypto).map_err(|_| BadKeys)
}

/// RFC 7714 §8.1: 16 zero bits, SSRC, roll-over counter, sequence number; all under the salt.
#[inline]
pub(super) fn rtp_nonce(salt: &[u8; NONCE_LEN], ssrc: u32, index: u64) -> Nonce {
    let mut nonce = *salt;
    for (byte, ssrc) in nonce[2..6].iter_mut().zip(ssrc.to_be_bytes()) {
        *byte ^= ssrc;
    }
    for (byte, index) in nonce[6..12].iter_mut().zip(&index.to_be_bytes()[2..]) {
        *byte ^= index;
    }
    Nonce::assume_unique_for_key(nonce)
}

/// RFC 7714 §9.1: 16 zero bits, SSRC, 16 zero bits, SRTCP index.
#[inline]
pub(super) fn rtcp_nonce(salt: &[u8; NONCE_LEN], ssrc: u32, index: u32) -> Nonce {
    let mut nonce = *salt;
    for (byte, ssrc) in nonce[2..6].iter_mut().zip(ssrc.to_be_bytes()) {
        *byte ^= ssrc;
    }
    for (byte, index) in nonce[8..12].iter_mut().zip(index.to_be_bytes()) {
        *byte ^= index;
    }
    Nonce::assume_unique_for_key(nonce)
}
