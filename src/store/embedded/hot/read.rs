//! Reads: answered from the hot state, without waiting for a commit.

use crate::store::embedded::{hot::conversation::PageNumber, hot::reading::View};
use crate::{
    domain::{
        Message, MessageId, MessageIdRef, Order, PAGE_MESSAGES_MAX, Page, Position, Positions, Receipts,
        Role, Slot, Timestamp, UserId, Viewer, Visibility,
    },
    store::{Half, Mark, MessageReceipts, Read, ReadersPart, ReadersWanted, RosterPart, Unread},
};

/// A walk over messages, as far as it has come.
#[derive(Debug, Clone)]
pub(in crate::store::embedded) struct MessagesWalk {
    after: Option<Order>,
    part: Vec<MessageReceipts>,
    has_more: bool,
}

impl MessagesWalk {
    pub(in crate::store::embedded) fn from(after: Option<Order>) -> Self {
        Self { after, part: Vec::new(), has_more: false }
    }

    /// What was found, and whether there is more, once the walk is at its end.
    pub(in crate::store::embedded) fn found(&self) -> (Vec<MessageReceipts>, bool) {
        (self.part.clone(), self.has_more)
    }
}

/// A walk over what a reader has not read, as far as it has come.
#[derive(Debug, Clone, Default)]
pub(in crate::store::embedded) struct UnreadWalk {
    /// The next page.
    at: PageNumber,
    unread: Unread,
}

impl UnreadWalk {
    /// What was found, once the walk is at its end.
    pub(in crate::store::embedded) fn found(&self) -> Unread {
        self.unread.clone()
    }
}

