//! What runs beside the requests: reports, retention.

pub mod reporter;
pub mod storekeeper;
