//! Payloads: the first byte says which codec, the rest is what it is told.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sfu::{
    Codec,
    packet::{parse, rewrite_vp8},
};

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, payload)) = bytes.split_first() else { return };
    let codec = [Codec::Opus, Codec::H264, Codec::Vp9, Codec::Av1, Codec::Vp8][usize::from(which) % 5];
    let Some(facts) = parse(codec, payload) else { return };
    assert!(facts.temporal_id < 8 && facts.spatial_id < 8);
    if let Some(numbers) = facts.vp8 {
        let mut payload = payload.to_vec();
        rewrite_vp8(&mut payload, &numbers, 0x7fff, 0xff);
        let again = parse(codec, &payload).and_then(|facts| facts.vp8).expect("still VP8");
        assert_eq!((again.picture_id_at, again.tl0_pic_idx_at), (numbers.picture_id_at, numbers.tl0_pic_idx_at));
        // A payload that was cut since then must not be written past its end.
        for len in 0..payload.len().min(8) {
            rewrite_vp8(&mut payload[..len], &numbers, 0x7fff, 0xff);
        }
    }
});
