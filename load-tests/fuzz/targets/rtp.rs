//! RTP headers with extensions and padding, and the payload behind them read as every codec.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sfu::{
    Codec,
    packet::{parse, rtp_header},
};

fuzz_target!(|datagram: &[u8]| {
    let Some(header) = rtp_header(datagram) else { return };
    assert!(usize::from(header.header_len) <= datagram.len());
    for (id, _) in &header.extensions {
        assert!(header.extension(*id, datagram).is_some());
    }
    for opened in [datagram.len(), datagram.len().saturating_sub(16)] {
        let Some(range) = header.payload_range(opened, datagram) else { continue };
        for codec in [Codec::Opus, Codec::H264, Codec::Vp9, Codec::Av1, Codec::Vp8] {
            let _ = parse(codec, &datagram[range.clone()]);
        }
    }
});
