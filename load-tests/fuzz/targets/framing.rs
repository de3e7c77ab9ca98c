//! A TCP connection's bytes, cut anywhere, and packets that wait for one: what is read does not depend on the cuts, and
//! what is written is read back.
#![no_main]

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use sfu::transport::framing::{Backlog, Class, Deframer, FRAME_BYTES_MAX, TooLong};

/// Reads `stream` in pieces of `cut` bytes, growing by one from piece to piece.
fn deframed(stream: &[u8], cut: u8) -> (Vec<Vec<u8>>, Result<(), TooLong>, Vec<u8>) {
    let (mut deframer, mut packets, mut rest) = (Deframer::default(), Vec::new(), stream);
    for size in usize::from(cut).max(1).. {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let taken = deframer.take(piece, |packet| packets.push(packet.to_vec()));
        assert!(deframer.unfinished().len() < 2 + FRAME_BYTES_MAX);
        if taken.is_err() || rest.is_empty() {
            return (packets, taken, deframer.unfinished().to_vec());
        }
    }
    unreachable!("every piece is longer than nothing")
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[cut, takes], stream)) = bytes.split_first_chunk::<2>() else { return };
    let (whole, outcome, unfinished) = deframed(stream, u8::MAX);
    let (pieces, outcome_in_pieces, unfinished_in_pieces) = deframed(stream, cut);
    assert_eq!((&whole, outcome.is_ok()), (&pieces, outcome_in_pieces.is_ok()));
    assert!(outcome.is_err() || unfinished == unfinished_in_pieces);
    assert!(whole.iter().all(|packet| (1..=FRAME_BYTES_MAX).contains(&packet.len())));

    // The same packets out again, by a socket that takes a little at a time. Each lane keeps its order.
    let (mut backlog, mut now, mut written) = (Backlog::default(), Instant::now(), Vec::new());
    let mut waiting: [VecDeque<&[u8]>; 2] = Default::default();
    for packet in &whole {
        let lane = usize::from(packet[0] & 1);
        if backlog.push(now, if lane == 0 { Class::Voice } else { Class::Picture }, packet) {
            waiting[lane].push_back(packet);
        }
        let chunk = backlog.chunk();
        let taken = chunk.len().min(usize::from(takes));
        written.extend_from_slice(&chunk[..taken]);
        backlog.wrote(taken);
        now += Duration::from_millis(u64::from(packet.len() as u8));
        backlog.drop_stale(now);
    }
    loop {
        let chunk = backlog.chunk();
        if chunk.is_empty() {
            break;
        }
        let taken = chunk.len();
        written.extend_from_slice(chunk);
        backlog.wrote(taken);
    }
    let (read, outcome, unfinished) = deframed(&written, cut);
    assert!(outcome.is_ok() && unfinished.is_empty());
    for packet in &read {
        let lane = &mut waiting[usize::from(packet[0] & 1)];
        // Pictures that waited for too long were dropped, whole; voice never.
        while lane.front().is_some_and(|front| front != packet) {
            assert_eq!(packet[0] & 1, 1);
            lane.pop_front();
        }
        assert!(lane.pop_front().is_some(), "a packet that nobody sent");
    }
    assert!(waiting[0].is_empty());
});
