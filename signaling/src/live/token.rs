//! Tokens that authorise a seat's media and socket: short claims, signed with Ed25519.
//!
//! A token is `base64url(claims as JSON) "." base64url(signature)`. It travels in an `Authorization` header or in the
//! socket's first message, never in a URL. There is one algorithm and one key, so there is nothing to negotiate.

use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::data_dir;
use school::base::{
    id::{ClassroomId, DeviceId, LessonId, SeatId, ShareId},
    time::UnixMs,
};

/// What the bearer is authorised to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// Publish as the teacher, and see what the classrooms see.
    Publish,
    /// Receive as a classroom.
    Receive,
    /// Receive as a guest: every POST takes one guest seat.
    Guest,
    /// Receive as the bureau's observer, not shown to the room.
    Observe,
}

/// The claims of a token. Unknown fields are refused: a newer hub's token may have restrictions unknown here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Kind of token.
    pub kind: TokenKind,
    /// The lesson.
    pub lesson_id: LessonId,
    /// The seat. `None` only for guests, who get one per use.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seat_id: Option<SeatId>,
    /// The classroom in this seat.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub classroom_id: Option<ClassroomId>,
    /// SHA-256 of the session it was issued to: no other may use it. `None`: any bearer, as for guests.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
    /// The device it was issued to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device_id: Option<DeviceId>,
    /// The lesson goes live with this publisher's first packet: an encoder has no start button.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub auto_start: bool,
    /// Expiry, in milliseconds UTC.
    pub exp: UnixMs,
    /// Its ID, for the audit.
    pub jti: Uuid,
}

/// The claims of a share's link. The store has its limit of uses and whether it was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareClaims {
    /// The share.
    pub share_id: ShareId,
    /// Expiry, in milliseconds UTC.
    pub exp: UnixMs,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is no token.
    #[error("there is no token")]
    Missing,
    /// It is malformed, or its signature is invalid.
    #[error("the token is not ours")]
    Forged,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It was issued to another session, or that session was signed out.
    #[error("the token was given to somebody else")]
    OtherHolder,
    /// It was issued for another lesson.
    #[error("the token belongs to another lesson")]
    OtherLesson,
}

/// Signs and checks tokens. The key stays in the data folder.
pub struct TokenSigner {
    pair: Ed25519KeyPair,
}

/// Claims are some 300 bytes. A longer text is not a token of this hub and is not decoded.
const TOKEN_BYTES_MAX: usize = 1_024;

/// The key file in the data folder, readable by the hub only.
const KEY_FILE: &str = "token.key";

