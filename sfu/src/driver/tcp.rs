//! ICE-TCP (RFC 6544), passive, where UDP is blocked: connections that the caller accepted, framed as in RFC 4571. Does
//! I/O.
//!
//! To a worker a connection is one more address: see [`crate::transport::tcp_address`].
//!
//! Connections are distributed to the workers by round robin. One whose first check is for another worker's peer is
//! passed on to that worker.

use std::{
    collections::{BTreeSet, HashMap},
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
    time::{Duration, Instant},
};

use bytes::BytesMut;
use mio::{Events, Interest, Registry, Token, Waker, net::TcpStream};
use socket2::SockRef;
use tracing::{debug, trace};

use crate::{
    id::WorkerId,
    transport::{
        framing::{self, Backlog, Class, Deframer},
        tcp_address::{address, connection},
    },
    worker::Worker,
};

/// A TCP connection that began with a framed check, from the owner of the listener.
pub struct Arrival {
    /// The connection, non-blocking.
    pub stream: std::net::TcpStream,
    /// Where it comes from.
    pub from: SocketAddr,
    /// When it was accepted: its first authentic check must come soon after.
    pub opened: Instant,
    /// What was read of it already.
    pub read: Vec<u8>,
    /// Dropped when the connection is closed: it counts against the limit of connections per address.
    pub place: Box<dyn Send>,
}

/// Where a worker receives TCP connections.
#[derive(Clone)]
pub(crate) struct StreamInbox {
    /// Bounded by the number of connections that the listener accepts.
    pub(crate) arrivals: Sender<Arrival>,
    pub(crate) waker: Arc<Waker>,
}

impl StreamInbox {
    pub(crate) fn hand_over(&self, arrival: Arrival) {
        // Where the worker has stopped, dropping the connection closes it.
        let _ = self.arrivals.send(arrival);
        let _ = self.waker.wake();
    }
}

/// One worker's connections.
pub(crate) struct Streams {
    arrivals: Receiver<Arrival>,
    /// Every worker's, this one's too, by number.
    inboxes: Vec<StreamInbox>,
    open: HashMap<u32, Stream>,
    /// The number given last. Never 0.
    last: u32,
    readable: BTreeSet<u32>,
    writable: BTreeSet<u32>,
    buffer: Vec<u8>,
    swept: Instant,
}

struct Stream {
    socket: TcpStream,
    from: SocketAddr,
    address: SocketAddr,
    deframer: Deframer,
    backlog: Backlog,
    /// When it last belonged to a peer, or was opened.
    known: Instant,
    place: Box<dyn Send>,
}

/// What became of bytes that were read from a connection.
enum Delivery {
    /// The packets in them were handed over.
    Here,
    /// It is for another worker's peer: what was not handed over.
    Elsewhere(WorkerId, Vec<u8>),
}

impl Streams {
    pub(crate) fn new(now: Instant, arrivals: Receiver<Arrival>, inboxes: Vec<StreamInbox>) -> Self {
        Self {
            arrivals,
            inboxes,
            open: HashMap::new(),
            last: 0,
            readable: BTreeSet::new(),
            writable: BTreeSet::new(),
            buffer: vec![0; READ_BYTES],
            swept: now,
        }
    }

