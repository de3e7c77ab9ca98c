//! Many virtual classrooms on real sockets, batched on one or two threads: one UDP socket each, as in reality.
#![expect(clippy::disallowed_methods, reason = "a rim: it owns sockets, a clock and threads")]

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token, Waker};
use nix::sys::socket::{setsockopt, sockopt::UdpGroSegment};
use quinn_udp::{RecvMeta, UdpSocketState};
use sfu::TrackKind;

use super::{
    classroom::{Classroom, Tally},
    delay::SendTimes,
    description::{Answer, play_offer},
    http::Session,
    transport::{Identity, Transport},
};
use crate::process::{self, Busy};

/// How the classrooms receive.
#[derive(Debug, Clone)]
pub struct Reception {
    /// Threads that they share.
    pub threads: usize,
    /// Let the kernel join packets (UDP_GRO). Off is the honest setting on one machine.
    pub gro: bool,
    /// 1: every tag is checked.
    pub check_every: u64,
    /// What each asks for.
    pub slots: Vec<TrackKind>,
    /// Processor that the threads are pinned to. `None`: any.
    pub cpu: Option<usize>,
}

/// The classrooms of one load run.
pub struct Classrooms {
    lanes: Vec<Lane>,
    phase: Arc<AtomicU8>,
    reception: Reception,
    identity: Identity,
}

struct Lane {
    joined: Sender<(Classroom, mio::net::UdpSocket)>,
    waker: Arc<Waker>,
    thread: JoinHandle<Result<LaneReport>>,
}

/// What one thread's classrooms saw.
#[derive(Debug)]
pub struct LaneReport {
    /// Over the steady interval.
    pub tally: Tally,
    /// Length of the steady interval.
    pub steady: Duration,
    /// How busy the thread was in it.
    pub busy: Busy,
    /// From the teacher's socket to ours in microseconds, over the steady interval.
    pub delays: Histogram<u64>,
    /// From POST to first media packet, one per classroom that got one.
    pub first_packets: Vec<Duration>,
    /// From POST to first whole keyframe, one per classroom that got one.
    pub first_pictures: Vec<Duration>,
    /// Classrooms whose connection broke, with why; the first few.
    pub broken: Vec<String>,
    /// How many broke.
    pub broken_count: usize,
}

impl Classrooms {
    /// Starts the threads; nobody has joined yet.
    ///
    /// # Errors
    /// A thread, a poller or a certificate cannot be made.
    pub fn open(reception: Reception, times: &Arc<SendTimes>) -> Result<Self> {
        let phase = Arc::new(AtomicU8::new(JOINING));
        let mut lanes = Vec::new();
        for number in 0..reception.threads.max(1) {
            let poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
            let (joined, joins) = mpsc::channel();
            let (phase, times, cpu, gro) = (phase.clone(), times.clone(), reception.cpu, reception.gro);
            let thread = thread::Builder::new().name(format!("classrooms-{number}")).spawn(move || {
                cpu.map_or(Ok(()), process::pin)?;
                Work::new(poll, joins, phase, times, gro).run()
            })?;
            lanes.push(Lane { joined, waker, thread });
        }
        Ok(Self { lanes, phase, reception, identity: Identity::generate()? })
    }

    /// Joins one more classroom by an offer that `exchange` brings to the hub; blocks for that alone. Returns where
    /// DELETE ends the session.
    ///
    /// # Errors
    /// The hub refuses, or answers what cannot be used.
    pub fn join(&self, number: usize, exchange: impl FnOnce(&str) -> Result<Session>) -> Result<String> {
        let asked_at = Instant::now();
        let own = self.identity.credentials();
        let session = exchange(&play_offer(&own, &self.reception.slots))?;
        let answer = Answer::parse(&session.sdp)?;
        let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("cannot open a UDP port")?;
        socket.set_nonblocking(true)?;
        let now = Instant::now();
        let transport = Transport::new(now, self.identity.clone(), own, &answer);
        let classroom = Classroom::new(now, asked_at, transport, &answer, self.reception.check_every);
        let lane = &self.lanes[number % self.lanes.len()];
        lane.joined
            .send((classroom, mio::net::UdpSocket::from_std(socket)))
            .map_err(|_| anyhow!("the classrooms' thread has ended"))?;
        lane.waker.wake()?;
        Ok(session.location)
    }

