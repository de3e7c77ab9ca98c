//! One seat: its sitter, socket, peers and connection quality.

use std::time::{Duration, Instant};

use school::{
    base::time::{Now, UnixMs},
    report::End,
};
use sfu::{PeerId, TrackKind};

use super::{
    output::Output,
    sitter::{Purpose, Sitter, SocketId},
};
use crate::{
    live::{
        presence::{Figures, Line, PagePresence},
        wire::{Presence, Report, SeatRole, SeatView},
    },
    rate_limit::RateLimit,
};

/// A page reports every 5 s; a report older than three intervals is ignored.
const REPORT_COUNTS_FOR: Duration = Duration::from_secs(15);

/// Above these limits a class is shown to the teacher as weak.
const WEAK_LOSS: f64 = 0.05;
const WEAK_CONCEALED_SHARE: f64 = 0.03;
const WEAK_RTT_MS: f64 = 500.0;

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) sitter: Sitter,
    pub(super) joined_at: UnixMs,
    pub(super) socket: Option<SocketId>,
    /// A guest seat taken for video and audio.
    pub(super) media: bool,
    /// A page has used this seat, and may reconnect.
    pub(super) had_page: bool,
    pub(super) peers: Vec<Peer>,
    /// Offers in the current minute.
    pub(super) offers: RateLimit,
    pub(super) report: Option<(Instant, Report)>,
    pub(super) seen: PagePresence,
    pub(super) empty_since: Instant,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) peer: PeerId,
    pub(super) purpose: Purpose,
    pub(super) connected: bool,
    pub(super) loss: f64,
    pub(super) rtt_ms: Option<f64>,
    /// `None`: none yet.
    pub(super) figures: Option<Figures>,
    /// Tracks that flow in the lesson, but are paused on this line.
    pub(super) paused: Vec<TrackKind>,
}

impl Seat {
    pub(super) fn new(now: Now, sitter: Sitter) -> Self {
        Self {
            sitter,
            joined_at: now.wall,
            socket: None,
            media: false,
            had_page: false,
            peers: Vec::new(),
            offers: RateLimit::new(now.steady),
            report: None,
            seen: PagePresence::new(now),
            empty_since: now.steady,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.socket.is_none() && self.peers.is_empty()
    }

    /// State of the receiving connection.
    pub(super) fn line(&self) -> Line {
        let up = |peer: &&Peer| peer.connected && peer.purpose == Purpose::Receive;
        self.peers.iter().rfind(up).map_or(Line::Down, |peer| Line::Up(peer.figures))
    }

    pub(super) fn last_seen(&mut self, now: Now) -> Option<Output> {
        let end = End::Classroom(self.sitter.classroom_id?);
        self.seen.end(now).map(|window| Output::Seen(end, window))
    }

    pub(super) fn view(&self, now: Now, nothing_flows: bool) -> SeatView {
        SeatView {
            seat_id: self.sitter.seat_id,
            role: self.sitter.role,
            name: self.sitter.name.clone(),
            classroom_id: self.sitter.classroom_id,
            presence: self.presence(now, nothing_flows),
            receiving: self.receives(now),
            joined_at_ms: self.joined_at,
        }
    }

    pub(super) fn report(&self, now: Now) -> Option<&Report> {
        let (at, report) = self.report.as_ref()?;
        (now.steady.saturating_duration_since(*at) < REPORT_COUNTS_FOR).then_some(report)
    }

    pub(super) fn receives(&self, now: Now) -> bool {
        let connected = self.peers.iter().any(|peer| peer.connected && peer.purpose == Purpose::Receive);
        connected && self.report(now).is_none_or(|report| report.playing != Some(false))
    }

    pub(super) fn presence(&self, now: Now, nothing_flows: bool) -> Presence {
        let connected = self.peers.iter().any(|peer| peer.connected);
        if self.socket.is_none() && !connected {
            return Presence::Lost;
        }
        let line_is_weak = self
            .peers
            .iter()
            .filter(|peer| peer.connected)
            .any(|peer| peer.loss > WEAK_LOSS || peer.rtt_ms.is_some_and(|rtt_ms| rtt_ms > WEAK_RTT_MS));
        let above = |figure: Option<f64>, bound: f64| figure.is_some_and(|figure| figure > bound);
        let page_suffers = self.report(now).is_some_and(|report| {
            above(report.loss, WEAK_LOSS)
                || above(report.concealed_share, WEAK_CONCEALED_SHARE)
                || above(report.freezes, 0.0)
                || above(report.rtt_ms, WEAK_RTT_MS)
        });
        // The page has no media although the teacher sends: its UDP does not get through.
        let hears_nothing = self.sitter.role == SeatRole::Classroom && !connected && !nothing_flows;
        if line_is_weak || page_suffers || hears_nothing { Presence::Weak } else { Presence::Online }
    }
}
