//! What recovery has found so far: objects of the base, pages, records of the journal; and how they become the hot
//! state.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::Path,
    sync::Arc,
};

use crate::domain::{ConversationId, MessageId, Positions, Slot, SlotSet, UserId};
use crate::store::embedded::{
    base::object::{Kind, Object},
    commit::Tracker,
    hot::Hot,
    hot::cell::Cell,
    hot::conversation::{Conversation, Head, HotPage, Key, PageNumber, Place, Target, apply},
    hot::index::Hint,
    hot::reading::read_back,
    pages::{Book, Extent, PageName},
    record::Record,
    stored::{read_head, read_hidden, read_outline, read_shelf, read_slots},
};

/// What was found so far.
#[derive(Default)]
pub(in crate::store::embedded) struct Found {
    conversations: HashMap<Key, (ConversationId, Conversation)>,
    /// Slots that each head knew of: if the names of some are missing at the end, the base is damaged.
    slots_known: HashMap<Key, u32>,
    /// What does not fit together, of conversations that may yet have ended.
    broken: HashMap<Key, &'static str>,
    /// Users whose receipts are off.
    hidden: BTreeSet<UserId>,
    tracker: Tracker,
    sequence_highest: u64,
    /// Why a page could not be read that a record of the journal changes.
    failure: Option<io::Error>,
}

impl Found {
    fn saw(&mut self, sequence: u64) {
        self.sequence_highest = self.sequence_highest.max(sequence);
    }

    /// The highest number of a record that anything found so far has.
    pub(in crate::store::embedded) fn sequence_highest(&self) -> u64 {
        self.sequence_highest
    }

