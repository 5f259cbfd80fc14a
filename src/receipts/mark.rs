//! Marking: "this reader has read this", one reader at a time or gathered by a gateway.

use super::Ledger;
use crate::{
    domain::{ConversationId, MessageId, Refusal, Timestamp, UserId},
    store::{Mark, Marked, StoreError, Unread},
};

/// A message of a bulk that could not be marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRefused {
    /// The entry's place in the bulk, from 0.
    pub entry: usize,
    /// The message.
    pub message: MessageId,
    /// Why.
    pub refusal: Refusal,
}

/// What became of a bulk of marks, over all its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkMarked {
    /// Messages that their reader had not read before.
    pub marked: usize,
    /// Messages that their reader had read before.
    pub already: usize,
    /// What could not be marked, in the order sent.
    pub refused: Vec<EntryRefused>,
}

impl Ledger {
    /// Takes one mark. Durable when answered.
    pub async fn mark(&self, mark: Mark, now: Timestamp) -> Result<Marked, StoreError> {
        let marked = self.store.mark(vec![mark], now).await?;
        Ok(marked.into_iter().next().expect("invariant: an answer for each mark"))
    }

    /// Takes many marks in the order given; one that cannot be taken never stops the others. Durable when
    /// answered.
    pub async fn mark_bulk(&self, marks: Vec<Mark>, now: Timestamp) -> Result<BulkMarked, StoreError> {
        let mut bulk = BulkMarked::default();
        for (entry, marked) in self.store.mark(marks, now).await?.into_iter().enumerate() {
            bulk.marked += marked.marked;
            bulk.already += marked.already;
            bulk.refused.extend(marked.refused.into_iter().map(|(message, refusal)| EntryRefused {
                entry,
                message,
                refusal,
            }));
        }
        Ok(bulk)
    }

    /// What a reader still has to read in one conversation; nothing for a reader nobody mentioned.
    pub async fn unread(
        &self,
        conversation: &ConversationId,
        reader: &UserId,
        now: Timestamp,
    ) -> Result<Unread, StoreError> {
        self.store.unread(conversation, reader, now).await
    }
}
