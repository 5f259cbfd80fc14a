//! Streaming: what has changed on a screen since it was last shown, all at once or one mark at a time.
//!
//! A [`Stream`] remembers what its client was shown, so it has nothing to queue: however far behind the client is, what
//! it has still to be told is the difference. When to look, and how often to tell, is for the floor above.

use super::{Ledger, Screen};
use crate::{
    domain::{ConversationId, Etag, MessageId, Named, Pace, Receipts, Timestamp, Viewer},
    store::{Changes, StoreError},
};

/// The receipts of a screen as they change.
#[derive(Debug)]
pub struct Stream {
    ledger: Ledger,
    viewer: Viewer,
    changes: Changes,
    shown: Vec<Named>,
    /// What there is, as far as was looked.
    ahead: Vec<Named>,
}

/// What has changed.
#[derive(Debug, Clone)]
pub struct Change {
    /// The messages that have, as they stand now.
    pub changed: Vec<Named>,
    /// Names all messages of the screen as they stand now.
    pub etag: Etag,
    /// How to go on pulling; none when nothing on the screen can change any more.
    pub poll: Option<Pace>,
}

impl Ledger {
    /// The messages of a screen as they stand, and the stream of what becomes of them. What `viewer` may not see is
    /// unknown.
    pub async fn stream(
        &self,
        conversation: ConversationId,
        messages: Vec<MessageId>,
        viewer: Viewer,
        now: Timestamp,
    ) -> Result<(Screen, Stream), StoreError> {
        // Watched first: what happens meanwhile is in what is found, or told later.
        let changes = self.store.changes(&conversation);
        let screen = self.pull(vec![(conversation, messages)], &viewer, now).await?;
        let (shown, ahead) = (screen.named.clone(), screen.named.clone());
        Ok((screen, Stream { ledger: self.clone(), viewer, changes, shown, ahead }))
    }
}

impl Stream {
    /// Ready once something may have changed since it was last ready. May be dropped while it waits.
    pub async fn may_have_changed(&mut self) {
        self.changes.next().await;
    }

    /// Looks at what there is. Never waits for a write to disk.
    pub async fn look(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(Named { conversation, .. }) = self.ahead.first() else { return Ok(()) };
        let messages: Vec<_> = self.ahead.iter().map(|named| named.message.clone()).collect();
        let found = self.ledger.store.receipts(conversation, &messages, &self.viewer, now).await?;
        for (named, receipts) in self.ahead.iter_mut().zip(found) {
            named.receipts = receipts;
        }
        Ok(())
    }

    /// All that has changed since it was last shown; none if nothing has. It counts as shown now.
    pub fn show_all(&mut self) -> Option<Change> {
        let both = self.shown.iter().zip(&self.ahead);
        let changed: Vec<_> = both
            .filter(|(shown, ahead)| shown.receipts != ahead.receipts)
            .map(|(_, ahead)| ahead.clone())
            .collect();
        self.shown.clone_from(&self.ahead);
        (!changed.is_empty()).then(|| self.change(changed))
    }

    /// The same, but one mark at a time, each message as it was after it: as if they had been made durable one by one.
    /// What else became of a message is told at once.
    pub fn show_next(&mut self) -> Option<Change> {
        let both = self.shown.iter_mut().zip(&self.ahead);
        let (shown, ahead) = both.into_iter().find(|(shown, ahead)| shown.receipts != ahead.receipts)?;
        shown.receipts = match (shown.receipts, ahead.receipts) {
            (Some(shown), Some(ahead)) => Some(next_mark(shown, ahead)),
            _ => ahead.receipts,
        };
        let changed = vec![shown.clone()];
        Some(self.change(changed))
    }

    /// Names the screen as it was last shown.
    #[must_use]
    pub fn etag(&self) -> Etag {
        self.ledger.name(&self.shown)
    }

    fn change(&self, changed: Vec<Named>) -> Change {
        Change { changed, etag: self.etag(), poll: self.ledger.poll(&self.shown) }
    }
}

/// The receipts one mark later, on the way to `ahead`; `ahead` itself where no marks alone lead there.
fn next_mark(shown: Receipts, ahead: Receipts) -> Receipts {
    let next = Receipts { read: shown.read + 1, marks: shown.marks + 1, ..shown };
    let only_marks = Receipts { read: ahead.read, marks: ahead.marks, ..shown } == ahead;
    let is_before = next.marks < ahead.marks && next.read < ahead.read;
    if only_marks && is_before { next } else { ahead }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Generation;

    const SHOWN: Receipts = Receipts { generation: Generation(1), read: 2, of: 9, marks: 3, hidden: 7 };

    #[test]
    fn marks_are_told_one_by_one() {
        let ahead = Receipts { read: 5, marks: 6, ..SHOWN };
        let mut told = vec![next_mark(SHOWN, ahead)];
        while *told.last().unwrap() != ahead {
            told.push(next_mark(*told.last().unwrap(), ahead));
        }
        let counts: Vec<_> = told.iter().map(|told| (told.read, told.marks)).collect();
        assert_eq!(counts, [(3, 4), (4, 5), (5, 6)]);
    }

    #[test]
    fn what_is_no_mark_is_told_at_once() {
        for ahead in [
            Receipts { generation: Generation(2), read: 8, marks: 9, ..SHOWN },
            Receipts { hidden: 8, read: 8, marks: 9, ..SHOWN },
            Receipts { generation: Generation(2), read: 0, marks: 0, ..SHOWN },
            // A user was hidden, marked, and shown, hidden again meanwhile: counts part ways.
            Receipts { read: 3, marks: 9, ..SHOWN },
        ] {
            assert_eq!(next_mark(SHOWN, ahead), ahead);
        }
    }
}
