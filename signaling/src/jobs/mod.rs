//! What runs beside the requests: reports, retention.

pub mod reports;
pub mod retention;
