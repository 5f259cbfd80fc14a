//! Drafts: what a commit has decided and not yet made durable.
//!
//! The commit thread never changes what others read. It copies the pages it changes into a draft, decides on the
//! draft, and publishes it once the journal has its records. If the journal fails, the draft is dropped, and
//! nobody has ever seen it. Copies are cheap: pages share what a change leaves alone.

use std::collections::{BTreeMap, HashMap};

use super::{
    conversation::{Conversation, Head, HotPage, Key, PageNumber, Place, Target, apply},
    hot::Hot,
    journal::Frame,
    record::Record,
};
use crate::domain::{ConversationId, MessageId, Page, Position, Slot, Timestamp, UserId};

/// The changes of one commit, over all conversations.
pub(super) struct Batch<'a> {
    hot: &'a Hot,
    frame: Frame,
    drafts: HashMap<ConversationId, ConversationDraft>,
}

/// What a commit does to what stands under one id.
#[derive(Debug, Default)]
pub(super) struct ConversationDraft {
    /// The published conversation that is forgotten, if one is.
    pub(super) ended: Option<Key>,
    /// The conversation as it is to be; none if there is none (any more).
    pub(super) draft: Option<Draft>,
}

/// The changes to one conversation.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) key: Key,
    /// Whether it begins with this commit. Else it changes a published one.
    pub(super) is_new: bool,
    pub(super) head: Head,
    /// Users who get slots, behind those that are published.
    pub(super) users: Vec<UserId>,
    slots: HashMap<UserId, Slot>,
    slots_published: u32,
    /// Pages that change; none for those that go.
    pub(super) pages: BTreeMap<PageNumber, Option<HotPage>>,
    /// Ids that get another place; none for those that go.
    pub(super) index: HashMap<MessageId, Option<Place>>,
}

impl Draft {
    fn new(key: Key) -> Self {
        Self::over(&Conversation::new(key), true)
    }

    fn over(published: &Conversation, is_new: bool) -> Self {
        Self {
            key: published.key,
            is_new,
            head: published.head.clone(),
            users: Vec::new(),
            slots: HashMap::new(),
            slots_published: u32::try_from(published.slots.len()).expect("invariant: slots are u32"),
            pages: BTreeMap::new(),
            index: HashMap::new(),
        }
    }
}

impl<'a> Batch<'a> {
    /// An empty batch, whose first record will have the number `sequence`.
    pub(super) fn new(hot: &'a Hot, sequence: u64) -> Self {
        Self { hot, frame: Frame::new(sequence), drafts: HashMap::new() }
    }

    /// Bytes of journal so far.
    pub(super) fn len(&self) -> usize {
        self.frame.len()
    }

    /// The records and the drafts.
    pub(super) fn finish(self) -> (Frame, HashMap<ConversationId, ConversationDraft>) {
        (self.frame, self.drafts)
    }

    /// Edits the conversation under `id`; none if there is none.
    pub(super) fn edit<T>(
        &mut self,
        id: &ConversationId,
        edit: impl FnOnce(&mut Editing<'_>) -> T,
    ) -> Option<T> {
        self.hot.with(id, |published| {
            if !self.drafts.contains_key(id) {
                let draft = Draft::over(published?, false);
                self.drafts.insert(id.clone(), ConversationDraft { ended: None, draft: Some(draft) });
            }
            let draft = self.drafts.get_mut(id)?.draft.as_mut()?;
            let published = published.filter(|_| !draft.is_new);
            Some(edit(&mut Editing { published, draft, frame: &mut self.frame }))
        })
    }

    /// Edits the conversation under `id`, which begins now if there is none.
    pub(super) fn edit_or_begin<T>(
        &mut self,
        id: &ConversationId,
        edit: impl FnOnce(&mut Editing<'_>) -> T,
    ) -> T {
        let is_there = match self.drafts.get(id) {
            Some(known) => known.draft.is_some(),
            None => self.hot.with(id, |published| published.is_some()),
        };
        if !is_there {
            let key = Key(self.frame.push(&Record::Began { id: id.as_str().to_owned() }));
            self.drafts.entry(id.clone()).or_default().draft = Some(Draft::new(key));
        }
        self.edit(id, edit).expect("invariant: it is there now")
    }

    /// Ends the conversation under `id`, if there is one.
    pub(super) fn end(&mut self, id: &ConversationId) {
        let published = self.hot.with(id, |published| published.map(|published| published.key));
        let key = match self.drafts.get(id) {
            Some(known) => known.draft.as_ref().map(|draft| draft.key),
            None => published,
        };
        if let Some(Key(conversation)) = key {
            self.frame.push(&Record::Ended { conversation });
            let known = self.drafts.entry(id.clone()).or_default();
            known.draft = None;
            known.ended = published;
        }
    }
}

/// One conversation, open for changes: the published one under the draft.
pub(super) struct Editing<'a> {
    published: Option<&'a Conversation>,
    draft: &'a mut Draft,
    frame: &'a mut Frame,
}

impl Editing<'_> {
    /// Puts a record into the journal and lets it take effect. The record is one of this conversation.
    pub(super) fn record(&mut self, record: Record) {
        let sequence = self.frame.push(&record);
        apply(self, sequence, record).expect("invariant: what was just decided can be applied");
    }

    /// The conversation's key, as records carry it.
    pub(super) fn key(&self) -> u64 {
        self.draft.key.0
    }

