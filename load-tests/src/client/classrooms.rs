//! Many virtual classrooms on real sockets, batched on one or two threads: one UDP socket each, as in reality.
#![expect(clippy::disallowed_methods, reason = "I/O: it owns sockets, a clock and threads")]

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{self, IoSliceMut},
    net::Ipv4Addr,
    sync::{
        Arc,
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
    classroom::{Classroom, ReceptionTotals},
    description::{Answer, play_offer},
    http::Session,
    seat::{Entry, Seat},
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
    reception: Reception,
    identity: Identity,
}

struct Lane {
    asks: Sender<Request>,
    waker: Arc<Waker>,
    thread: JoinHandle<Result<LaneReport>>,
}

/// What a lane is asked to do.
enum Request {
    Seat(Box<(Classroom, mio::net::UdpSocket, Entry)>),
    Count,
    Report(Sender<LaneReport>),
    Leave,
}

/// What one thread's classrooms saw.
#[derive(Debug, Clone)]
pub struct LaneReport {
    /// Over the steady interval.
    pub tally: ReceptionTotals,
    /// The same of the classrooms that are counted apart.
    pub singled_out: ReceptionTotals,
    /// As `delays`, of the classrooms that are counted apart.
    pub singled_out_delays: Histogram<u64>,
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
    /// Starts the threads, without classrooms.
    ///
    /// # Errors
    /// A thread, a poller or a certificate cannot be made.
    pub fn open(reception: Reception) -> Result<Self> {
        let mut lanes = Vec::new();
        for number in 0..reception.threads.max(1) {
            let poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
            let (asks, asked) = mpsc::channel();
            let (cpu, gro) = (reception.cpu, reception.gro);
            let thread = thread::Builder::new().name(format!("classrooms-{number}")).spawn(move || {
                cpu.map_or(Ok(()), process::pin)?;
                Work::new(poll, asked, gro)?.run()
            })?;
            lanes.push(Lane { asks, waker, thread });
        }
        Ok(Self { lanes, reception, identity: Identity::generate()? })
    }

    /// Joins one more classroom by an offer that `exchange` brings to the hub; blocks for that alone. Returns where
    /// DELETE ends the session.
    ///
    /// # Errors
    /// The hub refuses, or answers what cannot be used.
    pub fn join(&self, number: usize, entry: Entry, exchange: impl FnOnce(&str) -> Result<Session>) -> Result<String> {
        let asked_at = Instant::now();
        let own = self.identity.credentials();
        thread::sleep(entry.exchange_delay());
        let session = exchange(&play_offer(&own, &self.reception.slots))?;
        let answer = Answer::parse(&session.sdp)?;
        let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("cannot open a UDP port")?;
        socket.set_nonblocking(true)?;
        let now = Instant::now();
        let transport = Transport::new(now, self.identity.clone(), own, &answer);
        let classroom = Classroom::new(now, asked_at, transport, &answer, self.reception.check_every, entry.habit);
        let seat = Box::new((classroom, mio::net::UdpSocket::from_std(socket), entry));
        self.lanes[number % self.lanes.len()].ask(Request::Seat(seat))?;
        Ok(session.location)
    }

    /// Starts the steady interval, or another.
    pub fn start_counting(&self) {
        for lane in &self.lanes {
            let _ = lane.ask(Request::Count); // a thread that has ended returns its error from `finish`
        }
    }

    /// What each thread has seen since counting started; it goes on.
    ///
    /// # Errors
    /// A thread has ended: `finish` returns its error.
    pub fn lane_reports(&self) -> Result<Vec<LaneReport>> {
        let asked = self.lanes.iter().map(|lane| {
            let (report, reports) = mpsc::channel();
            lane.ask(Request::Report(report))?;
            reports.recv().map_err(|_| anyhow!("the classrooms' thread has ended"))
        });
        asked.collect()
    }

    /// Ends the steady interval, says goodbye and returns what each thread saw.
    ///
    /// # Errors
    /// What ended a thread too early.
    pub fn finish(self) -> Result<Vec<LaneReport>> {
        for lane in &self.lanes {
            let _ = lane.ask(Request::Leave); // a thread that has ended returns its error below
        }
        let ended = self.lanes.into_iter().map(|lane| lane.thread.join());
        ended.map(|report| report.map_err(|_| anyhow!("a classrooms' thread panicked"))?).collect()
    }
}

impl Lane {
    fn ask(&self, ask: Request) -> Result<()> {
        self.asks.send(ask).map_err(|_| anyhow!("the classrooms' thread has ended"))?;
        Ok(self.waker.wake()?)
    }
}

struct Work {
    poll: Poll,
    asked: Receiver<Request>,
    gro: bool,
    seats: Vec<Seat>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    delays: Histogram<u64>,
    singled_out_delays: Histogram<u64>,
    steady_since: Instant,
    busy_since: Busy,
    broken: Vec<String>,
    broken_count: usize,
}

impl Work {
    fn new(poll: Poll, asked: Receiver<Request>, gro: bool) -> Result<Self> {
        Ok(Self {
            poll,
            asked,
            gro,
            seats: Vec::new(),
            due: BinaryHeap::new(),
            delays: new_delays(),
            singled_out_delays: new_delays(),
            steady_since: Instant::now(),
            busy_since: process::thread_busy()?,
            broken: Vec::new(),
            broken_count: 0,
        })
    }

