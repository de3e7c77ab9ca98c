//! ICE-lite (RFC 8445 §2.5): answers authenticated connectivity checks and never sends one.
//!
//! A check proves that its sender knows our password, so it also establishes a peer's path and moves it to a new
//! address. Only attributes before MESSAGE-INTEGRITY are used.

use std::net::SocketAddr;

use rtc_crypto::RTCCrypto;
use rtc_stun::{
    attributes::{ATTR_FINGERPRINT, ATTR_MESSAGE_INTEGRITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType},
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter},
    xoraddr::XorMappedAddress,
};

/// One side's ICE credentials (RFC 8839 §5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// User fragment: public, and the key by which a first check finds its peer.
    pub ufrag: String,
    /// Password: it authenticates the client that our answer went to.
    pub pwd: String,
}

/// A binding request that is well formed. It is not authenticated yet.
#[derive(Debug)]
pub struct Check {
    message: Message,
    our_ufrag_len: usize,
    username: Vec<u8>,
}

impl Check {
    /// Reads a datagram as a binding request with USERNAME, MESSAGE-INTEGRITY and at most FINGERPRINT behind it.
    ///
    /// `None` for anything else: attributes behind MESSAGE-INTEGRITY are not covered by it, so a message that has some
    /// is not answered at all.
    #[must_use]
    pub fn read(datagram: &[u8]) -> Option<Self> {
        if datagram.len() > CHECK_BYTES_MAX {
            return None;
        }
        let mut message = Message::new();
        message.unmarshal_binary(datagram).ok()?;
        if message.typ != BINDING_REQUEST || message.raw.len() != message.length as usize + 20 {
            return None;
        }
        let attributes = &message.attributes.0;
        let integrity_at = attributes.iter().position(|a| a.typ == ATTR_MESSAGE_INTEGRITY)?;
        match &attributes[integrity_at + 1..] {
            [] => {}
            [fingerprint] if fingerprint.typ == ATTR_FINGERPRINT => FINGERPRINT.check(&message).ok()?,
            _ => return None,
        }
        let unknown = |typ: AttrType| typ.required() && !KNOWN_REQUIRED.contains(&typ.value());
        if attributes.iter().any(|a| unknown(a.typ)) {
            return None;
        }
        let username = attributes.iter().find(|a| a.typ == ATTR_USERNAME)?.value.clone();
        let our_ufrag_len = username.iter().position(|&byte| byte == b':')?;
        Some(Self { message, our_ufrag_len, username })
    }

    /// The user fragment of ours that the check is addressed to. `None`: no UTF-8.
    #[must_use]
    pub fn our_ufrag(&self) -> Option<&str> {
        std::str::from_utf8(&self.username[..self.our_ufrag_len]).ok()
    }

    /// The sender's own user fragment. `None`: no UTF-8.
    #[must_use]
    pub fn their_ufrag(&self) -> Option<&str> {
        std::str::from_utf8(&self.username[self.our_ufrag_len + 1..]).ok()
    }

    /// Was it signed with our password? (Compared in constant time.)
    pub fn is_signed_with(&mut self, our_pwd: &str, crypto: &dyn RTCCrypto) -> bool {
        MessageIntegrity::check(&mut self.message, our_pwd.as_bytes(), crypto).is_ok()
    }

    /// Does the check nominate this pair (USE-CANDIDATE)?
    #[must_use]
    pub fn nominates(&self) -> bool {
        self.message.attributes.0.iter().any(|a| a.typ == ATTR_USE_CANDIDATE)
    }

    /// The success response: the address that the check came from, signed. Never longer than 1.5 times a real check.
    ///
    /// `None` only where the crypto provider fails.
    #[must_use]
    pub fn response(&self, from: SocketAddr, our_pwd: &str, crypto: &dyn RTCCrypto) -> Option<Vec<u8>> {
        let mut response = Message::new();
        let mapped = XorMappedAddress { ip: from.ip().to_canonical(), port: from.port() };
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(our_pwd.to_owned(), crypto);
        response.set_type(BINDING_SUCCESS);
        response.transaction_id = self.message.transaction_id;
        response.write_header();
        mapped.add_to(&mut response).ok()?;
        integrity.add_to(&mut response).ok()?;
        FINGERPRINT.add_to(&mut response).ok()?;
        Some(response.raw)
    }
}

/// USERNAME, MESSAGE-INTEGRITY, PRIORITY, USE-CANDIDATE: a check with any other comprehension-required attribute asks
/// for something that we do not do (RFC 8489 §6.3.1).
const KNOWN_REQUIRED: [u16; 4] = [0x0006, 0x0008, 0x0024, 0x0025];

/// Browsers' checks are 80 to 160 bytes.
const CHECK_BYTES_MAX: usize = 548;

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_stun::{attributes::ATTR_PRIORITY, textattrs::TextAttribute};

    fn crypto() -> std::sync::Arc<dyn rtc_crypto::RTCCryptoProvider> {
        rtc_crypto::default_provider().expect("built in")
    }

    fn request(pwd: &str, trailer: Option<AttrType>) -> Vec<u8> {
        let provider = crypto();
        let mut m = Message::new();
        m.set_type(BINDING_REQUEST);
        m.new_transaction_id().unwrap();
        m.write_header();
        TextAttribute::new(ATTR_USERNAME, "ours:theirs".into()).add_to(&mut m).unwrap();
        m.add(ATTR_PRIORITY, &[0, 0, 1, 0]);
        MessageIntegrity::new_short_term_integrity_with_provider(pwd.into(), provider.crypto()).add_to(&mut m).unwrap();
        if let Some(trailer) = trailer {
            m.add(trailer, &[]);
        }
        FINGERPRINT.add_to(&mut m).unwrap();
        m.raw
    }

    #[test]
    fn a_signed_check_is_answered_with_the_address_it_came_from() {
        let provider = crypto();
        let mut check = Check::read(&request("secret", None)).unwrap();
        assert_eq!((check.our_ufrag(), check.their_ufrag()), (Some("ours"), Some("theirs")));
        assert!(check.is_signed_with("secret", provider.crypto()));
        assert!(!check.is_signed_with("guess", provider.crypto()));
        let from: SocketAddr = "192.0.2.7:4000".parse().unwrap();
        let response = check.response(from, "secret", provider.crypto()).unwrap();
        let mut parsed = Message::new();
        parsed.unmarshal_binary(&response).unwrap();
        let mut mapped = XorMappedAddress::default();
        rtc_stun::message::Getter::get_from(&mut mapped, &parsed).unwrap();
        assert_eq!(SocketAddr::new(mapped.ip, mapped.port), from);
    }

    #[test]
    fn nothing_behind_the_signature_is_believed() {
        assert!(Check::read(&request("secret", Some(ATTR_USE_CANDIDATE))).is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_datagram_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), flip in 0usize..100, to: u8) {
            let _ = Check::read(&bytes);
            let mut real = request("secret", None);
            let at = flip % real.len();
            real[at] = to;
            if let Some(mut check) = Check::read(&real) {
                let _ = check.is_signed_with("secret", crypto().crypto());
            }
        }
    }
}
