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
