//! Strict HTTP/1.1 framing checks ahead of hyper's lenient parser.
//!
//! Hyper accepts a request with a length *and* chunks, and lines that end in LF alone. An intermediary may read those
//! otherwise, and then one request hides in another's body (RFC 9112 §6.1, §11.2: request smuggling). Ambiguous input
//! is corrupted before hyper reads it: a head so that hyper answers 400 and closes, a body so that it closes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose incoming bytes are checked.
pub(super) struct Strict<S> {
    stream: S,
    reading: Reading,
}

impl<S> Strict<S> {
    /// For HTTP/1.1.
    pub(super) fn http1(stream: S) -> Self {
        Self { stream, reading: Reading::Head(Head::default()) }
    }

    /// For HTTP/2, whose frames have one length each: passed through.
    pub(super) fn http2(stream: S) -> Self {
        Self { stream, reading: Reading::LetThrough }
    }
}

/// Position of the next byte in a request.
#[derive(Debug)]
enum Reading {
    Head(Head),
    Body {
        left: u64,
    },
    ChunkSize {
        size: u64,
        digits: u8,
        in_extension: bool,
        after_cr: bool,
    },
    Chunk {
        left: u64,
    },
    /// The CRLF after a chunk, and how many of its bytes have come.
    ChunkEnd {
        come: u8,
    },
    Trailers {
        line_bytes: usize,
        after_cr: bool,
    },
    /// WebSocket frames, or HTTP/2.
    LetThrough,
    /// The head has an invalid byte. Hyper parses the head from its beginning once it has ended, finds the byte and
    /// answers 400: later bytes pass unchanged.
    Refused,
    /// A body that must not be read further.
    Spoilt,
}

/// State of the lines before a body.
#[derive(Debug, Default)]
struct Head {
    line: Vec<u8>,
    line_bytes: usize,
    after_cr: bool,
    past_request_line: bool,
    length: Option<u64>,
    is_chunked: bool,
    upgrades: bool,
}

/// Bytes kept of a line: the two headers that matter are shorter.
const LINE_KEPT_MAX: usize = 80;

/// The framing is ambiguous.
struct Ambiguous;

impl Reading {
    /// Checks bytes as they come, and corrupts the first ambiguous one.
    fn look(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            match self {
                Self::LetThrough | Self::Refused => return,
                Self::Body { left } | Self::Chunk { left } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    *left -= here as u64;
                    at += here;
                    if *left > 0 {
                        return;
                    }
                    *self = match self {
                        Self::Chunk { .. } => Self::ChunkEnd { come: 0 },
                        _ => Self::Head(Head::default()),
                    };
                }
                _ => {
                    match self.step(bytes[at]) {
                        Ok(Some(next)) => *self = next,
                        Ok(None) => {}
                        Err(Ambiguous) => {
                            bytes[at] = 0; // Invalid in every token, header and chunk: hyper stops here.
                            *self = if matches!(self, Self::Head(_)) { Self::Refused } else { Self::Spoilt };
                        }
                    }
                    at += 1;
                }
            }
        }
    }

    fn step(&mut self, byte: u8) -> Result<Option<Self>, Ambiguous> {
        match self {
            Self::Head(head) => head.step(byte),
            Self::ChunkSize { size, digits, in_extension, after_cr } => match (byte, *after_cr) {
                (b'\n', true) if *digits == 0 => Err(Ambiguous),
                (b'\n', true) if *size == 0 => Ok(Some(Self::Trailers { line_bytes: 0, after_cr: false })),
                (b'\n', true) => Ok(Some(Self::Chunk { left: *size })),
                (b'\n', false) | (_, true) => Err(Ambiguous),
                (b'\r', false) => {
                    *after_cr = true;
                    Ok(None)
                }
                (b';' | b' ' | b'\t', false) => {
                    *in_extension = true;
                    Ok(None)
                }
                (_, false) if *in_extension => Ok(None),
                (digit, false) => {
                    let digit = char::from(digit).to_digit(16).ok_or(Ambiguous)?;
                    *digits = digits.checked_add(1).filter(|digits| *digits <= 15).ok_or(Ambiguous)?;
                    *size = (*size << 4) | u64::from(digit);
                    Ok(None)
                }
            },
            Self::ChunkEnd { come } => match (byte, *come) {
                (b'\r', 0) => Ok(Some(Self::ChunkEnd { come: 1 })),
                (b'\n', 1) => Ok(Some(Self::chunk_size())),
                _ => Err(Ambiguous),
            },
            Self::Trailers { line_bytes, after_cr } => match (byte, *after_cr) {
                (b'\n', true) if *line_bytes == 0 => Ok(Some(Self::Head(Head::default()))),
                (b'\n', true) => Ok(Some(Self::Trailers { line_bytes: 0, after_cr: false })),
                (b'\n', false) | (_, true) => Err(Ambiguous),
                (b'\r', false) => {
                    *after_cr = true;
                    Ok(None)
                }
                (_, false) => {
                    *line_bytes += 1;
                    Ok(None)
                }
            },
            Self::Spoilt => Err(Ambiguous),
            Self::Body { .. } | Self::Chunk { .. } | Self::LetThrough | Self::Refused => Ok(None),
        }
    }

    fn chunk_size() -> Self {
        Self::ChunkSize { size: 0, digits: 0, in_extension: false, after_cr: false }
    }
}

