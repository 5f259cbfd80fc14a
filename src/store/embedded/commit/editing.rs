//! Editing: one conversation as a commit has it so far, the published one under the draft.

use std::collections::HashMap;

use crate::domain::{MessageId, Order, Outline, Position, Positions, Slot, SlotSet, Timestamp, UserId};
use crate::store::embedded::{
    commit::draft::Draft,
    commit::fetched::{Fetched, Looked},
    hot::cell::Cell,
    hot::conversation::{Conversation, Head, HotPage, PageNumber, Place, Target, apply},
    hot::index::Hint,
    hot::span::{Epoch, Span},
    journal::Frame,
    record::Record,
};

/// One conversation, open for changes: the published one under the draft.
pub(in crate::store::embedded) struct Editing<'a> {
    pub(in crate::store::embedded) published: Option<&'a Conversation>,
    pub(in crate::store::embedded) draft: &'a mut Draft,
    pub(in crate::store::embedded) frame: &'a mut Frame,
    pub(in crate::store::embedded) fetched: &'a Fetched<'a>,
}

impl Editing<'_> {
    /// Puts a record into the journal and lets it take effect. The record is one of this conversation.
    pub(in crate::store::embedded) fn record(&mut self, record: Record) {
        let sequence = self.frame.push(&record);
        apply(self, sequence, record).expect("invariant: what was just decided can be applied");
    }

    /// The conversation's key, as records carry it.
    pub(in crate::store::embedded) fn key(&self) -> u64 {
        self.draft.key.0
    }

    pub(in crate::store::embedded) fn head(&self) -> &Head {
        &self.draft.head
    }

    /// The user's slot, if the conversation knows the user.
    pub(in crate::store::embedded) fn slot(&self, user: &UserId) -> Option<Slot> {
        let published = self.published.and_then(|published| published.names.slot(user.as_str()));
        let published = published.filter(|slot| !self.draft.unnamed.contains(*slot));
        published.or_else(|| self.draft.slots.get(user).copied())
    }

    /// Whether the slot's user was deleted.
    pub(in crate::store::embedded) fn is_nobody(&self, slot: Slot) -> bool {
        let published = self.published.is_some_and(|published| published.names.is_nobody(slot));
        published || self.draft.unnamed.contains(slot)
    }

    /// How many of `slots` count in no receipts.
    pub(in crate::store::embedded) fn hidden_of(&self, slots: &SlotSet) -> usize {
        let published = self.published.map_or(0, |published| published.hidden.count(slots));
        let new = (self.draft.slots_published..).zip(&self.draft.users);
        let new =
            new.filter(|(slot, user)| slots.contains(Slot(*slot)) && self.fetched.is_hidden(user)).count();
        let is_published =
            |slot: &Slot| self.published.is_some_and(|published| published.hidden.contains(*slot));
        let unnamed = self.draft.unnamed.common(slots).filter(|slot| !is_published(slot)).count();
        published + new + unnamed
    }

    /// The users' slots, in the order of the users; those without one get the next.
    pub(in crate::store::embedded) fn slots_or_new<'u>(
        &mut self,
        users: impl Iterator<Item = &'u UserId>,
    ) -> Vec<Slot> {
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

    /// The page as it is to be; none if there is none (any more).
    pub(in crate::store::embedded) fn look(&self, number: PageNumber) -> Option<Looked<'_>> {
        if let Some(changed) = self.draft.pages.get(&number) {
            return changed.as_ref().map(Looked::Held);
        }
        let published = self.published?;
        self.fetched.page(published, published.cells.get(number)?)
    }

    /// The outline of the page as it is to be.
    pub(in crate::store::embedded) fn outline(&self, number: PageNumber) -> Option<&Outline> {
        match self.draft.pages.get(&number) {
            Some(changed) => changed.as_ref().map(|hot| hot.page.outline()),
            None => self.published?.cells.get(number).map(|cell| &cell.outline),
        }
    }

    /// The outlines of all pages from `first` on as they are to be, in the order of their messages.
    pub(in crate::store::embedded) fn outlines(
        &self,
        first: PageNumber,
    ) -> impl Iterator<Item = (PageNumber, &Outline)> {
        let published = self.published.into_iter().flat_map(move |published| published.cells.from(first));
        let is_drafted = |cell: &&Cell| self.draft.pages.contains_key(&cell.number);
        let mut published = published.filter(move |cell| !is_drafted(cell)).peekable();
        let mut drafted = self.draft.pages.range(first..).peekable();
        std::iter::from_fn(move || {
            loop {
                let is_drafted = match (published.peek(), drafted.peek()) {
                    (Some(published), Some((drafted, _))) => **drafted < published.number,
                    (None, drafted) => drafted.is_some(),
                    (Some(_), None) => false,
                };
                if !is_drafted {
                    return published.next().map(|cell| (cell.number, &cell.outline));
                }
                if let Some((number, Some(hot))) = drafted.next() {
                    return Some((*number, hot.page.outline()));
                }
            }
        })
    }

    /// How far `reader` is.
    pub(in crate::store::embedded) fn span(&self, reader: Slot) -> Span {
        if let Some(span) = self.draft.spans.get(&reader) {
            return *span;
        }
        let span = self.published.map(|published| published.spans.get(reader)).unwrap_or_default();
        self.draft.reopened.map_or(span, |page| span.reopened(page))
    }

    /// Moves `reader` past the pages that are read. Looks at no page that is cold and was not looked at.
    pub(in crate::store::embedded) fn advance(&mut self, reader: Slot) {
        let span = self.span(reader);
        let newest = self.draft.head.page_next.saturating_sub(1);
        let stops = self.outlines(span.open).find(|(number, outline)| {
            let asked = outline.asked(reader);
            let is_read = || {
                number < &span.end && self.known(*number).is_some_and(|page| page.read_by(reader) == asked)
            };
            number.0 >= newest || !(asked.is_empty() || is_read())
        });
        let open = stops.map_or(PageNumber(newest), |(number, _)| number).max(span.open);
        if open != span.open {
            let passed = self.outlines(span.open).take_while(|(number, _)| *number < open);
            let read: usize = passed.map(|(_, outline)| outline.asked(reader).len()).sum();
            let before = span.before.saturating_add(u32::try_from(read).unwrap_or(u32::MAX));
            self.draft.spans.insert(reader, Span { open, before, ..span });
        }
    }

    /// How many messages `reader` has read before the page where the first unread one may be, if that is known, nothing
    /// of it has expired, and all of it stands up to `order`.
    pub(in crate::store::embedded) fn read_before(
        &self,
        reader: Slot,
        order: Order,
        now: Timestamp,
    ) -> Option<u32> {
        let span = self.span(reader);
        (span.epoch == self.epoch() && self.is_whole_before(span.open, order, now)).then_some(span.before)
    }

    /// Whether all messages before the page `open` stand up to `order`, and none has expired.
    pub(in crate::store::embedded) fn is_whole_before(
        &self,
        open: PageNumber,
        order: Order,
        now: Timestamp,
    ) -> bool {
        let drafted = self.draft.pages.range(..open).filter_map(|(_, hot)| hot.as_ref());
        let drafted = drafted.filter_map(|hot| hot.page.outline().expires_first());
        let published = self.published.and_then(|published| published.expires_first);
        let first = drafted.chain(published).min();
        let next = self.outlines(open).next();
        first.is_none_or(|first| !first.has_come(now))
            && next.is_some_and(|(_, outline)| outline.order_first() <= Some(order))
    }

    /// `reader` has read so many messages before the page where the first unread one may be.
    pub(in crate::store::embedded) fn counted_before(&mut self, reader: Slot, before: u32) {
        let span = Span { before, epoch: self.epoch(), ..self.span(reader) };
        self.draft.spans.insert(reader, span);
    }

    fn epoch(&self) -> Epoch {
        let epoch = self.published.map_or(Epoch::FIRST, |published| published.epoch);
        if self.draft.loses { epoch.next() } else { epoch }
    }

    /// Messages go: what was counted of them is not so any more.
    fn loses(&mut self) {
        self.draft.loses = true;
        self.draft.spans.values_mut().for_each(|span| *span = span.uncounted());
    }

    /// The page as it is to be, if that is known without a disk.
    fn known(&self, number: PageNumber) -> Option<Looked<'_>> {
        match self.draft.pages.get(&number) {
            Some(changed) => changed.as_ref().map(Looked::Held),
            None => self.fetched.known(self.published?.cells.get(number)?),
        }
    }

    /// The newest page, if it is still there. Only that one gets messages: readers who are past the others need not
    /// look at them again.
    fn page_newest(&self) -> Option<(PageNumber, Looked<'_>)> {
        let number = PageNumber(self.draft.head.page_next.checked_sub(1)?);
        Some((number, self.look(number)?))
    }

    /// The place of a message, live or not. Of two lives of an id, one of them expired, the later has the higher order.
    pub(in crate::store::embedded) fn place(&self, id: &MessageId) -> Option<Place> {
        match self.draft.index.get(id) {
            Some(changed) => *changed,
            None => self.published_place(id).map(|(place, _)| place),
        }
    }

    fn published_place(&self, id: &MessageId) -> Option<(Place, Looked<'_>)> {
        let candidates = self.published?.index.candidates(id.borrowed()).filter_map(|place| {
            let page = self.look(place.page)?;
            page.has(id.borrowed(), place.position).then(|| (page.order(place.position), place, page))
        });
        candidates.max_by_key(|(order, ..)| *order).map(|(_, place, page)| (place, page))
    }

    /// The place of a live message.
    pub(in crate::store::embedded) fn find(&self, id: &MessageId, now: Timestamp) -> Option<Place> {
        self.find_on_page(id, now).map(|(place, _)| place)
    }

    /// The place of a live message, and the page that it stands on.
    pub(in crate::store::embedded) fn find_on_page(
        &self,
        id: &MessageId,
        now: Timestamp,
    ) -> Option<(Place, Looked<'_>)> {
        let (place, page) = match self.draft.index.get(id) {
            Some(changed) => ((*changed)?, self.look((*changed)?.page)?),
            None => self.published_place(id)?,
        };
        page.is_live(place.position, now).then_some((place, page))
    }

    /// Drops the page if it holds nothing any more.
    pub(in crate::store::embedded) fn drop_empty(&mut self, number: PageNumber) {
        if self.outline(number).is_some_and(|outline| outline.held().is_empty()) {
            self.drop_page(number);
        }
    }

    /// The place after the last message.
    pub(in crate::store::embedded) fn place_next(&self) -> Place {
        match self.page_newest().filter(|(_, page)| !page.is_full()) {
            Some((number, page)) => Place { page: number, position: page.next_position() },
            None => Place { page: PageNumber(self.draft.head.page_next), position: Position(0) },
        }
    }
}

