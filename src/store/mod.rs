//! The store: one contract, several engines.
//!
//! | engine | what it is |
//! |---|---|
//! | [`model`] | obvious, in memory, loses everything: the judge in tests |
//! | [`embedded`] | a journal, hot state in memory, pages in files of its own, sled as their directory: one machine |
//! | [`cluster`] | a Valkey Cluster that somebody else runs, for any number of processes |
//!
//! An engine knows conversations, rosters, messages and marks. It knows no limits of calls, no roles, no `ETag`s
//! and no clock: the floor above brings the time along.

mod changes;
pub mod cluster;
pub mod dump;
pub mod embedded;
pub mod model;
mod spread;

pub use changes::Changes;
pub use spread::{BOUNDS, Spread};

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::domain::{
    ConversationId, ExpiresAt, MessageId, MessageIdRef, Order, Receipts, Refusal, RegisterOutcome,
    Registration, Role, RosterChange, Slot, Timestamp, UserId, Viewer,
};

/// What an engine answers, when it is ready to. Writes of the embedded engine are carried out even if the
/// answer is no longer waited for: each is there as a whole or not at all. Of the cluster that holds of each entry of a write.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why an engine cannot answer. What a caller did wrong is not among these: that is an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A write failed once; the engine accepts no more until it is started anew. Reads go on.
    #[error("the store failed to write and accepts no more; the cause is in the log")]
    Failed,
    /// A page that the call needs cannot be read from disk. Others may be.
    #[error("a page could not be read from disk; the cause is in the log")]
    Unreadable,
    /// More writes wait than the engine holds. Nothing of this one was done; it may be sent again.
    #[error("too many writes are waiting")]
    Overloaded,
    /// The cluster does not answer, or not all of it does, for longer than a call may take. A write may be there all the same.
    #[error("the cluster cannot be reached; the cause is in the log")]
    Unreachable,
    /// Fewer replicas than are asked for have a write. It may be there all the same, and be sent again.
    #[error("too few replicas have the write")]
    TooFewReplicas,
    /// The cluster's memory is full. Nothing of this entry was done; of a write of several, those before it were.
    #[error("the cluster's memory is full")]
    Full,
    /// Each export has the engine keep what it is of, and there may not be more of them at once.
    #[error("too many backups and inspections are under way; try again later")]
    TooManyExports,
    /// The engine is shutting down.
    #[error("the store is closed")]
    Closed,
}

/// What one reader says to have read of one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The conversation.
    pub conversation: ConversationId,
    /// Who has read.
    pub reader: UserId,
    /// What was read.
    pub read: Read,
    /// In whose name it is made: to a user, messages that it neither sent nor was sent are unknown.
    pub by: Role,
}

/// Which messages a mark is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// These.
    Messages(Vec<MessageId>),
    /// Every live message up to and including this one whose audience the reader is in.
    UpTo(MessageId),
    /// The same, up to and including a place in the order, which need not be that of a message.
    UpToOrder(Order),
}

/// What became of a mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// Messages that this reader had not read before.
    pub marked: usize,
    /// Messages that this reader had read before, or that the mark named before.
    pub already: usize,
    /// Messages that could not be marked, in the order named: [`Refusal::UnknownMessage`] or, by an app,
    /// [`Refusal::NotInAudience`].
    pub refused: Vec<(MessageId, Refusal)>,
}

/// Part of a roster, in slot order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterPart {
    /// The roster's version at this moment.
    pub version: u64,
    /// The members of this part.
    pub members: Vec<UserId>,
    /// Where the next part begins, if there is one: give it as `after`.
    pub next: Option<Slot>,
}

/// A live message, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageReceipts {
    /// Its id.
    pub message: MessageId,
    /// Who sent it.
    pub sender: UserId,
    /// Its place.
    pub order: Order,
    /// When it expires.
    pub expires_at: ExpiresAt,
    /// What is known of it.
    pub receipts: Receipts,
}

/// Part of the users who have read a message, or have not, in slot order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadersPart {
    /// What is known of the message at this moment.
    pub receipts: Receipts,
    /// The users of this part.
    pub users: Vec<UserId>,
    /// Where the next part begins, if there is one: give it as `after`.
    pub next: Option<Slot>,
}

