//! One virtual classroom on its real socket, with the line that lies between them.
//!
//! A rim: it sends.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use bytes::BytesMut;
use hdrhistogram::Histogram;
use quinn_udp::UdpSocketState;

use super::{
    classroom::{Classroom, Habit},
    delay::SendTimes,
};
use crate::line::{Line, Link};

/// How one classroom takes part.
#[derive(Clone)]
pub struct Entry {
    /// When its teacher's packets left.
    pub times: Arc<SendTimes>,
    /// Its line, the same in both directions. `None`: the socket alone.
    pub line: Option<Line>,
    /// How it behaves.
    pub habit: Habit,
    /// It is counted apart from the others.
    pub singled_out: bool,
}

impl Entry {
    /// An ordinary classroom of the lesson whose teacher notes its sends in `times`.
    #[must_use]
    pub fn ordinary(times: &Arc<SendTimes>) -> Self {
        Self { times: times.clone(), line: None, habit: Habit::Ordinary, singled_out: false }
    }

    /// What a POST takes longer than on this machine: TCP's handshake and the request are a round trip each.
    #[must_use]
    pub fn exchange_delay(&self) -> Duration {
        self.line.map_or(Duration::ZERO, |line| line.delay * 4)
    }
}

/// A seat of a lane.
pub(super) struct Seat {
    pub(super) classroom: Classroom,
    pub(super) socket: mio::net::UdpSocket,
    pub(super) state: UdpSocketState,
    pub(super) scheduled: Instant,
    pub(super) alive: bool,
    pub(super) singled_out: bool,
    times: Arc<SendTimes>,
    line: Option<Box<Between>>,
}

/// What is under way between the socket and the classroom.
struct Between {
    up: Link<(SocketAddr, BytesMut)>,
    down: Link<(SocketAddr, Vec<u8>)>,
}

impl Seat {
    pub(super) fn new(
        now: Instant,
        classroom: Classroom,
        socket: mio::net::UdpSocket,
        state: UdpSocketState,
        entry: Entry,
        seed: u64,
    ) -> Self {
        let line = entry.line.map(|line| {
            Box::new(Between { up: Link::new(line, seed), down: Link::new(line, seed.rotate_left(17) ^ 1) })
        });
        let Entry { times, singled_out, .. } = entry;
        Self { classroom, socket, state, scheduled: now, alive: true, singled_out, times, line }
    }

    /// Takes a datagram of the socket.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        delays: &mut Histogram<u64>,
    ) -> Result<()> {
        let Some(line) = &mut self.line else {
            return self.classroom.handle_datagram(now, from, datagram, &self.times, delays);
        };
        line.down.send(now, datagram.len() + IP_UDP_BYTES, (from, datagram.to_vec()));
        Ok(())
    }

    /// Brings over what has arrived by now, in both directions.
    pub(super) fn carry(&mut self, now: Instant, delays: &mut Histogram<u64>) -> Result<()> {
        if let Some(line) = &mut self.line {
            while let Some((from, datagram)) = line.down.poll(now) {
                self.classroom.handle_datagram(now, from, &datagram, &self.times, delays)?;
            }
        }
        while let Some((to, datagram)) = self.classroom.transport().poll_transmit() {
            match &mut self.line {
                Some(line) => line.up.send(now, datagram.len() + IP_UDP_BYTES, (to, datagram)),
                // A full send buffer loses the packet, as on any line.
                None => drop(self.socket.send_to(&datagram, to)),
            }
        }
        if let Some(line) = &mut self.line {
            while let Some((to, datagram)) = line.up.poll(now) {
                let _ = self.socket.send_to(&datagram, to);
            }
        }
        Ok(())
    }

    /// When something is due, for the classroom or on its line.
    pub(super) fn poll_timeout(&self) -> Instant {
        let due = self.classroom.poll_timeout();
        let Some(line) = &self.line else { return due };
        [line.up.poll_timeout(), line.down.poll_timeout()].into_iter().flatten().fold(due, Instant::min)
    }
}

/// IPv4 and UDP headers, which take room on a line too.
const IP_UDP_BYTES: usize = 28;
