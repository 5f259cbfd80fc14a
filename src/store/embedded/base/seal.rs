//! What a checkpoint ends with: proof that it did, and of what there was then.

use crate::store::embedded::{base::object::Object, record::FORMAT};

/// Every object and its version, in a number that does not depend on their order.
///
/// The sum of a hash of each: adding and taking away one costs the same however many there are. It is to notice what
/// a broken store lost, not what an adversary forged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store::embedded) struct Digest {
    objects: u64,
    sum: u64,
}

impl Digest {
    /// The object is there, in this version.
    pub(in crate::store::embedded) fn put(&mut self, object: Object, version: u64) {
        self.objects = self.objects.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hash(object, version));
    }

    /// It is not there any more.
    pub(in crate::store::embedded) fn remove(&mut self, object: Object, version: u64) {
        self.objects = self.objects.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(hash(object, version));
    }
}

/// Two CRCs over different prefixes make 64 bits that depend on all of the key.
fn hash(object: Object, version: u64) -> u64 {
    let key = [&object.prefix()[..], &version.to_be_bytes()].concat();
    let high = crc32fast::hash(&key);
    let low = crc32fast::hash(&[&[1], &key[..], &high.to_be_bytes()].concat());
    u64::from(high) << 32 | u64::from(low)
}

/// A checkpoint's seal.
///
/// ```text
///   format:1  next_sequence:8  objects:8  sum:8  crc32:4      little-endian; the version is in its key
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::embedded) struct Seal {
    /// The versions that the checkpoint wrote; higher ones are of none that ended.
    pub(in crate::store::embedded) version: u64,
    /// The first record that the base does not cover: the journal must begin there or before.
    pub(in crate::store::embedded) next_sequence: u64,
    /// What there is.
    pub(in crate::store::embedded) digest: Digest,
}

impl Seal {
    pub(in crate::store::embedded) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        for number in [self.next_sequence, self.digest.objects, self.digest.sum] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The seal of `version` that [`Seal::bytes`] gave the bytes of; none if it is something else.
    pub(in crate::store::embedded) fn read(version: u64, bytes: &[u8]) -> Option<Self> {
        let (numbers, _) = bytes.get(1..)?.as_chunks();
        let [next_sequence, objects, sum] = *numbers else { return None };
        let [next_sequence, objects, sum] = [next_sequence, objects, sum].map(u64::from_le_bytes);
        let seal = Self { version, next_sequence, digest: Digest { objects, sum } };
        (seal.bytes() == bytes).then_some(seal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::embedded::{base::object::Kind, hot::conversation::Key};

    fn object(number: u32) -> Object {
        Object { kind: Kind::Shelf, conversation: Key(7), number }
    }

    #[test]
    fn a_digest_is_that_of_what_is_there() {
        let mut there = Digest::default();
        for number in 0..100 {
            there.put(object(number), 1);
        }
        let mut other = Digest::default();
        for number in (0..100).rev() {
            other.put(object(number), 9);
            other.remove(object(number), 9);
            other.put(object(number), 1);
        }
        assert_eq!(there, other);
        other.remove(object(3), 1);
        assert_ne!(there, other, "one is missing");
        other.put(object(3), 2);
        assert_ne!(there, other, "one is another version");
    }

    #[test]
    fn a_seal_reads_as_written_and_not_otherwise() {
        let mut digest = Digest::default();
        digest.put(object(1), 2);
        let seal = Seal { version: 5, next_sequence: 258, digest };
        let bytes = seal.bytes();
        assert_eq!(bytes[..10], [FORMAT, 2, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(Seal::read(5, &bytes), Some(seal));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(Seal::read(5, &flipped), None, "byte {at}");
            assert_eq!(Seal::read(5, &bytes[..at]), None, "cut to {at}");
        }
    }
}
