//! Rosters: who is a member of a conversation, and how that changes.

use std::sync::Arc;

use super::SlotSet;

/// The members of a roster, and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Begins with 1 and rises by one with each real change.
    pub version: u64,
    /// The members' slots. Shared with the audiences of the messages that were registered meanwhile.
    pub slots: Arc<SlotSet>,
}

/// What a write of a roster came to: how many members, under which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosterChange {
    /// The roster is as asked for now, whether or not it was before.
    Now {
        /// How many members it has.
        members: usize,
        /// Its version.
        version: u64,
    },
    /// It would have more members than a roster may have; nothing was changed.
    TooManyMembers,
}
