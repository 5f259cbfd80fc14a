//! Users: whether their receipts are on, and deleting them.

use super::Ledger;
use crate::{domain::UserId, store::StoreError};

impl Ledger {
    /// Switches a user's receipts off, or on again. Durable when answered.
    pub async fn set_receipts(&self, user: UserId, are_on: bool) -> Result<(), StoreError> {
        self.store.set_hidden(user, !are_on).await
    }

    /// Whether a user's receipts are on; they are for one that nobody mentioned.
    pub async fn are_receipts_on(&self, user: &UserId) -> Result<bool, StoreError> {
        Ok(!self.store.is_hidden(user).await?)
    }

    /// Deletes a user everywhere, with the messages that the user sent. Durable when answered.
    pub async fn forget_user(&self, user: UserId) -> Result<(), StoreError> {
        self.store.forget_user(user).await
    }
}
