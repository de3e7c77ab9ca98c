//! Integration tests of the media plane, one program, in virtual time.
//!
//! One test: `cargo test -p sfu --test it answers::`.

mod abuse;
mod answers;
mod lesson;
mod packets;
mod seeded;
mod taps;
mod workers;