impl View<'_> {
    /// Part of the roster.
    pub(in crate::store::embedded) fn roster(&self, after: Option<Slot>, limit: usize) -> Option<RosterPart> {
        let members = self.known.head.members.as_ref()?;
        let (members_part, next) = self.part(members.slots.iter_after(after), limit);
        Some(RosterPart { version: members.version, members: members_part, next })
    }

    /// The users of the first `limit` slots, and the last of them if there are more.
    fn part(&self, mut slots: impl Iterator<Item = Slot>, limit: usize) -> (Vec<UserId>, Option<Slot>) {
        let mut users = Vec::new();
        let mut last = None;
        for slot in slots.by_ref().take(limit) {
            users.extend(self.known.names.user(slot));
            last = Some(slot);
        }
        (users, last.filter(|_| slots.next().is_some()))
    }

    /// A live message.
    pub(in crate::store::embedded) fn message(
        &self,
        id: &MessageId,
        now: Timestamp,
    ) -> Option<MessageReceipts> {
        let (page, position) = self.find(id.borrowed(), now)?;
        self.shown(page, position, &page.message(position)?)
    }

    fn shown(&self, page: &Page, position: Position, message: &Message<&str>) -> Option<MessageReceipts> {
        Some(MessageReceipts {
            message: message.message_id(),
            sender: self.known.names.user(message.sender)?,
            order: message.order,
            expires_at: message.expires_at,
            receipts: page.receipts(position, &self.known.hidden)?,
        })
    }

    /// Goes on with a part of the live messages, oldest first, up to the first page that is missing.
    pub(in crate::store::embedded) fn messages(&self, walk: &mut MessagesWalk, limit: usize, now: Timestamp) {
        let mut missing = 0;
        let after = walk.after;
        for cell in self.known.cells.iter().filter(|cell| cell.outline.order_last() > after) {
            if walk.has_more || cell.outline.live(now).is_some_and(Positions::is_empty) {
                continue;
            }
            let page = self.page(cell);
            missing += usize::from(page.is_none());
            // About as many as a part needs are read at once.
            if missing > limit / PAGE_MESSAGES_MAX {
                break;
            }
            if let Some(page) = page.filter(|_| missing == 0) {
                self.messages_of(page, walk, limit, now);
            }
        }
    }

    fn messages_of(&self, page: &Page, walk: &mut MessagesWalk, limit: usize, now: Timestamp) {
        let live = page.live(now);
        let after = walk.after;
        for (position, message) in page.messages().filter(|(_, message)| Some(message.order) > after) {
            if !live.contains(position) {
                continue;
            }
            if walk.part.len() == limit {
                walk.has_more = true;
                return;
            }
            walk.part.extend(self.shown(page, position, &message));
            walk.after = Some(message.order);
        }
    }

    /// Goes on with what `reader` still has to read, up to the first page that is missing. Pages that the reader has
    /// read, or has not come to, need not be there.
    pub(in crate::store::embedded) fn unread(&self, walk: &mut UnreadWalk, reader: &UserId, now: Timestamp) {
        let Some(slot) = self.known.names.slot(reader.as_str()) else { return };
        let span = self.known.spans.get(slot);
        let mut is_missing = false;
        for cell in self.known.cells.from(walk.at.max(span.open)) {
            let asked = cell.outline.asked(slot);
            let live = cell.outline.live(now);
            if asked.is_empty() || live.is_some_and(Positions::is_empty) {
                continue;
            }
            let has_first = walk.unread.first.is_some() || is_missing;
            let is_needed = live.is_none() || cell.number < span.end || !has_first;
            let page = if is_needed { self.page(cell) } else { None };
            is_missing |= is_needed && page.is_none();
            if is_missing {
                if self.is_enough() {
                    break;
                }
                continue;
            }
            let live = live.or_else(|| page.map(|page| page.live(now))).unwrap_or_default();
            let read = page.map(|page| page.read_by(slot)).unwrap_or_default();
            let open = Positions(asked.0 & live.0 & !read.0);
            walk.unread.unread += open.len();
            if walk.unread.first.is_none() {
                let first = open.iter().next().and_then(|position| page?.message(position));
                walk.unread.first = first.map(|message| message.message_id());
            }
            walk.at = cell.number.next();
        }
    }

    /// What is known of a live message.
    pub(in crate::store::embedded) fn receipts(
        &self,
        id: MessageIdRef<'_>,
        viewer: &Viewer,
        now: Timestamp,
    ) -> Option<Receipts> {
        let (page, position) = self.find_seen(id, viewer, now)?;
        page.receipts(position, &self.known.hidden)
    }

    /// A live message that the viewer may see. A stranger to the conversation is not worth a look at the disk, whose time
    /// would tell that there is something.
    fn find_seen(&self, id: MessageIdRef<'_>, viewer: &Viewer, now: Timestamp) -> Option<(&Page, Position)> {
        if let Viewer::User { user, .. } = viewer {
            self.known.names.slot(user.as_str())?;
        }
        self.find(id, now).filter(|found| self.is_seen(*found, viewer))
    }

    fn is_seen(&self, (page, position): (&Page, Position), viewer: &Viewer) -> bool {
        let Viewer::User { user, sees } = viewer else { return true };
        let Some(slot) = self.known.names.slot(user.as_str()) else { return false };
        page.message(position).is_some_and(|message| message.sender == slot)
            || *sees == Visibility::Audience && page.asked(slot).contains(position)
    }

    /// Part of a half of a live message's audience.
    pub(in crate::store::embedded) fn readers(
        &self,
        id: &MessageId,
        viewer: &Viewer,
        ReadersWanted { half, after, limit }: ReadersWanted,
        now: Timestamp,
    ) -> Option<ReadersPart> {
        let (page, position) = self.find_seen(id.borrowed(), viewer, now)?;
        let hidden = &self.known.hidden;
        let slots = page.readers(position, half == Half::Read, after, hidden);
        let (users, next) = self.part(slots, limit);
        Some(ReadersPart { receipts: page.receipts(position, hidden)?, users, next })
    }

    /// Looks ahead at what a mark is about to change, so that the commit thread finds it in memory.
    pub(in crate::store::embedded) fn ahead_of_mark(&self, mark: &Mark, now: Timestamp) {
        if mark.by == Role::User && self.known.names.slot(mark.reader.as_str()).is_none() {
            return;
        }
        match &mark.read {
            Read::Messages(messages) => {
                for message in messages {
                    self.find(message.borrowed(), now);
                }
            }
            Read::UpTo(message) => {
                let order =
                    self.find(message.borrowed(), now).and_then(|(page, position)| page.message(position));
                self.ahead_of_range(&mark.reader, order.map(|message| message.order), now);
            }
            Read::UpToOrder(order) => self.ahead_of_range(&mark.reader, Some(*order), now),
        }
    }

    /// The same for messages that are registered or go: where they may stand, and where the next one will.
    pub(in crate::store::embedded) fn ahead_of_messages<'m>(
        &self,
        messages: impl Iterator<Item = &'m MessageId>,
        now: Timestamp,
    ) {
        for message in messages {
            self.find(message.borrowed(), now);
        }
        if let Some(newest) = self.known.cells.iter().next_back() {
            self.page(newest);
        }
    }

    fn ahead_of_range(&self, reader: &UserId, order: Option<Order>, now: Timestamp) {
        let Some(slot) = self.known.names.slot(reader.as_str()) else { return };
        let open = self.known.spans.get(slot).open;
        let cells = self.known.cells.from(open).take_while(|cell| cell.outline.order_first() <= order);
        for cell in cells.filter(|cell| !cell.outline.asked(slot).is_empty()) {
            if cell.outline.live(now) != Some(Positions(0)) && self.page(cell).is_none() && self.is_enough() {
                return;
            }
        }
    }
}
