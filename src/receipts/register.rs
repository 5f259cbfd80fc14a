//! Registering: who is in a conversation, and which messages want receipts.

use super::Ledger;
use crate::{
    domain::{
        Audience, ConversationId, MessageId, Order, Refusal, RegisterOutcome, Registration, RosterChange,
        Slot, Timestamp, UserId,
    },
    store::{MessageReceipts, RosterPart, StoreError},
};

/// What became of a bulk of registrations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkRegistered {
    /// Messages that are new.
    pub registered: usize,
    /// Messages that had been registered the same way before.
    pub same: usize,
    /// Messages that were not registered, in the order sent.
    pub refused: Vec<(MessageId, Refusal)>,
}

impl Ledger {
    /// Makes `members` the roster. Durable when answered.
    pub async fn replace_roster(
        &self,
        conversation: ConversationId,
        members: Vec<UserId>,
    ) -> Result<RosterChange, StoreError> {
        self.store.replace_roster(conversation, members).await
    }

    /// Adds and removes members; too many of them change nothing. Durable when answered.
    pub async fn change_roster(
        &self,
        conversation: ConversationId,
        add: Vec<UserId>,
        remove: Vec<UserId>,
    ) -> Result<RosterChange, StoreError> {
        self.store.change_roster(conversation, add, remove, self.limits.members_max).await
    }

    /// Part of a roster, in slot order; none if there is none.
    pub async fn roster(
        &self,
        conversation: &ConversationId,
        after: Option<Slot>,
        limit: usize,
    ) -> Result<Option<RosterPart>, StoreError> {
        self.store.roster(conversation, after, limit).await
    }

    /// Part of the conversations with a roster or a live message, in byte order, and whether there are more.
    pub async fn conversations(
        &self,
        after: Option<&ConversationId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<(Vec<ConversationId>, bool), StoreError> {
        self.store.conversations(after, limit, now).await
    }

    /// A registration that arrived at `now`, with its end worked out.
    #[must_use]
    pub fn registration(
        &self,
        message: MessageId,
        sender: UserId,
        audience: Option<Vec<UserId>>,
        expires_in_s: Option<u32>,
        order: Option<Order>,
        now: Timestamp,
    ) -> Registration {
        Registration {
            message,
            sender,
            audience: audience.map_or(Audience::Roster, Audience::Users),
            expires_in_s,
            expires_at: self.retention.expires_at(now, expires_in_s),
            order,
        }
    }

    /// Registers one message. Durable when answered.
    pub async fn register(
        &self,
        conversation: ConversationId,
        registration: Registration,
        now: Timestamp,
    ) -> Result<RegisterOutcome, StoreError> {
        let outcomes = self.store.register(conversation, vec![registration], now).await?;
        Ok(outcomes.into_iter().next().expect("invariant: an outcome for each registration"))
    }

    /// Registers messages in the order given; one that cannot be never stops the others. Durable when answered.
    pub async fn register_bulk(
        &self,
        conversation: ConversationId,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Result<BulkRegistered, StoreError> {
        let ids: Vec<_> = registrations.iter().map(|registration| registration.message.clone()).collect();
        let outcomes = self.store.register(conversation, registrations, now).await?;
        let mut bulk = BulkRegistered::default();
        for (id, outcome) in ids.into_iter().zip(outcomes) {
            match outcome {
                RegisterOutcome::New(_) => bulk.registered += 1,
                RegisterOutcome::Same(_) => bulk.same += 1,
                RegisterOutcome::Refused(refusal) => bulk.refused.push((id, refusal)),
            }
        }
        Ok(bulk)
    }

    /// A live message and what is known of it; none if it is unknown.
    pub async fn message(
        &self,
        conversation: &ConversationId,
        message: &MessageId,
        now: Timestamp,
    ) -> Result<Option<MessageReceipts>, StoreError> {
        self.store.message(conversation, message, now).await
    }

    /// Part of the live messages, oldest first, and whether there are more.
    pub async fn messages(
        &self,
        conversation: &ConversationId,
        after: Option<Order>,
        limit: usize,
        now: Timestamp,
    ) -> Result<(Vec<MessageReceipts>, bool), StoreError> {
        self.store.messages(conversation, after, limit, now).await
    }
}
