//! Pulling: what is known of the messages on a screen, under which name, and how to go on.

use super::Ledger;
use crate::{
    domain::{ConversationId, Etag, MessageId, MessageIdRef, Named, Pace, Receipts, Timestamp, Viewer},
    store::{ReadersPart, ReadersWanted, StoreError},
};

/// The messages that are asked for of one conversation.
pub type Asked<'a> = (ConversationId, Vec<MessageIdRef<'a>>);

/// What is known of the messages that a client pulled in one request.
#[derive(Debug, Clone)]
pub struct Screen<'a> {
    pulls: Vec<Asked<'a>>,
    receipts: Vec<Option<Receipts>>,
    /// Names all of it as it stands.
    pub etag: Etag,
    /// How to go on; none when nothing asked for can change any more.
    pub poll: Option<Pace>,
    /// The pace of pulls in general, for those who will pull other messages.
    pub pace: Pace,
}

impl Screen<'_> {
    /// Each message asked for, in the order asked.
    pub fn named(&self) -> impl Iterator<Item = Named<'_>> {
        named(&self.pulls, &self.receipts)
    }

    /// The messages that are not as `earlier` named them; all of them without an earlier name.
    pub fn changed_since(&self, earlier: Option<&Etag>) -> impl Iterator<Item = Named<'_>> {
        let changed = move |at: usize| earlier.is_none_or(|earlier| earlier.misses(&self.etag, at));
        self.named().enumerate().filter(move |(at, _)| changed(*at)).map(|(_, named)| named)
    }
}

fn named<'a>(pulls: &'a [Asked<'a>], receipts: &'a [Option<Receipts>]) -> impl Iterator<Item = Named<'a>> {
    let asked = pulls
        .iter()
        .flat_map(|(conversation, messages)| messages.iter().map(move |message| (conversation, message)));
    asked.zip(receipts).map(|((conversation, message), receipts)| Named {
        conversation,
        message: *message,
        receipts: *receipts,
    })
}

impl Ledger {
    /// Pulls the messages of one screen, which may lie in several conversations. Never waits for a write to disk, and
    /// costs the same for 10 readers as for 10,000. What `viewer` may not see is unknown.
    pub async fn pull<'a>(
        &self,
        pulls: Vec<Asked<'a>>,
        viewer: &Viewer,
        now: Timestamp,
    ) -> Result<Screen<'a>, StoreError> {
        let mut receipts = Vec::new();
        for (conversation, messages) in &pulls {
            let found = self.store.receipts(conversation, messages, viewer, now).await?;
            // Nearly always there is one conversation alone.
            if receipts.is_empty() { receipts = found } else { receipts.extend(found) }
        }
        let etag = self.name(named(&pulls, &receipts), receipts.len());
        Ok(Screen { etag, poll: self.poll(&receipts), pulls, receipts, pace: self.pace() })
    }

    /// Names these receipts, so many of them.
    pub(super) fn name<'a>(&self, named: impl Iterator<Item = Named<'a>>, count: usize) -> Etag {
        Etag::of(named, count, self.etag_key)
    }

    /// How to go on with these.
    pub(super) fn poll(&self, receipts: &[Option<Receipts>]) -> Option<Pace> {
        let settled = receipts.iter().all(|receipts| receipts.as_ref().is_none_or(Receipts::is_settled));
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