    /// Why a page could not be read, if that ended the replay.
    pub(in crate::store::embedded) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Takes an object of the base. Heads come first, then slots, then shelves.
    pub(in crate::store::embedded) fn object(
        &mut self,
        object: Object,
        bytes: &[u8],
        book: &mut Book,
    ) -> Result<(), &'static str> {
        let key = object.conversation;
        self.saw(key.0);
        if object.kind == Kind::Hidden {
            self.hidden.extend(read_hidden(bytes)?);
            return Ok(());
        }
        if object.kind == Kind::Head {
            let (id, conversation, slots) = read_head(key, bytes)?;
            self.saw(conversation.head.sequence);
            self.slots_known.insert(key, slots);
            self.conversations.insert(key, (id, conversation));
            return Ok(());
        }
        // No sealed checkpoint leaves an object without its head; what has none is nobody's.
        let Some((id, conversation)) = self.conversations.get_mut(&key) else { return Ok(()) };
        if object.kind == Kind::Slots {
            return read_slots(conversation, object.number, bytes);
        }
        for (number, extent) in read_shelf(object.number, bytes)? {
            book.enter(id, PageName { conversation: key, number }, extent);
        }
        Ok(())
    }

    /// Takes a page, once all objects are there. Pages come in any order.
    pub(in crate::store::embedded) fn page(
        &mut self,
        name: PageName,
        extent: Extent,
        bytes: &[u8],
    ) -> Result<(), &'static str> {
        let (_, conversation) =
            self.conversations.get_mut(&name.conversation).ok_or("a page is in no conversation")?;
        let (hot, reach) = read_outline(bytes, shared_by(conversation))?;
        for (position, message) in hot.page.messages() {
            conversation.index.insert(Hint::of(message.id), Place { page: name.number, position });
        }
        conversation.spans.found(name.number, &reach);
        conversation.cells.insert(Cell::cold(name.number, &hot, extent));
        self.saw(hot.sequence);
        Ok(())
    }

    /// All pages have come.
    pub(in crate::store::embedded) fn all_pages(&mut self) {
        for (_, conversation) in self.conversations.values_mut() {
            let newest = conversation.cells.iter().next_back().map(|cell| cell.number);
            conversation.spans.found_all(newest.unwrap_or_default());
            conversation.names.shrink();
        }
    }

    /// Takes a record of the journal. Pages that it changes are read from the page files in `pages`.
    pub(in crate::store::embedded) fn replay(
        &mut self,
        sequence: u64,
        record: Record,
        pages: &Path,
    ) -> Result<(), &'static str> {
        let key = match &record {
            Record::Began { id } => return self.begin(Key(sequence), id),
            Record::Ended { conversation } => {
                self.conversations.remove(&Key(*conversation));
                self.broken.remove(&Key(*conversation));
                self.tracker.dirty.ended(Key(*conversation));
                return Ok(());
            }
            Record::Hidden { user, is_hidden } => return self.hide(user, *is_hidden),
            Record::Erased => {
                self.tracker.dirty.erased();
                return Ok(());
            }
            Record::Slots { conversation, .. }
            | Record::Unnamed { conversation, .. }
            | Record::Roster { conversation, .. }
            | Record::Registered { conversation, .. }
            | Record::Marked { conversation, .. }
            | Record::Reset { conversation, .. }
            | Record::Forgotten { conversation, .. }
            | Record::Swept { conversation, .. } => Key(*conversation),
        };
        // A conversation that is not there has ended, and a checkpoint had that.
        let Some((id, conversation)) = self.conversations.get_mut(&key) else { return Ok(()) };
        match &record {
            Record::Slots { first, .. } => self.tracker.dirty.slots(key, id, *first),
            Record::Unnamed { slot, .. } => self.tracker.dirty.slots(key, id, *slot),
            Record::Roster { .. } | Record::Registered { .. } => self.tracker.dirty.head(key, id),
            // A page that is still there shows itself in the end that it has changed.
            Record::Swept { page, .. } => self.tracker.dirty.page(key, id, PageNumber(*page)),
            _ => {}
        }
        let mut replaying = Replaying { conversation, pages, failure: None };
        let applied = apply(&mut replaying, sequence, record);
        if let Some(error) = replaying.failure {
            self.failure = Some(error);
            return Err("a page that it changes cannot be read");
        }
        // While a checkpoint ran, the conversation may have ended before it was written, and the records that it
        // would have needed are gone: then its end is still to come.
        if let Err(what) = applied {
            self.broken.insert(key, what);
        }
        Ok(())
    }

    fn hide(&mut self, user: &str, is_hidden: bool) -> Result<(), &'static str> {
        let user = UserId::new(user).map_err(|_| "a user's name is no id")?;
        self.tracker.dirty.hidden(&user);
        if is_hidden {
            self.hidden.insert(user);
        } else {
            self.hidden.remove(&user);
        }
        Ok(())
    }

    fn begin(&mut self, key: Key, id: &str) -> Result<(), &'static str> {
        let id = ConversationId::new(id).map_err(|_| "a conversation's name is no id")?;
        self.tracker.dirty.head(key, &id);
        self.conversations.entry(key).or_insert_with(|| (id, Conversation::new(key)));
        Ok(())
    }

    /// Checks that all fits together, and puts it where reads find it.
    pub(in crate::store::embedded) fn finish(self, hot: &Hot) -> Result<Tracker, &'static str> {
        let Self { conversations, slots_known, broken, hidden, mut tracker, .. } = self;
        hidden.into_iter().for_each(|user| hot.insert_hidden(user));
        if let Some(what) = broken.into_values().next() {
            return Err(what);
        }
        let mut by_id: BTreeMap<ConversationId, Conversation> = BTreeMap::new();
        for (key, (id, mut conversation)) in conversations {
            let slots = slots_known.get(&key).copied().unwrap_or(0);
            if conversation.names.len() < slots {
                return Err("names of slots are missing");
            }
            finish_pages(&id, &mut conversation, &mut tracker);
            if by_id.insert(id, conversation).is_some() {
                return Err("two conversations have one name");
            }
        }
        for (id, conversation) in by_id {
            hot.insert(id, conversation);
        }
        hot.make_room();
        Ok(tracker)
    }
}

/// Drops pages that hold nothing any more, and notes what is dirty and what expires when.
fn finish_pages(id: &ConversationId, conversation: &mut Conversation, tracker: &mut Tracker) {
    let key = conversation.key;
    let mut empty = Vec::new();
    for cell in conversation.cells.iter_mut().filter(|cell| !cell.is_clean()) {
        cell.changed();
        tracker.dirty.page(key, id, cell.number);
        if cell.outline.held().is_empty() {
            empty.push(cell.number);
        }
    }
    for number in empty {
        conversation.cells.remove(number);
    }
    conversation.lost_messages();
    for cell in conversation.cells.iter() {
        if let Some(end) = cell.outline.expires_first() {
            tracker.ends_at(end, key, cell.number, id.clone());
        }
    }
}

/// The sets of slots that a page of the conversation may have in common with others: the roster's, and those of the
/// pages that are there.
fn shared_by(conversation: &Conversation) -> impl Iterator<Item = &Arc<SlotSet>> {
    let roster = conversation.head.members.iter().map(|members| &members.slots);
    let last = conversation.cells.iter().next_back().into_iter();
    roster.chain(last.flat_map(|cell| cell.outline.audiences().map(|(slots, _)| slots)))
}