impl Head {
    fn step(&mut self, byte: u8) -> Result<Option<Reading>, Ambiguous> {
        match (byte, self.after_cr) {
            (b'\n', true) => self.line_ends(),
            (b'\n', false) | (_, true) => Err(Ambiguous),
            (b'\r', false) => {
                self.after_cr = true;
                Ok(None)
            }
            // A header continued on the next line (obs-fold): one parser joins them, another sees two.
            (b' ' | b'\t', false) if self.line_bytes == 0 => Err(Ambiguous),
            (_, false) => {
                self.line_bytes += 1;
                if self.line.len() < LINE_KEPT_MAX {
                    self.line.push(byte);
                }
                Ok(None)
            }
        }
    }

    fn line_ends(&mut self) -> Result<Option<Reading>, Ambiguous> {
        self.after_cr = false;
        let (line, line_bytes) = (std::mem::take(&mut self.line), std::mem::take(&mut self.line_bytes));
        if line_bytes == 0 {
            // An empty line before a request is allowed (RFC 9112 §2.2).
            return Ok(self.past_request_line.then(|| self.body()));
        }
        if !std::mem::replace(&mut self.past_request_line, true) {
            return Ok(None);
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Ok(None) };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        let (is_length, is_coding) = (is("content-length"), is("transfer-encoding"));
        if is_length || is_coding {
            if self.length.is_some() || self.is_chunked || line_bytes > LINE_KEPT_MAX {
                return Err(Ambiguous);
            }
            if is_length {
                let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                self.length = Some(digits.and_then(|text| text.parse().ok()).ok_or(Ambiguous)?);
            } else if value.eq_ignore_ascii_case(b"chunked") {
                self.is_chunked = true;
            } else {
                return Err(Ambiguous);
            }
        }
        self.upgrades |= is("upgrade");
        Ok(None)
    }

    fn body(&self) -> Reading {
        match self.length {
            _ if self.is_chunked => Reading::chunk_size(),
            Some(left) if left > 0 => Reading::Body { left },
            // If the upgrade is refused, the connection is closed after the answer: see `speak`.
            _ if self.upgrades => Reading::LetThrough,
            _ => Reading::Head(Self::default()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, into);
        if let Some(bytes) = into.filled_mut().get_mut(before..) {
            this.reading.look(bytes);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether these bytes pass, however they are split.
    fn passes(text: &str) -> bool {
        let verdicts: Vec<bool> = (1..=text.len().min(7))
            .map(|size| {
                let mut reading = Reading::Head(Head::default());
                let mut bytes = text.as_bytes().to_vec();
                bytes.chunks_mut(size).for_each(|piece| reading.look(piece));
                let untouched = bytes == text.as_bytes();
                assert_eq!(untouched, !matches!(reading, Reading::Spoilt | Reading::Refused), "{text:?}");
                untouched
            })
            .collect();
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{text:?}");
        verdicts[0]
    }

    #[test]
    fn what_every_reader_reads_the_same_is_let_through() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\na\n\n\rGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n1;x=\"y\"\r\nz\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\n\n\n",
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert!(passes(text), "{text:?}");
        }
    }

    #[test]
    fn what_two_readers_may_read_in_two_ways_is_spoilt() {
        let long = format!("POST / HTTP/1.1\r\nContent-Length:{}5\r\n\r\nabcde", " ".repeat(200));
        for text in [
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\nContent-Length: 5\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\nContent-Length: 0x5\r\n\r\nabcde",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nabcde",
            "POST / HTTP/1.1\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\naGET / HTTP/1.1\nHost: b\r\n\r\n",
            &long,
        ] {
            assert!(!passes(text), "{text:?}");
        }
    }
}
