//! RTCP compounds, as a peer that has authenticated may send them: read as a teacher's and as a classroom's.
#![no_main]

#[path = "../../../sfu/tests/it/seeded.rs"]
mod seeded;

use std::{cell::RefCell, time::Duration};

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use seeded::{Far, Lesson, publish_terms, view_terms};
use sfu::transport::rtcp::{self, Report};

thread_local! {
    static LESSON: RefCell<(Lesson, Far, Far, u16)> = RefCell::new({
        let mut lesson = Lesson::new();
        let (mut teacher, room) = (lesson.join(1, publish_terms()), lesson.join(2, view_terms()));
        lesson.picture(&mut teacher, 0, true);
        (lesson, teacher, room, 0)
    });
}

fuzz_target!(|compound: &[u8]| {
    if compound.len() < 8 || compound.len() > 1_400 {
        return;
    }
    for report in rtcp::reports(compound) {
        match report {
            Ok(Report::Nack { lost, .. }) => drop(lost.count()),
            Ok(Report::Arrivals(arrivals)) => drop(arrivals.count()),
            _ => {}
        }
    }
    LESSON.with_borrow_mut(|(lesson, teacher, room, number)| {
        *number = number.wrapping_add(1);
        lesson.picture(teacher, *number, *number % 64 == 0);
        for far in [teacher, room] {
            // Every compound is its SSRC's first, so that 16 of them are not all that is ever tried.
            let mut compound = compound.to_vec();
            compound[4..8].copy_from_slice(&9u32.to_be_bytes());
            let mut sealed = Vec::new();
            if far.sealer.seal_rtcp(&compound, &mut sealed) {
                lesson.worker.handle_datagram(lesson.now, far.address, BytesMut::from(&sealed[..]));
            }
        }
        let sent = lesson.run(Duration::from_millis(1));
        let bytes: usize = sent.iter().map(|(_, datagram)| datagram.len()).sum();
        assert!(bytes < 700_000, "{} bytes make the hub send {bytes}", compound.len());
    });
});
