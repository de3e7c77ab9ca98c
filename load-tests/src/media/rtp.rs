//! One RTP packet as it lies in a datagram: read without copying, written by hand.
//!
//! Written apart from the hub's own parser, so that the two check each other.

use std::ops::Range;

use bytes::{BufMut, BytesMut};

/// Where the parts of one RTP packet lie (RFC 3550 §5.1). Ranges are offsets into the datagram it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpLayout {
    /// Last packet of a picture.
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp in the codec's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Payload without padding. Empty for a packet of padding only.
    pub payload: Range<usize>,
    /// Elements of a one-byte header extension (RFC 8285 §4.2). Empty where there is none.
    pub extension: Range<usize>,
}

impl RtpLayout {
    /// `None`: not RTP version 2, or cut short.
    #[must_use]
    pub fn read(packet: &[u8]) -> Option<Self> {
        let first = *packet.first()?;
        if packet.len() < HEADER_BYTES || first >> 6 != 2 {
            return None;
        }
        let mut at = HEADER_BYTES + usize::from(first & 0x0f) * 4;
        let mut extension = 0..0;
        if first & 0x10 != 0 {
            let head = packet.get(at..at + 4)?;
            let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let elements = at + 4..at + 4 + words * 4;
            packet.get(elements.clone())?;
            at = elements.end;
            if u16::from_be_bytes([head[0], head[1]]) == ONE_BYTE_PROFILE {
                extension = elements;
            }
        }
        let padding = if first & 0x20 != 0 { usize::from(*packet.last()?) } else { 0 };
        let end = packet.len().checked_sub(padding).filter(|end| *end >= at)?;
        Some(Self {
            marker: packet[1] & 0x80 != 0,
            payload_type: packet[1] & 0x7f,
            seq: u16::from_be_bytes([packet[2], packet[3]]),
            timestamp: u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]),
            ssrc: u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]),
            payload: at..end,
            extension,
        })
    }

    /// The header extension with this id. `packet` must be what was read.
    #[must_use]
    pub fn extension<'a>(&self, packet: &'a [u8], id: u8) -> Option<&'a [u8]> {
        let elements = packet.get(self.extension.clone())?;
        let mut at = 0;
        while at < elements.len() {
            let head = elements[at];
            if head == 0 {
                at += 1; // padding between elements
                continue;
            }
            let length = usize::from(head & 0x0f) + 1;
            if head >> 4 == id {
                return elements.get(at + 1..at + 1 + length);
            }
            at += 1 + length;
        }
        None
    }
}

/// The fields of a header to write; the counterpart of [`RtpLayout`].
#[derive(Debug, Clone, Copy)]
pub struct RtpHeader<'a> {
    /// Last packet of a picture.
    pub marker: bool,
    /// Payload type.
    pub payload_type: u8,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// One-byte header extensions as id and value; values of 1 to 16 bytes.
    pub extensions: &'a [(u8, &'a [u8])],
}

impl RtpHeader<'_> {
    /// Appends the header to `out`.
    pub fn write(&self, out: &mut BytesMut) {
        out.put_u8(if self.extensions.is_empty() { 0x80 } else { 0x90 });
        out.put_u8(u8::from(self.marker) << 7 | self.payload_type);
        out.put_u16(self.seq);
        out.put_u32(self.timestamp);
        out.put_u32(self.ssrc);
        if self.extensions.is_empty() {
            return;
        }
        let bytes: usize = self.extensions.iter().map(|(_, value)| 1 + value.len()).sum();
        let words = bytes.div_ceil(4);
        out.put_u16(ONE_BYTE_PROFILE);
        out.put_u16(words as u16);
        for (id, value) in self.extensions {
            out.put_u8(id << 4 | (value.len() as u8 - 1));
            out.put_slice(value);
        }
        out.put_bytes(0, words * 4 - bytes);
    }
}

/// True for RTCP on a muxed transport (RFC 5761 §4: packet types 192 to 223).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// True where an H.264 payload (RFC 6184) starts a picture that needs no earlier one.
#[must_use]
pub fn starts_keyframe(payload: &[u8]) -> bool {
    match payload.first().map(|byte| byte & 0x1f) {
        Some(5 | 7) => true,
        // A STAP-A opens with its SPS; the byte after the first length is that NAL's header.
        Some(24) => payload.get(3).is_some_and(|byte| matches!(byte & 0x1f, 5 | 7)),
        Some(28) => payload.get(1).is_some_and(|byte| byte & 0x80 != 0 && byte & 0x1f == 5),
        _ => false,
    }
}

/// The nearest 64-bit number to `reference` whose low 16 bits are `seq` (RFC 3550 A.1, without its probation).
#[must_use]
pub fn extend(reference: u64, seq: u16) -> u64 {
    let ahead = i64::from(seq.wrapping_sub(reference as u16) as i16);
    reference.checked_add_signed(ahead).unwrap_or(u64::from(seq))
}

/// Fixed part of an RTP header (RFC 3550 §5.1).
pub const HEADER_BYTES: usize = 12;

const ONE_BYTE_PROFILE: u16 = 0xBEDE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut packet = BytesMut::new();
        let header = RtpHeader {
            marker: true,
            payload_type: 102,
            seq: 65_535,
            timestamp: 7,
            ssrc: 9,
            extensions: &[(4, b"1"), (3, &[0x12, 0x34])],
        };
        header.write(&mut packet);
        packet.put_slice(b"payload");
        let layout = RtpLayout::read(&packet).unwrap();
        assert_eq!((layout.marker, layout.payload_type, layout.seq, layout.ssrc), (true, 102, 65_535, 9));
        assert_eq!(&packet[layout.payload.clone()], b"payload");
        assert_eq!(layout.extension(&packet, 3), Some(&[0x12, 0x34][..]));
        assert_eq!(layout.extension(&packet, 4), Some(&b"1"[..]));
        assert_eq!(layout.extension(&packet, 5), None);
    }

    #[test]
    fn padding_is_not_payload() {
        let mut packet = BytesMut::new();
        RtpHeader { marker: false, payload_type: 111, seq: 1, timestamp: 0, ssrc: 1, extensions: &[] }
            .write(&mut packet);
        packet.put_slice(&[1, 2, 3, 0, 2]);
        packet[0] |= 0x20;
        assert_eq!(&packet[RtpLayout::read(&packet).unwrap().payload], &[1, 2, 3]);
        *packet.last_mut().unwrap() = 200;
        assert_eq!(RtpLayout::read(&packet), None);
    }

    #[test]
    fn sequence_numbers_run_on_over_a_wrap() {
        for (reference, seq, expected) in
            [(10, 11, 11), (65_535, 0, 65_536), (65_536, 65_535, 65_535), (3, 65_535, 65_535)]
        {
            assert_eq!(extend(reference, seq), expected, "{seq} near {reference}");
        }
    }

    #[test]
    fn cut_packets_are_refused() {
        let mut packet = BytesMut::new();
        RtpHeader { marker: false, payload_type: 1, seq: 1, timestamp: 0, ssrc: 1, extensions: &[(1, &[1])] }
            .write(&mut packet);
        for length in 0..packet.len() {
            assert_eq!(RtpLayout::read(&packet[..length]), None, "{length} bytes");
        }
    }
}
