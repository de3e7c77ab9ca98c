//! I/O: sockets, the clock and threads. Everything else in this crate is given the time and the bytes as arguments.

#![expect(clippy::disallowed_methods, reason = "I/O: reads the clock and owns sockets and threads")]

mod lag;
pub mod tcp;

use std::{
    collections::VecDeque,
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::BytesMut;
use mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tracing::{error, info, warn};

use self::{
    lag::Lag,
    tcp::{Arrival, StreamInbox, Streams},
};
use crate::{
    event::{EventSink, StartError},
    id::WorkerId,
    limits::SOCKET_BUFFER_BYTES,
    lobby::Lobby,
    stats::HubStats,
    transport::{dtls::Identity, tcp_address},
    worker::{Command, Relay, Worker, WorkerConfig},
};

/// The workers' threads and how to reach them.
pub(crate) struct Driver {
    address: SocketAddr,
    workers: Vec<WorkerHandle>,
    /// The worker that gets the next TCP connection, by round robin.
    next_worker: AtomicUsize,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stopping: Arc<AtomicBool>,
}

struct WorkerHandle {
    commands: Sender<Command>,
    stream_inbox: StreamInbox,
    waker: Arc<Waker>,
    stats: Arc<Mutex<HubStats>>,
}

/// What is created for every worker before the first thread starts, because each is given the queues of all.
struct WorkerParts {
    socket: UdpSocket,
    poll: Poll,
    relay_queue: RelayQueue,
    relayed: Receiver<Relay>,
    stream_inbox: StreamInbox,
    streams: Receiver<Arrival>,
}

impl Driver {
    /// Opens the media port once per worker and starts a thread for each.
    pub(crate) fn start(
        listen: SocketAddr,
        workers: usize,
        identity: &Identity,
        lobby: &Arc<Lobby>,
        events: &EventSink,
    ) -> Result<Self, StartError> {
        let bind = |source| StartError::Bind { listen, source };
        let (epoch, wall) = (Instant::now(), SystemTime::now());
        let epoch_ntp = ntp(wall.duration_since(UNIX_EPOCH).unwrap_or_default());
        let stopping = Arc::new(AtomicBool::new(false));
        let mut address = listen;
        let mut parts = Vec::new();
        for _ in 0..workers {
            let socket = open(address, workers > 1).map_err(bind)?;
            address = socket.local_addr().map_err(bind)?;
            let poll = Poll::new().map_err(bind)?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(bind)?);
            let (relays, relayed) = sync_channel(RELAYS_MAX);
            let (arrivals, streams) = channel();
            let stream_inbox = StreamInbox { arrivals, waker: waker.clone() };
            let relay_queue = RelayQueue { relays, waker, held: VecDeque::new(), needs_wake: false };
            parts.push(WorkerParts { socket, poll, relay_queue, relayed, stream_inbox, streams });
        }
        let relay_queues: Vec<RelayQueue> = parts.iter().map(|parts| parts.relay_queue.clone()).collect();
        let inboxes: Vec<StreamInbox> = parts.iter().map(|parts| parts.stream_inbox.clone()).collect();
        let cores = own_cores(workers);
        let (mut handles, mut threads) = (Vec::new(), Vec::new());
        for (number, parts) in parts.into_iter().enumerate() {
            let WorkerParts { socket, poll, relay_queue, relayed, stream_inbox, streams } = parts;
            let (commands, inbox) = channel();
            let stats = Arc::new(Mutex::new(HubStats::default()));
            let id = WorkerId(number as u8);
            let worker = Worker::new(WorkerConfig {
                id,
                identity: identity.clone(),
                lobby: lobby.clone(),
                epoch,
                epoch_ntp,
                seed: rand::random(),
            });
            let run = WorkerLoop {
                state: UdpSocketState::new(UdpSockRef::from(&socket)).map_err(bind)?,
                socket,
                poll,
                worker,
                streams: Streams::new(epoch, streams, inboxes.clone()),
                inbox,
                relayed,
                relay_queues: relay_queues.clone(),
                lag: Lag::default(),
                id,
                lobby: lobby.clone(),
                stats: stats.clone(),
                events: events.clone(),
                stopping: stopping.clone(),
            };
            let thread = std::thread::Builder::new().name(format!("media-{number}"));
            let core = cores.get(number).copied();
            let work = move || {
                if let Some(error) = core.and_then(|core| pin(core).err()) {
                    warn!(%error, "Worker {number} has no core of its own: {error}");
                }
                run.run();
            };
            threads.push(thread.spawn(work).map_err(bind)?);
            handles.push(WorkerHandle { commands, stream_inbox, waker: relay_queue.waker, stats });
        }
        info!(%address, workers, "Media port {address} is open");
        Ok(Self { address, workers: handles, next_worker: AtomicUsize::new(0), threads: Mutex::new(threads), stopping })
    }

    /// The address that is really bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The hub's time.
    pub(crate) fn now(&self) -> Instant {
        Instant::now()
    }

    /// Where clients can reach the bound address. Loopback only where there is nothing else.
    pub(crate) fn own_addresses(&self) -> Vec<IpAddr> {
        if !self.address.ip().is_unspecified() {
            return vec![self.address.ip()];
        }
        let fits = |ip: &IpAddr| self.address.is_ipv6() || ip.is_ipv4();
        let is_local = |ip: &IpAddr| match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        let all = if_addrs::get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip());
        let (loopback, others): (Vec<_>, Vec<_>) =
            all.filter(fits).filter(|ip| !is_local(ip)).partition(IpAddr::is_loopback);
        if others.is_empty() { loopback } else { others }
    }

    pub(crate) fn send_command(&self, worker: WorkerId, command: Command) {
        if let Some(handle) = self.workers.get(usize::from(worker.0)) {
            // A worker that has stopped needs no command.
            let _ = handle.commands.send(command);
            let _ = handle.waker.wake();
        }
    }

    /// Brings a TCP connection to the next worker in turn.
    pub(crate) fn hand_over(&self, arrival: Arrival) {
        let turn = self.next_worker.fetch_add(1, Ordering::Relaxed);
        if let Some(handle) = self.workers.get(turn % self.workers.len().max(1)) {
            handle.stream_inbox.hand_over(arrival);
        }
    }

    pub(crate) fn send_command_to_all(&self, command: impl Fn() -> Command) {
        for number in 0..self.workers.len() {
            self.send_command(WorkerId(number as u8), command());
        }
    }

    /// All workers' figures as one.
    pub(crate) fn stats(&self) -> HubStats {
        let mut all = HubStats::default();
        for handle in &self.workers {
            all.add(&handle.stats.lock().unwrap_or_else(PoisonError::into_inner));
        }
        all
    }

    /// Closes all peers and waits for the threads.
    pub(crate) fn stop(&self) {
        self.send_command_to_all(|| Command::CloseAll);
        self.stopping.store(true, Ordering::Release);
        for handle in &self.workers {
            let _ = handle.waker.wake();
        }
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One worker's thread.
struct WorkerLoop {
    socket: UdpSocket,
    state: UdpSocketState,
    poll: Poll,
    worker: Worker,
    streams: Streams,
    inbox: Receiver<Command>,
    relayed: Receiver<Relay>,
    /// Every worker's, this one's too, by number.
    relay_queues: Vec<RelayQueue>,
    lag: Lag,
    id: WorkerId,
    lobby: Arc<Lobby>,
    stats: Arc<Mutex<HubStats>>,
    events: EventSink,
    stopping: Arc<AtomicBool>,
}

/// How one worker reaches another. Bounded: a worker that does not keep up misses packets, and slows no other.
#[derive(Clone)]
struct RelayQueue {
    relays: SyncSender<Relay>,
    waker: Arc<Waker>,
    /// Messages that may not be dropped, while the channel is full.
    held: VecDeque<Relay>,
    /// There is something new in the channel since the worker was last woken.
    needs_wake: bool,
}

impl RelayQueue {
    /// False where the relay was dropped.
    fn put(&mut self, relay: Relay) -> bool {
        if !self.held.is_empty() {
            if relay.is_media() {
                return false;
            }
            self.held.push_back(relay);
            return true;
        }
        self.needs_wake = true;
        match self.relays.try_send(relay) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => true,
            Err(TrySendError::Full(relay)) if relay.is_media() => false,
            Err(TrySendError::Full(relay)) => {
                self.held.push_back(relay);
                true
            }
        }
    }

    fn wake(&mut self) {
        while let Some(relay) = self.held.pop_front() {
            self.needs_wake = true;
            if let Err(TrySendError::Full(relay)) = self.relays.try_send(relay) {
                self.held.push_front(relay);
                break;
            }
        }
        if std::mem::take(&mut self.needs_wake) {
            let _ = self.waker.wake();
        }
    }
}

