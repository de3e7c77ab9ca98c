//! The floor: what the same sends cost on this machine with no other work, as a lower bound for the server's cost.
//!
//! The kernel cuts GSO runs up again and runs the receiving side in the sender's time when both are on one machine, so
//! a cost per packet means little without this: the same sizes, in the same bursts, to as many sockets, by a bare loop.
#![expect(clippy::disallowed_methods, reason = "I/O: it owns sockets, a clock and threads")]

use std::{
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use mio::{Events, Interest, Poll, Token};
use nix::sys::socket::{setsockopt, sockopt::UdpGroSegment};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use rtc_rtp::{codec::h264::H264Payloader, packetizer::Payloader};
use serde::Serialize;

use crate::{
    client::{classrooms::Reception, publisher::PAYLOAD_BYTES_MAX, teacher::BURST_PACKETS},
    media::clip::Clip,
    process,
};

/// What the bare loop did.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Floor {
    /// Processor time of the sending thread per packet, in microseconds.
    pub cpu_us_per_packet: f64,
    /// Packets handed to the kernel.
    pub sent: u64,
    /// Packets that the receivers took.
    pub received: u64,
    /// Packets refused because a buffer was full.
    pub refused: u64,
}

/// Sends the clip's shape to `receivers` sockets for `seconds`, from processor `cpu` where given, while threads like
/// the classrooms' drain them.
///
/// # Errors
/// Sockets or threads cannot be made.
pub fn measure(clip: &Clip, receivers: usize, seconds: Duration, cpu: Option<usize>, how: &Reception) -> Result<Floor> {
    let bursts = shape(clip)?;
    let mut sockets = Vec::with_capacity(receivers);
    let mut destinations = Vec::with_capacity(receivers);
    for _ in 0..receivers {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a UDP port")?;
        socket.set_nonblocking(true)?;
        destinations.push(socket.local_addr()?);
        sockets.push(socket);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut drains = Vec::new();
    let share = receivers.div_ceil(how.threads.max(1));
    while !sockets.is_empty() {
        let mine: Vec<_> = sockets.drain(..share.min(sockets.len())).collect();
        let (stop, gro, cpu) = (stop.clone(), how.gro, how.cpu);
        drains.push(thread::Builder::new().name("drain".into()).spawn(move || {
            cpu.map_or(Ok(()), process::pin)?;
            drain(mine, gro, &stop)
        })?);
    }
    let frame_rate = clip.frame_rate;
    let sender = thread::Builder::new().name("floor".into()).spawn(move || {
        cpu.map_or(Ok(()), process::pin)?;
        send(&bursts, &destinations, frame_rate, seconds)
    })?;
    let sent = sender.join().map_err(|_| anyhow!("the floor's sender panicked"))?;
    stop.store(true, Ordering::Relaxed);
    let mut received = 0;
    for drain in drains {
        received += drain.join().map_err(|_| anyhow!("the floor's receiver panicked"))??;
    }
    let Sent { packets, refused, cpu } = sent?;
    Ok(Floor { cpu_us_per_packet: cpu.as_secs_f64() * 1e6 / packets.max(1) as f64, sent: packets, received, refused })
}

/// One picture or one voice packet on the wire.
struct Shape {
    /// Datagram sizes of each picture.
    pictures: Vec<Vec<usize>>,
    /// Datagram sizes of the voice.
    voice: Vec<usize>,
}

struct Sent {
    packets: u64,
    refused: u64,
    cpu: Duration,
}

fn shape(clip: &Clip) -> Result<Shape> {
    let mut payloader = H264Payloader::default();
    let mut pictures = Vec::with_capacity(clip.pictures.len());
    for picture in &clip.pictures {
        let payloads = payloader.payload(PAYLOAD_BYTES_MAX, &picture.access_unit)?;
        pictures.push(payloads.iter().map(|payload| payload.len() + OVERHEAD_BYTES).collect());
    }
    Ok(Shape { pictures, voice: clip.voice.iter().map(|packet| packet.len() + OVERHEAD_BYTES).collect() })
}

fn send(shape: &Shape, destinations: &[SocketAddr], frame_rate: u32, seconds: Duration) -> Result<Sent> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a UDP port")?;
    let state = UdpSocketState::new((&socket).into())?;
    let _ = state.set_send_buffer_size((&socket).into(), SEND_BUFFER_BYTES); // as much as the system allows
    let segments = state.max_gso_segments().clamp(1, BURST_PACKETS);
    let memory = vec![0x80; DATAGRAM_BYTES_MAX * BURST_PACKETS];
    let mut sent = Sent { packets: 0, refused: 0, cpu: Duration::ZERO };
    let (started, busy) = (Instant::now(), process::thread_busy()?);
    let (picture_interval, mut pictures, mut voices) = (Duration::from_secs(1) / frame_rate, 0u32, 0u32);
    loop {
        let now = Instant::now();
        if now - started >= seconds {
            break;
        }
        let (picture_at, voice_at) = (started + picture_interval * pictures, started + VOICE_INTERVAL * voices);
        if picture_at <= now {
            let sizes = &shape.pictures[pictures as usize % shape.pictures.len()];
            for destination in destinations {
                for burst in sizes.chunks(segments) {
                    send_burst(&state, &socket, *destination, burst, &memory, &mut sent)?;
                }
            }
            pictures += 1;
        } else if voice_at <= now {
            let size = shape.voice[voices as usize % shape.voice.len()];
            for destination in destinations {
                send_burst(&state, &socket, *destination, &[size], &memory, &mut sent)?;
            }
            voices += 1;
        } else {
            thread::sleep(picture_at.min(voice_at) - now);
        }
    }
    sent.cpu = (process::thread_busy()? - busy).cpu();
    Ok(sent)
}

