//! Streaming: what has changed on a screen since it was last shown, all at once or one mark at a time.
//!
//! A [`Stream`] remembers what its client was shown, so it has nothing to queue: however far behind the client is, what
//! it has still to be told is the difference. When to look, and how often to tell, is for the floor above.

use super::{Ledger, Screen};
use crate::{
    domain::{ConversationId, Etag, MessageId, MessageIdRef, Named, Pace, Receipts, Timestamp, Viewer},
    store::{Changes, StoreError},
};

/// The receipts of a screen as they change.
#[derive(Debug)]
pub struct Stream {
    ledger: Ledger,
    viewer: Viewer,
    changes: Changes,
    conversation: ConversationId,
    messages: Vec<MessageId>,
    /// Of each message, what was shown.
    shown: Vec<Option<Receipts>>,
    /// Of each message, what there is, as far as was looked.
    ahead: Vec<Option<Receipts>>,
}

/// What has changed.
#[derive(Debug, Clone)]
pub struct Change {
    conversation: ConversationId,
    /// The messages that have, as they stand now.
    changed: Vec<(MessageId, Option<Receipts>)>,
    /// Names all messages of the screen as they stand now.
    pub etag: Etag,
    /// How to go on pulling; none when nothing on the screen can change any more.
    pub poll: Option<Pace>,
}

impl Change {
    /// The messages that have changed, as they stand now.
    pub fn named(&self) -> impl Iterator<Item = Named<'_>> {
        let conversation = &self.conversation;
        self.changed.iter().map(move |(message, receipts)| Named {
            conversation,
            message: message.borrowed(),
            receipts: *receipts,
        })
    }
}

impl Ledger {
    /// The messages of a screen as they stand, and the stream of what becomes of them. What `viewer` may not see is
    /// unknown.
    pub async fn stream<'a>(
        &self,
        conversation: ConversationId,
        messages: Vec<MessageIdRef<'a>>,
        viewer: Viewer,
        now: Timestamp,
    ) -> Result<(Screen<'a>, Stream), StoreError> {
        // Watched first: what happens meanwhile is in what is found, or told later.
        let changes = self.store.changes(&conversation);
        let known = messages.iter().copied().map(MessageId::from).collect();
        let pulls = vec![(conversation.clone(), messages)];
        let screen = self.pull(pulls, &viewer, now).await?;
        let shown: Vec<_> = screen.named().map(|named| named.receipts).collect();
        let ahead = shown.clone();
        let ledger = self.clone();
        Ok((screen, Stream { ledger, viewer, changes, conversation, messages: known, shown, ahead }))
    }
}

impl Stream {
    /// Ready once something may have changed since it was last ready. May be dropped while it waits.
    pub async fn may_have_changed(&mut self) {
        self.changes.next().await;
    }

    /// Looks at what there is. Never waits for a write to disk.
    pub async fn look(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let messages: Vec<_> = self.messages.iter().map(MessageId::borrowed).collect();
        self.ahead = self.ledger.store.receipts(&self.conversation, &messages, &self.viewer, now).await?;
        Ok(())
    }

    /// All that has changed since it was last shown; none if nothing has. It counts as shown now.
    pub fn show_all(&mut self) -> Option<Change> {
        let changed: Vec<_> = (0..self.messages.len()).filter(|&at| self.has_changed(at)).collect();
        self.shown.clone_from(&self.ahead);
        (!changed.is_empty()).then(|| self.change(&changed))
    }

    /// The same, but one mark at a time, each message as it was after it: as if they had been made durable one by one.
    /// What else became of a message is told at once.
    pub fn show_next(&mut self) -> Option<Change> {
        let at = (0..self.messages.len()).find(|&at| self.has_changed(at))?;
        self.shown[at] = match (self.shown[at], self.ahead[at]) {
            (Some(shown), Some(ahead)) => Some(next_mark(shown, ahead)),
            (_, ahead) => ahead,
        };
        Some(self.change(&[at]))
    }

    /// Names the screen as it was last shown.
    #[must_use]
    pub fn etag(&self) -> Etag {
        let named = self.messages.iter().zip(&self.shown).map(|(message, receipts)| Named {
            conversation: &self.conversation,
            message: message.borrowed(),
            receipts: *receipts,
        });
        self.ledger.name(named, self.messages.len())
    }

    fn has_changed(&self, at: usize) -> bool {
        self.shown[at] != self.ahead[at]
    }

    fn change(&self, changed: &[usize]) -> Change {
        let changed = changed.iter().map(|&at| (self.messages[at].clone(), self.shown[at])).collect();
        let poll = self.ledger.poll(&self.shown);
        Change { conversation: self.conversation.clone(), changed, etag: self.etag(), poll }
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
