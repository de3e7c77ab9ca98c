//! Seats of one lesson, on a manual clock.

use sfu::{Codec, RoomId, WorkerId, event::GoneReason, stats::SlotStats};

use super::*;
use crate::{clock::Clock, live::wire::Presence};
use school::base::time::UnixMs;

struct Story {
    clock: Clock,
    session: Session,
    sockets: u64,
    peers: u64,
}

const CAMERA: Purpose = Purpose::Publish { picture: TrackKind::Camera, auto_start: false };
const ENCODER: Purpose = Purpose::Publish { picture: TrackKind::Camera, auto_start: true };

impl Story {
    fn new(guests_max: usize) -> Self {
        let clock = Clock::standing_at(UnixMs(1_000_000));
        Self { clock, session: Session::new(guests_max), sockets: 0, peers: 0 }
    }

    fn seat(&mut self, role: SeatRole) -> SeatId {
        let seat_id = SeatId::fresh();
        let sitter = Sitter { seat_id, role, name: "景家教学点".into(), classroom_id: None };
        self.session.sit(self.clock.now(), sitter);
        seat_id
    }

    fn opens_page(&mut self, seat_id: SeatId) -> SocketId {
        self.sockets += 1;
        self.session.handle_socket_opened(self.clock.now(), seat_id, SocketId(self.sockets));
        SocketId(self.sockets)
    }

    fn connects(&mut self, seat_id: SeatId, purpose: Purpose) -> PeerId {
        self.peers += 1;
        let peer = PeerId(self.peers);
        self.session.handle_peer_answered(seat_id, peer, purpose);
        self.on_the_wire(HubEvent::PeerConnected { room: RoomId(1), peer });
        peer
    }

    fn on_the_wire(&mut self, event: HubEvent) {
        self.session.handle_hub_event(self.clock.now(), &event);
    }

    fn brings(&mut self, peer: PeerId, kind: TrackKind) {
        let codec = if kind.is_sound() { Codec::Opus } else { Codec::H264 };
        self.on_the_wire(HubEvent::TrackStarted { room: RoomId(1), peer, kind, codec });
    }

    fn loses(&mut self, peer: PeerId) {
        self.on_the_wire(HubEvent::PeerGone { room: RoomId(1), peer, reason: GoneReason::Silent });
    }

    fn after(&mut self, seconds: u64) {
        self.clock.turn(Duration::from_secs(seconds));
        self.session.handle_timeout(self.clock.now());
    }

    fn presence(&self, seat_id: SeatId) -> Option<Presence> {
        self.view(seat_id).map(|view| view.presence)
    }

    fn view(&self, seat_id: SeatId) -> Option<SeatView> {
        self.session.seats(self.clock.now()).into_iter().find(|view| view.seat_id == seat_id)
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.poll_output()).collect()
    }
}

#[test]
fn a_classroom_that_lost_its_line_finds_its_seat_again_within_two_minutes() {
    let mut story = Story::new(0);
    let seat = story.seat(SeatRole::Classroom);
    let joined = story.view(seat).unwrap().joined_at_ms;
    let socket = story.opens_page(seat);
    let peer = story.connects(seat, Purpose::Receive);
    assert_eq!(story.presence(seat), Some(Presence::Online));

    story.session.handle_socket_closed(story.clock.now(), seat, socket);
    story.loses(peer);
    story.after(119);
    assert_eq!(story.presence(seat), Some(Presence::Lost));

    story.opens_page(seat);
    story.connects(seat, Purpose::Receive);
    story.after(1_000);
    let view = story.view(seat).unwrap();
    assert_eq!((view.presence, view.joined_at_ms, view.receiving), (Presence::Online, joined, true));
}

#[test]
fn a_seat_that_nobody_comes_back_to_is_given_up_after_two_minutes() {
    let mut story = Story::new(0);
    let seat = story.seat(SeatRole::Classroom);
    let socket = story.opens_page(seat);
    story.after(1_000);
    story.session.handle_socket_closed(story.clock.now(), seat, socket);
    story.after(120);
    assert_eq!(story.view(seat), None);
}

#[test]
fn a_second_page_in_the_same_seat_replaces_the_first() {
    let mut story = Story::new(0);
    let seat = story.seat(SeatRole::Classroom);
    let first = story.opens_page(seat);
    let second = story.opens_page(seat);
    assert_eq!(story.outputs(), [Output::Bye(first, CloseReason::Replaced)]);
    // The first socket's end comes late and does not close the second's seat.
    story.session.handle_socket_closed(story.clock.now(), seat, first);
    assert_eq!(story.presence(seat), Some(Presence::Online));
    story.session.handle_socket_closed(story.clock.now(), seat, second);
    assert_eq!(story.presence(seat), Some(Presence::Lost));
}

