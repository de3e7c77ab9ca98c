//! A virtual teacher on a real socket: publishes a clip by WHIP, paced as a browser paces, and answers what it is
//! asked.
#![expect(clippy::disallowed_methods, reason = "I/O: it owns a socket, a clock and a thread")]

use std::{
    collections::VecDeque,
    net::UdpSocket,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::{
    delay::SendTimes,
    description::{Answer, RTX, Sources, publish_offer},
    http::Session,
    publisher::{Outgoing, Publisher, PublisherCounts},
    transport::{Identity, Incoming, Transport},
};
use crate::media::{clip::Clip, rtp::RtpLayout};

/// A teacher at work on a thread of its own. Dropping it does not stop it: call [`Teacher::stop`].
pub struct Teacher {
    thread: JoinHandle<Result<()>>,
    shared: Arc<Shared>,
    session: String,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    connected: AtomicBool,
    counts: Mutex<PublisherCounts>,
}

impl Teacher {
    /// Makes an offer that `exchange` brings to the hub, connects and begins to send; returns when connected.
    /// `still_after`: the picture stands still then, so none is sent but keyframes that are asked for.
    ///
    /// # Errors
    /// The hub refuses, or no connection comes about within ten seconds.
    pub fn start(
        exchange: impl FnOnce(&str) -> Result<Session>,
        clip: Arc<Clip>,
        times: Arc<SendTimes>,
        still_after: Option<Duration>,
    ) -> Result<Self> {
        let identity = Identity::generate()?;
        let own = identity.credentials();
        let sources = Sources { voice: Some(rand::random()), picture: Some((rand::random(), rand::random())) };
        let session = exchange(&publish_offer(&own, sources))?;
        let answer = Answer::parse(&session.sdp)?;
        let socket = UdpSocket::bind("0.0.0.0:0").context("cannot open a UDP port")?;
        let now = Instant::now();
        let transport = Transport::new(now, identity, own, &answer);
        let publisher = Publisher::new(now, ntp_now(), rand::random_range(0..1 << 14), sources, &answer.media);
        let shared = Arc::new(Shared::default());
        let shared_too = shared.clone();
        let work =
            Work { socket, transport, publisher, clip, times, still_after, shared: shared_too, held: VecDeque::new() };
        let thread = thread::Builder::new().name("teacher".into()).spawn(move || work.run())?;
        let teacher = Self { thread, shared, session: session.location };
        while !teacher.shared.connected.load(Ordering::Relaxed) {
            if teacher.thread.is_finished() {
                teacher.thread.join().map_err(|_| anyhow!("the teacher's thread panicked"))??;
                bail!("the teacher left before it was connected");
            }
            ensure!(now.elapsed() < CONNECT_WITHIN, "the teacher could not connect to {:?}", answer.candidates);
            thread::sleep(Duration::from_millis(5));
        }
        Ok(teacher)
    }

    /// What was sent and heard so far.
    #[must_use]
    pub fn counts(&self) -> PublisherCounts {
        self.shared.counts.lock().map(|counts| *counts).unwrap_or_default()
    }

    /// Where DELETE ends the session.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Closes the connection and stops.
    ///
    /// # Errors
    /// What broke the teacher's work.
    pub fn stop(self) -> Result<PublisherCounts> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let counts = self.counts();
        self.thread.join().map_err(|_| anyhow!("the teacher's thread panicked"))??;
        Ok(counts)
    }
}

struct Work {
    socket: UdpSocket,
    transport: Transport,
    publisher: Publisher,
    clip: Arc<Clip>,
    times: Arc<SendTimes>,
    still_after: Option<Duration>,
    shared: Arc<Shared>,
    /// Packets that the pacer holds back.
    held: VecDeque<Outgoing>,
}