/// Which half of an audience is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Who has read.
    Read,
    /// Who has not.
    Unread,
}

/// Which users are asked for: up to `limit` of one half of an audience, above the slot `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadersWanted {
    /// Which half.
    pub half: Half,
    /// Where the part before ended; none for the first.
    pub after: Option<Slot>,
    /// How many at the most.
    pub limit: usize,
}

/// What a reader still has to read in one conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many live messages that were sent to the reader and not read.
    pub unread: usize,
    /// The first of them in the order.
    pub first: Option<MessageId>,
}

/// What an engine can say of itself, for metrics and readiness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Whether writes are accepted.
    pub can_commit: bool,
    /// Conversations with a roster or a message.
    pub conversations: u64,
    /// Messages held, expired ones that no sweep has met yet among them.
    pub messages: u64,
    /// Commits made durable since the start.
    pub commits: u64,
    /// Writes that those commits carried.
    pub writes: u64,
    /// Writes that were let in and are not answered yet.
    pub writes_waiting: u64,
    /// Bytes of records in the journal.
    pub journal_bytes: u64,
    /// Checkpoints completed since the start.
    pub checkpoints: u64,
    /// Bytes of memory that hold conversations, as near as they are counted.
    pub hot_bytes: u64,
    /// Bytes of page files on disk.
    pub page_bytes: u64,
    /// How long commits took, in microseconds: from when all their writes were decided to when these could be seen.
    pub commit_us: Spread,
    /// How many writes were decided, made durable and answered together.
    pub commit_writes: Spread,
    /// When the first of the messages held expires, or has expired; none if there is none.
    pub expires_first: Option<ExpiresAt>,
    /// Writes since the start that were answered although fewer replicas than asked for had them.
    pub replicas_short: u64,
    /// How long ago a checkpoint last found that nothing was left to do, or had done it, or the engine was opened; none
    /// for an engine without any.
    pub since_checkpoint: Option<Duration>,
}