impl Target for Editing<'_> {
    fn head(&mut self) -> &mut Head {
        &mut self.draft.head
    }

    fn page(&mut self, number: PageNumber, _: u64) -> Option<&mut HotPage> {
        if !self.draft.pages.contains_key(&number) {
            let published = self.published?;
            let page = self.fetched.page(published, published.cells.get(number)?)?.hot().clone();
            self.draft.pages.insert(number, Some(page));
        }
        self.draft.pages.get_mut(&number)?.as_mut()
    }

    fn page_or_new(&mut self, number: PageNumber, sequence: u64) -> Option<&mut HotPage> {
        if Target::page(self, number, sequence).is_none() {
            self.draft.pages.insert(number, Some(HotPage::default()));
        }
        Target::page(self, number, sequence)
    }

    fn held(&self, number: PageNumber, _: u64) -> Option<Positions> {
        self.outline(number).map(Outline::held)
    }

    fn drop_page(&mut self, number: PageNumber) {
        self.loses();
        self.draft.pages.insert(number, None);
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

    fn unname(&mut self, slot: Slot) -> bool {
        if let Some(user) =
            slot.0.checked_sub(self.draft.slots_published).and_then(|at| self.draft.users.get(at as usize))
        {
            self.draft.slots.remove(user);
        }
        self.draft.unnamed.insert(slot);
        slot.0 < self.slots_count()
    }

    fn placed(&mut self, id: MessageId, place: Place) {
        self.draft.places.push((Hint::of(id.as_str()), place, true));
        self.draft.index.insert(id, Some(place));
    }

    fn displaced(&mut self, id: &MessageId, place: Place) {
        self.loses();
        self.draft.places.push((Hint::of(id.as_str()), place, false));
        if self.place(id) == Some(place) {
            self.draft.index.insert(id.clone(), None);
        }
    }

    fn read(&mut self, reader: Slot, number: PageNumber) {
        let span = self.span(reader).having_read(number);
        self.draft.spans.insert(reader, span);
    }

    fn reopened(&mut self, number: PageNumber) {
        let first = self.draft.reopened.map_or(number, |before| before.min(number));
        self.draft.reopened = Some(first);
        for span in self.draft.spans.values_mut() {
            *span = span.reopened(number);
        }
    }
}
