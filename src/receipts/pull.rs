//! Pulling: what is known of the messages on a screen, under which name, and how to go on.

use super::Ledger;
use crate::{
    domain::{ConversationId, Etag, MessageId, Named, Pace, Receipts, Timestamp, Viewer},
    store::{ReadersPart, ReadersWanted, StoreError},
};

/// What is known of the messages that a client pulled in one request.
#[derive(Debug, Clone)]
pub struct Screen {
    /// Each message asked for, in the order asked.
    pub named: Vec<Named>,
    /// Names all of it as it stands.
    pub etag: Etag,
    /// How to go on; none when nothing asked for can change any more.
    pub poll: Option<Pace>,
    /// The pace of pulls in general, for those who will pull other messages.
    pub pace: Pace,
}

impl Screen {
    /// The messages that are not as `earlier` named them; all of them without an earlier name.
    pub fn changed_since<'a>(&'a self, earlier: Option<&'a Etag>) -> impl Iterator<Item = &'a Named> {
        let changed =
            move |at: usize| earlier.is_none_or(|earlier| earlier.misses(&self.etag, &self.named, at));
        self.named.iter().enumerate().filter(move |(at, _)| changed(*at)).map(|(_, named)| named)
    }
}

impl Ledger {
    /// Pulls the messages of one screen, which may lie in several conversations. Never waits for a write to disk, and
    /// costs the same for 10 readers as for 10,000. What `viewer` may not see is unknown.
    pub async fn pull(
        &self,
        pulls: Vec<(ConversationId, Vec<MessageId>)>,
        viewer: &Viewer,
        now: Timestamp,
    ) -> Result<Screen, StoreError> {
        let mut named = Vec::new();
        for (conversation, messages) in pulls {
            let receipts = self.store.receipts(&conversation, &messages, viewer, now).await?;
            named.extend(messages.into_iter().zip(receipts).map(|(message, receipts)| Named {
                conversation: conversation.clone(),
                message,
                receipts,
            }));
        }
        Ok(Screen { etag: self.name(&named), poll: self.poll(&named), named, pace: self.pace() })
    }

    /// Names these receipts.
    pub(super) fn name(&self, named: &[Named]) -> Etag {
        Etag::of(named, self.etag_key)
    }

    /// How to go on with these.
    pub(super) fn poll(&self, named: &[Named]) -> Option<Pace> {
        let settled = named.iter().all(|named| named.receipts.as_ref().is_none_or(Receipts::is_settled));
        (!settled).then_some(self.pace())
    }

    /// Part of the users who have read a message, or have not, in slot order; none if it is unknown to `viewer`.
    pub async fn readers(
        &self,
        conversation: &ConversationId,
        message: &MessageId,
        viewer: &Viewer,
        wanted: ReadersWanted,
        now: Timestamp,
    ) -> Result<Option<ReadersPart>, StoreError> {
        self.store.readers(conversation, message, viewer, wanted, now).await
    }
}
