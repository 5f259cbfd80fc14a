//! The model engine: the contract in its most obvious form, for tests to judge the other engines by.
//!
//! Everything is a map or a set of names under one lock; nothing is shared with the other engines but the
//! domain's plain types. It keeps nothing, so a restart loses all: whoever compares it with an engine that was
//! restarted just goes on with the same model.

mod conversation;
mod dump;

use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Mutex, MutexGuard, PoisonError},
};

use self::conversation::{Conversation, Hidden, Message};
use super::{
    Answer, Changes, Half, Mark, Marked, MessageReceipts, ReadersPart, ReadersWanted, RosterPart, Store,
    StoreError, Unread, Vitals, changes::Watchers, dump::Export,
};
use crate::domain::{
    ConversationId, Generation, MessageId, MessageIdRef, Order, Receipts, RegisterOutcome, Registration,
    RosterChange, Slot, Timestamp, UserId, Viewer,
};

/// An engine that is easy to believe in.
#[derive(Debug, Default)]
pub struct ModelStore {
    state: Mutex<State>,
    watchers: Watchers,
}

#[derive(Debug, Default)]
struct State {
    conversations: BTreeMap<ConversationId, Conversation>,
    hidden: Hidden,
    generations: u64,
    closed: bool,
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
        drop(state);
        self.watchers.tell_all();
        Box::pin(ready(answer))
    }
}

fn shown(message: &Message, hidden: &Hidden) -> MessageReceipts {
    MessageReceipts {
        message: message.sent.message.clone(),
        sender: message.sent.sender.clone(),
        order: message.order,
        expires_at: message.expires_at(),
        receipts: message.receipts(hidden),
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
                outcomes.push(conversation.register(registration, generation, &state.hidden, now));
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
        self.read(|state| {
            state
                .conversations
                .get(conversation)?
                .find(message.borrowed(), now)
                .map(|message| shown(message, &state.hidden))
        })
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
            let mut messages: Vec<_> = rest.map(|message| shown(message, &state.hidden)).collect();
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
                && let Some(order) = conversation.find(message.borrowed(), now).map(|message| message.order)
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
                Some(conversation) => conversation.mark(mark, &state.hidden, now),
                None => Conversation::default().mark(mark, &state.hidden, now),
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
        messages: &'a [MessageIdRef<'a>],
        viewer: &'a Viewer,
        now: Timestamp,
    ) -> Answer<'a, Vec<Option<Receipts>>> {
        self.read(|state| {
            let known = state.conversations.get(conversation);
            let find =
                |id: &MessageIdRef<'_>| known?.find(*id, now).filter(|message| message.is_seen_by(viewer));
            messages.iter().map(|id| find(id).map(|message| message.receipts(&state.hidden))).collect()
        })
    }

    fn changes(&self, conversation: &ConversationId) -> Changes {
        self.watchers.watch(conversation)
    }

    fn readers<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        viewer: &'a Viewer,
        wanted: ReadersWanted,
        now: Timestamp,
    ) -> Answer<'a, Option<ReadersPart>> {
        self.read(|state| {
            let conversation = state.conversations.get(conversation)?;
            let message =
                conversation.find(message.borrowed(), now).filter(|message| message.is_seen_by(viewer))?;
            let users = match wanted.half {
                Half::Read => &message.read - &state.hidden,
                Half::Unread => &(&message.audience - &message.read) - &state.hidden,
            };
            let (users, next) = conversation.part(&users, wanted.after, wanted.limit);
            Some(ReadersPart { receipts: message.receipts(&state.hidden), users, next })
        })
    }

    fn set_hidden(&self, user: UserId, is_hidden: bool) -> Answer<'_, ()> {
        self.write(|state| {
            if is_hidden {
                state.hidden.insert(user);
            } else {
                state.hidden.remove(&user);
            }
        })
    }

    fn is_hidden<'a>(&'a self, user: &'a UserId) -> Answer<'a, bool> {
        self.read(|state| state.hidden.contains(user))
    }

    fn forget_user(&self, user: UserId) -> Answer<'_, ()> {
        self.write(|state| {
            state.hidden.remove(&user);
            state.conversations.values_mut().for_each(|conversation| conversation.forget_user(&user));
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

    fn export(&self, only: Option<ConversationId>) -> Answer<'_, Box<dyn Export>> {
        self.read(|state| state.export(only.as_ref()))
    }

    fn vitals(&self) -> Vitals {
        let state = self.state();
        Vitals {
            can_commit: !state.closed,
            conversations: state.conversations.len() as u64,
            messages: state.conversations.values().map(|known| known.messages.len() as u64).sum(),
            expires_first: (state.conversations.values())
                .flat_map(|known| known.messages.values().map(conversation::Message::expires_at))
                .min(),
            ..Vitals::default()
        }
    }

    fn close(&self) -> Answer<'_, ()> {
        self.state().closed = true;
        Box::pin(ready(Ok(())))
    }
}