impl WorkerLoop {
    fn run(mut self) {
        let mut events = Events::with_capacity(256);
        if let Err(error) = self.poll.registry().register(&mut self.socket, READ, Interest::READABLE) {
            error!(%error, "The media port cannot be watched: {error}");
            return;
        }
        let mut buffers = vec![vec![0u8; self.state.gro_segments() * DATAGRAM_BYTES_MAX]; BATCH_SIZE];
        let mut is_drained = true;
        let mut figures_at = Instant::now();
        loop {
            let wait = if is_drained {
                self.worker.poll_timeout().map(|due| due.saturating_duration_since(Instant::now()))
            } else {
                Some(Duration::ZERO)
            };
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    error!(%error, "The media port is lost: {error}");
                    return;
                }
                _ => {}
            }
            let now = Instant::now();
            is_drained = self.receive(now, &mut buffers);
            is_drained &= self.streams.receive(now, &events, self.poll.registry(), &mut self.worker);
            while let Ok(command) = self.inbox.try_recv() {
                self.worker.handle_command(now, command);
            }
            for relay in self.relayed.try_iter().take(RELAYS_MAX) {
                self.worker.handle_relay(now, relay);
            }
            while self.worker.flush_part(now, PART_BYTES) {
                self.relay();
                self.send(now);
            }
            self.worker.handle_timeout(now);
            self.relay();
            self.send(now);
            while let Some(event) = self.worker.poll_event() {
                (self.events)(event);
            }
            if now.saturating_duration_since(figures_at) >= FIGURES_EVERY {
                figures_at = now;
                self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone_from(self.worker.stats());
                self.lobby.note_load(self.id, self.lag.is_overloaded());
            }
            self.lag.note(now, Instant::now());
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
        }
    }

    /// Reads a bounded number of batches. False where there may be more.
    fn receive(&mut self, now: Instant, buffers: &mut [Vec<u8>]) -> bool {
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        for _ in 0..BATCHES_MAX {
            let mut slices: Vec<IoSliceMut<'_>> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
            match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta) {
                Ok(count) => {
                    for (meta, buffer) in meta.iter().zip(&*buffers).take(count) {
                        let Some(bytes) = buffer.get(..meta.len) else { continue };
                        for datagram in bytes.chunks(meta.stride.max(1)) {
                            self.worker.handle_datagram(now, meta.addr, BytesMut::from(datagram));
                        }
                    }
                    if count < BATCH_SIZE {
                        // The socket is drained: a later datagram wakes the poll again.
                        return true;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // An ICMP error for a datagram that we sent: the port itself is fine.
                    warn!(%error, "Reading the media port failed once: {error}");
                    return true;
                }
            }
        }
        false
    }

    /// Hands the relays to the other workers, and wakes each of them once.
    fn relay(&mut self) {
        let mut lost = 0;
        while let Some((to, relay)) = self.worker.poll_relay() {
            if let Some(relay_queue) = self.relay_queues.get_mut(usize::from(to.0)) {
                lost += u64::from(!relay_queue.put(relay));
            }
        }
        self.relay_queues.iter_mut().for_each(RelayQueue::wake);
        if lost > 0 {
            self.worker.note_unrelayed(lost);
        }
    }

    fn send(&mut self, now: Instant) {
        let mut unsent = 0;
        let mut outbox = std::mem::take(self.worker.outbox());
        for run in outbox.runs() {
            if tcp_address::connection(run.to).is_some() {
                let datagrams = &outbox.bytes()[run.bytes.clone()];
                unsent += self.streams.push(now, run.to, datagrams, run.segment, &self.worker);
                continue;
            }
            let contents = &outbox.bytes()[run.bytes.clone()];
            let fits = run.datagrams() <= self.state.max_gso_segments();
            if fits && self.transmit(run.to, contents, run.segment).is_ok() {
                continue;
            }
            // A full socket drops datagrams: NACKs repair that, and no viewer waits for another.
            unsent += match self.state.max_gso_segments() {
                // The kernel or the card does not cut runs (UDP GSO): each datagram goes alone.
                1 if run.datagrams() > 1 => {
                    let refused = |datagram: &&[u8]| self.transmit(run.to, datagram, run.segment).is_err();
                    contents.chunks(run.segment.max(1)).filter(refused).count() as u64
                }
                _ => run.datagrams() as u64,
            };
        }
        outbox.clear();
        *self.worker.outbox() = outbox;
        unsent += self.streams.write(now, &mut self.worker);
        if unsent > 0 {
            self.worker.note_unsent(unsent);
        }
    }

    fn transmit(&self, to: SocketAddr, contents: &[u8], segment: usize) -> io::Result<()> {
        let segment_size = (contents.len() > segment).then_some(segment);
        let transmit = Transmit { destination: to, ecn: None, contents, segment_size, src_ip: None };
        self.state.try_send(UdpSockRef::from(&self.socket), &transmit)
    }
}