    /// Starts the steady interval.
    pub fn start_counting(&self) {
        self.enter(STEADY);
    }

    /// Ends the steady interval, says goodbye and returns what each thread saw.
    ///
    /// # Errors
    /// What ended a thread too early.
    pub fn finish(self) -> Result<Vec<LaneReport>> {
        self.enter(LEAVING);
        let ended = self.lanes.into_iter().map(|lane| lane.thread.join());
        ended.map(|report| report.map_err(|_| anyhow!("a classrooms' thread panicked"))?).collect()
    }

    fn enter(&self, phase: u8) {
        self.phase.store(phase, Ordering::Release);
        for lane in &self.lanes {
            let _ = lane.waker.wake(); // a thread that has ended tells why in `finish`
        }
    }
}

struct Work {
    poll: Poll,
    joins: Receiver<(Classroom, mio::net::UdpSocket)>,
    phase: Arc<AtomicU8>,
    times: Arc<SendTimes>,
    gro: bool,
    seats: Vec<Seat>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    delays: Histogram<u64>,
    broken: Vec<String>,
    broken_count: usize,
}

struct Seat {
    classroom: Classroom,
    socket: mio::net::UdpSocket,
    state: UdpSocketState,
    scheduled: Instant,
    alive: bool,
}

impl Work {
    fn new(
        poll: Poll,
        joins: Receiver<(Classroom, mio::net::UdpSocket)>,
        phase: Arc<AtomicU8>,
        times: Arc<SendTimes>,
        gro: bool,
    ) -> Self {
        let delays = new_delays();
        let (seats, due, broken) = (Vec::new(), BinaryHeap::new(), Vec::new());
        Self { poll, joins, phase, times, gro, seats, due, delays, broken, broken_count: 0 }
    }

