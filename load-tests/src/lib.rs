//! Virtual teachers and classrooms: over real UDP for load, on a virtual clock for whole lessons.
//!
//! - [`load`] is a run of `tongke-load`: a [`client::teacher`] publishes a clip by WHIP, [`client::classrooms`] join by
//!   WHEP and check every tag, [`process`] reads what the server spent, [`floor`] what the sends alone cost, a
//!   [`report`] holds what was found, and [`rows`] set it against what is asked. A [`lesson`] is at a server or at a
//!   hub of ours. [`bell`] lets hundreds join at once beside a lesson, [`capacity`] raises the classrooms until packets
//!   are lost.
//! - [`simulate`] holds whole lessons in seconds: the hub's real worker, the same [`client`] cores, [`mod@line`]s
//!   between them, and the [`receiver`] model of what was seen and heard. The same seed gives the same text.
//! - `tongke-line` and `netns.sh` put the same [`mod@line`] between two network namespaces, for real browsers.
//!
//! The way of one packet: `clip` → `publisher` cuts and numbers → `transport` seals → the hub → `transport` opens →
//! `subscriber` counts and asks again → `picture`, or the receiver model's screen and speaker.
//!
//! Deliberately not here: the hub's own parsers and ciphers. What checks the hub is written apart from it, or by
//! others: `rtc-srtp` opens, `rtc-stun` and `rtc-dtls` connect, and `tests/foreign_client.rs` brings a whole foreign
//! stack.

pub mod bell;
pub mod capacity;
pub mod client;
pub mod floor;
pub mod lesson;
pub mod line;
pub mod load;
pub mod media;
pub mod process;
pub mod receiver;
pub mod report;
pub mod rows;
pub mod simulate;
mod table;
