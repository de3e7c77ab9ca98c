//! A virtual teacher and virtual classrooms, lean enough that thousands fit beside the hub they try.
//!
//! Above SRTP everything is shared between real sockets and the simulator: a [`publisher`] turns encoded pictures and
//! voice into packets and answers NACK and PLI, a [`subscriber`] counts, asks again and reports as a browser does.
//! [`transport`] (ICE, DTLS, SRTP) is only needed over real sockets, where [`classrooms`] and [`teacher`] drive it.

pub mod arrivals;
pub mod classroom;
pub mod classrooms;
pub mod delay;
pub mod description;
pub mod http;
pub mod publisher;
pub mod seat;
mod slot_receiver;
pub mod srtp;
pub mod subscriber;
pub mod teacher;
pub mod transport;
