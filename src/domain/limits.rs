//! The numbers that bound every list of the API. They are part of the contract, so they are constants
//! gathered in one value, which tests may make smaller.

/// Bounds on what one call may carry or ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Members of a roster, and users of an explicit audience.
    pub members_max: usize,
    /// Messages in one bulk registration.
    pub registrations_max: usize,
    /// Message ids in one mark.
    pub mark_messages_max: usize,
    /// Entries in one bulk of marks.
    pub mark_entries_max: usize,
    /// Messages in one pull, over all its conversations.
    pub pull_messages_max: usize,
    /// Items of one page of a list.
    pub list_items_max: usize,
    /// Items of one page of a list that names no `limit`.
    pub list_items_default: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            members_max: 100_000,
            registrations_max: 1_000,
            mark_messages_max: 1_000,
            mark_entries_max: 1_000,
            pull_messages_max: 100,
            list_items_max: 1_000,
            list_items_default: 200,
        }
    }
}
