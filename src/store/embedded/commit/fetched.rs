//! Pages that a commit needs and that are cold: read once for all of it.

use std::{cell::RefCell, collections::HashMap, io, ops::Deref, sync::Arc};

use crate::domain::{Page, UserId};
use crate::store::embedded::{
    hot::Hot,
    hot::cell::Cell,
    hot::conversation::{Conversation, HotPage},
    pages::{Extent, PageName},
    watchdog::Work,
};

/// A page, for as long as it is looked at.
pub(in crate::store::embedded) enum Looked<'a> {
    Held(&'a HotPage),
    Fetched(Arc<HotPage>),
}

impl Looked<'_> {
    /// The page, and the last record that changed it.
    pub(in crate::store::embedded) fn hot(&self) -> &HotPage {
        match self {
            Self::Held(hot) => hot,
            Self::Fetched(hot) => hot,
        }
    }
}

impl Deref for Looked<'_> {
    type Target = Page;

    fn deref(&self) -> &Page {
        &self.hot().page
    }
}

/// Pages that were cold when this commit looked at them, and what went wrong with one.
pub(in crate::store::embedded) struct Fetched<'a> {
    hot: &'a Hot,
    work: &'a Work,
    pages: RefCell<HashMap<Extent, Arc<HotPage>>>,
    failure: RefCell<Option<io::Error>>,
}

impl<'a> Fetched<'a> {
    pub(in crate::store::embedded) fn new(hot: &'a Hot, work: &'a Work) -> Self {
        Self { hot, work, pages: RefCell::default(), failure: RefCell::default() }
    }

    /// Whether the user's receipts are off.
    pub(in crate::store::embedded) fn is_hidden(&self, user: &UserId) -> bool {
        self.hot.is_hidden(user)
    }

    /// How many there are.
    pub(in crate::store::embedded) fn len(&self) -> usize {
        self.pages.borrow().len()
    }

    /// What went wrong, if anything did.
    pub(in crate::store::embedded) fn take_failure(&self) -> Option<io::Error> {
        self.failure.take()
    }

    /// The page of a cell, if it is known without a disk.
    pub(in crate::store::embedded) fn known<'c>(&self, cell: &'c Cell) -> Option<Looked<'c>> {
        match cell.page() {
            Some(page) => Some(Looked::Held(page)),
            None => self.pages.borrow().get(&cell.extent()?).cloned().map(Looked::Fetched),
        }
    }

    /// The page of a cell, read from disk if it must be; none if it cannot be read: then the commit must not be made.
    pub(in crate::store::embedded) fn page<'c>(
        &self,
        conversation: &Conversation,
        cell: &'c Cell,
    ) -> Option<Looked<'c>> {
        self.known(cell).or_else(|| self.fetch(conversation, cell).map(Looked::Fetched))
    }

    fn fetch(&self, conversation: &Conversation, cell: &Cell) -> Option<Arc<HotPage>> {
        let extent = cell.extent()?;
        // Each page that has come is progress.
        self.work.step();
        let name = PageName { conversation: conversation.key, number: cell.number };
        match self.hot.read_page(name, extent, &cell.outline) {
            Ok(page) => {
                self.pages.borrow_mut().insert(extent, page.clone());
                Some(page)
            }
            Err(error) => {
                self.failure.borrow_mut().get_or_insert(error);
                None
            }
        }
    }
}
