//! Reading: what a read sees, and how it comes by pages that are cold.
//!
//! A read looks at the hot state once, and is answered if all it needed was there; that is nearly always so. Else what
//! it missed is read from disk, off the threads that serve requests, and it looks once more, until nothing is missing.

use std::{cell::RefCell, collections::HashMap, io, path::Path, sync::Arc};

use crate::domain::{ConversationId, MessageIdRef, Outline, Page, Position, Timestamp};
use crate::store::embedded::{
    hot::Hot,
    hot::cell::Cell,
    hot::conversation::{Conversation, HotPage, Place},
    pages::{self, Extent, PageName},
    stored::read_page,
};

/// How many pages are read from disk between two looks.
const WANTED_MAX: usize = 64;

/// When a read holds so many pages, it drops them before it has more read. Walks go on where the last look stopped; no
/// other read needs more than a pull has messages.
const FETCHED_MAX: usize = 2 * WANTED_MAX;

/// A page that was missing.
#[derive(Debug)]
struct Wanted {
    id: ConversationId,
    name: PageName,
    extent: Extent,
    outline: Outline,
}

/// One read, over all its looks.
#[derive(Default)]
pub(in crate::store::embedded) struct Reading {
    /// What was read for it: it must get on even if memory is so short that the pages are dropped again at once.
    fetched: HashMap<Extent, Arc<HotPage>>,
    wanted: RefCell<Vec<Wanted>>,
}

/// A conversation as a read sees it.
#[derive(Clone, Copy)]
pub(in crate::store::embedded) struct View<'a> {
    pub(in crate::store::embedded) id: &'a ConversationId,
    pub(in crate::store::embedded) known: &'a Conversation,
    reading: &'a Reading,
}

impl Reading {
    /// Looks at the conversation under `id`. Publications to its shard wait meanwhile.
    pub(in crate::store::embedded) fn with<T>(
        &self,
        hot: &Hot,
        id: &ConversationId,
        look: impl FnOnce(Option<View<'_>>) -> T,
    ) -> T {
        hot.with(id, |known| look(known.map(|known| View { id, known, reading: self })))
    }

    /// Whether the last look saw all that it asked for.
    pub(in crate::store::embedded) fn is_done(&self) -> bool {
        self.wanted.borrow().is_empty()
    }

    /// Reads what the last look missed.
    pub(in crate::store::embedded) fn fetch(&mut self, hot: &Hot) -> io::Result<()> {
        // Those of the looks before the last are not asked for again: who walks far remembers where it was.
        if self.fetched.len() >= FETCHED_MAX {
            self.fetched.clear();
        }
        for wanted in self.wanted.take() {
            if let Some(page) = wanted.fetch(hot)? {
                self.fetched.insert(wanted.extent, page);
            }
        }
        hot.make_room();
        Ok(())
    }
}

impl Wanted {
    /// None if the page has moved meanwhile: the next look tells where to.
    fn fetch(&self, hot: &Hot) -> io::Result<Option<Arc<HotPage>>> {
        let page = match hot.read_page(self.name, self.extent, &self.outline) {
            // Its file may have gone, and another taken its number.
            Err(_) if !self.is_there(hot) => return Ok(None),
            page => page?,
        };
        hot.change_cell(&self.id, self.name, |cell| cell.warm(self.extent, page.clone()));
        Ok(Some(page))
    }

    fn is_there(&self, hot: &Hot) -> bool {
        hot.with_cell(&self.id, self.name, |cell| cell.extent() == Some(self.extent)).unwrap_or(false)
    }
}

impl Hot {
    /// Reads a page from disk. It shares with `outline` what they have in common.
    pub(in crate::store::embedded) fn read_page(
        &self,
        name: PageName,
        extent: Extent,
        outline: &Outline,
    ) -> io::Result<Arc<HotPage>> {
        read_back(&self.pages, name, extent, outline)
    }
}

/// Reads a page from the page files in `directory`. It shares with `outline` what they have in common.
pub(in crate::store::embedded) fn read_back(
    directory: &Path,
    name: PageName,
    extent: Extent,
    outline: &Outline,
) -> io::Result<Arc<HotPage>> {
    let bytes = pages::read(directory, extent, name)?;
    let shared = outline.audiences().map(|(slots, _)| slots);
    read_page(&bytes, shared).map(Arc::new).map_err(io::Error::other)
}

impl<'a> View<'a> {
    /// The page of a cell; none if it is cold: then the look is for nothing, and there will be another.
    pub(in crate::store::embedded) fn page(&self, cell: &'a Cell) -> Option<&'a Page> {
        let fetched = || self.reading.fetched.get(&cell.extent()?);
        if let Some(hot) = cell.page().or_else(fetched) {
            return Some(&hot.page);
        }
        let mut wanted = self.reading.wanted.borrow_mut();
        if wanted.len() < WANTED_MAX && wanted.iter().all(|wanted| Some(wanted.extent) != cell.extent()) {
            wanted.extend(cell.extent().map(|extent| Wanted {
                id: self.id.clone(),
                name: PageName { conversation: self.known.key, number: cell.number },
                extent,
                outline: cell.outline.clone(),
            }));
        }
        None
    }

    /// Whether as many pages are missing as are read at once.
    pub(in crate::store::embedded) fn is_enough(&self) -> bool {
        self.reading.wanted.borrow().len() >= WANTED_MAX
    }

    /// The page and position of a live message.
    pub(in crate::store::embedded) fn find(
        &self,
        id: MessageIdRef<'_>,
        now: Timestamp,
    ) -> Option<(&'a Page, Position)> {
        let mut last: Option<(&Page, Position)> = None;
        for place in self.known.index.candidates(id) {
            let Some(page) = self.page_with(id, place) else { continue };
            // Of two lives of an id, one of them expired, the later has the higher order.
            if last.is_none_or(|(before, at)| before.order(at) < page.order(place.position)) {
                last = Some((page, place.position));
            }
        }
        last.filter(|(page, position)| page.is_live(*position, now))
    }

    /// The page of a place, if the message there has the id.
    fn page_with(&self, id: MessageIdRef<'_>, place: Place) -> Option<&'a Page> {
        let cell = self.known.cells.get(place.page)?;
        if !cell.outline.held().contains(place.position) {
            return None;
        }
        self.page(cell).filter(|page| page.has(id, place.position))
    }
}
