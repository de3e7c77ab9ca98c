//! Background jobs: reports, retention.

pub mod reports;
pub mod retention;
