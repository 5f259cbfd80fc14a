//! What may follow what in a dump, and what must hold of it: so that whoever restores it may trust each piece.

use std::collections::HashSet;

use super::{COUNT_MAX, Head, Item, NAMES_MAX, bytes::Bytes, run::read_run};
use crate::domain::{ConversationId, MessageId, ORDER_MAX, Order, Page, UserId};

/// Where in a dump a reader is.
#[derive(Debug)]
pub(super) struct Grammar {
    head: Head,
    conversations: u64,
    messages: u64,
    hidden_last: Option<UserId>,
    conversation: Option<Open>,
}

/// The conversation that is being read.
#[derive(Debug)]
struct Open {
    id: ConversationId,
    order_highest: Option<Order>,
    names: HashSet<UserId>,
    slots: u32,
    has_roster: bool,
    messages: HashSet<MessageId>,
    order_last: Option<Order>,
}

const MISPLACED: &str = "a block is out of its place";

impl Grammar {
    pub(super) fn new(head: Head) -> Self {
        Self { head, conversations: 0, messages: 0, hidden_last: None, conversation: None }
    }

    /// Takes a block; none for the one that ends the dump. Fails with what is wrong with it.
    pub(super) fn take(&mut self, kind: u8, payload: &[u8]) -> Result<Option<Item>, &'static str> {
        let mut bytes = Bytes(payload);
        let item = match (kind, &mut self.conversation) {
            (b'H', None) => self.hidden(&mut bytes)?,
            (b'C', _) => self.begin(&mut bytes)?,
            (b'N', Some(open)) => open.name(&mut bytes)?,
            (b'R', Some(open)) => open.roster(&mut bytes)?,
            (b'M', Some(open)) => {
                let page = open.run(&mut bytes, self.head.generation_next)?;
                self.messages += page.outline().held().len() as u64;
                Item::Run(page)
            }
            (b'E', _) => return self.end(&mut bytes).map(|()| None),
            (b'H' | b'N' | b'R' | b'M', _) => return Err(MISPLACED),
            _ => return Err("a block is of no known kind"),
        };
        if bytes.is_empty() { Ok(Some(item)) } else { Err("a block is longer than what is in it") }
    }

    fn hidden(&mut self, bytes: &mut Bytes<'_>) -> Result<Item, &'static str> {
        let mut users = Vec::new();
        for _ in
            0..bytes.count().filter(|count| *count <= NAMES_MAX).ok_or("a list of users does not read")?
        {
            let user =
                bytes.text().and_then(|text| UserId::new(text).ok()).ok_or("a user's name is no id")?;
            if self.hidden_last.as_ref() >= Some(&user) {
                return Err("users whose receipts are off are out of order");
            }
            self.hidden_last = Some(user.clone());
            users.push(user);
        }
        Ok(Item::Hidden(users))
    }

    fn begin(&mut self, bytes: &mut Bytes<'_>) -> Result<Item, &'static str> {
        let id = bytes.text().and_then(|text| ConversationId::new(text).ok());
        let id = id.ok_or("a conversation's name is no id")?;
        if self.conversation.as_ref().is_some_and(|before| before.id >= id) {
            return Err("conversations are out of order");
        }
        let order_highest = bytes.option().ok_or("an order does not read")?.map(Order);
        if order_highest > Some(ORDER_MAX) {
            return Err("an order is above the highest there is");
        }
        self.conversations += 1;
        self.conversation = Some(Open {
            id: id.clone(),
            order_highest,
            names: HashSet::new(),
            slots: 0,
            has_roster: false,
            messages: HashSet::new(),
            order_last: None,
        });
        Ok(Item::Conversation { id, order_highest })
    }

    fn end(&mut self, bytes: &mut Bytes<'_>) -> Result<(), &'static str> {
        let said = (bytes.number(), bytes.number());
        if said == (Some(self.conversations), Some(self.messages)) && bytes.is_empty() {
            Ok(())
        } else {
            Err("it has not as many conversations and messages as it says")
        }
    }
}

impl Open {
    fn name(&mut self, bytes: &mut Bytes<'_>) -> Result<Item, &'static str> {
        if self.has_roster || !self.messages.is_empty() {
            return Err(MISPLACED);
        }
        let count =
            bytes.count().filter(|count| *count <= NAMES_MAX).ok_or("a list of users does not read")?;
        let mut names = Vec::with_capacity(count);
        for _ in 0..count {
            let text = bytes.text().ok_or("a user's name does not read")?;
            let name = if text.is_empty() {
                None
            } else {
                Some(UserId::new(text).map_err(|_| "a user's name is no id")?)
            };
            if name.as_ref().is_some_and(|name| !self.names.insert(name.clone())) {
                return Err("a user has two slots");
            }
            self.slots = self.slots.checked_add(1).ok_or("there are more slots than numbers")?;
            names.push(name);
        }
        Ok(Item::Names(names))
    }

    fn roster(&mut self, bytes: &mut Bytes<'_>) -> Result<Item, &'static str> {
        if self.has_roster || !self.messages.is_empty() {
            return Err(MISPLACED);
        }
        self.has_roster = true;
        let version = bytes.number().filter(|version| (1..=COUNT_MAX).contains(version));
        let version = version.ok_or("a roster has no version, or one that none comes to")?;
        let members = bytes.set(self.slots).ok_or("the members of a roster do not read")?;
        Ok(Item::Roster { version, members })
    }

    fn run(&mut self, bytes: &mut Bytes<'_>, generation_next: u64) -> Result<Page, &'static str> {
        let page = read_run(bytes, self.slots)?;
        for (_, message) in page.messages() {
            if self.order_last >= Some(message.order) || self.order_highest < Some(message.order) {
                return Err("messages are out of order");
            }
            if message.generation.0 >= generation_next {
                return Err("a message is of a generation that is still to come");
            }
            if !self.messages.insert(message.message_id()) {
                return Err("a message is there twice");
            }
            self.order_last = Some(message.order);
        }
        Ok(page)
    }
}
