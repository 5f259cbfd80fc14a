//! Objects of the base: what there is, and the keys that name its versions and their parts.

use crate::store::embedded::hot::conversation::Key;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store::embedded) enum Kind {
    /// What a checkpoint ends with.
    Seal = 0,
    /// The head of a conversation.
    Head = 1,
    /// A block of its slots.
    Slots = 2,
    /// Where a run of its pages stands in the page files.
    Shelf = 3,
    /// A bucket of the users who are hidden.
    Hidden = 4,
    /// There while the base's files may hold names of users who were deleted.
    Erasure = 5,
}

/// Names an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store::embedded) struct Object {
    pub(in crate::store::embedded) kind: Kind,
    /// 0 where it belongs to none.
    pub(in crate::store::embedded) conversation: Key,
    /// 0 where there is but one, else the number of the block, shelf or bucket.
    pub(in crate::store::embedded) number: u32,
}

impl Object {
    const PREFIX_BYTES: usize = 1 + 8 + 4;
    const KEY_BYTES: usize = Self::PREFIX_BYTES + 8 + 2;

    pub(in crate::store::embedded) const SEAL: Self =
        Self { kind: Kind::Seal, conversation: Key(0), number: 0 };

    pub(in crate::store::embedded) const ERASURE: Self =
        Self { kind: Kind::Erasure, conversation: Key(0), number: 0 };

    pub(in crate::store::embedded) fn prefix(self) -> [u8; Self::PREFIX_BYTES] {
        let mut prefix = [0; Self::PREFIX_BYTES];
        prefix[0] = self.kind as u8;
        prefix[1..9].copy_from_slice(&self.conversation.0.to_be_bytes());
        prefix[9..].copy_from_slice(&self.number.to_be_bytes());
        prefix
    }

    pub(in crate::store::embedded) fn key(self, version: u64, part: u16) -> Vec<u8> {
        [&self.prefix()[..], &version.to_be_bytes(), &part.to_be_bytes()].concat()
    }

    /// The first key behind all versions of this object.
    pub(in crate::store::embedded) fn after(self) -> Vec<u8> {
        [&self.prefix()[..], &[u8::MAX; 8 + 2 + 1]].concat()
    }

    pub(in crate::store::embedded) fn parse(key: &[u8]) -> Option<(Self, u64, u16)> {
        let key: &[u8; Self::KEY_BYTES] = key.try_into().ok()?;
        let kind = match key[0] {
            0 => Kind::Seal,
            1 => Kind::Head,
            2 => Kind::Slots,
            3 => Kind::Shelf,
            4 => Kind::Hidden,
            5 => Kind::Erasure,
            _ => return None,
        };
        let conversation = Key(u64::from_be_bytes(key[1..9].try_into().ok()?));
        let number = u32::from_be_bytes(key[9..13].try_into().ok()?);
        let version = u64::from_be_bytes(key[13..21].try_into().ok()?);
        let part = u16::from_be_bytes(key[21..].try_into().ok()?);
        Some((Self { kind, conversation, number }, version, part))
    }
}
