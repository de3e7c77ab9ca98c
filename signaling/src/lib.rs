//! The front door of 同课 and the binary `tongke`: who may come in, which lessons are on, what pages are told.
//!
//! The way in is [`app::App`], put together by `main` from a checked [`config::Config`]. The way of one request:
//! [`listener`] accepts it, [`router`] finds its handler in [`http`], [`http::account::identity`] says who asks,
//! [`school::account::permission`] whether they may, [`school`] decides, [`store`] keeps, [`http::web::problem`] words what went
//! wrong. A lesson in progress is [`live`]: the [`live::registry`] holds its room in the hub, its seats
//! ([`live::session`], pure), its sockets and its recording. What is seen of its ends waits on the [`live::sample_buffer`] for the
//! [`jobs::reports`], which keeps it and works out the report when the lesson is over.
//!
//! What recordings take, and how long they stay, the [`jobs::retention`] sees to.
//! Rims, which alone touch clocks, files and ports: [`clock`], [`keep`], [`listener::certificate`], [`listener`].
//! Deliberately not here: media ([`sfu`]), what is kept of it ([`recorder`]), pupils (nowhere).

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod data_dir;
pub mod error_chain;
pub mod http;
pub mod jobs;
pub mod listener;
pub mod live;
pub mod rate_limit;
pub mod router;
pub mod sample;
pub mod scheduling;
pub mod secret;
pub mod state;
pub mod store;
pub mod telemetry;