impl Work {
    fn run(mut self) -> Result<()> {
        let mut buffer = [0; 2_048];
        let mut started: Option<Instant> = None;
        let (mut pictures, mut voices, mut shown) = (0u32, 0u32, 0usize);
        let mut next_burst = Instant::now();
        let picture_interval = Duration::from_secs(1) / self.clip.frame_rate;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            self.transport.handle_timeout(now)?;
            let mut due = self.transport.poll_timeout();
            if self.transport.connected() {
                let started = *started.get_or_insert(now);
                while started + picture_interval * pictures <= now {
                    let wanted = self.publisher.take_keyframe_wanted();
                    if wanted {
                        shown = self.clip.next_keyframe(shown.saturating_sub(1));
                    }
                    if !wanted && self.still_after.is_some_and(|after| now - started >= after) {
                        pictures += 1;
                        continue;
                    }
                    let timestamp = (u64::from(pictures) * 90_000 / u64::from(self.clip.frame_rate)) as u32;
                    self.publisher.send_picture(now, timestamp, &self.clip.pictures[shown].access_unit)?;
                    shown = (shown + 1) % self.clip.pictures.len();
                    pictures += 1;
                }
                while started + VOICE_INTERVAL * voices <= now {
                    let packet = self.clip.voice[voices as usize % self.clip.voice.len()].clone();
                    self.publisher.send_voice(now, voices.wrapping_mul(960), voices == 0, packet);
                    voices += 1;
                }
                self.publisher.handle_timeout(now)?;
                while let Some(output) = self.publisher.poll_output() {
                    self.held.push_back(output);
                }
                if now >= next_burst && !self.held.is_empty() {
                    next_burst = now + BURST_INTERVAL;
                    for output in self.held.drain(..self.held.len().min(BURST_PACKETS)) {
                        seal(&mut self.transport, &self.times, now, &output)?;
                    }
                }
                due = due
                    .min(started + picture_interval * pictures)
                    .min(started + VOICE_INTERVAL * voices)
                    .min(self.publisher.poll_timeout());
                if !self.held.is_empty() {
                    due = due.min(next_burst);
                }
                if let Ok(mut counts) = self.shared.counts.lock() {
                    *counts = self.publisher.counts();
                }
            }
            while let Some((to, datagram)) = self.transport.poll_transmit() {
                // A full send buffer loses the packet, as on any line; the hub asks again.
                let _ = self.socket.send_to(&datagram, to);
            }
            let patience = due.saturating_duration_since(Instant::now()).clamp(PATIENCE_MIN, PATIENCE_MAX);
            self.socket.set_read_timeout(Some(patience))?;
            let Ok((length, from)) = self.socket.recv_from(&mut buffer) else { continue };
            let now = Instant::now();
            match self.transport.handle_datagram(now, from, &buffer[..length])? {
                Some(Incoming::Connected) => self.shared.connected.store(true, Ordering::Relaxed),
                Some(Incoming::Rtcp(compound)) => {
                    if let Ok(packets) = rtc_rtcp::packet::unmarshal(&mut &compound[..]) {
                        self.publisher.handle_rtcp(&packets);
                    }
                }
                Some(Incoming::Closed) => bail!("the hub closed the teacher's connection"),
                Some(Incoming::Rtp(_)) | None => {}
            }
        }
        self.transport.close(Instant::now());
        while let Some((to, datagram)) = self.transport.poll_transmit() {
            let _ = self.socket.send_to(&datagram, to);
        }
        Ok(())
    }
}

fn seal(transport: &mut Transport, times: &SendTimes, now: Instant, output: &Outgoing) -> Result<()> {
    match output {
        Outgoing::Rtp(packet) => {
            // A retransmission keeps the time of the first attempt: the receiver sees the whole delay.
            if let Some(layout) = RtpLayout::read(packet).filter(|layout| layout.payload_type != RTX) {
                times.note(now, &packet[layout.payload]);
            }
            transport.send_rtp(packet)
        }
        Outgoing::Rtcp(packet) => transport.send_rtcp(packet),
    }
}

fn ntp_now() -> u64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ((unix.as_secs() + SECONDS_1900_TO_1970) << 32) | ((u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000)
}

/// A local hub connects in milliseconds.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const VOICE_INTERVAL: Duration = Duration::from_millis(20);
/// Chromium's pacer wakes every 5 ms.
const BURST_INTERVAL: Duration = Duration::from_millis(5);
/// A picture of 1.5 Mbit/s is about 6 packets and leaves in one burst, a keyframe in several.
pub const BURST_PACKETS: usize = 12;
const PATIENCE_MIN: Duration = Duration::from_micros(50);
const PATIENCE_MAX: Duration = Duration::from_millis(20);
const SECONDS_1900_TO_1970: u64 = 2_208_988_800;
