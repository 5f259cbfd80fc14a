//! Forgetting: a message that was deleted or edited, a conversation that is gone, and what has expired.

use super::Ledger;
use crate::{
    domain::{ConversationId, MessageId, Timestamp},
    store::StoreError,
};

impl Ledger {
    /// Forgets a conversation with all it has. Durable when answered.
    pub async fn forget_conversation(&self, conversation: ConversationId) -> Result<(), StoreError> {
        self.store.forget_conversation(conversation).await
    }

    /// Forgets a message and who has read it. Durable when answered.
    pub async fn forget_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.store.forget_message(conversation, message, now).await
    }

    /// Nobody has read the message any more; false if it is unknown. Durable when answered.
    pub async fn reset_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.store.reset_message(conversation, message, now).await
    }

    /// Gives up the storage of what has expired at `now`, and says of how many messages. To be called now and
    /// then: no answer depends on it.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.store.sweep(now).await
    }
}
