//! Reads: answered from the hot state, without a disk and without waiting for a commit.

use super::conversation::Conversation;
use crate::{
    domain::{Message, MessageId, Order, Page, Position, Receipts, Slot, Timestamp, UserId},
    store::{Half, MessageReceipts, ReadersPart, RosterPart, Unread},
};

impl Conversation {
    /// Part of the roster.
    pub(super) fn roster(&self, after: Option<Slot>, limit: usize) -> Option<RosterPart> {
        let members = self.head.members.as_ref()?;
        let (members_part, next) = self.part(members.slots.iter_after(after), limit);
        Some(RosterPart { version: members.version, members: members_part, next })
    }

    /// The users of the first `limit` slots, and the last of them if there are more.
    fn part(&self, mut slots: impl Iterator<Item = Slot>, limit: usize) -> (Vec<UserId>, Option<Slot>) {
        let mut users = Vec::new();
        let mut last = None;
        for slot in slots.by_ref().take(limit) {
            users.extend(self.slots.user(slot).cloned());
            last = Some(slot);
        }
        (users, last.filter(|_| slots.next().is_some()))
    }

    /// A live message.
    pub(super) fn message(&self, id: &MessageId, now: Timestamp) -> Option<MessageReceipts> {
        let (page, position) = self.find(id, now)?;
        self.shown(page, position, page.message(position)?)
    }

    fn shown(&self, page: &Page, position: Position, message: &Message) -> Option<MessageReceipts> {
        Some(MessageReceipts {
            message: message.id.clone(),
            sender: self.slots.user(message.sender)?.clone(),
            order: message.order,
            expires_at: message.expires_at,
            receipts: page.receipts(position)?,
        })
    }

    /// Part of the live messages, oldest first, and whether there are more.
    pub(super) fn messages(
        &self,
        after: Option<Order>,
        limit: usize,
        now: Timestamp,
    ) -> (Vec<MessageReceipts>, bool) {
        let pages = self.pages.values().map(|hot| &hot.page).filter(|page| page.order_last() > after);
        let mut messages = pages.flat_map(|page| {
            let live = page.live(now);
            let rest = page
                .messages()
                .filter(move |(position, message)| live.contains(*position) && Some(message.order) > after);
            rest.filter_map(|(position, message)| self.shown(page, position, message))
        });
        let part = messages.by_ref().take(limit).collect();
        (part, messages.next().is_some())
    }

    /// What `reader` still has to read.
    pub(super) fn unread(&self, reader: &UserId, now: Timestamp) -> Unread {
        let Some(slot) = self.slots.slot(reader.as_str()) else { return Unread::default() };
        let mut unread = Unread::default();
        for hot in self.pages.values() {
            let page = &hot.page;
            let open = page.live(now).0 & !page.read_by(slot).0;
            if open == 0 {
                continue;
            }
            let open = crate::domain::Positions(open & page.asked(slot).0);
            unread.unread += open.len();
            if unread.first.is_none() {
                let first = open.iter().next().and_then(|position| page.message(position));
                unread.first = first.map(|message| message.id.clone());
            }
        }
        unread
    }

    /// What is known of a live message.
    pub(super) fn receipts(&self, id: &MessageId, now: Timestamp) -> Option<Receipts> {
        let (page, position) = self.find(id, now)?;
        page.receipts(position)
    }

    /// Part of a half of a live message's audience.
    pub(super) fn readers(
        &self,
        id: &MessageId,
        half: Half,
        after: Option<Slot>,
        limit: usize,
        now: Timestamp,
    ) -> Option<ReadersPart> {
        let (page, position) = self.find(id, now)?;
        let slots = page.readers(position, half == Half::Read, after);
        let (users, next) = self.part(slots, limit);
        Some(ReadersPart { receipts: page.receipts(position)?, users, next })
    }
}
