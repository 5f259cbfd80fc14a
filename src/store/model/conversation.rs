//! One conversation, in sets of names.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::{
    domain::{
        Audience, ExpiresAt, Generation, MessageId, MessageIdRef, Order, Receipts, Refusal, RegisterOutcome,
        Registered, Registration, Role, RosterChange, Slot, Timestamp, UserId, Viewer, Visibility,
        next_order,
    },
    store::{Mark, Marked, Read},
};

#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// Everybody it ever heard of, by slot; nobody where a user was deleted.
    pub(super) known: Vec<Option<UserId>>,
    pub(super) members: Option<(u64, BTreeSet<UserId>)>,
    pub(super) order_highest: Option<Order>,
    pub(super) messages: BTreeMap<Order, Message>,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) sent: Registration,
    pub(super) audience: BTreeSet<UserId>,
    pub(super) read: BTreeSet<UserId>,
    pub(super) order: Order,
    pub(super) generation: Generation,
}

/// Users whose receipts are off.
pub(super) type Hidden = BTreeSet<UserId>;

impl Message {
    pub(super) fn receipts(&self, hidden: &Hidden) -> Receipts {
        let count = |users: &BTreeSet<UserId>| u32::try_from(users.len()).expect("invariant: fits");
        let who: Vec<_> = self.audience.intersection(hidden).collect();
        let mut hasher = DefaultHasher::new();
        who.hash(&mut hasher);
        Receipts {
            generation: self.generation,
            read: count(&(&self.read - hidden)),
            of: count(&(&self.audience - hidden)),
            marks: count(&self.read),
            hidden: if who.is_empty() { 0 } else { hasher.finish() },
        }
    }

    pub(super) fn registered(&self, hidden: &Hidden) -> Registered {
        Registered { of: self.receipts(hidden).of, order: self.order, expires_at: self.expires_at() }
    }

    /// Whether it exists for one who marks.
    fn concerns(&self, reader: &UserId, by: Role) -> bool {
        by == Role::App || self.sent.sender == *reader || self.audience.contains(reader)
    }

    pub(super) fn is_seen_by(&self, viewer: &Viewer) -> bool {
        match viewer {
            Viewer::App => true,
            Viewer::User { user, sees } => {
                self.sent.sender == *user || *sees == Visibility::Audience && self.audience.contains(user)
            }
        }
    }

    pub(super) fn expires_at(&self) -> ExpiresAt {
        self.sent.expires_at
    }
}

impl Conversation {
    pub(super) fn know(&mut self, user: &UserId) {
        if !self.known.iter().flatten().any(|known| known == user) {
            self.known.push(Some(user.clone()));
        }
    }

    pub(super) fn slot(&self, user: &UserId) -> Slot {
        let at =
            self.known.iter().position(|known| known.as_ref() == Some(user)).expect("invariant: is known");
        Slot(u32::try_from(at).expect("invariant: fits"))
    }

    /// Some users of this conversation in slot order, cut to a part.
    pub(super) fn part(
        &self,
        users: &BTreeSet<UserId>,
        after: Option<Slot>,
        limit: usize,
    ) -> (Vec<UserId>, Option<Slot>) {
        let all: Vec<_> = self.known.iter().flatten().filter(|user| users.contains(*user)).cloned().collect();
        let mut rest: Vec<_> =
            all.into_iter().filter(|user| after.is_none_or(|after| self.slot(user) > after)).collect();
        let more = rest.len() > limit;
        rest.truncate(limit);
        let next = if more { rest.last().map(|user| self.slot(user)) } else { None };
        (rest, next)
    }

    pub(super) fn live(&self, now: Timestamp) -> impl Iterator<Item = &Message> {
        self.messages.values().filter(move |message| !message.expires_at().has_come(now))
    }

    pub(super) fn find(&self, id: MessageIdRef<'_>, now: Timestamp) -> Option<&Message> {
        self.live(now).find(|message| message.sent.message.as_str() == id.as_str())
    }

    pub(super) fn find_mut(&mut self, id: &MessageId, now: Timestamp) -> Option<&mut Message> {
        let order = self.find(id.borrowed(), now)?.order;
        self.messages.get_mut(&order)
    }

    pub(super) fn set_members(&mut self, members: BTreeSet<UserId>) -> RosterChange {
        let version = match &self.members {
            Some((version, before)) if *before == members => *version,
            Some((version, _)) => version + 1,
            None => 1,
        };
        let change = RosterChange::Now { members: members.len(), version };
        self.members = Some((version, members));
        change
    }

    pub(super) fn register(
        &mut self,
        sent: Registration,
        generation: Generation,
        hidden: &Hidden,
        now: Timestamp,
    ) -> RegisterOutcome {
        let set = |users: &[UserId]| {
            users.iter().filter(|user| **user != sent.sender).cloned().collect::<BTreeSet<_>>()
        };
        if let Some(before) = self.find(sent.message.borrowed(), now) {
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
                RegisterOutcome::Same(before.registered(hidden))
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
        let registered = message.registered(hidden);
        self.messages.insert(order, message);
        RegisterOutcome::New(registered)
    }

    pub(super) fn mark(&mut self, mark: Mark, hidden: &Hidden, now: Timestamp) -> Marked {
        let Mark { reader, read, by, .. } = mark;
        let reader = &reader;
        let mut marked = Marked::default();
        let (ids, named) = match read {
            Read::Messages(ids) => (ids, true),
            Read::UpTo(id) => {
                match self.find(id.borrowed(), now).filter(|message| message.concerns(reader, by)) {
                    Some(&Message { order, .. }) => (self.sent_to(reader, order, now), false),
                    None => (vec![id], true),
                }
            }
            Read::UpToOrder(order) => (self.sent_to(reader, order, now), false),
        };
        let mut seen = BTreeSet::new();
        let not_asked = if by == Role::App { Refusal::NotInAudience } else { Refusal::UnknownMessage };
        for id in ids {
            match self.find_mut(&id, now) {
                None => marked.refused.push((id, Refusal::UnknownMessage)),
                Some(message) if !message.audience.contains(reader) => {
                    assert!(named, "invariant: a range holds only messages that were sent to the reader");
                    marked.refused.push((id, not_asked));
                }
                Some(message) => {
                    let new = !message.read.contains(reader);
                    // What is not kept is no less marked if it is named twice.
                    if !hidden.contains(reader) {
                        message.read.insert(reader.clone());
                    }
                    *if new && seen.insert(id) { &mut marked.marked } else { &mut marked.already } += 1;
                }
            }
        }
        marked
    }

    /// Forgets all about a user.
    pub(super) fn forget_user(&mut self, user: &UserId) {
        self.known.iter_mut().filter(|known| known.as_ref() == Some(user)).for_each(|known| *known = None);
        self.messages.retain(|_, message| message.sent.sender != *user);
        for message in self.messages.values_mut() {
            if let Audience::Users(users) = &mut message.sent.audience {
                users.retain(|known| known != user);
            }
            message.audience.remove(user);
            message.read.remove(user);
        }
        if let Some((version, members)) = &mut self.members
            && members.remove(user)
        {
            *version += 1;
        }
    }

    pub(super) fn sent_to(&self, reader: &UserId, up_to: Order, now: Timestamp) -> Vec<MessageId> {
        let sent =
            self.live(now).filter(|message| message.order <= up_to && message.audience.contains(reader));
        sent.map(|message| message.sent.message.clone()).collect()
    }
}
