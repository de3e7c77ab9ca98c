//! The RTP header (RFC 3550 §5.1) and its extensions (RFC 8285), which SRTP leaves in the clear.

use std::ops::Range;

use smallvec::SmallVec;

/// Header extension ids and where their values stand in the packet.
pub type Extensions = SmallVec<[(u8, Range<u16>); 8]>;

/// What stands before an RTP payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpHeader {
    /// Last packet of a picture; for voice the first of a talk spurt.
    pub marker: bool,
    /// Payload type.
    pub pt: u8,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp in the codec's clock rate.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Bytes before the payload, extensions included: what SRTP authenticates but does not encrypt.
    pub header_len: u16,
    /// Its header extensions; the padding id 0 is left out.
    pub extensions: Extensions,
    /// The last byte of the opened packet counts padding.
    pub has_padding: bool,
}

/// Reads the header of an RTP packet, sealed or opened. `None`: malformed.
#[must_use]
pub fn rtp_header(bytes: &[u8]) -> Option<RtpHeader> {
    const FIXED_BYTES: usize = 12;
    let fixed = bytes.first_chunk::<FIXED_BYTES>()?;
    if fixed[0] >> 6 != 2 || bytes.len() > usize::from(u16::MAX) {
        return None;
    }
    let mut at = FIXED_BYTES + 4 * usize::from(fixed[0] & 0x0f);
    let mut extensions = Extensions::new();
    if fixed[0] & 0x10 != 0 {
        let [profile_high, profile_low, words_high, words_low] = *bytes.get(at..)?.first_chunk::<4>()?;
        let profile = u16::from_be_bytes([profile_high, profile_low]);
        let start = at + 4;
        at = start + 4 * usize::from(u16::from_be_bytes([words_high, words_low]));
        let block = bytes.get(start..at)?;
        match profile {
            0xbede => walk(block, start, one_byte, &mut extensions)?,
            0x1000..=0x100f => walk(block, start, two_byte, &mut extensions)?,
            _ => {} // Another profile's extension: skipped whole (RFC 3550 §5.3.1).
        }
    }
    if at > bytes.len() {
        return None;
    }
    Some(RtpHeader {
        marker: fixed[1] & 0x80 != 0,
        pt: fixed[1] & 0x7f,
        seq: u16::from_be_bytes([fixed[2], fixed[3]]),
        timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        header_len: u16::try_from(at).ok()?,
        extensions,
        has_padding: fixed[0] & 0x20 != 0,
    })
}

impl RtpHeader {
    /// The value of a header extension. `None`: not in this packet.
    #[must_use]
    pub fn extension<'a>(&self, id: u8, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (_, range) = self.extensions.iter().find(|(found, _)| *found == id)?;
        bytes.get(usize::from(range.start)..usize::from(range.end))
    }

    /// Where the payload stands in the first `packet_len_after_open` of `bytes`, without padding. It may be empty: a
    /// probe of nothing but padding. `None`: the padding's length is 0 or more than there is (RFC 3550 §5.1), or
    /// the packet is shorter than its header.
    #[must_use]
    pub fn payload_range(&self, packet_len_after_open: usize, bytes: &[u8]) -> Option<Range<usize>> {
        let start = usize::from(self.header_len);
        let body = bytes.get(start..packet_len_after_open)?;
        let padding = match (self.has_padding, body.last()) {
            (false, _) => 0,
            (true, Some(&count)) if count > 0 && usize::from(count) <= body.len() => usize::from(count),
            (true, _) => return None,
        };
        Some(start..packet_len_after_open - padding)
    }
}

/// One element of an extension block.
enum Element {
    /// A byte of padding.
    Padding,
    /// RFC 8285 §4.2: id 15 ends the walk.
    End,
    /// Its id, the bytes before its value, the bytes of its value.
    Value { id: u8, before: usize, size: usize },
}

fn one_byte(rest: &[u8]) -> Option<Element> {
    let first = *rest.first()?;
    Some(match first >> 4 {
        0 if first == 0 => Element::Padding,
        // Id 0 with a length is reserved, and 15 is too: neither may be read past (RFC 8285 §4.2).
        0 | 15 => Element::End,
        id => Element::Value { id, before: 1, size: usize::from(first & 0x0f) + 1 },
    })
}

fn two_byte(rest: &[u8]) -> Option<Element> {
    match *rest.first()? {
        0 => Some(Element::Padding),
        id => Some(Element::Value { id, before: 2, size: usize::from(*rest.get(1)?) }),
    }
}

