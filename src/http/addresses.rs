//! What counts as one address, where connections are counted by it.

use std::net::{IpAddr, Ipv6Addr};

/// Of IPv6 the first 64 bits, since whoever has one of them has them all.
pub(super) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_network_are_one_and_an_address_is_one_however_it_is_written() {
        let is_one = |a: &str, b: &str| household(a.parse().unwrap()) == household(b.parse().unwrap());
        assert!(is_one("127.0.0.1", "::ffff:127.0.0.1") && !is_one("127.0.0.1", "127.0.0.2"));
        assert!(is_one("2001:db8::1", "2001:db8::ffff:2") && !is_one("2001:db8::1", "2001:db8:0:1::1"));
    }
}
