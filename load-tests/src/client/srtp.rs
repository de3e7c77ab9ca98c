//! SRTP by `rtc-srtp`: not the hub's own cipher code, so that every tag checked here is checked by another hand.

use anyhow::{Context as _, Result};
use bytes::BytesMut;
use rtc_crypto::{RTCCryptoProvider, providers::AwsLcRsProvider};
use rtc_srtp::{
    config::{Config, SessionKeys},
    context::Context,
    protection_profile::ProtectionProfile,
};

/// Both directions of one connection, AES-128-GCM (RFC 7714).
pub struct Srtp {
    seal: Context,
    open: Context,
}

impl Srtp {
    /// From what a DTLS handshake exported (RFC 5764 §4.2): [`KEYING_MATERIAL_BYTES`] bytes.
    ///
    /// # Errors
    /// The material has another length.
    pub fn from_exporter(material: &[u8], is_client: bool) -> Result<Self> {
        let mut config = Config { profile: PROFILE, ..Config::default() };
        config.set_session_keys_from_keying_material(material, is_client).context("SRTP keying material")?;
        Self::from_keys(&config.keys)
    }

    /// From keys that are already known: a simulation has no handshake.
    ///
    /// # Errors
    /// A key or salt has the wrong length for AES-128-GCM.
    pub fn from_keys(keys: &SessionKeys) -> Result<Self> {
        let provider = AwsLcRsProvider::new();
        let context = |key: &[u8], salt: &[u8]| {
            Context::new(key, salt, PROFILE, None, None, provider.crypto()).context("SRTP context")
        };
        Ok(Self {
            seal: context(&keys.local_master_key, &keys.local_master_salt)?,
            open: context(&keys.remote_master_key, &keys.remote_master_salt)?,
        })
    }

    /// # Errors
    /// `packet` is no RTP.
    pub fn seal_rtp(&mut self, packet: &[u8]) -> Result<BytesMut> {
        Ok(self.seal.encrypt_rtp(packet)?)
    }

    /// # Errors
    /// `packet` is no RTCP.
    pub fn seal_rtcp(&mut self, packet: &[u8]) -> Result<BytesMut> {
        Ok(self.seal.encrypt_rtcp(packet)?)
    }

    /// # Errors
    /// The tag does not fit: the packet is forged, damaged or of another connection.
    pub fn open_rtp(&mut self, packet: &[u8]) -> Result<BytesMut> {
        Ok(self.open.decrypt_rtp(packet)?)
    }

    /// # Errors
    /// As [`Self::open_rtp`].
    pub fn open_rtcp(&mut self, packet: &[u8]) -> Result<BytesMut> {
        Ok(self.open.decrypt_rtcp(packet)?)
    }
}

/// Two keys of 16 bytes and two salts of 12 (RFC 7714 §12).
pub const KEYING_MATERIAL_BYTES: usize = 56;

const PROFILE: ProtectionProfile = ProtectionProfile::AeadAes128Gcm;
