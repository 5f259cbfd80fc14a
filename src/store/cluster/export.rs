//! Export: each conversation as of one instant, though not all of the same one.
//!
//! What came after a conversation's head was read is not in it, but that marks, resets and deletions between two of its pages may
//! show in the later ones.

use std::{collections::HashMap, mem, sync::Arc, vec};

use redis::Value;
use tokio::runtime::Handle;

use super::{
    engine::ClusterStore,
    index::{Entry, Walk, together},
    link::Link,
    messages::after_order,
    reply::{array, bytes, id, int, number, text},
    script,
    state::{self, Stored},
};
use crate::{
    domain::{ConversationId, Generation, MessageId, Order, PAGE_MESSAGES_MAX, Page, SlotSet, UserId},
    store::{
        StoreError,
        dump::{Export, Head, Item, NAMES_MAX},
    },
};

/// How far generations may come while an export is under way: they follow the clock in microseconds, and this is a day.
const GENERATIONS_AHEAD: u64 = 86_400_000_000;

struct Exported {
    link: Arc<Link>,
    runtime: Handle,
    head: Head,
    stage: Stage,
    hidden: vec::IntoIter<UserId>,
    /// The conversation that was begun last.
    last: Option<ConversationId>,
    conversations: Conversations,
}

/// Which conversations are still to come.
enum Conversations {
    All(Walk, vec::IntoIter<Entry>),
    One(Option<Entry>),
}

/// What comes next.
enum Stage {
    Hidden,
    Conversation,
    Names(Box<Then>, u32),
    Roster(Box<Then>),
    /// The messages behind this order.
    Run(Box<Then>, String),
}

/// A conversation as of the instant when its head was read.
struct Then {
    entry: Entry,
    slots: u32,
    order_highest: Option<Order>,
    roster: Option<(u64, SlotSet)>,
    /// Slots whose user was deleted.
    nobody: SlotSet,
}

impl ClusterStore {
    pub(super) async fn export_all(
        &self,
        only: Option<ConversationId>,
    ) -> Result<Box<dyn Export>, StoreError> {
        let conversations = match only {
            None => Conversations::All(Walk::default(), Vec::new().into_iter()),
            Some(only) => Conversations::One(self.link.life_of(&only).await?),
        };
        let hidden = self.link.all_hidden().await?.into_iter();
        let head = self.export_head(&conversations).await?;
        let (link, runtime) = (self.link.clone(), Handle::current());
        Ok(Box::new(Exported {
            link,
            runtime,
            head,
            stage: Stage::Hidden,
            hidden,
            last: None,
            conversations,
        }))
    }

    async fn export_head(&self, wanted: &Conversations) -> Result<Head, StoreError> {
        let (mut conversations, mut messages) = (0, 0);
        match wanted {
            Conversations::One(entry) => {
                if let Some(entry) = entry {
                    (conversations, messages) = (1, self.link.messages_held(entry).await?);
                }
            }
            Conversations::All(..) => {
                let mut walk = Walk::default();
                while let Some(entries) = walk.next(&self.link).await? {
                    let held = together(entries.iter().map(|entry| self.link.messages_held(entry)).collect())
                        .await?;
                    conversations += entries.len() as u64;
                    messages += held.into_iter().sum::<u64>();
                }
            }
        }
        let key = self.link.keys.deployment();
        let mut get = redis::cmd("HGET");
        get.arg(&key).arg("generation");
        let next = number(&self.link.read(&key, get).await?).unwrap_or(1);
        Ok(Head { generation_next: next.saturating_add(GENERATIONS_AHEAD), conversations, messages })
    }
}

impl Link {
    /// The life that a conversation leads, if it does.
    async fn life_of(&self, id: &ConversationId) -> Result<Option<Entry>, StoreError> {
        let head = self.keys.head(id);
        let mut get = redis::cmd("HGET");
        get.arg(&head).arg("i");
        Ok(text(&self.read(&head, get).await?).map(|life| Entry { id: id.clone(), life }))
    }

    /// All users whose receipts are off, in the order of their names.
    pub(super) async fn all_hidden(&self) -> Result<Vec<UserId>, StoreError> {
        let key = self.keys.hidden();
        let (mut cursor, mut hidden) = ("0".to_owned(), Vec::new());
        loop {
            let mut scan = redis::cmd("SSCAN");
            scan.arg(&key).arg(&cursor).arg("COUNT").arg(NAMES_MAX);
            let answer = self.read(&key, scan).await?;
            let (next, users) = Self::expect(&answer, |answer| {
                let [next, users] = array(answer)? else { return None };
                Some((text(next)?, super::rosters::users(array(users)?)?))
            })?;
            hidden.extend(users);
            if next == "0" {
                break;
            }
            cursor = next;
        }
        hidden.sort();
        hidden.dedup();
        Ok(hidden)
    }

    async fn messages_held(&self, entry: &Entry) -> Result<u64, StoreError> {
        let head = self.keys.head(&entry.id);
        let mut count = redis::cmd("ZCARD");
        count.arg(format!("{head}{}o", entry.life));
        let answer = self.read(&head, count).await?;
        Self::expect(&answer, number)
    }
}

