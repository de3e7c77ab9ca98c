//! The server of 同课 (Tongke) and the binary `tongke`: accounts, timetable, lessons in progress, library and reports.
//!
//! `main` builds [`app::App`] from a checked [`config::Config`]. A request is accepted by [`listener`] and routed by [`router`] to
//! its handler in [`http`]. [`http::account::identity`] authenticates the caller, [`school::account::permission`] authorises,
//! [`school`] decides, [`store`] writes, and [`http::web::problem`] answers refusals. [`live`] holds lessons in progress: the
//! [`live::registry`] has each lesson's room in the hub, its seats ([`live::session`], pure), its sockets and its recording.
//! Attendance samples wait in the [`live::sample_buffer`] for [`jobs::reports`], which stores them and computes the report when the
//! lesson is over. [`jobs::retention`] deletes recordings and data when their retention ends.
//!
//! Only these modules touch clocks, files and ports: [`clock`], [`data_dir`], [`listener::certificate`], [`listener`]. Media is in
//! [`sfu`], recordings in [`recorder`].

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
