//! Export and restore: a copy of everything, and everything from a copy.

use std::{
    collections::{BTreeSet, VecDeque},
    io::Read,
    sync::Arc,
};

use super::{
    ModelStore, State,
    conversation::{Conversation, Message},
};
use crate::{
    domain::{
        Audience, ConversationId, ExpiresAt, PAGE_MESSAGES_MAX, Page, Position, Registration, SlotSet, UserId,
    },
    store::{
        StoreError,
        dump::{DumpError, Export, Head, Item, NAMES_MAX, Reader},
    },
};

/// All that there was, piece by piece.
struct Exported {
    head: Head,
    items: VecDeque<Item>,
}

impl Export for Exported {
    fn head(&self) -> Head {
        self.head
    }

    fn next(&mut self) -> Result<Option<Item>, StoreError> {
        Ok(self.items.pop_front())
    }
}

impl State {
    /// All that there is, or all that there is of one conversation.
    pub(super) fn export(&self, only: Option<&ConversationId>) -> Box<dyn Export> {
        let mut items = VecDeque::new();
        let hidden: Vec<_> = self.hidden.iter().cloned().collect();
        items.extend(hidden.chunks(NAMES_MAX).map(|users| Item::Hidden(users.to_vec())));
        let wanted = self.conversations.iter().filter(|(id, _)| only.is_none_or(|only| only == *id));
        let (mut conversations, mut messages) = (0, 0);
        for (id, conversation) in wanted {
            conversations += 1;
            messages += conversation.messages.len() as u64;
            conversation.export(id, &mut items);
        }
        let head = Head { generation_next: self.generations + 1, conversations, messages };
        Box::new(Exported { head, items })
    }
}

impl Conversation {
    fn export(&self, id: &ConversationId, items: &mut VecDeque<Item>) {
        items.push_back(Item::Conversation { id: id.clone(), order_highest: self.order_highest });
        items.extend(self.known.chunks(NAMES_MAX).map(|names| Item::Names(names.to_vec())));
        if let Some((version, members)) = &self.members {
            items.push_back(Item::Roster { version: *version, members: self.slots(members) });
        }
        let messages: Vec<_> = self.messages.values().collect();
        items.extend(messages.chunks(PAGE_MESSAGES_MAX).map(|run| Item::Run(self.page(run))));
    }

    fn slots(&self, users: &BTreeSet<UserId>) -> SlotSet {
        users.iter().map(|user| self.slot(user)).collect()
    }

    fn page(&self, run: &[&Message]) -> Page {
        let mut page = Page::default();
        for (position, message) in (0..).map(Position).zip(run) {
            let stored = crate::domain::Message {
                id: message.sent.message.clone(),
                sender: self.slot(&message.sent.sender),
                order_asked: message.sent.order.is_some(),
                order: message.order,
                audience_asked: message.sent.audience != Audience::Roster,
                expires_in_s: message.sent.expires_in_s,
                expires_at: message.sent.expires_at,
                generation: message.generation,
            };
            page.put(position, &stored, Arc::new(self.slots(&message.audience)));
            for reader in &message.read {
                page.mark(self.slot(reader), position.only());
            }
        }
        page
    }

    fn restore_run(&mut self, page: &Page) {
        for (position, stored) in page.messages() {
            let name = |slot: crate::domain::Slot| self.known.get(slot.index()).cloned().flatten();
            let sender = name(stored.sender);
            // The messages that a deleted user sent are gone, and no store exports them.
            let Some(sender) = sender else { continue };
            let asked = page.outline().audience(position).into_iter().flat_map(|audience| audience.iter());
            let audience: BTreeSet<_> =
                asked.filter(|slot| *slot != stored.sender).filter_map(name).collect();
            let read =
                page.rows().filter(|(_, row)| row.contains(position)).filter_map(|(slot, _)| name(slot));
            let sent_to = if stored.audience_asked {
                Audience::Users(audience.iter().cloned().collect())
            } else {
                Audience::Roster
            };
            let sent = Registration {
                message: stored.message_id(),
                sender,
                audience: sent_to,
                expires_in_s: stored.expires_in_s,
                expires_at: ExpiresAt { unix_s: stored.expires_at.unix_s },
                order: stored.order_asked.then_some(stored.order),
            };
            let (order, generation) = (stored.order, stored.generation);
            let message = Message { sent, read: read.collect(), audience, order, generation };
            self.messages.insert(order, message);
        }
    }
}

impl ModelStore {
    /// A store with all that a dump holds.
    pub fn restore(reader: &mut Reader<impl Read>) -> Result<Self, DumpError> {
        let mut state = State { generations: reader.head().generation_next, ..State::default() };
        let mut open: Option<(ConversationId, Conversation)> = None;
        while let Some(item) = reader.next()? {
            match (item, &mut open) {
                (Item::Hidden(users), _) => state.hidden.extend(users),
                (Item::Conversation { id, order_highest }, _) => {
                    let begun = Conversation { order_highest, ..Conversation::default() };
                    state.conversations.extend(open.replace((id, begun)));
                }
                (Item::Names(names), Some((_, conversation))) => conversation.known.extend(names),
                (Item::Roster { version, members }, Some((_, conversation))) => {
                    let members =
                        members.iter().filter_map(|slot| conversation.known.get(slot.index()).cloned());
                    conversation.members = Some((version, members.flatten().collect()));
                }
                (Item::Run(page), Some((_, conversation))) => conversation.restore_run(&page),
                (Item::Names(_) | Item::Roster { .. } | Item::Run(_), None) => {
                    unreachable!("invariant: a reader checks what follows what")
                }
            }
        }
        state.conversations.extend(open);
        Ok(Self { state: state.into(), ..Self::default() })
    }
}
