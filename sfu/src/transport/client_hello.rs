//! The first ClientHello, put together from its pieces: what a server may offer depends on what it asks for.
//!
//! Chromium's comes in two datagrams because of its large post-quantum key share, GStreamer's in small ones because
//! OpenSSL guesses an MTU of 256 bytes (RFC 6347 §4.2.3). Only a whole one shows which SRTP profiles are known.

use bytes::BytesMut;

/// Holds the pieces back until the ClientHello is whole.
#[derive(Debug, Default)]
pub(crate) struct HelloAssembler {
    held: Vec<BytesMut>,
}

impl HelloAssembler {
    /// Takes one datagram.
    ///
    /// `None`: more pieces must come. Otherwise whether the client knows `SRTP_AES128_CM_HMAC_SHA1_80` but not
    /// AES-128-GCM, and every datagram so far, for the handshake itself. What is no ClientHello is not held back, nor
    /// is one of more than [`PIECES_MAX`] pieces; both count as knowing GCM.
    pub(crate) fn take(&mut self, datagram: &[u8]) -> Option<(bool, Vec<BytesMut>)> {
        self.held.push(BytesMut::from(datagram));
        let only_sha1 = match assemble(&self.held) {
            Assembled::Missing if self.held.len() < PIECES_MAX => return None,
            Assembled::Missing | Assembled::Foreign => false,
            Assembled::Whole(hello) => knows_only_sha1(&hello),
        };
        Some((only_sha1, std::mem::take(&mut self.held)))
    }
}

enum Assembled {
    /// The body of the ClientHello.
    Whole(Vec<u8>),
    /// Pieces are missing.
    Missing,
    /// The newest datagram holds no piece of a ClientHello.
    Foreign,
}

fn assemble(datagrams: &[BytesMut]) -> Assembled {
    let mut body: Vec<Option<u8>> = Vec::new();
    for datagram in datagrams {
        let mut records: &[u8] = datagram;
        let mut has_piece = false;
        while let Some((header, piece)) = fragment(&mut records) {
            let (length, offset) = (number(&header[1..4]), number(&header[6..9]));
            if length > HELLO_BYTES_MAX || offset + piece.len() > length {
                return Assembled::Foreign;
            }
            body.resize(length, None);
            for (place, &byte) in body[offset..].iter_mut().zip(piece) {
                *place = Some(byte);
            }
            has_piece = true;
        }
        if !has_piece {
            return Assembled::Foreign;
        }
    }
    body.into_iter().collect::<Option<Vec<u8>>>().map_or(Assembled::Missing, Assembled::Whole)
}

/// The next record's handshake header and piece, if it is one of a ClientHello (RFC 6347 §4.2.2).
fn fragment<'a>(records: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let record = take(records, 13)?;
    let mut content = take(records, number(&record[11..13]))?;
    let header = take(&mut content, 12)?;
    let piece = take(&mut content, number(&header[9..12]))?;
    (record[0] == HANDSHAKE && header[0] == CLIENT_HELLO).then_some((header, piece))
}

fn knows_only_sha1(hello: &[u8]) -> bool {
    let Some(profiles) = use_srtp(hello) else { return false };
    let has = |wanted: u16| profiles.chunks_exact(2).any(|pair| u16::from_be_bytes([pair[0], pair[1]]) == wanted);
    has(0x0001) && !has(0x0007)
}

/// The profile list of the `use_srtp` extension (RFC 5764 §4.1.1). `None`: without it.
fn use_srtp(hello: &[u8]) -> Option<&[u8]> {
    let mut rest = hello;
    take(&mut rest, 34)?; // version, random
    for width in [1, 1, 2, 1] {
        // session id, cookie, cipher suites, compression methods
        let size = number(take(&mut rest, width)?);
        take(&mut rest, size)?;
    }
    take(&mut rest, 2)?;
    loop {
        let kind = number(take(&mut rest, 2)?);
        let size = number(take(&mut rest, 2)?);
        let mut body = take(&mut rest, size)?;
        if kind == USE_SRTP {
            let size = number(take(&mut body, 2)?);
            return take(&mut body, size);
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

/// At most three bytes, big end first.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const USE_SRTP: usize = 14;

/// The largest known, with a post-quantum key share, is some 1,700 bytes.
const HELLO_BYTES_MAX: usize = 8192;

/// OpenSSL's smallest pieces carry some 200 bytes; a client that sends one again and again must not fill memory.
const PIECES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello that asks for these SRTP profiles, in pieces of at most `piece` bytes.
    fn hello(profiles: &[u16], piece: usize) -> Vec<Vec<u8>> {
        let mut body = vec![0xfe; 34];
        body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]); // no session, no cookie, one suite, no compression
        let list: Vec<u8> = profiles.iter().flat_map(|profile| profile.to_be_bytes()).collect();
        let size = |bytes: usize| (bytes as u16).to_be_bytes();
        body.extend(size(list.len() + 7 + 4));
        body.extend([0, 23, 0, 0, 0, 14]); // extended master secret, use_srtp
        body.extend(size(list.len() + 3));
        body.extend(size(list.len()));
        body.extend(&list);
        body.push(0);
        let whole = body.len();
        let mut offset = 0;
        let pieces = body.chunks(piece).map(|chunk| {
            let mut datagram = vec![HANDSHAKE, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
            datagram.extend(size(12 + chunk.len()));
            datagram.extend([CLIENT_HELLO, 0, 0, whole as u8, 0, 0, 0, 0, offset as u8, 0, 0, chunk.len() as u8]);
            datagram.extend(chunk);
            offset += chunk.len();
            datagram
        });
        pieces.collect()
    }

    #[test]
    fn a_client_hello_in_one_datagram_is_whole_at_once() {
        for (profiles, only_sha1) in [(&[1][..], true), (&[7], false), (&[1, 7], false), (&[7, 8, 1, 2], false)] {
            let (found, datagrams) = HelloAssembler::default().take(&hello(profiles, 200)[0]).unwrap();
            assert_eq!((found, datagrams.len()), (only_sha1, 1), "{profiles:?}");
        }
    }

    #[test]
    fn a_client_hello_in_pieces_is_whole_when_all_have_come_in_any_order() {
        let pieces = hello(&[1], 15);
        assert_eq!(pieces.len(), 4);
        let mut late = HelloAssembler::default();
        for piece in [3, 0, 0, 2] {
            assert!(late.take(&pieces[piece]).is_none());
        }
        let (only_sha1, datagrams) = late.take(&pieces[1]).unwrap();
        assert!(only_sha1);
        assert_eq!(datagrams.len(), 5);
    }

    #[test]
    fn what_is_no_client_hello_is_passed_on_and_repeated_pieces_are_bounded() {
        assert!(HelloAssembler::default().take(b"no handshake").is_some());
        let mut stuck = HelloAssembler::default();
        let piece = hello(&[1], 20).remove(0);
        assert_eq!((1..=PIECES_MAX).position(|_| stuck.take(&piece).is_some()), Some(PIECES_MAX - 1));
    }

    proptest::proptest! {
        #[test]
        fn no_datagram_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), at in 0usize..60, to: u8) {
            let mut hellos = HelloAssembler::default();
            let _ = hellos.take(&bytes);
            for mut piece in hello(&[1, 7], 20) {
                let length = piece.len();
                piece[at % length] = to;
                let _ = hellos.take(&piece);
            }
        }
    }
}
