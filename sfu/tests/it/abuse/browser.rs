//! A client that comes by the front door: ICE, then DTLS, then keys.

use std::net::SocketAddr;

use bytes::BytesMut;
use rtc_stun::{
    attributes::{ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME},
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, Message, Setter},
    textattrs::TextAttribute,
};
use sfu::{
    PeerId,
    answer::{DtlsRole, RemoteTransport},
    lobby::{Admission, Terms},
    transport::{
        dtls::{Fingerprints, Handshake, Identity, Progress},
        ice::Credentials,
        srtp::{Keys, Opener, Sealer},
    },
};

use crate::{
    abuse::beside::Sent,
    seeded::{Far, Lesson, ROOM, transport},
};

/// One client and what it was promised.
pub struct Browser {
    pub address: SocketAddr,
    pub ours: Credentials,
    pub handshake: Handshake,
    pub keys: Option<Keys>,
}

pub fn fingerprints(identity: &Identity) -> Fingerprints {
    let bytes = identity.fingerprint().split(':').map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect();
    vec![("sha-256".into(), bytes)]
}

impl Browser {
    /// Offers with one certificate and comes with another, which is the same one for honest clients.
    pub fn offers(
        lesson: &Lesson,
        peer: u64,
        terms: Terms,
        role: DtlsRole,
        offered: &Identity,
        has: &Identity,
    ) -> Self {
        let ours = Credentials { ufrag: format!("hub{peer:05}"), pwd: "0123456789abcdefghijklmn".into() };
        let agreed = RemoteTransport { fingerprint: fingerprints(offered), dtls_role: role, ..transport() };
        let terms = match terms {
            Terms::Publish(terms) => Terms::Publish(sfu::answer::PublishTerms { transport: agreed, ..terms }),
            Terms::View(terms) => Terms::View(sfu::answer::ViewTerms { transport: agreed, ..terms }),
        };
        let admission = Admission { peer: PeerId(peer), room: ROOM, ours: ours.clone(), terms, at: lesson.now };
        assert!(lesson.lobby.admit(admission, 10_000).is_ok());
        let hub = fingerprints(&lesson.identity);
        let handshake = match role {
            DtlsRole::Passive => Handshake::active(lesson.now, has, hub).unwrap(),
            DtlsRole::Active => Handshake::passive(has, hub),
        };
        Self { address: SocketAddr::from(([198, 51, 100, peer as u8], 5_000)), ours, handshake, keys: None }
    }

    /// An honest one.
    pub fn new(lesson: &Lesson, peer: u64, terms: Terms) -> Self {
        let own = Identity::generate().unwrap();
        Self::offers(lesson, peer, terms, DtlsRole::Passive, &own, &own)
    }

    /// Whoever only guesses needs no seat.
    pub fn new_for_guesses(lesson: &Lesson) -> Self {
        let handshake = Handshake::passive(&lesson.identity, Fingerprints::new());
        let ours = Credentials { ufrag: String::new(), pwd: String::new() };
        Self { address: SocketAddr::from(([203, 0, 113, 1], 9)), ours, handshake, keys: None }
    }

    /// A nominating check, signed with `pwd`.
    pub fn check(&self, lesson: &Lesson, pwd: &str) -> Vec<u8> {
        let mut check = Message::new();
        check.set_type(BINDING_REQUEST);
        check.new_transaction_id().unwrap();
        check.write_header();
        TextAttribute::new(ATTR_USERNAME, format!("{}:them", self.ours.ufrag)).add_to(&mut check).unwrap();
        check.add(ATTR_PRIORITY, &[0, 0, 1, 0]);
        check.add(ATTR_USE_CANDIDATE, &[]);
        let crypto = lesson.identity.provider().crypto();
        MessageIntegrity::new_short_term_integrity_with_provider(pwd.into(), crypto).add_to(&mut check).unwrap();
        FINGERPRINT.add_to(&mut check).unwrap();
        check.raw
    }

    pub fn come(&self, lesson: &mut Lesson) {
        let check = self.check(lesson, &self.ours.pwd);
        self.say(lesson, &check);
    }

    pub fn say(&self, lesson: &mut Lesson, datagram: &[u8]) {
        lesson.worker.handle_datagram(lesson.now, self.address, BytesMut::from(datagram));
    }

    /// Takes its part of what was sent, and answers. False where its own side gives up.
    pub fn answer(&mut self, lesson: &mut Lesson, sent: &Sent) -> bool {
        for (to, datagram) in sent {
            if *to == self.address && (20..64).contains(&datagram[0]) {
                match self.handshake.handle_datagram(lesson.now, datagram) {
                    Ok(Progress::Done(keys)) => self.keys = Some(keys),
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        }
        let _ = self.handshake.handle_timeout(lesson.now);
        while let Some(datagram) = self.handshake.poll_transmit() {
            self.say(lesson, &datagram);
        }
        true
    }

    /// Its end, once it has keys.
    pub fn far(&self, lesson: &Lesson) -> Far {
        let keys = self.keys.as_ref().expect("it is connected");
        let crypto = lesson.identity.provider().crypto();
        let (sealer, opener) = (Sealer::new(keys, crypto).unwrap(), Opener::new(keys, crypto).unwrap());
        Far { address: self.address, sealer, opener }
    }
}