impl Exported {
    async fn step(&mut self) -> Result<Option<Item>, StoreError> {
        loop {
            match mem::replace(&mut self.stage, Stage::Conversation) {
                Stage::Hidden => {
                    let users: Vec<_> = self.hidden.by_ref().take(NAMES_MAX).collect();
                    if !users.is_empty() {
                        self.stage = Stage::Hidden;
                        return Ok(Some(Item::Hidden(users)));
                    }
                }
                Stage::Conversation => {
                    let Some(entry) = self.conversations.next(&self.link).await? else { return Ok(None) };
                    // One that was forgotten and begun anew on the way may have been handed over already.
                    if self.last.as_ref() >= Some(&entry.id) {
                        continue;
                    }
                    let Some(then) = self.begin(entry).await? else { continue };
                    self.last = Some(then.entry.id.clone());
                    let (id, order_highest) = (then.entry.id.clone(), then.order_highest);
                    self.stage = Stage::Names(Box::new(then), 0);
                    return Ok(Some(Item::Conversation { id, order_highest }));
                }
                Stage::Names(mut then, from) if from < then.slots => {
                    let names = self.names(&mut then, from).await?;
                    let next = from + u32::try_from(names.len()).expect("invariant: a part of the slots");
                    self.stage = Stage::Names(then, next);
                    return Ok(Some(Item::Names(names)));
                }
                Stage::Names(then, _) => self.stage = Stage::Roster(then),
                Stage::Roster(mut then) => {
                    let mut roster = then.roster.take();
                    // Who was deleted since the head was read has no name to be a member by.
                    roster.iter_mut().for_each(|(_, members)| members.remove_all(&then.nobody));
                    self.stage = Stage::Run(then, after_order(None));
                    if let Some((version, members)) = roster {
                        return Ok(Some(Item::Roster { version, members }));
                    }
                }
                Stage::Run(then, after) if after.is_empty() => drop(then),
                Stage::Run(then, after) => {
                    let (page, next) = self.run(&then, &after).await?;
                    self.stage = Stage::Run(then, next);
                    if !page.is_empty() {
                        return Ok(Some(Item::Run(page)));
                    }
                }
            }
        }
    }

    async fn begin(&self, entry: Entry) -> Result<Option<Then>, StoreError> {
        let head = self.link.keys.head(&entry.id);
        let mut command = script::EXPORT_HEAD.on(&head);
        command.arg(&entry.life);
        let answer = self.link.read(&head, command).await?;
        if answer == Value::Nil {
            return Ok(None);
        }
        let then = Link::expect(&answer, |answer| {
            let [slots, order, version, roster] = array(answer)? else { return None };
            let version = number(version);
            Some(Then {
                entry,
                slots: u32::try_from(int(slots)?).ok()?,
                order_highest: number(order).map(Order),
                roster: version.zip(bytes(roster).map(state::slots)),
                nobody: SlotSet::default(),
            })
        })?;
        Ok(Some(then))
    }

    async fn names(&self, then: &mut Then, from: u32) -> Result<Vec<Option<UserId>>, StoreError> {
        let head = self.link.keys.head(&then.entry.id);
        let most = u32::try_from(NAMES_MAX).expect("invariant: a thousand");
        let mut command = script::EXPORT_NAMES.on(&head);
        command.arg(&then.entry.life).arg(from).arg(most.min(then.slots - from));
        let answer = self.link.read(&head, command).await?;
        let names = Link::expect(&answer, array)?;
        let name = |value: &Value| id(value, |text| UserId::new(text).ok());
        let names: Vec<_> = names.iter().map(name).collect();
        for (slot, name) in (from..).zip(&names) {
            if name.is_none() {
                then.nobody.insert(crate::domain::Slot(slot));
            }
        }
        Ok(names)
    }

    async fn run(&self, then: &Then, after: &str) -> Result<(Page, String), StoreError> {
        let Some(highest) = then.order_highest else { return Ok((Page::default(), String::new())) };
        let head = self.link.keys.head(&then.entry.id);
        let mut command = script::EXPORT_RUN.on(&head);
        command.arg(&then.entry.life).arg(after).arg(highest.0).arg(PAGE_MESSAGES_MAX);
        let answer = self.link.read(&head, command).await?;
        let ahead = Generation(self.head.generation_next);
        Link::expect(&answer, |answer| page(then, ahead, answer))
    }
}

fn page(then: &Then, ahead: Generation, answer: &Value) -> Option<(Page, String)> {
    let [next, messages, audiences] = array(answer)? else { return None };
    let (audiences, []) = array(audiences)?.as_chunks::<2>() else { return None };
    let mut named = HashMap::new();
    for [name, bits] in audiences {
        named.insert(bytes(name)?, Arc::new(state::slots(bytes(bits)?)));
    }
    let (messages, []) = array(messages)?.as_chunks::<2>() else { return None };
    let mut page = Page::default();
    for [name, raw] in messages {
        let Stored { message, audience, read } =
            Stored::read(id(name, |text| MessageId::new(text).ok())?, bytes(raw)?)?;
        // What a user sent who is being deleted goes with the user.
        if then.nobody.contains(message.sender) || message.generation >= ahead {
            continue;
        }
        let audience = named.get(&audience[..])?;
        let position = page.next_position();
        page.put(position, &message, audience.clone());
        for slot in read.common(audience) {
            page.mark(slot, position.only());
        }
    }
    Some((page, text(next)?))
}

impl Conversations {
    async fn next(&mut self, link: &Link) -> Result<Option<Entry>, StoreError> {
        match self {
            Self::One(entry) => Ok(entry.take()),
            Self::All(walk, part) => loop {
                if let Some(entry) = part.next() {
                    return Ok(Some(entry));
                }
                let Some(entries) = walk.next(link).await? else { return Ok(None) };
                *part = entries.into_iter();
            },
        }
    }
}

impl Export for Exported {
    fn head(&self) -> Head {
        self.head
    }

    /// Waits for the cluster: for a thread that is none of a runtime's, or is told apart by `block_in_place`.
    fn next(&mut self) -> Result<Option<Item>, StoreError> {
        let runtime = self.runtime.clone();
        runtime.block_on(self.step())
    }
}
