//! How far each reader is: which pages have to be looked into, and which need not.
//!
//! People read in order. So before some page a reader has read all that they were sent, and from some page on nothing.
//! Knowing both, `up_to` and `unread` look only into what lies between, and cost what is new, not what is old.

use crate::domain::Slot;
use crate::store::embedded::{hot::conversation::PageNumber, stored::rows::Reach};

/// How far one reader is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store::embedded) struct Span {
    /// In the pages before this one the reader has read all that they were sent. Never behind the newest page, since
    /// that one still gets messages.
    pub(in crate::store::embedded) open: PageNumber,
    /// From this page on the reader has read nothing.
    pub(in crate::store::embedded) end: PageNumber,
    /// How many messages the reader has read in the pages before `open`, if `epoch` is the conversation's.
    pub(in crate::store::embedded) before: u32,
    /// When that was counted.
    pub(in crate::store::embedded) epoch: Epoch,
}

/// Rises when a conversation loses messages: what was counted before may not be so any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store::embedded) struct Epoch(u32);

impl Epoch {
    /// Of what was never counted.
    const NEVER: Self = Self(0);
    /// The first of a conversation.
    pub(in crate::store::embedded) const FIRST: Self = Self(1);

    pub(in crate::store::embedded) fn next(self) -> Self {
        Self(self.0.checked_add(1).unwrap_or(Self::FIRST.0))
    }
}

/// How far all readers of a conversation are.
#[derive(Debug, Default)]
pub(in crate::store::embedded) struct Spans(Vec<Span>);

impl Spans {
    pub(in crate::store::embedded) fn get(&self, slot: Slot) -> Span {
        self.0.get(slot.index()).copied().unwrap_or_default()
    }

    pub(in crate::store::embedded) fn set(&mut self, slot: Slot, span: Span) {
        if self.0.len() <= slot.index() {
            self.0.resize(slot.index() + 1, Span::default());
        }
        self.0[slot.index()] = span;
    }

    /// Something on `page` was read by `slot`.
    pub(in crate::store::embedded) fn read(&mut self, slot: Slot, page: PageNumber) {
        let span = self.get(slot).having_read(page);
        self.set(slot, span);
    }

    /// A message on `page` is unread again.
    pub(in crate::store::embedded) fn reopen(&mut self, page: PageNumber) {
        for span in &mut self.0 {
            *span = span.reopened(page);
        }
    }

    /// Takes in a page that recovery found, in any order; [`Spans::found_all`] ends it.
    pub(in crate::store::embedded) fn found(&mut self, number: PageNumber, reach: &Reach) {
        for slot in reach.behind.iter() {
            let span = self.found_mut(slot);
            span.open = span.open.min(number);
        }
        for slot in reach.read.iter() {
            let span = self.found_mut(slot);
            *span = span.having_read(number);
        }
    }

    fn found_mut(&mut self, slot: Slot) -> &mut Span {
        if self.0.len() <= slot.index() {
            let nowhere = Span { open: PageNumber(u32::MAX), ..Span::default() };
            self.0.resize(slot.index() + 1, nowhere);
        }
        &mut self.0[slot.index()]
    }

    /// All pages have come, the newest of which is `newest`.
    pub(in crate::store::embedded) fn found_all(&mut self, newest: PageNumber) {
        self.0.shrink_to_fit();
        self.reopen(newest);
    }

    /// About how many bytes of memory it takes.
    pub(in crate::store::embedded) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Span>()
    }
}

impl Span {
    pub(in crate::store::embedded) fn having_read(self, page: PageNumber) -> Self {
        Self { end: self.end.max(page.next()), ..self }
    }

    pub(in crate::store::embedded) fn reopened(self, page: PageNumber) -> Self {
        if page < self.open { Self { open: page, ..self.uncounted() } } else { self }
    }

    pub(in crate::store::embedded) fn uncounted(self) -> Self {
        Self { epoch: Epoch::NEVER, ..self }
    }
}