impl TokenSigner {
    /// Reads the key of this data folder, or creates it on the first run.
    ///
    /// # Errors
    /// [`data_dir::DataDirError`] if the file cannot be read or written, or holds no key.
    pub fn open(data: &Path) -> Result<Self, data_dir::DataDirError> {
        let path = data.join(KEY_FILE);
        let document = data_dir::secret(&path, || {
            Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new())
                .map(|document| document.as_ref().to_vec())
                .unwrap_or_default()
        })?;
        let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|_| data_dir::DataDirError::NotAKey { path })?;
        Ok(Self { pair })
    }

    /// Signs a token.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        self.signed(claims)
    }

    /// Signs the token of a share's link.
    #[must_use]
    pub fn sign_share(&self, claims: &ShareClaims) -> String {
        self.signed(claims)
    }

    fn signed(&self, claims: &impl Serialize) -> String {
        // Claims are plain fields: they always have a JSON form.
        let body = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap_or_default());
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(body.as_bytes()));
        format!("{body}.{signature}")
    }

    /// Checks a token: first the signature, then its expiry.
    ///
    /// # Errors
    /// [`TokenError::Forged`] or [`TokenError::Expired`].
    pub fn check(&self, token: &str, now: UnixMs) -> Result<Claims, TokenError> {
        let claims: Claims = self.genuine(token)?;
        if claims.kind != TokenKind::Guest && claims.seat_id.is_none() {
            return Err(TokenError::Forged);
        }
        if claims.exp <= now { Err(TokenError::Expired) } else { Ok(claims) }
    }

    /// Checks the token of a share's link: first the signature, then its expiry. Other kinds of claims are refused.
    ///
    /// # Errors
    /// [`TokenError::Forged`] or [`TokenError::Expired`].
    pub fn check_share(&self, token: &str, now: UnixMs) -> Result<ShareClaims, TokenError> {
        let claims: ShareClaims = self.genuine(token)?;
        if claims.exp <= now { Err(TokenError::Expired) } else { Ok(claims) }
    }

    fn genuine<T: DeserializeOwned>(&self, token: &str) -> Result<T, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Forged);
        }
        let (body, signature) = token.split_once('.').ok_or(TokenError::Forged)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Forged)?;
        UnparsedPublicKey::new(&ED25519, self.pair.public_key().as_ref())
            .verify(body.as_bytes(), &signature)
            .map_err(|_| TokenError::Forged)?;
        let body = URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError::Forged)?;
        serde_json::from_slice(&body).map_err(|_| TokenError::Forged)
    }

    /// Checks a token for one lesson.
    ///
    /// # Errors
    /// [`TokenError`], including [`TokenError::OtherLesson`].
    pub fn check_for(&self, lesson_id: LessonId, token: &str, now: UnixMs) -> Result<Claims, TokenError> {
        let claims = self.check(token, now)?;
        if claims.lesson_id == lesson_id { Ok(claims) } else { Err(TokenError::OtherLesson) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(exp: i64) -> Claims {
        Claims {
            kind: TokenKind::Receive,
            lesson_id: LessonId::fresh(),
            seat_id: Some(SeatId::fresh()),
            classroom_id: Some(ClassroomId::fresh()),
            session: None,
            device_id: None,
            auto_start: false,
            exp: UnixMs(exp),
            jti: Uuid::now_v7(),
        }
    }

    #[test]
    fn a_token_is_accepted_until_it_expires_and_for_its_lesson_only() {
        let folder = tempfile::tempdir().unwrap();
        let signer = TokenSigner::open(folder.path()).unwrap();
        let claims = claims(1_000);
        let token = signer.sign(&claims);
        assert_eq!(signer.check(&token, UnixMs(999)), Ok(claims.clone()));
        assert_eq!(signer.check(&token, UnixMs(1_000)), Err(TokenError::Expired));
        assert_eq!(signer.check_for(LessonId::fresh(), &token, UnixMs(1)), Err(TokenError::OtherLesson));
        // The key survives a restart.
        assert_eq!(TokenSigner::open(folder.path()).unwrap().check(&token, UnixMs(999)), Ok(claims));
    }

    #[test]
    fn no_changed_or_foreign_token_is_accepted() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let signer = TokenSigner::open(folder.path()).unwrap();
        let token = signer.sign(&claims(1_000));
        let (body, signature) = token.split_once('.').unwrap();
        let publish = String::from_utf8(URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap().replace("receive", "publish");
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let forged = [
            TokenSigner::open(elsewhere.path()).unwrap().sign(&claims(1_000)),
            format!("{}.{signature}", URL_SAFE_NO_PAD.encode(publish)),
            format!("{body}."),
            format!("{body}.{}", URL_SAFE_NO_PAD.encode([0_u8; 64])),
            format!("{none}.{body}."),
            format!("{none}.{body}.{signature}"),
            body.to_owned(),
            String::new(),
            ".".repeat(3),
            "a".repeat(1_000_000),
            "汉滨区".to_owned(),
        ];
        for token in forged {
            assert_eq!(signer.check(&token, UnixMs(1)), Err(TokenError::Forged));
        }
    }

    #[test]
    fn a_share_opens_no_lesson_and_a_seat_no_share() {
        let folder = tempfile::tempdir().unwrap();
        let signer = TokenSigner::open(folder.path()).unwrap();
        let share = ShareClaims { share_id: ShareId::fresh(), exp: UnixMs(1_000) };
        let (link, seat) = (signer.sign_share(&share), signer.sign(&claims(1_000)));
        assert_eq!(signer.check_share(&link, UnixMs(999)), Ok(share));
        assert_eq!(signer.check_share(&link, UnixMs(1_000)), Err(TokenError::Expired));
        assert_eq!(signer.check(&link, UnixMs(1)), Err(TokenError::Forged));
        assert_eq!(signer.check_share(&seat, UnixMs(1)), Err(TokenError::Forged));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let signer = TokenSigner::open(folder.path()).unwrap();
        let token = signer.sign(&claims(1_000));
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(signer.check(&changed, UnixMs(1)), Err(TokenError::Forged), "byte {at}");
        }
    }
}