/// A conversation that takes records of the journal.
struct Replaying<'a> {
    conversation: &'a mut Conversation,
    pages: &'a Path,
    failure: Option<io::Error>,
}

impl Replaying<'_> {
    /// The page, read if it is cold, unless `is_wanted` does not want it.
    fn warm(&mut self, number: PageNumber, is_wanted: impl FnOnce(&Cell) -> bool) -> Option<&mut HotPage> {
        let name = PageName { conversation: self.conversation.key, number };
        let cell = self.conversation.cells.get_mut(number).filter(|cell| is_wanted(cell))?;
        if let Some(extent) = cell.extent().filter(|_| cell.is_cold()) {
            match read_back(self.pages, name, extent, &cell.outline) {
                Ok(page) => cell.warm(extent, page),
                Err(error) => self.failure = Some(error),
            }
        }
        cell.page_mut()
    }
}

impl Target for Replaying<'_> {
    fn head(&mut self) -> &mut Head {
        &mut self.conversation.head
    }

    fn page(&mut self, number: PageNumber, sequence: u64) -> Option<&mut HotPage> {
        self.warm(number, |cell| cell.sequence < sequence)
    }

    fn page_or_new(&mut self, number: PageNumber, sequence: u64) -> Option<&mut HotPage> {
        if self.conversation.cells.get(number).is_none() {
            self.conversation.cells.insert(Cell::new(number, HotPage::default()));
        }
        self.page(number, sequence)
    }

    fn held(&self, number: PageNumber, sequence: u64) -> Option<Positions> {
        let cell = self.conversation.cells.get(number)?;
        // What is changed in place tells itself what it holds.
        match cell.page().filter(|_| !cell.is_clean()) {
            Some(hot) => (hot.sequence < sequence).then(|| hot.page.outline().held()),
            None => (cell.sequence < sequence).then(|| cell.outline.held()),
        }
    }

    fn drop_page(&mut self, number: PageNumber) {
        self.conversation.cells.remove(number);
    }

    fn push_slots(&mut self, first: u32, users: Vec<UserId>) -> bool {
        let Some(known) = self.conversation.names.len().checked_sub(first) else { return false };
        for user in users.iter().skip(known as usize) {
            self.conversation.names.push(user);
        }
        true
    }

    fn unname(&mut self, slot: Slot) -> bool {
        self.conversation.names.forget(slot)
    }

    fn placed(&mut self, id: MessageId, place: Place) {
        self.conversation.index.insert(Hint::of(id.as_str()), place);
    }

    fn displaced(&mut self, id: &MessageId, place: Place) {
        self.conversation.index.remove(Hint::of(id.as_str()), place);
    }

    fn read(&mut self, reader: Slot, number: PageNumber) {
        self.conversation.spans.read(reader, number);
    }

    fn reopened(&mut self, number: PageNumber) {
        self.conversation.spans.reopen(number);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn slots(first: u32, user: &str) -> Record {
        Record::Slots { conversation: 1, first, users: vec![user.to_owned()] }
    }

    fn replay(found: &mut Found, sequence: u64, record: Record) {
        found.replay(sequence, record, Path::new("no pages")).unwrap();
    }

    fn nothing() -> Hot {
        Hot::new(PathBuf::from("no pages"), 1 << 20)
    }

    /// What is left of a conversation that a checkpoint passed over, since it had ended meanwhile: the records of its
    /// first slots went with the older segment, those of its last ones and its end have not.
    fn with_a_gap() -> Found {
        let mut found = Found::default();
        replay(&mut found, 1, Record::Began { id: "c".to_owned() });
        replay(&mut found, 2, slots(0, "alice"));
        replay(&mut found, 9, slots(2, "carol"));
        found
    }

    #[test]
    fn what_does_not_fit_counts_for_nothing_once_its_conversation_has_ended() {
        let mut found = with_a_gap();
        replay(&mut found, 10, Record::Ended { conversation: 1 });
        replay(&mut found, 11, Record::Began { id: "c".to_owned() });
        let hot = nothing();
        found.finish(&hot).unwrap();
        assert_eq!(hot.conversations(), 1, "the one that began under the same id");
    }

    #[test]
    fn what_does_not_fit_in_a_conversation_that_goes_on_is_damage() {
        assert_eq!(with_a_gap().finish(&nothing()).err(), Some("slots are missing before it"));
    }
}