#[test]
fn a_teacher_who_comes_back_replaces_only_the_same_picture() {
    let mut story = Story::new(0);
    let seat = story.seat(SeatRole::Teacher);
    let camera = story.connects(seat, CAMERA);
    let board = story.connects(seat, Purpose::Publish { picture: TrackKind::Board, auto_start: false });
    story.brings(camera, TrackKind::Camera);
    story.brings(camera, TrackKind::Voice);
    story.brings(board, TrackKind::Board);
    story.outputs();

    let again = story.connects(seat, CAMERA);
    assert!(story.outputs().contains(&Output::ClosePeer(camera)));
    let slots = story.session.slots();
    assert_eq!((slots.voice.flowing, slots.camera.flowing, slots.board.flowing), (false, false, true));

    story.brings(again, TrackKind::Camera);
    // The hub's late event about the old peer changes nothing.
    story.on_the_wire(HubEvent::TrackEnded { room: RoomId(1), peer: camera, kind: TrackKind::Camera });
    story.loses(camera);
    assert!(story.session.slots().camera.flowing);
    assert_eq!(story.session.slots().camera.codec, Some(Codec::H264));
}

#[test]
fn only_an_encoders_packets_start_the_lesson() {
    let mut story = Story::new(0);
    let seat = story.seat(SeatRole::Teacher);
    let page = story.connects(seat, CAMERA);
    story.brings(page, TrackKind::Camera);
    assert_eq!(story.outputs(), [Output::SlotsChanged]);
    let encoder = story.connects(seat, ENCODER);
    story.brings(encoder, TrackKind::Camera);
    assert!(story.outputs().contains(&Output::GoLive));
}

#[test]
fn a_receiver_never_brings_a_track() {
    let mut story = Story::new(0);
    let seat = story.seat(SeatRole::Classroom);
    let peer = story.connects(seat, Purpose::Receive);
    story.brings(peer, TrackKind::Voice);
    assert_eq!(story.outputs(), []);
    assert!(!story.session.slots().voice.flowing);
}

#[test]
fn presence_says_what_the_teacher_should_know() {
    let report = |change: fn(&mut Report)| {
        let mut report = Report { playing: Some(true), loss: Some(0.0), ..Report::default() };
        change(&mut report);
        report
    };
    let table = [
        (report(|_| ()), Presence::Online),
        (report(|r| r.loss = Some(0.06)), Presence::Weak),
        (report(|r| r.loss = None), Presence::Online),
        (report(|r| r.concealed_share = Some(0.04)), Presence::Weak),
        (report(|r| r.freezes = Some(1.0)), Presence::Weak),
        (report(|r| r.rtt_ms = Some(501.0)), Presence::Weak),
        (report(|r| r.loss = Some(f64::NAN)), Presence::Online),
    ];
    for (report, expected) in table {
        let mut story = Story::new(0);
        let seat = story.seat(SeatRole::Classroom);
        story.opens_page(seat);
        story.connects(seat, Purpose::Receive);
        story.session.handle_report(story.clock.now(), seat, report.clone());
        assert_eq!(story.presence(seat), Some(expected), "{report:?}");
        // The old report is ignored.
        story.after(15);
        assert_eq!(story.presence(seat), Some(Presence::Online), "{report:?}");
    }
}

#[test]
fn a_page_whose_media_do_not_arrive_is_weak_once_the_teacher_is_on_the_air() {
    let mut story = Story::new(0);
    let (teacher, seat) = (story.seat(SeatRole::Teacher), story.seat(SeatRole::Classroom));
    story.opens_page(seat);
    assert_eq!(story.presence(seat), Some(Presence::Online));
    let camera = story.connects(teacher, CAMERA);
    story.brings(camera, TrackKind::Voice);
    assert_eq!(story.presence(seat), Some(Presence::Weak));
    story.connects(seat, Purpose::Receive);
    assert_eq!(story.presence(seat), Some(Presence::Online));
}

