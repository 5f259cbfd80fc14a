//! Export: the state of one instant as a dump's pieces, a page at a time.

use std::{io, mem, sync::Arc, vec};

use crate::domain::{ConversationId, Page, Slot, UserId};
use crate::store::embedded::{
    hot::Hot,
    hot::conversation::PageNumber,
    hot::snapshot::{ConversationThen, PageThen, Taken},
    pages::PageName,
};
use crate::store::{
    StoreError,
    dump::{Export, Head, Item, NAMES_MAX},
};

/// An instant, as far as it has been handed over.
pub(super) struct Exported {
    hot: Arc<Hot>,
    taken: Taken,
    head: Head,
    stage: Stage,
}

/// What comes next.
enum Stage {
    /// The hidden users after this one.
    Hidden(Option<UserId>),
    /// A conversation.
    Conversation,
    /// The slots from this one on, of this conversation.
    Names(Box<ConversationThen>, u32),
    /// Its roster.
    Roster(Box<ConversationThen>),
    /// Its pages.
    Pages(Box<ConversationThen>, vec::IntoIter<(PageNumber, PageThen)>),
    /// The end.
    Nothing,
}

impl Exported {
    /// The state before the record `sequence`, all of it or `only` one conversation; none if too many are under way. For
    /// the commit thread, between two commits.
    pub(super) fn begin(hot: &Arc<Hot>, sequence: u64, only: Option<ConversationId>) -> Option<Self> {
        let (conversations, messages) = match &only {
            None => (hot.conversations(), hot.messages()),
            Some(only) => hot.with(only, |known| known.map_or((0, 0), |known| (1, known.messages_held()))),
        };
        let taken = Taken::take(hot, sequence, only)?;
        let head = Head { generation_next: sequence, conversations, messages };
        Some(Self { hot: hot.clone(), taken, head, stage: Stage::Hidden(None) })
    }

    /// The page as it was. Its file is there for as long as this.
    fn page(&self, then: &ConversationThen, number: PageNumber, page: &PageThen) -> io::Result<Page> {
        match page {
            PageThen::Held(held) => Ok(held.page.clone()),
            PageThen::Filed(extent, outline) => {
                let name = PageName { conversation: then.key, number };
                let read = self.hot.read_page(name, *extent, outline)?;
                Ok(Arc::try_unwrap(read).unwrap_or_else(|shared| (*shared).clone()).page)
            }
        }
    }
}

fn names(then: &ConversationThen, from: u32) -> Vec<Option<UserId>> {
    let slots = (from..then.slots).take(NAMES_MAX);
    slots.map(|slot| then.user(Slot(slot))).collect()
}

impl Export for Exported {
    fn head(&self) -> Head {
        self.head
    }

    fn next(&mut self) -> Result<Option<Item>, StoreError> {
        loop {
            match mem::replace(&mut self.stage, Stage::Nothing) {
                Stage::Hidden(after) => {
                    let users = self.taken.hidden(after.as_ref(), NAMES_MAX);
                    let Some(last) = users.last() else {
                        self.stage = Stage::Conversation;
                        continue;
                    };
                    self.stage = Stage::Hidden(Some(last.clone()));
                    return Ok(Some(Item::Hidden(users)));
                }
                Stage::Conversation => {
                    let Some(then) = self.taken.next() else { return Ok(None) };
                    let (id, order_highest) = (then.id.clone(), then.head.order_highest);
                    self.stage = Stage::Names(Box::new(then), 0);
                    return Ok(Some(Item::Conversation { id, order_highest }));
                }
                Stage::Names(then, from) if from < then.slots => {
                    let names = names(&then, from);
                    let next = from + u32::try_from(names.len()).expect("invariant: a part of the slots");
                    self.stage = Stage::Names(then, next);
                    return Ok(Some(Item::Names(names)));
                }
                Stage::Names(then, _) => self.stage = Stage::Roster(then),
                Stage::Roster(mut then) => {
                    let roster = then.head.members.take();
                    let pages = mem::take(&mut then.pages).into_iter();
                    self.stage = Stage::Pages(then, pages);
                    if let Some(roster) = roster {
                        let members = Arc::unwrap_or_clone(roster.slots);
                        return Ok(Some(Item::Roster { version: roster.version, members }));
                    }
                }
                Stage::Pages(then, mut pages) => {
                    let Some((number, page)) = pages.next() else {
                        self.stage = Stage::Conversation;
                        continue;
                    };
                    let page = self.page(&then, number, &page).map_err(|error| {
                        tracing::error!("a page could not be read for an export: {error}");
                        StoreError::Unreadable
                    })?;
                    self.stage = Stage::Pages(then, pages);
                    return Ok(Some(Item::Run(page)));
                }
                Stage::Nothing => return Ok(None),
            }
        }
    }
}
