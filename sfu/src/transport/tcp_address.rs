//! A TCP connection as an address: the real one of the other side, with the connection's number as its IPv6 flow label.
//!
//! UDP never brings a flow label (the kernel gives 0), so the two cannot be taken for each other, every map by address
//! works as it is, and answers to checks still name the address that they came from.

use std::net::{SocketAddr, SocketAddrV6};

/// The connection that packets to this address go by. `None`: they go by UDP.
#[must_use]
pub fn connection(address: SocketAddr) -> Option<u32> {
    match address {
        SocketAddr::V6(address) if address.flowinfo() != 0 => Some(address.flowinfo()),
        _ => None,
    }
}

/// The address that stands for connection `number` from `from`. `number` is not 0.
#[must_use]
pub fn address(from: SocketAddr, number: u32) -> SocketAddr {
    let ip = match from {
        SocketAddr::V4(from) => from.ip().to_ipv6_mapped(),
        SocketAddr::V6(from) => *from.ip(),
    };
    SocketAddrV6::new(ip, from.port(), number, 0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_has_an_address_that_udp_never_has_and_that_names_the_real_one() {
        for from in ["192.0.2.7:4000", "[2001:db8::7]:4000"] {
            let from: SocketAddr = from.parse().unwrap();
            assert_eq!(connection(from), None);
            let path = address(from, 7);
            assert_eq!(connection(path), Some(7));
            assert_eq!((path.ip().to_canonical(), path.port()), (from.ip(), from.port()));
            assert_ne!(path, address(from, 8));
        }
    }
}