    pub(super) fn head(&self) -> &Head {
        &self.draft.head
    }

    /// The user's slot, if the conversation knows the user.
    pub(super) fn slot(&self, user: &UserId) -> Option<Slot> {
        let published = self.published.and_then(|published| published.slots.slot(user.as_str()));
        published.or_else(|| self.draft.slots.get(user).copied())
    }

    /// The users' slots, in the order of the users; those without one get the next.
    pub(super) fn slots_or_new<'u>(&mut self, users: impl Iterator<Item = &'u UserId>) -> Vec<Slot> {
        let first = self.slots_count();
        let mut new: Vec<String> = Vec::new();
        let mut pending: HashMap<&UserId, Slot> = HashMap::new();
        let slots = users
            .map(|user| {
                self.slot(user).unwrap_or_else(|| {
                    *pending.entry(user).or_insert_with(|| {
                        new.push(user.as_str().to_owned());
                        Slot(first + u32::try_from(new.len() - 1).expect("invariant: slots are u32"))
                    })
                })
            })
            .collect();
        if !new.is_empty() {
            self.record(Record::Slots { conversation: self.key(), first, users: new });
        }
        slots
    }

    fn slots_count(&self) -> u32 {
        self.draft.slots_published + u32::try_from(self.draft.users.len()).expect("invariant: slots are u32")
    }

    /// The page as it is to be.
    pub(super) fn look(&self, number: PageNumber) -> Option<&Page> {
        match self.draft.pages.get(&number) {
            Some(changed) => changed.as_ref().map(|hot| &hot.page),
            None => self.published?.pages.get(&number).map(|hot| &hot.page),
        }
    }

    /// All pages as they are to be, in the order of their messages.
    pub(super) fn pages(&self) -> impl Iterator<Item = (PageNumber, &Page)> {
        let published = self.published.into_iter().flat_map(|published| published.pages.iter());
        let mut published = published.filter(|(number, _)| !self.draft.pages.contains_key(number)).peekable();
        let mut drafted = self.draft.pages.iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let is_drafted = match (published.peek(), drafted.peek()) {
                    (Some((published, _)), Some((drafted, _))) => drafted < published,
                    (None, drafted) => drafted.is_some(),
                    (Some(_), None) => false,
                };
                if !is_drafted {
                    return published.next().map(|(number, hot)| (*number, &hot.page));
                }
                if let Some((number, Some(hot))) = drafted.next() {
                    return Some((*number, &hot.page));
                }
            }
        })
    }

    /// The last page, if there is one.
    pub(super) fn page_last(&self) -> Option<PageNumber> {
        let published = self.published.into_iter().flat_map(|published| published.pages.keys().rev());
        let mut numbers = published.copied().filter(|number| !self.draft.pages.contains_key(number));
        let drafted =
            self.draft.pages.iter().rev().find(|(_, page)| page.is_some()).map(|(number, _)| *number);
        drafted.max(numbers.next())
    }

    /// The place of a message, live or not.
    pub(super) fn place(&self, id: &MessageId) -> Option<Place> {
        match self.draft.index.get(id) {
            Some(changed) => *changed,
            None => self.published?.index.get(id).copied(),
        }
    }

    /// The place of a live message.
    pub(super) fn find(&self, id: &MessageId, now: Timestamp) -> Option<Place> {
        let place = self.place(id)?;
        let message = self.look(place.page)?.message(place.position)?;
        (!message.expires_at.has_come(now)).then_some(place)
    }

    /// Drops the pages among `numbers` that hold nothing any more.
    pub(super) fn drop_empty(&mut self, numbers: &[PageNumber]) {
        for number in numbers {
            if self.look(*number).is_some_and(Page::is_empty) {
                self.draft.pages.insert(*number, None);
            }
        }
    }

    /// The place after the last message.
    pub(super) fn place_next(&self) -> Place {
        let open = self.page_last().and_then(|number| Some((number, self.look(number)?)));
        match open.filter(|(_, page)| !page.is_full()) {
            Some((number, page)) => Place { page: number, position: page.next_position() },
            None => Place { page: PageNumber(self.draft.head.page_next), position: Position(0) },
        }
    }
}

impl Target for Editing<'_> {
    fn head(&mut self) -> &mut Head {
        &mut self.draft.head
    }

    fn page(&mut self, number: PageNumber) -> Option<&mut HotPage> {
        if !self.draft.pages.contains_key(&number) {
            let copy = self.published?.pages.get(&number)?.clone();
            self.draft.pages.insert(number, Some(copy));
        }
        self.draft.pages.get_mut(&number)?.as_mut()
    }

    fn page_or_new(&mut self, number: PageNumber) -> &mut HotPage {
        if Target::page(self, number).is_none() {
            self.draft.pages.insert(number, Some(HotPage::default()));
        }
        Target::page(self, number).expect("invariant: it is there now")
    }

    fn push_slots(&mut self, first: u32, users: Vec<UserId>) -> bool {
        if first != self.slots_count() {
            return false;
        }
        for (slot, user) in (first..).zip(users) {
            self.draft.slots.insert(user.clone(), Slot(slot));
            self.draft.users.push(user);
        }
        true
    }

    fn placed(&mut self, id: MessageId, place: Place) {
        self.draft.index.insert(id, Some(place));
    }

    fn displaced(&mut self, id: &MessageId, place: Place) {
        if self.place(id) == Some(place) {
            self.draft.index.insert(id.clone(), None);
        }
    }
}
