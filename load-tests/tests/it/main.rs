//! The hub under load, on bad lines and against a foreign client, one program.
//!
//! One test: `cargo test -p load-tests --test it simulated_lessons::`.

mod flood;
mod foreign_client;
mod ice_tcp;
mod load_client;
mod simulated_lessons;
mod soak;
mod thin_lines;
