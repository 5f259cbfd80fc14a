//! The model engine: the contract in its most obvious form, for tests to judge the other engines by.
//!
//! Everything is a map or a set of names under one lock; nothing is shared with the other engines but the
//! domain's plain types. It keeps nothing, so a restart loses all: whoever compares it with an engine that was
//! restarted just goes on with the same model.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::ready,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    Answer, Half, Mark, Marked, MessageReceipts, Read, ReadersPart, RosterPart, Store, StoreError, Unread,
    Vitals,
};
use crate::domain::{
    Audience, ConversationId, ExpiresAt, Generation, MessageId, Order, Receipts, Refusal, RegisterOutcome,
    Registered, Registration, RosterChange, Slot, Timestamp, UserId, next_order,
};

/// An engine that is easy to believe in.
#[derive(Debug, Default)]
pub struct ModelStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    conversations: BTreeMap<ConversationId, Conversation>,
    generations: u64,
    closed: bool,
}

#[derive(Debug, Default)]
struct Conversation {
    /// Everybody it ever heard of, by slot.
    known: Vec<UserId>,
    members: Option<(u64, BTreeSet<UserId>)>,
    order_highest: Option<Order>,
    messages: BTreeMap<Order, Message>,
}

#[derive(Debug)]
struct Message {
    sent: Registration,
    audience: BTreeSet<UserId>,
    read: BTreeSet<UserId>,
    order: Order,
    generation: Generation,
}

impl Message {
    fn receipts(&self) -> Receipts {
        let count = |users: &BTreeSet<UserId>| u32::try_from(users.len()).expect("invariant: fits");
        Receipts { generation: self.generation, read: count(&self.read), of: count(&self.audience) }
    }

    fn registered(&self) -> Registered {
        Registered { of: self.receipts().of, order: self.order, expires_at: self.expires_at() }
    }

    fn expires_at(&self) -> ExpiresAt {
        self.sent.expires_at
    }
}

impl Conversation {
    fn know(&mut self, user: &UserId) {
        if !self.known.contains(user) {
            self.known.push(user.clone());
        }
    }

    fn slot(&self, user: &UserId) -> Slot {
        let at = self.known.iter().position(|known| known == user).expect("invariant: is known");
        Slot(u32::try_from(at).expect("invariant: fits"))
    }

    /// Some users of this conversation in slot order, cut to a part.
    fn part(
        &self,
        users: &BTreeSet<UserId>,
        after: Option<Slot>,
        limit: usize,
    ) -> (Vec<UserId>, Option<Slot>) {
        let all: Vec<_> = self.known.iter().filter(|user| users.contains(*user)).cloned().collect();
        let mut rest: Vec<_> =
            all.into_iter().filter(|user| after.is_none_or(|after| self.slot(user) > after)).collect();
        let more = rest.len() > limit;
        rest.truncate(limit);
        let next = if more { rest.last().map(|user| self.slot(user)) } else { None };
        (rest, next)
    }

    fn live(&self, now: Timestamp) -> impl Iterator<Item = &Message> {
        self.messages.values().filter(move |message| !message.expires_at().has_come(now))
    }

    fn find(&self, id: &MessageId, now: Timestamp) -> Option<&Message> {
        self.live(now).find(|message| message.sent.message == *id)
    }

    fn find_mut(&mut self, id: &MessageId, now: Timestamp) -> Option<&mut Message> {
        let order = self.find(id, now)?.order;
        self.messages.get_mut(&order)
    }

    fn set_members(&mut self, members: BTreeSet<UserId>) -> RosterChange {
        let version = match &self.members {
            Some((version, before)) if *before == members => *version,
            Some((version, _)) => version + 1,
            None => 1,
        };
        let change = RosterChange::Now { members: members.len(), version };
        self.members = Some((version, members));
        change
    }

    fn register(&mut self, sent: Registration, generation: Generation, now: Timestamp) -> RegisterOutcome {
        let set = |users: &[UserId]| {
            users.iter().filter(|user| **user != sent.sender).cloned().collect::<BTreeSet<_>>()
        };
        if let Some(before) = self.find(&sent.message, now) {
            let audience = match (&before.sent.audience, &sent.audience) {
                (Audience::Roster, Audience::Roster) => true,
                (Audience::Users(before), Audience::Users(sent)) => set(before) == set(sent),
                _ => false,
            };
            let same = audience
                && before.sent.sender == sent.sender
                && before.sent.expires_in_s == sent.expires_in_s
                && before.sent.order == sent.order;
            return if same {
                RegisterOutcome::Same(before.registered())
            } else {
                RegisterOutcome::Refused(Refusal::MessageDiffers)
            };
        }
        let audience = match (&sent.audience, &self.members) {
            (Audience::Users(users), _) => set(users),
            (Audience::Roster, Some((_, members))) => {
                members.iter().filter(|member| **member != sent.sender).cloned().collect()
            }
            (Audience::Roster, None) => return RegisterOutcome::Refused(Refusal::NoAudience),
        };
        let Some(order) = next_order(self.order_highest, sent.order) else {
            return RegisterOutcome::Refused(Refusal::OrderPassed);
        };
        self.know(&sent.sender);
        if let Audience::Users(users) = &sent.audience {
            users.iter().for_each(|user| self.know(user));
        }
        self.order_highest = Some(order);
        // One that expired and that no sweep has met yet: its id is another's now.
        self.messages.retain(|_, message| message.sent.message != sent.message);
        let message = Message { sent, audience, read: BTreeSet::new(), order, generation };
        let registered = message.registered();
        self.messages.insert(order, message);
        RegisterOutcome::New(registered)
    }

