//! Who asks: the chat's back end, or one of its users, and what there is for them.

use super::UserId;

/// In whose name a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The chat's own back end: all there is.
    App,
    /// An end user's client, on its user's behalf alone.
    User,
}

/// Of which messages a user may see the receipts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Of those that the user sent.
    #[default]
    Sender,
    /// Of those that the user sent or was sent.
    Audience,
}

/// Who asks for receipts, and so which messages there are. Those that are not there for a user are as unknown as those
/// that never were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// The chat's own back end sees all.
    App,
    /// A user.
    User {
        /// Who.
        user: UserId,
        /// Which messages' receipts are the user's to see.
        sees: Visibility,
    },
}