fn walk(
    block: &[u8],
    start: usize,
    element: impl Fn(&[u8]) -> Option<Element>,
    extensions: &mut Extensions,
) -> Option<()> {
    let mut at = 0;
    while at < block.len() {
        match element(&block[at..])? {
            Element::Padding => at += 1,
            Element::End => break,
            Element::Value { id, before, size } => {
                let value = at + before..at + before + size;
                if value.end > block.len() || extensions.len() == EXTENSIONS_MAX {
                    return None;
                }
                at = value.end;
                let range = u16::try_from(start + value.start).ok()?..u16::try_from(start + value.end).ok()?;
                extensions.push((id, range));
            }
        }
    }
    Some(())
}

/// More in one packet than any answer of ours agrees to: foreign, and no reason to allocate without end.
const EXTENSIONS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::rtp_header;

    const FIXED: [u8; 12] = [0x80, 0xe0, 0x12, 0x34, 0, 0, 0, 5, 0xde, 0xad, 0xbe, 0xef];

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = FIXED.to_vec();
        bytes[0] = first;
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn a_plain_header() {
        let header = rtp_header(&packet(0x80, b"x")).expect("RTP");
        assert_eq!((header.marker, header.pt, header.seq), (true, 96, 0x1234));
        assert_eq!((header.timestamp, header.ssrc, header.header_len), (5, 0xdead_beef, 12));
        assert!(header.extensions.is_empty() && !header.has_padding);
        assert_eq!(rtp_header(&packet(0x82, &[0; 9])).map(|header| header.header_len), Some(20), "two sources");
    }

    #[test]
    fn extensions_of_both_forms_are_found() {
        let one = packet(0x90, &[0xbe, 0xde, 0, 2, 0x31, 0xaa, 0xbb, 0x00, 0x40, 0x31, 0x00, 0x00, b'x']);
        let header = rtp_header(&one).expect("RTP");
        assert_eq!(header.header_len, 24);
        assert_eq!(header.extensions.as_slice(), [(3, 17..19), (4, 21..22)]);
        assert_eq!(header.extension(4, &one), Some(&[0x31][..]));

        let two = packet(0x90, &[0x10, 0x00, 0, 2, 3, 2, 0xaa, 0xbb, 200, 0, 0, 0, b'x']);
        assert_eq!(rtp_header(&two).expect("RTP").extensions.as_slice(), [(3, 18..20), (200, 22..22)]);

        let foreign = packet(0x90, &[0x12, 0x34, 0, 1, 0x31, 0xaa, 0xbb, 0xcc]);
        assert!(rtp_header(&foreign).is_some_and(|header| header.extensions.is_empty() && header.header_len == 20));
        let ended = packet(0x90, &[0xbe, 0xde, 0, 1, 0xf0, 0x31, 0xaa, 0xbb]);
        assert!(rtp_header(&ended).is_some_and(|header| header.extensions.is_empty()), "id 15 ends the walk");
    }

    #[test]
    fn what_does_not_fit_is_no_rtp() {
        for (what, bytes) in [
            ("nothing", Vec::new()),
            ("short", FIXED[..11].to_vec()),
            ("version 1", packet(0x40, b"x")),
            ("sources beyond the end", packet(0x81, &[0; 3])),
            ("an extension without its length", packet(0x90, &[0xbe, 0xde, 0])),
            ("an extension beyond the end", packet(0x90, &[0xbe, 0xde, 0, 2, 0, 0, 0, 0])),
            ("an element beyond its block", packet(0x90, &[0xbe, 0xde, 0, 1, 0x33, 1, 2, 3, 4, 5])),
            ("a two-byte element without its length", packet(0x90, &[0x10, 0, 0, 1, 1, 1, 9, 3, 4])),
        ] {
            assert_eq!(rtp_header(&bytes), None, "{what}");
        }
    }

    #[test]
    fn padding_is_taken_off() {
        for (rest, expected) in [
            (&[1, 2, 3, 1][..], Some(12..15)),
            (&[1, 2, 3, 3], Some(12..13)),
            (&[1, 2, 3, 4], Some(12..12)),
            (&[1, 2, 3, 5], None),
            (&[1, 2, 3, 0], None),
            (&[], None),
        ] {
            let bytes = packet(0xa0, rest);
            assert_eq!(rtp_header(&bytes).expect("RTP").payload_range(bytes.len(), &bytes), expected, "{rest:?}");
        }
        // Sealed, its tag stands behind: only what was opened counts.
        let bytes = packet(0xa0, &[1, 2, 2, 0xff, 0xff]);
        let header = rtp_header(&bytes).expect("RTP");
        assert_eq!(header.payload_range(15, &bytes), Some(12..13));
        assert_eq!(header.payload_range(11, &bytes), None);
        assert_eq!(header.payload_range(99, &bytes), None);
    }
}