    fn run(mut self) -> Result<LaneReport> {
        let mut events = Events::with_capacity(1_024);
        let mut buffers = Buffers::new(self.gro);
        loop {
            let patience = self.due.peek().map_or(PATIENCE_MAX, |Reverse((due, _))| {
                due.saturating_duration_since(Instant::now()).min(PATIENCE_MAX)
            });
            if let Err(error) = self.poll.poll(&mut events, Some(patience))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error.into());
            }
            while let Ok(ask) = self.asked.try_recv() {
                match ask {
                    Request::Seat(seat) => {
                        let (classroom, socket, entry) = *seat;
                        self.seat(classroom, socket, entry)?;
                    }
                    Request::Count => {
                        self.seats.iter_mut().for_each(|seat| seat.classroom.mark());
                        self.delays.reset();
                        self.singled_out_delays.reset();
                        (self.steady_since, self.busy_since) = (Instant::now(), process::thread_busy()?);
                    }
                    Request::Report(to) => drop(to.send(self.report()?)), // fails where the caller has given up waiting
                    Request::Leave => return self.leave(),
                }
            }
            for event in &events {
                if event.token() != WAKE {
                    self.receive(event.token().0, &mut buffers);
                }
            }
            self.timers();
        }
    }

    fn seat(&mut self, classroom: Classroom, mut socket: mio::net::UdpSocket, entry: Entry) -> Result<()> {
        let index = self.seats.len();
        let state = UdpSocketState::new((&socket).into())?;
        // As much as the system allows; a hundred packets may arrive while a thread is elsewhere.
        let _ = state.set_recv_buffer_size((&socket).into(), RECEIVE_BUFFER_BYTES);
        if !self.gro {
            setsockopt(&socket, UdpGroSegment, &false).context("cannot switch UDP_GRO off")?;
        }
        self.poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
        let now = Instant::now();
        self.seats.push(Seat::new(now, classroom, socket, state, entry, index as u64 + 1));
        self.due.push(Reverse((now, index)));
        Ok(())
    }

    fn receive(&mut self, index: usize, buffers: &mut Buffers) {
        let Some(seat) = self.seats.get_mut(index).filter(|seat| seat.alive) else { return };
        let delays = if seat.singled_out { &mut self.singled_out_delays } else { &mut self.delays };
        let mut taken = Ok(());
        'batches: loop {
            let Buffers { memory, metas, each } = buffers;
            let mut slices: Vec<IoSliceMut<'_>> = memory.chunks_mut(*each).map(IoSliceMut::new).collect();
            let Ok(count) = seat.state.recv((&seat.socket).into(), &mut slices, metas) else { break };
            let now = Instant::now();
            for (meta, slice) in metas.iter().zip(&slices).take(count) {
                for datagram in slice[..meta.len].chunks(meta.stride.max(1)) {
                    taken = seat.receive(now, meta.addr, datagram, delays);
                    if taken.is_err() {
                        break 'batches;
                    }
                }
            }
            if count < quinn_udp::BATCH_SIZE {
                break; // the socket was empty: the next packet is a new event
            }
        }
        if let Err(error) = taken.and_then(|()| seat.carry(Instant::now(), delays)) {
            return self.has_broken(index, &error);
        }
        let next = seat.poll_timeout();
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
            let delays = if seat.singled_out { &mut self.singled_out_delays } else { &mut self.delays };
            if let Err(error) = seat.classroom.handle_timeout(now).and_then(|()| seat.carry(now, delays)) {
                self.has_broken(index, &error);
                continue;
            }
            seat.scheduled = seat.poll_timeout().max(now + TIMER_STEP);
            self.due.push(Reverse((seat.scheduled, index)));
        }
    }

    fn has_broken(&mut self, index: usize, error: &anyhow::Error) {
        self.seats[index].alive = false;
        self.broken_count += 1;
        if self.broken.len() < BROKEN_KEPT_MAX {
            self.broken.push(format!("{error:#}"));
        }
    }

    fn report(&self) -> Result<LaneReport> {
        let (mut tally, mut singled_out) = (ReceptionTotals::default(), ReceptionTotals::default());
        for seat in &self.seats {
            *(if seat.singled_out { &mut singled_out } else { &mut tally }) += seat.classroom.tally();
        }
        Ok(LaneReport {
            tally,
            singled_out,
            singled_out_delays: self.singled_out_delays.clone(),
            steady: self.steady_since.elapsed(),
            busy: process::thread_busy()? - self.busy_since,
            delays: self.delays.clone(),
            first_packets: self.seats.iter().filter_map(|seat| seat.classroom.first_packet()).collect(),
            first_pictures: self.seats.iter().filter_map(|seat| seat.classroom.first_picture()).collect(),
            broken: self.broken.clone(),
            broken_count: self.broken_count,
        })
    }

    fn leave(mut self) -> Result<LaneReport> {
        let report = self.report()?;
        let now = Instant::now();
        for seat in &mut self.seats {
            seat.classroom.transport().close(now);
            let _ = seat.carry(now, &mut self.delays); // a goodbye that is lost is noticed by silence
        }
        Ok(report)
    }
}

/// A delay histogram in microseconds: three digits up to eight seconds.
#[must_use]
pub fn new_delays() -> Histogram<u64> {
    Histogram::new_with_max(8_000_000, 3).expect("the bounds are fixed and valid")
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

const WAKE: Token = Token(usize::MAX);
const PATIENCE_MAX: Duration = Duration::from_millis(50);
/// Timers of thousands of classrooms are served together.
const TIMER_STEP: Duration = Duration::from_millis(1);
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
const BROKEN_KEPT_MAX: usize = 5;