#[test]
fn the_room_sees_teacher_and_classrooms_and_is_told_only_of_changes() {
    let mut story = Story::new(5);
    let (classroom, _officer, teacher) =
        (story.seat(SeatRole::Classroom), story.seat(SeatRole::Observer), story.seat(SeatRole::Teacher));
    story.session.sit_guest(story.clock.now(), None, SeatId::fresh(), GuestUse::Socket).unwrap();
    let now = story.clock.now();
    let told = story.session.seats_if_changed(now).unwrap();
    assert_eq!(told.iter().map(|view| view.seat_id).collect::<Vec<_>>(), [teacher, classroom]);
    assert_eq!(story.session.seats_if_changed(now), None);
    story.opens_page(classroom);
    assert!(story.session.seats_if_changed(now).is_some());
}

#[test]
fn guests_are_counted_by_what_they_use_and_leave_no_seat_behind() {
    let mut story = Story::new(2);
    let now = story.clock.now();
    let mut take = |had, usage| story.session.sit_guest(now, had, SeatId::fresh(), usage);
    // A page takes one seat for both its socket and its media.
    let page = take(None, GuestUse::Socket).unwrap();
    assert_eq!(take(Some(page), GuestUse::Media), Ok(page));
    let player = take(None, GuestUse::Media).unwrap();
    assert_eq!(take(None, GuestUse::Media), Err(GuestsFull));
    // A seat whose offer was refused is released at once and makes room.
    story.session.stand_up(player);
    let player = story.session.sit_guest(now, None, SeatId::fresh(), GuestUse::Media).unwrap();
    let peer = story.connects(player, Purpose::Receive);
    story.session.stand_up(player);
    assert_eq!(story.session.sit_guest(now, None, SeatId::fresh(), GuestUse::Media), Err(GuestsFull));
    story.loses(peer);
    assert!(story.session.sit_guest(now, None, SeatId::fresh(), GuestUse::Media).is_ok());
}

#[test]
fn a_guest_cannot_sit_down_in_a_classrooms_seat() {
    let mut story = Story::new(1);
    let classroom = story.seat(SeatRole::Classroom);
    let now = story.clock.now();
    let guest = story.session.sit_guest(now, Some(classroom), SeatId::fresh(), GuestUse::Media).unwrap();
    assert_ne!(guest, classroom);
}

#[test]
fn a_page_is_told_what_its_line_has_no_room_for_and_again_when_it_comes_back() {
    let mut story = Story::new(0);
    let seat_id = story.seat(SeatRole::Classroom);
    let peer = story.connects(seat_id, Purpose::Receive);
    let socket = story.opens_page(seat_id);
    story.outputs();
    let line = |paused| PeerStats {
        slots: vec![SlotStats { kind: TrackKind::Camera, layer: None, paused }],
        room: RoomId(1),
        publishes: false,
        connected: true,
        by_tcp: false,
        worker: WorkerId(0),
        rtt_ms: None,
        loss: 0.0,
        bitrate_bps: 0,
        tracks: vec![],
        estimate_bps: None,
    };
    story.session.handle_line(peer, &line(true));
    story.session.handle_line(peer, &line(true));
    assert_eq!(story.outputs(), [Output::PausedChanged(seat_id)]);
    assert_eq!(story.session.paused(seat_id), Some((socket, vec![TrackKind::Camera])));

    let again = story.opens_page(seat_id);
    story.outputs();
    story.session.handle_line(peer, &line(true));
    assert_eq!(story.outputs(), [Output::PausedChanged(seat_id)], "a new page knows of nothing");
    story.session.handle_line(peer, &line(false));
    assert_eq!(story.session.paused(seat_id), Some((again, vec![])));
}

#[test]
fn a_seat_that_offers_without_end_is_told_when_to_go_on() {
    let mut story = Story::new(0);
    let (busy, calm) = (story.seat(SeatRole::Teacher), story.seat(SeatRole::Classroom));
    let offer = |story: &mut Story, seat| story.session.handle_offer(story.clock.now(), seat);
    story.after(59);
    assert!((0..OFFERS_PER_MINUTE_MAX).all(|_| offer(&mut story, busy).is_ok()));
    assert_eq!(offer(&mut story, busy), Err(TooManyOffers { retry_after: Duration::from_secs(1) }));
    assert_eq!(offer(&mut story, calm), Ok(()), "one seat's loop is not another's");
    story.after(1);
    assert!((0..OFFERS_PER_MINUTE_MAX).all(|_| offer(&mut story, busy).is_ok()));
    assert!(offer(&mut story, busy).is_err());
}
