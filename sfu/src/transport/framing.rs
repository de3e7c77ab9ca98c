//! Packets on a byte stream (RFC 4571): two bytes of length before each. Sans-I/O and bounded both ways.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A longer frame is an error. The next one cannot be found behind it, so the stream is given up.
pub const FRAME_BYTES_MAX: usize = 1_500;

/// Cuts what is read into packets. Keeps at most one unfinished frame.
#[derive(Debug, Default)]
pub struct Deframer {
    /// The beginning of a frame, its length included.
    begun: Vec<u8>,
}

/// A frame is longer than [`FRAME_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes is no packet")]
pub struct TooLong(pub usize);

impl Deframer {
    /// Takes the next bytes of the stream and hands over every packet that they complete. Empty frames, which keep a
    /// line alive (RFC 4571 §2), are passed over.
    ///
    /// # Errors
    /// The stream can no longer be understood. Packets before the fault were handed over.
    pub fn take(&mut self, mut bytes: &[u8], mut packet: impl FnMut(&[u8])) -> Result<(), TooLong> {
        while !self.begun.is_empty() {
            let whole = match length(&self.begun)? {
                Some(length) => HEADER_BYTES + length,
                None => HEADER_BYTES,
            };
            let missing = (whole - self.begun.len()).min(bytes.len());
            let (more, rest) = bytes.split_at(missing);
            self.begun.extend_from_slice(more);
            bytes = rest;
            match length(&self.begun)? {
                Some(length) if self.begun.len() == HEADER_BYTES + length => {
                    if length > 0 {
                        packet(&self.begun[HEADER_BYTES..]);
                    }
                    self.begun.clear();
                }
                _ if bytes.is_empty() => return Ok(()),
                _ => {}
            }
        }
        while let Some(length) = length(bytes)? {
            let Some(frame) = bytes.get(HEADER_BYTES..HEADER_BYTES + length) else { break };
            if length > 0 {
                packet(frame);
            }
            bytes = &bytes[HEADER_BYTES + length..];
        }
        self.begun.extend_from_slice(bytes);
        Ok(())
    }

    /// What has begun and is not all there, as it came.
    #[must_use]
    pub fn unfinished(&self) -> &[u8] {
        &self.begun
    }
}

/// Appends a packet as it travels. It is at most [`FRAME_BYTES_MAX`] long.
pub fn write(packet: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(packet.len() as u16).to_be_bytes());
    out.extend_from_slice(packet);
}

/// The length that a frame begins with. `None`: it is not all there.
fn length(frame: &[u8]) -> Result<Option<usize>, TooLong> {
    let Some(&[high, low]) = frame.get(..HEADER_BYTES) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > FRAME_BYTES_MAX { Err(TooLong(length)) } else { Ok(Some(length)) }
}

/// What may be dropped first when a line is too narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Voice, reports, handshakes and checks: few bytes, and essential. Overtakes pictures that wait.
    Voice,
    /// Pictures: what is dropped is asked for again, or followed by a keyframe.
    Picture,
}

/// Packets that wait for a byte stream to take them, framed. Drops whole packets only, pictures first.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Frames that are being written: one that has begun must be completed.
    writing: Vec<u8>,
    written: usize,
    voice: Lane,
    pictures: Lane,
}

#[derive(Debug, Default)]
struct Lane {
    bytes: VecDeque<u8>,
    /// When each packet came, and its length without the header.
    packets: VecDeque<(Instant, u16)>,
}

impl Backlog {
    /// Queues a packet. False: the queue is full, it is dropped.
    pub fn push(&mut self, now: Instant, class: Class, packet: &[u8]) -> bool {
        let (lane, limit) = match class {
            Class::Voice => (&mut self.voice, VOICE_BYTES_MAX),
            Class::Picture => (&mut self.pictures, PICTURE_BYTES_MAX),
        };
        if packet.is_empty() || packet.len() > FRAME_BYTES_MAX || lane.bytes.len() + packet.len() > limit {
            return false;
        }
        lane.bytes.extend((packet.len() as u16).to_be_bytes());
        lane.bytes.extend(packet);
        lane.packets.push_back((now, packet.len() as u16));
        true
    }

    /// Drops the pictures that have waited for too long to be of use. Returns how many packets those were.
    pub fn drop_stale(&mut self, now: Instant) -> u64 {
        let mut dropped = 0;
        while let Some(&(came, length)) = self.pictures.packets.front()
            && now.saturating_duration_since(came) > PICTURE_WAITS_FOR
        {
            self.pictures.packets.pop_front();
            self.pictures.bytes.drain(..HEADER_BYTES + usize::from(length));
            dropped += 1;
        }
        dropped
    }

    /// The bytes to write next, voice before pictures. Empty: nothing waits.
    pub fn chunk(&mut self) -> &[u8] {
        if self.written == self.writing.len() {
            self.writing.clear();
            self.written = 0;
            for lane in [&mut self.voice, &mut self.pictures] {
                while self.writing.len() < CHUNK_BYTES
                    && let Some((_, length)) = lane.packets.pop_front()
                {
                    self.writing.extend(lane.bytes.drain(..HEADER_BYTES + usize::from(length)));
                }
            }
        }
        &self.writing[self.written..]
    }

    /// So many bytes of the last [`Self::chunk`] were written.
    pub fn wrote(&mut self, bytes: usize) {
        self.written = (self.written + bytes).min(self.writing.len());
    }
}

const HEADER_BYTES: usize = 2;

/// Longer writes gain nothing, and voice cannot overtake what is in one.
const CHUNK_BYTES: usize = 8 * 1024;

