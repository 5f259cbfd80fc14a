//! How many connections each address has open.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The connections of each address that has any.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// One connection of an address; it counts until this is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    /// Counts a connection; none if the address has `most` already.
    pub(super) fn count(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Counted> {
        let address = household(address);
        let mut connections = self.lock();
        let count = connections.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { addresses: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut connections = self.addresses.lock();
        if let Some(count) = connections.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: of IPv6 the first 64 bits, since whoever has one of them has them all.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_no_more_until_one_goes() {
        let addresses = Arc::new(Addresses::default());
        let count = |address: &str| addresses.count(address.parse().unwrap(), 2);
        let (first, _second) = (count("127.0.0.1").unwrap(), count("::ffff:127.0.0.1").unwrap());
        assert!(count("127.0.0.1").is_none());
        let _other = count("127.0.0.2").unwrap();
        drop(first);
        assert!(count("127.0.0.1").is_some());
        let of_one = [count("2001:db8::1"), count("2001:db8::ffff:2")];
        assert!(of_one.iter().all(Option::is_some) && count("2001:db8::3").is_none());
        drop(of_one);
        assert_eq!(addresses.lock().len(), 2, "who has none is not remembered");
    }
}
