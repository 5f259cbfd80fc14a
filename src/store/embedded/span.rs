//! How far each reader is: which pages have to be looked into, and which need not.
//!
//! People read in order. So before some page a reader has read all that they were sent, and from some page on nothing.
//! Knowing both, `up_to` and `unread` look only into what lies between, and cost what is new, not what is old.

use super::conversation::PageNumber;
use crate::domain::{Page, Slot};

/// How far one reader is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// In the pages before this one the reader has read all that they were sent. Never behind the newest page, since
    /// that one still gets messages.
    pub(super) open: PageNumber,
    /// From this page on the reader has read nothing.
    pub(super) end: PageNumber,
}

/// How far all readers of a conversation are.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<Span>);

impl Spans {
    pub(super) fn get(&self, slot: Slot) -> Span {
        self.0.get(slot.index()).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, slot: Slot, span: Span) {
        if self.0.len() <= slot.index() {
            self.0.resize(slot.index() + 1, Span::default());
        }
        self.0[slot.index()] = span;
    }

    /// Something on `page` was read by `slot`.
    pub(super) fn read(&mut self, slot: Slot, page: PageNumber) {
        let span = self.get(slot).having_read(page);
        self.set(slot, span);
    }

    /// A message on `page` is unread again.
    pub(super) fn reopen(&mut self, page: PageNumber) {
        for span in &mut self.0 {
            *span = span.reopened(page);
        }
    }

    /// Takes in a page that recovery found, in any order; [`Spans::found_all`] ends it.
    pub(super) fn found(&mut self, number: PageNumber, page: &Page) {
        for slot in page.behind().iter() {
            let span = self.found_mut(slot);
            span.open = span.open.min(number);
        }
        for (slot, _) in page.rows() {
            let span = self.found_mut(slot);
            *span = span.having_read(number);
        }
    }

    fn found_mut(&mut self, slot: Slot) -> &mut Span {
        if self.0.len() <= slot.index() {
            let nowhere = Span { open: PageNumber(u32::MAX), end: PageNumber(0) };
            self.0.resize(slot.index() + 1, nowhere);
        }
        &mut self.0[slot.index()]
    }

    /// The newest page that was found is `newest`.
    pub(super) fn found_all(&mut self, newest: PageNumber) {
        self.reopen(newest);
    }

    /// About how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Span>()
    }
}

impl Span {
    pub(super) fn having_read(self, page: PageNumber) -> Self {
        Self { end: self.end.max(PageNumber(page.0 + 1)), ..self }
    }

    pub(super) fn reopened(self, page: PageNumber) -> Self {
        Self { open: self.open.min(page), ..self }
    }
}
