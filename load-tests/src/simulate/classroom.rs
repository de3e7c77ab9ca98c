//! A virtual classroom: the real subscriber's core, a screen per picture slot and a speaker, by the receiver model.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::BytesMut;

use crate::{
    client::{
        description::AnsweredMedia,
        srtp::Srtp,
        subscriber::{SlotCounts, Subscriber},
    },
    media::rtp::is_rtcp,
    receiver::{Freeze, PicturePacket, Screen, Speaker},
};

/// One receiving connection.
pub struct Classroom {
    subscriber: Subscriber,
    srtp: Srtp,
    slots: Vec<SlotModel>,
    joined: Instant,
    first_picture: Option<Duration>,
    look_at: Instant,
}

/// What a slot ends in.
pub enum SlotModel {
    /// A picture.
    Screen(Screen),
    /// Voice.
    Speaker(Speaker),
}

/// What a classroom observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// The first picture of any slot, so long after joining.
    FirstPicture(Duration),
    /// A freeze in a slot has ended.
    Thawed(usize, Freeze),
    /// A keyframe was asked for in a slot.
    AskedKeyframe(usize),
}

impl Classroom {
    /// `rtt` paces repeated NACKs; a browser measures it.
    pub fn new(now: Instant, rtt: Duration, media: &[AnsweredMedia], srtp: Srtp) -> Self {
        let mut subscriber = Subscriber::new(now, media);
        subscriber.set_rtt(rtt);
        let slot = |media: &AnsweredMedia| {
            if media.sound { SlotModel::Speaker(Speaker::new()) } else { SlotModel::Screen(Screen::new()) }
        };
        let slots = media.iter().map(slot).collect();
        Self { subscriber, srtp, slots, joined: now, first_picture: None, look_at: now + LOOK_INTERVAL }
    }

    /// Takes a datagram of the hub.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8], observations: &mut Vec<Observation>) {
        if is_rtcp(datagram) {
            let Ok(compound) = self.srtp.open_rtcp(datagram) else { return };
            if let Ok(packets) = rtc_rtcp::packet::unmarshal(&mut &compound[..]) {
                self.subscriber.handle_rtcp(now, &packets);
            }
            return;
        }
        let Ok(packet) = self.srtp.open_rtp(datagram) else { return };
        let Some(media) = self.subscriber.handle_rtp(now, &packet) else { return };
        let payload = &packet[media.payload];
        match &mut self.slots[media.slot] {
            SlotModel::Speaker(speaker) if media.redundant => {
                let blocks = sfu::forward::red::read(payload, media.timestamp).unwrap_or_default();
                if let Some((own, earlier)) = blocks.split_last() {
                    speaker.handle_packet(now, own.timestamp);
                    for block in earlier {
                        speaker.handle_repeat(now, block.timestamp);
                    }
                }
            }
            SlotModel::Speaker(speaker) if !payload.is_empty() => speaker.handle_packet(now, media.timestamp),
            SlotModel::Speaker(_) => {}
            SlotModel::Screen(screen) => {
                let packet = PicturePacket {
                    seq: media.seq,
                    timestamp: media.timestamp,
                    marker: media.marker,
                    starts_keyframe: carries_parameters(payload),
                    is_padding: payload.is_empty(),
                };
                let freezes = screen.handle_packet(now, packet);
                observations.extend(freezes.into_iter().map(|freeze| Observation::Thawed(media.slot, freeze)));
                if self.first_picture.is_none() && screen.counts(now).pictures > 0 {
                    let waited = now - self.joined;
                    self.first_picture = Some(waited);
                    observations.push(Observation::FirstPicture(waited));
                }
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, observations: &mut Vec<Observation>) -> Result<()> {
        if self.look_at <= now {
            self.look_at = now + LOOK_INTERVAL;
            for (index, slot) in self.slots.iter_mut().enumerate() {
                match slot {
                    SlotModel::Speaker(speaker) => speaker.advance(now),
                    SlotModel::Screen(screen) => {
                        let held_up_by = screen.held_up_by();
                        let given_up = held_up_by.is_some_and(|seq| self.subscriber.has_given_up(index, seq));
                        if screen.wants_keyframe(now, given_up) {
                            self.subscriber.ask_keyframe(index)?;
                            observations.push(Observation::AskedKeyframe(index));
                        }
                    }
                }
            }
        }
        self.subscriber.handle_timeout(now)
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Instant {
        self.subscriber.poll_timeout().min(self.look_at)
    }

    /// The next sealed datagram.
    pub fn poll_transmit(&mut self) -> Option<BytesMut> {
        // The subscriber's own packets are well formed, so sealing them cannot fail.
        self.subscriber.poll_output().and_then(|compound| self.srtp.seal_rtcp(&compound).ok())
    }

    /// What each slot ends in.
    pub fn slots(&self) -> &[SlotModel] {
        &self.slots
    }

    /// Packets of a slot.
    pub fn counts(&self, slot: usize) -> SlotCounts {
        self.subscriber.counts(slot)
    }

    /// From joining to the first picture. `None`: none yet.
    pub fn first_picture(&self) -> Option<Duration> {
        self.first_picture
    }
}

/// The first packet of a keyframe carries the parameter sets (an SPS, alone or first in a STAP-A; RFC 6184 §5.2).
fn carries_parameters(payload: &[u8]) -> bool {
    match payload.first().map(|byte| byte & 0x1f) {
        Some(7) => true,
        Some(24) => payload.get(3).is_some_and(|byte| byte & 0x1f == 7),
        _ => false,
    }
}

/// How often a classroom looks whether it must ask for a keyframe.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