/// Two seconds of voice with its redundancy, and the reports beside it.
const VOICE_BYTES_MAX: usize = 32 * 1024;

/// A board's keyframe and some more, or a second at 2 Mbit/s.
const PICTURE_BYTES_MAX: usize = 256 * 1024;

/// A picture that is this late has been asked for again, or given up.
const PICTURE_WAITS_FOR: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn deframed(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Result<(), TooLong>) {
        let mut deframer = Deframer::default();
        let mut packets = Vec::new();
        for piece in pieces {
            if let Err(error) = deframer.take(piece, |packet| packets.push(packet.to_vec())) {
                return (packets, Err(error));
            }
            assert!(deframer.begun.len() < HEADER_BYTES + FRAME_BYTES_MAX);
        }
        (packets, Ok(()))
    }

    #[test]
    fn a_stream_is_cut_where_its_lengths_say() {
        type Bytes = &'static [&'static [u8]];
        let table: [(Bytes, Bytes); 8] = [
            (&[b""], &[]),
            (&[b"\0\x03abc"], &[b"abc"]),
            (&[b"\0\x03abc\0\x01d"], &[b"abc", b"d"]),
            (&[b"\0", b"\x03", b"a", b"bc\0", b"\x01d"], &[b"abc", b"d"]),
            (&[b"\0\x03ab"], &[]),
            (&[b"\0\0\0\x01a\0\0"], &[b"a"]),
            (&[b"\0", b"\0\0\x01", b"a"], &[b"a"]),
            (&[b"\0\x02a", b"", b"b\0\x02cd\0"], &[b"ab", b"cd"]),
        ];
        for (pieces, packets) in table {
            let (found, result) = deframed(pieces);
            assert_eq!((found, result), (packets.iter().map(|packet| packet.to_vec()).collect(), Ok(())), "{pieces:?}");
        }
    }

    #[test]
    fn a_frame_longer_than_a_packet_ends_the_stream() {
        let longest = [&1_500u16.to_be_bytes()[..], &[7; 1_500]].concat();
        assert_eq!(deframed(&[&longest]), (vec![vec![7; 1_500]], Ok(())));
        assert_eq!(deframed(&[b"\0\x01a\x05\xdd"]), (vec![vec![b'a']], Err(TooLong(1_501))));
        assert_eq!(deframed(&[b"\xff", b"\xff"]), (vec![], Err(TooLong(65_535))));
    }

    /// Writes everything that waits, `at_once` bytes at a time.
    fn written(backlog: &mut Backlog, at_once: usize) -> Vec<u8> {
        let mut stream = Vec::new();
        loop {
            let chunk = backlog.chunk();
            if chunk.is_empty() {
                return stream;
            }
            let count = chunk.len().min(at_once);
            stream.extend_from_slice(&chunk[..count]);
            backlog.wrote(count);
        }
    }

    fn now() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made from nothing")]
        Instant::now()
    }

    #[test]
    fn a_full_backlog_drops_whole_pictures_and_keeps_the_voice_which_overtakes() {
        let now = now();
        let mut backlog = Backlog::default();
        let kept = (0..400).filter(|_| backlog.push(now, Class::Picture, &[1; 1_200])).count();
        assert_eq!(kept, PICTURE_BYTES_MAX / 1_202);
        // A frame that has begun goes on, then the voice comes.
        let begun = backlog.chunk().len();
        assert!(begun >= CHUNK_BYTES);
        backlog.wrote(100);
        assert!(backlog.push(now, Class::Voice, &[2; 100]));
        let (packets, result) = deframed(&[&[&[0x04, 0xb0][..], &[1; 98], &written(&mut backlog, 777)].concat()]);
        assert_eq!((packets.len(), result), (kept + 1, Ok(())));
        let at = packets.iter().position(|packet| packet[0] == 2).unwrap();
        assert_eq!(at, begun / 1_202);
    }

    #[test]
    fn pictures_that_waited_too_long_are_dropped_and_voice_is_not() {
        let begin = now();
        let mut backlog = Backlog::default();
        backlog.push(begin, Class::Picture, b"old");
        backlog.push(begin, Class::Voice, b"voice");
        backlog.push(begin + Duration::from_millis(900), Class::Picture, b"new");
        assert_eq!(backlog.drop_stale(begin + Duration::from_millis(1_000)), 0);
        assert_eq!(backlog.drop_stale(begin + Duration::from_millis(1_001)), 1);
        assert_eq!(written(&mut backlog, 3), b"\0\x05voice\0\x03new");
    }

    #[test]
    fn what_is_no_packet_never_waits() {
        let mut backlog = Backlog::default();
        assert!(!backlog.push(now(), Class::Voice, &[]) && !backlog.push(now(), Class::Voice, &[0; 1_501]));
        assert!(backlog.chunk().is_empty());
    }

    proptest! {
        #[test]
        fn what_was_framed_is_deframed_however_it_is_cut(
            packets in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..1_500)), 0..12),
            at_once in 1usize..4_000,
            cut in 1usize..4_000,
        ) {
            let now = now();
            let mut backlog = Backlog::default();
            for (voice, packet) in &packets {
                let class = if *voice { Class::Voice } else { Class::Picture };
                prop_assert!(backlog.push(now, class, packet));
            }
            let stream = written(&mut backlog, at_once);
            let (mut found, result) = deframed(&stream.chunks(cut).collect::<Vec<_>>());
            let mut expected: Vec<_> = packets.into_iter().map(|(_, packet)| packet).collect();
            expected.sort();
            found.sort();
            prop_assert_eq!((found, result), (expected, Ok(())));
        }

        #[test]
        fn no_stream_panics_or_is_kept(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..40)) {
            let _ = deframed(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
    }
}