/// The contract of an engine.
///
/// **Durability.** A write (the calls that say so) is answered once it would survive a power cut, and not before.
/// The other calls show only what would: never a write that is still on its way. A write that was answered with
/// [`StoreError::Failed`] may or may not be there after the next start.
///
/// **Order.** Writes take effect one after the other; each sees all that were answered before it was sent. A read
/// sees every write that was answered before it was sent. Entries of one write take effect in their order.
///
/// **Repetition.** Every write may be sent again and then changes nothing more.
///
/// **Audience.** Whom a message is for is fixed when it is registered. Joins and leaves change later messages
/// only. A user who comes back has the slot of before.
///
/// **Lives.** Within one generation of a message, readers are only added. A reset begins a new generation, and so
/// does registering an id again after the message was deleted or expired: marks of an earlier one never show.
///
/// **Hidden users.** Whose receipts are off counts in no `read` and no `of` and is on no list of readers, whatever was
/// registered or read before. Marks are decided as ever, and not kept: what was read before shows again once they are
/// on, what was read meanwhile does not. An `of` that was answered before may therefore be another later.
///
/// **Deleted users** are in no roster and on no list, count nowhere, and the messages that they sent are forgotten. The
/// same name later is a new user.
///
/// **Time.** A message is unknown to every call whose `now` has reached its end, whether or not a sweep has met
/// it. A message that is unknown is treated as if it had never been, but that the conversation's highest order
/// stays until the conversation is forgotten.
///
/// **Changes.** Who watches a conversation is told once a write can be seen that may have changed the receipts of it, and may
/// be told without one. That a message expires is no write.
///
/// **Waiting.** A read never waits for a write to disk. It may wait until what nobody has asked for in long is read.
///
/// Calls may come from any number of threads at once.
pub trait Store: Send + Sync + 'static {
    /// *Write.* Makes `members` the roster: a set, doubles do not count. New members get slots in the order
    /// given. The version rises by one if the set is another than before; a first roster has version 1.
    fn replace_roster(&self, conversation: ConversationId, members: Vec<UserId>) -> Answer<'_, RosterChange>;

    /// *Write.* Adds and removes members, and makes a roster where there was none. Nothing is changed if more
    /// than `members_max` would be members then.
    fn change_roster(
        &self,
        conversation: ConversationId,
        add: Vec<UserId>,
        remove: Vec<UserId>,
        members_max: usize,
    ) -> Answer<'_, RosterChange>;

    /// Up to `limit` members above the slot `after`; none if the conversation has no roster.
    fn roster<'a>(
        &'a self,
        conversation: &'a ConversationId,
        after: Option<Slot>,
        limit: usize,
    ) -> Answer<'a, Option<RosterPart>>;

    /// Up to `limit` conversations that have a roster or a live message, above `after`, in byte order. The flag
    /// says whether there are more.
    fn conversations<'a>(
        &'a self,
        after: Option<&'a ConversationId>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, (Vec<ConversationId>, bool)>;

    /// *Write.* Forgets the conversation: roster, messages, receipts, slots and highest order.
    fn forget_conversation(&self, conversation: ConversationId) -> Answer<'_, ()>;

    /// *Write.* Registers messages one after the other; an outcome for each. What was registered before is
    /// compared with the registration as sent: sender, audience (as a set), `expires_in_s` and order.
    fn register(
        &self,
        conversation: ConversationId,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Answer<'_, Vec<RegisterOutcome>>;

    /// A live message.
    fn message<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        now: Timestamp,
    ) -> Answer<'a, Option<MessageReceipts>>;

    /// Up to `limit` live messages above the order `after`, in their order. The flag says whether there are more.
    fn messages<'a>(
        &'a self,
        conversation: &'a ConversationId,
        after: Option<Order>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, (Vec<MessageReceipts>, bool)>;

    /// *Write.* Forgets a message and who has read it.
    fn forget_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, ()>;

    /// *Write.* Nobody has read the message any more; false if it is unknown.
    fn reset_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, bool>;

    /// *Write.* Takes marks one after the other; an answer for each.
    fn mark(&self, marks: Vec<Mark>, now: Timestamp) -> Answer<'_, Vec<Marked>>;

    /// What `reader` still has to read.
    fn unread<'a>(
        &'a self,
        conversation: &'a ConversationId,
        reader: &'a UserId,
        now: Timestamp,
    ) -> Answer<'a, Unread>;

    /// What is known of each message asked for, in the order asked; none for those that are unknown to `viewer`.
    fn receipts<'a>(
        &'a self,
        conversation: &'a ConversationId,
        messages: &'a [MessageIdRef<'a>],
        viewer: &'a Viewer,
        now: Timestamp,
    ) -> Answer<'a, Vec<Option<Receipts>>>;

    /// The changes of a conversation from now on; it need not be there.
    fn changes(&self, conversation: &ConversationId) -> Changes;

    /// Users of the message's audience who have read it, or have not, in slot order; none if it is unknown to `viewer`.
    fn readers<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        viewer: &'a Viewer,
        wanted: ReadersWanted,
        now: Timestamp,
    ) -> Answer<'a, Option<ReadersPart>>;

    /// *Write.* Hides a user everywhere, or shows them again.
    fn set_hidden(&self, user: UserId, is_hidden: bool) -> Answer<'_, ()>;

    /// Whether a user's receipts are off; false for one that nobody mentioned.
    fn is_hidden<'a>(&'a self, user: &'a UserId) -> Answer<'a, bool>;

    /// *Write.* Deletes a user everywhere. A crash before the answer may leave some of the messages that the user sent
    /// forgotten, and the user there.
    fn forget_user(&self, user: UserId) -> Answer<'_, ()>;

    /// Gives up the storage of messages that have expired at `now`, and says of how many.
    fn sweep(&self, now: Timestamp) -> Answer<'_, usize>;

    /// All that the store holds at one instant, or what it holds of one conversation (and who is hidden), to be handed over
    /// piece by piece. Writes go on meanwhile, and are not in it. [`StoreError::TooManyExports`] if too many are under
    /// way.
    fn export(&self, only: Option<ConversationId>) -> Answer<'_, Box<dyn dump::Export>>;

    /// What the engine can say of itself.
    fn vitals(&self) -> Vitals;

    /// Ends all writes, makes what a next start needs durable, and releases what the engine holds. Calls that
    /// come later are answered with [`StoreError::Closed`] where they write.
    fn close(&self) -> Answer<'_, ()>;
}

/// An engine, whichever.
pub type AnyStore = Arc<dyn Store>;