    fn mark(&mut self, reader: &UserId, read: Read, now: Timestamp) -> Marked {
        let mut marked = Marked::default();
        let (ids, named) = match read {
            Read::Messages(ids) => (ids, true),
            Read::UpTo(id) => match self.find(&id, now).map(|message| message.order) {
                Some(order) => (self.sent_to(reader, order, now), false),
                None => (vec![id], true),
            },
            Read::UpToOrder(order) => (self.sent_to(reader, order, now), false),
        };
        for id in ids {
            match self.find_mut(&id, now) {
                None => marked.refused.push((id, Refusal::UnknownMessage)),
                Some(message) if !message.audience.contains(reader) => {
                    assert!(named, "invariant: a range holds only messages that were sent to the reader");
                    marked.refused.push((id, Refusal::NotInAudience));
                }
                Some(message) => {
                    let new = message.read.insert(reader.clone());
                    *if new { &mut marked.marked } else { &mut marked.already } += 1;
                }
            }
        }
        marked
    }

    fn sent_to(&self, reader: &UserId, up_to: Order, now: Timestamp) -> Vec<MessageId> {
        let sent =
            self.live(now).filter(|message| message.order <= up_to && message.audience.contains(reader));
        sent.map(|message| message.sent.message.clone()).collect()
    }
}

impl ModelStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T: Send + 'static>(&self, read: impl FnOnce(&State) -> T) -> Answer<'static, T> {
        Box::pin(ready(Ok(read(&self.state()))))
    }

    fn write<T: Send + 'static>(&self, write: impl FnOnce(&mut State) -> T) -> Answer<'static, T> {
        let mut state = self.state();
        let answer = if state.closed { Err(StoreError::Closed) } else { Ok(write(&mut state)) };
        Box::pin(ready(answer))
    }
}

fn shown(message: &Message) -> MessageReceipts {
    MessageReceipts {
        message: message.sent.message.clone(),
        sender: message.sent.sender.clone(),
        order: message.order,
        expires_at: message.expires_at(),
        receipts: message.receipts(),
    }
}