fn open(listen: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
    if listen.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    // The kernel gives what it may; less is slower, not wrong.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&listen.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// A core for each worker, of those that this process may use. Empty for one worker, which the system places better,
/// and where there are not enough.
fn own_cores(workers: usize) -> Vec<usize> {
    let Ok(allowed) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
    let cores: Vec<usize> = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false)).collect();
    if workers > 1 && cores.len() >= workers { cores } else { Vec::new() }
}

fn pin(core: usize) -> nix::Result<()> {
    let mut only = CpuSet::new();
    only.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &only)
}

/// NTP time, 32.32 fixed point seconds since 1900 (RFC 3550 §4).
fn ntp(since_1970: Duration) -> u64 {
    let seconds = since_1970.as_secs() + 2_208_988_800;
    (seconds << 32) | ((u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000)
}

const READ: Token = Token(0);
const WAKE: Token = Token(1);

/// Datagrams are at most this long. A longer one is cut, and then does not authenticate.
const DATAGRAM_BYTES_MAX: usize = 1_500;

/// Batches read before their packets are sent on: more would only wait.
const BATCHES_MAX: usize = 4;

/// Bytes that are sealed before they are sent: few enough to stay in the second-level cache until the kernel has read
/// them.
const PART_BYTES: usize = 128 * 1024;

/// Bursts on their way to another worker: a second of everything a teacher sends.
const RELAYS_MAX: usize = 1_024;

const FIGURES_EVERY: Duration = Duration::from_millis(500);