    /// Takes new connections, and reads. False where there may be more to read.
    pub(crate) fn receive(&mut self, now: Instant, events: &Events, registry: &Registry, worker: &mut Worker) -> bool {
        for event in events {
            let Some(number) = event.token().0.checked_sub(FIRST).and_then(|number| u32::try_from(number).ok()) else {
                continue;
            };
            // Closed and failed connections show when they are read.
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.readable.insert(number);
            }
            if event.is_writable() {
                self.writable.insert(number);
            }
        }
        while let Ok(arrival) = self.arrivals.try_recv() {
            self.accept(now, arrival, registry, worker);
        }
        for number in std::mem::take(&mut self.readable) {
            match self.read(now, number, registry, worker) {
                Ok(true) => {}
                Ok(false) => {
                    self.readable.insert(number);
                }
                Err(error) => self.close(number, worker, &error),
            }
        }
        if now.saturating_duration_since(self.swept) >= SWEEP_EVERY {
            self.swept = now;
            self.sweep(now, worker);
        }
        self.readable.is_empty()
    }

    /// Queues datagrams of `size` bytes, the last perhaps shorter, for a connection. Returns how many were dropped.
    pub(crate) fn push(&mut self, now: Instant, to: SocketAddr, datagrams: &[u8], size: usize, worker: &Worker) -> u64 {
        let datagrams = datagrams.chunks(size.max(1));
        let Some(number) = connection(to) else { return datagrams.count() as u64 };
        // Each worker has numbers of its own: another's connection is not this one.
        let Some(stream) = self.open.get_mut(&number).filter(|stream| stream.address == to) else {
            return datagrams.count() as u64;
        };
        self.writable.insert(number);
        let mut dropped = 0;
        for datagram in datagrams {
            let class = class(datagram, |ssrc| worker.sends_sound(stream.address, ssrc));
            dropped += u64::from(!stream.backlog.push(now, class, datagram));
        }
        dropped
    }

    /// Writes what connections take. Returns how many datagrams were dropped because they had waited for too long.
    pub(crate) fn write(&mut self, now: Instant, worker: &mut Worker) -> u64 {
        let mut dropped = 0;
        for number in std::mem::take(&mut self.writable) {
            let Some(stream) = self.open.get_mut(&number) else { continue };
            dropped += stream.backlog.drop_stale(now);
            if let Err(error) = stream.write() {
                self.close(number, worker, &error);
            }
        }
        dropped
    }

    fn accept(&mut self, now: Instant, arrival: Arrival, registry: &Registry, worker: &mut Worker) {
        let Arrival { stream, from, opened, read, place } = arrival;
        self.last = self.last.checked_add(1).unwrap_or(1);
        let number = self.last;
        let mut socket = TcpStream::from_std(stream);
        let _ = socket.set_nodelay(true);
        // Bytes in the kernel's buffer can be neither overtaken nor dropped.
        let _ = SockRef::from(&socket).set_tcp_notsent_lowat(KERNEL_HOLDS_BYTES);
        let token = Token(FIRST + number as usize);
        if let Err(error) = registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE) {
            debug!(%from, %error, "A connection from {from} cannot be watched: {error}");
            return;
        }
        let mut stream = Stream {
            socket,
            from,
            address: address(from, number),
            deframer: Deframer::default(),
            backlog: Backlog::default(),
            known: opened,
            place,
        };
        let taken = stream.take(now, &read, worker);
        self.open.insert(number, stream);
        match taken {
            Ok(Delivery::Here) => {
                self.readable.insert(number);
            }
            Ok(Delivery::Elsewhere(owner, rest)) => self.pass_on(number, owner, rest, registry),
            Err(error) => self.close(number, worker, &error),
        }
    }

    /// Passes a connection to the worker whose peer it is for, with the bytes already read.
    fn pass_on(&mut self, number: u32, owner: WorkerId, read: Vec<u8>, registry: &Registry) {
        let Some(mut stream) = self.open.remove(&number) else { return };
        let Some(stream_inbox) = self.inboxes.get(usize::from(owner.0)) else { return };
        if let Err(error) = registry.deregister(&mut stream.socket) {
            return debug!(from = %stream.from, %error, "A connection from {} cannot be passed on: {error}", stream.from);
        }
        let Stream { socket, from, known, place, .. } = stream;
        stream_inbox.hand_over(Arrival { stream: socket.into(), from, opened: known, read, place });
    }

    /// Reads a bounded share of what has come. False where there may be more.
    fn read(&mut self, now: Instant, number: u32, registry: &Registry, worker: &mut Worker) -> io::Result<bool> {
        let Some(stream) = self.open.get_mut(&number) else { return Ok(true) };
        for _ in 0..READS_MAX {
            match stream.socket.read(&mut self.buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    if let Delivery::Elsewhere(owner, rest) = stream.take(now, &self.buffer[..count], worker)? {
                        self.pass_on(number, owner, rest, registry);
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Closes connections that have belonged to no peer for too long: no authentic check came, or the peer has gone.
    fn sweep(&mut self, now: Instant, worker: &mut Worker) {
        let mut lost = Vec::new();
        for (number, stream) in &mut self.open {
            if worker.knows(stream.address) {
                stream.known = now;
            } else if now.saturating_duration_since(stream.known) >= KNOWN_WITHIN {
                lost.push(*number);
            }
        }
        for number in lost {
            self.close(number, worker, &"it belongs to no peer");
        }
    }

    fn close(&mut self, number: u32, worker: &mut Worker, why: &dyn std::fmt::Display) {
        let Some(stream) = self.open.remove(&number) else { return };
        debug!(from = %stream.address, "A media connection from {} is closed: {why}", stream.address);
        worker.forget_path(stream.address);
    }
}

impl Stream {
    /// Hands over the packets in `bytes`. Until a check has authenticated, only checks are accepted.
    fn take(&mut self, now: Instant, bytes: &[u8], worker: &mut Worker) -> io::Result<Delivery> {
        let address = self.address;
        let (mut is_check, mut owner, mut rest) = (true, None, Vec::new());
        let taken = self.deframer.take(bytes, |packet| {
            let known = worker.knows(address);
            if owner.is_none() && !known {
                owner = worker.owner_elsewhere(packet);
            }
            if owner.is_some() {
                framing::write(packet, &mut rest);
                return;
            }
            is_check &= known || packet.first().is_some_and(|first| *first <= 3);
            if is_check {
                trace!(from = %address, bytes = packet.len(), "A packet by TCP");
                worker.handle_datagram(now, address, BytesMut::from(packet));
            }
        });
        match (taken, owner) {
            (Err(error), _) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            (Ok(()), _) if !is_check => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "it does not begin with a check"))
            }
            (Ok(()), Some(owner)) => {
                rest.extend_from_slice(self.deframer.unfinished());
                Ok(Delivery::Elsewhere(owner, rest))
            }
            (Ok(()), None) => Ok(Delivery::Here),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        loop {
            let chunk = self.backlog.chunk();
            if chunk.is_empty() {
                return Ok(());
            }
            match self.socket.write(chunk) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.backlog.wrote(count),
                // The socket reports when there is room again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// RTP of pictures is `Picture`; everything else has priority.
fn class(datagram: &[u8], is_sound: impl FnOnce(u32) -> bool) -> Class {
    match datagram {
        [first, second, _, _, _, _, _, _, ssrc @ ..]
            if (128..=191).contains(first) && !(64..96).contains(&(second & 0x7f)) =>
        {
            let ssrc = ssrc.first_chunk().map(|ssrc| u32::from_be_bytes(*ssrc));
            if ssrc.is_some_and(is_sound) { Class::Voice } else { Class::Picture }
        }
        _ => Class::Voice,
    }
}

/// Tokens below are the media port's.
const FIRST: usize = 16;

/// From being accepted to the first authentic check, and from a peer's end to its connection's.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_millis(500);

const READ_BYTES: usize = 16 * 1024;

/// Read of one connection before the others get their turn.
const READS_MAX: usize = 4;

/// Bytes that the kernel takes beyond those on the way: a few packets, so that voice waits for no more than these.
const KERNEL_HOLDS_BYTES: u32 = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voice_reports_and_handshakes_go_before_pictures() {
        let rtp = |second: u8, ssrc: u8| vec![0x80, second, 0, 1, 0, 0, 0, 1, 0, 0, 0, ssrc, 9];
        let is_sound = |ssrc: u32| ssrc == 5;
        assert_eq!(class(&rtp(111, 5), is_sound), Class::Voice);
        assert_eq!(class(&rtp(97, 6), is_sound), Class::Picture);
        assert_eq!(class(&rtp(97 | 0x80, 6), is_sound), Class::Picture);
        assert_eq!(class(&rtp(200, 6), is_sound), Class::Voice);
        assert_eq!(class(&[22, 254, 253], is_sound), Class::Voice);
        assert_eq!(class(&[0, 1, 0, 0], is_sound), Class::Voice);
        assert_eq!(class(&[], is_sound), Class::Voice);
    }
}
