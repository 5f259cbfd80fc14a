//! How many of something each has that there are not many of: connections of an address, streams of a user.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many each has who has any.
#[derive(Debug)]
pub(super) struct Shares<K>(Mutex<HashMap<K, usize>>);

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// One of them; it counts until this is dropped.
#[derive(Debug)]
pub(super) struct Share<K: Eq + Hash> {
    shares: Arc<Shares<K>>,
    of: K,
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// Counts one more; none if there are `most` already.
    pub(super) fn take(self: &Arc<Self>, of: K, most: usize) -> Option<Share<K>> {
        let mut shares = self.lock();
        let count = shares.get(&of).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        shares.insert(of.clone(), count + 1);
        Some(Share { shares: self.clone(), of })
    }
}

impl<K> Shares<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut shares = self.shares.lock();
        if let Some(count) = shares.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                shares.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_so_many_and_no_more_until_one_goes() {
        let shares = Arc::new(Shares::default());
        let (first, _second) = (shares.take("alice", 2).unwrap(), shares.take("alice", 2).unwrap());
        assert!(shares.take("alice", 2).is_none());
        let other = shares.take("bob", 2).unwrap();
        drop(first);
        assert!(shares.take("alice", 2).is_some() && shares.take("carol", 0).is_none());
        drop(other);
        assert_eq!(shares.lock().len(), 1, "who has none is not remembered");
    }
}
