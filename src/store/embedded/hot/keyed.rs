//! Hashes of names, under a key that is unknown outside the process: nobody can choose names that collide.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
    sync::LazyLock,
};

use crate::domain::{SipKey, sip13};

/// std's own source of secrets, stretched to a key of ours.
static KEY: LazyLock<SipKey> = LazyLock::new(|| {
    let secret = RandomState::new();
    [0, 1].map(|half: u64| secret.hash_one(half))
});

/// The hash of a name. Good for as long as the process lives.
pub(in crate::store::embedded) fn hash_of(name: &str) -> u64 {
    sip13(*KEY, name.as_bytes())
}

/// A table by ids.
pub(in crate::store::embedded) type ById<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Hashes one id, as [`hash_of`] does.
#[derive(Debug, Default)]
pub(in crate::store::embedded) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = sip13(*KEY, bytes);
    }

    /// A text is closed by a byte, which says nothing where there is one alone.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UserId;

    #[test]
    fn an_id_and_its_text_have_the_same_hash() {
        let hash = |id: &str| BuildHasherDefault::<IdHasher>::default().hash_one(UserId::new(id).unwrap());
        assert_eq!(hash("alice"), hash_of("alice"));
        assert_ne!(hash("alice"), hash("bob"));
    }
}