/// One send: every datagram as long as the longest, but the last.
fn send_burst(
    state: &UdpSocketState,
    socket: &UdpSocket,
    destination: SocketAddr,
    sizes: &[usize],
    memory: &[u8],
    sent: &mut Sent,
) -> Result<()> {
    let (Some(longest), Some(last)) = (sizes.iter().max(), sizes.last()) else { return Ok(()) };
    let transmit = Transmit {
        destination,
        ecn: None,
        contents: &memory[..longest * (sizes.len() - 1) + last],
        segment_size: (sizes.len() > 1).then_some(*longest),
        src_ip: None,
    };
    match state.try_send(socket.into(), &transmit) {
        Ok(()) => sent.packets += sizes.len() as u64,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => sent.refused += sizes.len() as u64,
        Err(error) => return Err(error).context("the floor cannot send"),
    }
    Ok(())
}

fn drain(sockets: Vec<UdpSocket>, gro: bool, stop: &AtomicBool) -> Result<u64> {
    let mut poll = Poll::new()?;
    let mut seats = Vec::with_capacity(sockets.len());
    for socket in sockets {
        let mut socket = mio::net::UdpSocket::from_std(socket);
        let state = UdpSocketState::new((&socket).into())?;
        let _ = state.set_recv_buffer_size((&socket).into(), SEND_BUFFER_BYTES);
        if !gro {
            setsockopt(&socket, UdpGroSegment, &false).context("cannot switch UDP_GRO off")?;
        }
        poll.registry().register(&mut socket, Token(seats.len()), Interest::READABLE)?;
        seats.push((state, socket));
    }
    let each = if gro { 65_536 } else { 2_048 };
    let mut memory = vec![0; each * BATCH_SIZE];
    let mut slices: Vec<IoSliceMut<'_>> = memory.chunks_mut(each).map(IoSliceMut::new).collect();
    let mut metas = vec![RecvMeta::default(); BATCH_SIZE];
    let mut events = Events::with_capacity(1_024);
    let mut received = 0;
    while !stop.load(Ordering::Relaxed) {
        if let Err(error) = poll.poll(&mut events, Some(Duration::from_millis(20)))
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            let (state, socket) = &seats[event.token().0];
            while let Ok(count) = state.recv(socket.into(), &mut slices, &mut metas) {
                received += metas[..count].iter().map(|meta| meta.len.div_ceil(meta.stride.max(1)) as u64).sum::<u64>();
                if count < BATCH_SIZE {
                    break;
                }
            }
        }
    }
    Ok(received)
}

/// Header, two header extensions and tag around each payload.
const OVERHEAD_BYTES: usize = 12 + 12 + 16;
const DATAGRAM_BYTES_MAX: usize = 1_500;
const VOICE_INTERVAL: Duration = Duration::from_millis(20);
const SEND_BUFFER_BYTES: usize = 1 << 20;
