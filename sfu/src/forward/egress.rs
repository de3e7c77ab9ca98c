//! Where one viewer's packets go.

use std::net::SocketAddr;

use crate::transport::{outbox::Outbox, srtp::Sealer};

/// The way out to one viewer: its packets are sealed with its keys and written into the outbox, for its address.
pub struct Egress<'a> {
    /// The viewer's address.
    pub to: SocketAddr,
    /// The viewer's keys.
    pub sealer: &'a mut Sealer,
    /// What waits to be sent.
    pub out: &'a mut Outbox,
}