    fn run(mut self) -> Result<LaneReport> {
        let mut events = Events::with_capacity(1_024);
        let mut buffers = Buffers::new(self.gro);
        let mut phase = JOINING;
        let mut steady_since = Instant::now();
        let mut busy_since = process::thread_busy()?;
        loop {
            let patience = self.due.peek().map_or(PATIENCE_MAX, |Reverse((due, _))| {
                due.saturating_duration_since(Instant::now()).min(PATIENCE_MAX)
            });
            if let Err(error) = self.poll.poll(&mut events, Some(patience))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error.into());
            }
            while let Ok((classroom, socket)) = self.joins.try_recv() {
                self.seat(classroom, socket)?;
            }
            for event in &events {
                if event.token() != WAKE {
                    self.receive(event.token().0, &mut buffers);
                }
            }
            self.timers();
            let entered = self.phase.load(Ordering::Acquire);
            if entered != phase && entered == STEADY {
                self.seats.iter_mut().for_each(|seat| seat.classroom.mark());
                self.delays.reset();
                (steady_since, busy_since) = (Instant::now(), process::thread_busy()?);
            } else if entered == LEAVING {
                let busy = process::thread_busy()? - busy_since;
                return Ok(self.leave(steady_since.elapsed(), busy));
            }
            phase = entered;
        }
    }

    fn seat(&mut self, classroom: Classroom, mut socket: mio::net::UdpSocket) -> Result<()> {
        let index = self.seats.len();
        let state = UdpSocketState::new((&socket).into())?;
        // As much as the system allows; a hundred packets may arrive while a thread is elsewhere.
        let _ = state.set_recv_buffer_size((&socket).into(), RECEIVE_BUFFER_BYTES);
        if !self.gro {
            setsockopt(&socket, UdpGroSegment, &false).context("cannot switch UDP_GRO off")?;
        }
        self.poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
        let now = Instant::now();
        self.seats.push(Seat { classroom, socket, state, scheduled: now, alive: true });
        self.due.push(Reverse((now, index)));
        Ok(())
    }

    fn receive(&mut self, index: usize, buffers: &mut Buffers) {
        let Some(seat) = self.seats.get_mut(index).filter(|seat| seat.alive) else { return };
        loop {
            let Buffers { memory, metas, each } = buffers;
            let mut slices: Vec<IoSliceMut<'_>> = memory.chunks_mut(*each).map(IoSliceMut::new).collect();
            let Ok(count) = seat.state.recv((&seat.socket).into(), &mut slices, metas) else { break };
            let now = Instant::now();
            for (meta, slice) in metas.iter().zip(&slices).take(count) {
                for datagram in slice[..meta.len].chunks(meta.stride.max(1)) {
                    let handled =
                        seat.classroom.handle_datagram(now, meta.addr, datagram, &self.times, &mut self.delays);
                    if let Err(error) = handled {
                        self.broken_count += 1;
                        if self.broken.len() < BROKEN_KEPT_MAX {
                            self.broken.push(format!("{error:#}"));
                        }
                        seat.alive = false;
                        return;
                    }
                }
            }
            if count < quinn_udp::BATCH_SIZE {
                break; // the socket was empty: the next packet is a new event
            }
        }
        flush(seat);
        let next = seat.classroom.poll_timeout();
        if next < seat.scheduled {
            seat.scheduled = next;
            self.due.push(Reverse((next, index)));
        }
    }

    fn timers(&mut self) {
        let now = Instant::now();
        while let Some(&Reverse((due, index))) = self.due.peek() {
            if due > now {
                break;
            }
            self.due.pop();
            let seat = &mut self.seats[index];
            if seat.scheduled != due || !seat.alive {
                continue;
            }
            if let Err(error) = seat.classroom.handle_timeout(now) {
                self.broken_count += 1;
                self.broken.push(format!("{error:#}"));
                self.broken.truncate(BROKEN_KEPT_MAX);
                seat.alive = false;
                continue;
            }
            flush(seat);
            seat.scheduled = seat.classroom.poll_timeout().max(now + TIMER_STEP);
            self.due.push(Reverse((seat.scheduled, index)));
        }
    }

    fn leave(mut self, steady: Duration, busy: Busy) -> LaneReport {
        let mut tally = Tally::default();
        let now = Instant::now();
        for seat in &mut self.seats {
            tally += seat.classroom.tally();
            seat.classroom.transport().close(now);
            flush(seat);
        }
        LaneReport {
            tally,
            steady,
            busy,
            delays: self.delays,
            first_packets: self.seats.iter().filter_map(|seat| seat.classroom.first_packet()).collect(),
            first_pictures: self.seats.iter().filter_map(|seat| seat.classroom.first_picture()).collect(),
            broken: self.broken,
            broken_count: self.broken_count,
        }
    }
}

/// A delay histogram in microseconds: three digits up to eight seconds.
#[must_use]
pub fn new_delays() -> Histogram<u64> {
    Histogram::new_with_max(8_000_000, 3).expect("the bounds are fixed and valid")
}

fn flush(seat: &mut Seat) {
    while let Some((to, datagram)) = seat.classroom.transport().poll_transmit() {
        let _: io::Result<usize> = send(&seat.socket, to, &datagram);
    }
}

fn send(socket: &mio::net::UdpSocket, to: SocketAddr, datagram: &[u8]) -> io::Result<usize> {
    socket.send_to(datagram, to)
}

/// Memory for one batch of datagrams; with GRO each place may hold a whole run of them.
struct Buffers {
    memory: Vec<u8>,
    metas: Vec<RecvMeta>,
    each: usize,
}

impl Buffers {
    fn new(gro: bool) -> Self {
        let each = if gro { 65_536 } else { 2_048 };
        Self {
            memory: vec![0; each * quinn_udp::BATCH_SIZE],
            metas: vec![RecvMeta::default(); quinn_udp::BATCH_SIZE],
            each,
        }
    }
}

const JOINING: u8 = 0;
const STEADY: u8 = 1;
const LEAVING: u8 = 2;
const WAKE: Token = Token(usize::MAX);
const PATIENCE_MAX: Duration = Duration::from_millis(50);
/// Timers of thousands of classrooms are served together.
const TIMER_STEP: Duration = Duration::from_millis(1);
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
const BROKEN_KEPT_MAX: usize = 5;
