//! The versions of one object, gathered from their parts, and which of them counts.

use crate::store::embedded::base::object::Object;

/// What is there of one object.
pub(in crate::store::embedded) struct Gathered {
    pub(in crate::store::embedded) object: Object,
    /// Versions above this one are of a checkpoint that did not end.
    sealed: u64,
    /// Oldest first.
    versions: Vec<Version>,
    unsealed: Vec<sled::IVec>,
}

struct Version {
    number: u64,
    keys: Vec<sled::IVec>,
    bytes: Vec<u8>,
    /// Parts seen, in order and without a gap; none once one was missing.
    seen: Option<u16>,
    parts: u16,
}

/// What counts of an object.
pub(in crate::store::embedded) enum Newest {
    /// Nothing: a checkpoint that did not end had begun to write it.
    Nothing,
    /// It is gone, says this key.
    Gone(sled::IVec),
    /// These bytes.
    Whole { version: u64, bytes: Vec<u8> },
}

impl Gathered {
    pub(in crate::store::embedded) fn new(object: Object, sealed: u64) -> Self {
        Self { object, sealed, versions: Vec::new(), unsealed: Vec::new() }
    }

    /// Takes a part. Parts come in the order of their keys: by version, then by number.
    pub(in crate::store::embedded) fn add(&mut self, version: u64, part: u16, key: sled::IVec, value: &[u8]) {
        if version > self.sealed {
            self.unsealed.push(key);
            return;
        }
        if self.versions.last().is_none_or(|last| last.number != version) {
            let new = Version { number: version, keys: vec![], bytes: vec![], seen: Some(0), parts: 0 };
            self.versions.push(new);
        }
        let last = self.versions.last_mut().expect("invariant: one was just put there");
        last.keys.push(key);
        last.seen = match (last.seen, value.split_first_chunk()) {
            (Some(seen), Some((parts, bytes))) if seen == part => {
                last.parts = u16::from_le_bytes(*parts);
                last.bytes.extend_from_slice(bytes);
                Some(seen + 1)
            }
            _ => None,
        };
    }

    /// The newest version, if it is whole; whatever else is there goes to `stale`. None if it is not: then
    /// something is lost, since a seal comes after all parts, and removals begin with the oldest.
    pub(in crate::store::embedded) fn newest(mut self, stale: &mut Vec<sled::IVec>) -> Option<Newest> {
        stale.append(&mut self.unsealed);
        let Some(mut newest) = self.versions.pop() else { return Some(Newest::Nothing) };
        stale.extend(self.versions.into_iter().flat_map(|version| version.keys));
        match (newest.seen, newest.parts) {
            (Some(1), 0) => Some(Newest::Gone(newest.keys.remove(0))),
            (Some(seen), parts) if seen == parts => {
                Some(Newest::Whole { version: newest.number, bytes: newest.bytes })
            }
            _ => None,
        }
    }
}