impl Store for ModelStore {
    fn replace_roster(&self, conversation: ConversationId, members: Vec<UserId>) -> Answer<'_, RosterChange> {
        self.write(|state| {
            let conversation = state.conversations.entry(conversation).or_default();
            members.iter().for_each(|member| conversation.know(member));
            conversation.set_members(members.into_iter().collect())
        })
    }

    fn change_roster(
        &self,
        conversation: ConversationId,
        add: Vec<UserId>,
        remove: Vec<UserId>,
        members_max: usize,
    ) -> Answer<'_, RosterChange> {
        self.write(|state| {
            let before = state.conversations.get(&conversation).and_then(|known| known.members.as_ref());
            let mut members = before.map(|(_, members)| members.clone()).unwrap_or_default();
            members.extend(add.iter().cloned());
            members.retain(|member| !remove.contains(member));
            if members.len() > members_max {
                return RosterChange::TooManyMembers;
            }
            let conversation = state.conversations.entry(conversation).or_default();
            add.iter().for_each(|member| conversation.know(member));
            conversation.set_members(members)
        })
    }

    fn roster<'a>(
        &'a self,
        conversation: &'a ConversationId,
        after: Option<Slot>,
        limit: usize,
    ) -> Answer<'a, Option<RosterPart>> {
        self.read(|state| {
            let conversation = state.conversations.get(conversation)?;
            let (version, members) = conversation.members.as_ref()?;
            let (members, next) = conversation.part(members, after, limit);
            Some(RosterPart { version: *version, members, next })
        })
    }

    fn conversations<'a>(
        &'a self,
        after: Option<&'a ConversationId>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, (Vec<ConversationId>, bool)> {
        self.read(|state| {
            let shown = state.conversations.iter().filter(|(id, conversation)| {
                after.is_none_or(|after| *id > after)
                    && (conversation.members.is_some() || conversation.live(now).next().is_some())
            });
            let mut ids: Vec<_> = shown.map(|(id, _)| id.clone()).collect();
            let more = ids.len() > limit;
            ids.truncate(limit);
            (ids, more)
        })
    }

    fn forget_conversation(&self, conversation: ConversationId) -> Answer<'_, ()> {
        self.write(|state| {
            state.conversations.remove(&conversation);
        })
    }

    fn register(
        &self,
        conversation: ConversationId,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Answer<'_, Vec<RegisterOutcome>> {
        self.write(|state| {
            let mut outcomes = Vec::new();
            for registration in registrations {
                state.generations += 1;
                let generation = Generation(state.generations);
                let conversation = state.conversations.entry(conversation.clone()).or_default();
                outcomes.push(conversation.register(registration, generation, now));
            }
            outcomes
        })
    }

    fn message<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        now: Timestamp,
    ) -> Answer<'a, Option<MessageReceipts>> {
        self.read(|state| state.conversations.get(conversation)?.find(message, now).map(shown))
    }

    fn messages<'a>(
        &'a self,
        conversation: &'a ConversationId,
        after: Option<Order>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, (Vec<MessageReceipts>, bool)> {
        self.read(|state| {
            let live = state.conversations.get(conversation).into_iter().flat_map(|known| known.live(now));
            let rest = live.filter(|message| after.is_none_or(|after| message.order > after));
            let mut messages: Vec<_> = rest.map(shown).collect();
            let more = messages.len() > limit;
            messages.truncate(limit);
            (messages, more)
        })
    }

    fn forget_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, ()> {
        self.write(|state| {
            if let Some(conversation) = state.conversations.get_mut(&conversation)
                && let Some(order) = conversation.find(&message, now).map(|message| message.order)
            {
                conversation.messages.remove(&order);
            }
        })
    }

    fn reset_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        self.write(|state| {
            state.generations += 1;
            let conversation = state.conversations.get_mut(&conversation);
            let Some(message) = conversation.and_then(|known| known.find_mut(&message, now)) else {
                return false;
            };
            message.read.clear();
            message.generation = Generation(state.generations);
            true
        })
    }

    fn mark(&self, marks: Vec<Mark>, now: Timestamp) -> Answer<'_, Vec<Marked>> {
        self.write(|state| {
            let take = |mark: Mark| match state.conversations.get_mut(&mark.conversation) {
                Some(conversation) => conversation.mark(&mark.reader, mark.read, now),
                None => Conversation::default().mark(&mark.reader, mark.read, now),
            };
            marks.into_iter().map(take).collect()
        })
    }

    fn unread<'a>(
        &'a self,
        conversation: &'a ConversationId,
        reader: &'a UserId,
        now: Timestamp,
    ) -> Answer<'a, Unread> {
        self.read(|state| {
            let live = state.conversations.get(conversation).into_iter().flat_map(|known| known.live(now));
            let unread: Vec<_> = live
                .filter(|message| message.audience.contains(reader) && !message.read.contains(reader))
                .collect();
            Unread { unread: unread.len(), first: unread.first().map(|message| message.sent.message.clone()) }
        })
    }

    fn receipts<'a>(
        &'a self,
        conversation: &'a ConversationId,
        messages: &'a [MessageId],
        now: Timestamp,
    ) -> Answer<'a, Vec<Option<Receipts>>> {
        self.read(|state| {
            let known = state.conversations.get(conversation);
            let receipts = |id| known.and_then(|known| known.find(id, now)).map(Message::receipts);
            messages.iter().map(receipts).collect()
        })
    }

    fn readers<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        half: Half,
        after: Option<Slot>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, Option<ReadersPart>> {
        self.read(|state| {
            let conversation = state.conversations.get(conversation)?;
            let message = conversation.find(message, now)?;
            let users = match half {
                Half::Read => message.read.clone(),
                Half::Unread => message.audience.difference(&message.read).cloned().collect(),
            };
            let (users, next) = conversation.part(&users, after, limit);
            Some(ReadersPart { receipts: message.receipts(), users, next })
        })
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, usize> {
        self.write(|state| {
            let mut swept = 0;
            for conversation in state.conversations.values_mut() {
                let before = conversation.messages.len();
                conversation.messages.retain(|_, message| !message.expires_at().has_come(now));
                swept += before - conversation.messages.len();
            }
            swept
        })
    }

    fn vitals(&self) -> Vitals {
        let state = self.state();
        Vitals {
            can_commit: !state.closed,
            conversations: state.conversations.len() as u64,
            messages: state.conversations.values().map(|known| known.messages.len() as u64).sum(),
            ..Vitals::default()
        }
    }

    fn close(&self) -> Answer<'_, ()> {
        self.state().closed = true;
        Box::pin(ready(Ok(())))
    }
}
