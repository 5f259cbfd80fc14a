//! Exporting: all that the store holds, and what goes along with it.

use super::Ledger;
use crate::{
    domain::{ConversationId, Timestamp},
    store::{StoreError, dump::Export, dump::Label},
};

impl Ledger {
    /// What the store holds at this instant, all of it or what it holds of one conversation. Writes go on meanwhile.
    pub async fn export(&self, only: Option<ConversationId>) -> Result<Box<dyn Export>, StoreError> {
        self.store.export(only).await
    }

    /// What goes along with a dump that is taken at `now`: with the secret that `ETag`s are made with, so that where it is
    /// restored clients go on with theirs.
    #[must_use]
    pub fn label(&self, now: Timestamp) -> Label {
        Label { taken_at_unix_ms: now.unix_ms, etag_key: Some(self.etag_key.to_bytes()) }
    }
}
