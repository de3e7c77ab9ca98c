//! What carries packets between the hub and a client: ICE, DTLS, SRTP, RTCP, and the framing of TCP.

mod client_hello;
pub mod dtls;
pub mod framing;
pub mod ice;
pub mod outbox;
pub mod rtcp;
pub mod srtp;
pub mod tcp_address;
