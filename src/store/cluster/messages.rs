//! Messages: registered, shown, reset and forgotten.

use futures_util::future::join_all;
use redis::{Cmd, Value};

use super::{
    GRACE,
    engine::ClusterStore,
    index::says_list_first,
    link::Link,
    pulls::unix_s,
    reply::{array, bytes, id, int, number},
    rosters::{drop_doubles, users},
    script, state,
};
use crate::{
    domain::{
        Audience, ConversationId, ExpiresAt, MessageId, Order, Refusal, RegisterOutcome, Registered,
        Registration, Timestamp, UserId,
    },
    store::{MessageReceipts, StoreError},
};

impl ClusterStore {
    pub(super) async fn register_all(
        &self,
        conversation: ConversationId,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Result<Vec<RegisterOutcome>, StoreError> {
        let generations = self.generations(registrations.len() as u64, now).await?;
        let head = self.link.keys.head(&conversation);
        let all: Vec<_> = registrations.iter().zip(generations).collect();
        let mut answers = self.register_each(&conversation, &head, "", &all, now).await?;
        // From there on nothing was done, and what comes later may be about what comes before.
        if let Some(first) = answers.iter().position(says_list_first) {
            let life = self.list(&conversation).await?.life;
            answers.truncate(first);
            answers.extend(self.register_each(&conversation, &head, &life, &all[first..], now).await?);
        }
        let outcomes: Vec<_> =
            answers.iter().map(|answer| Link::expect(answer, outcome)).collect::<Result<_, _>>()?;
        let last = answers.iter().rev().find_map(|answer| array(answer)?.get(FRESH));
        let fresh = last.map_or(Ok(Vec::new()), |fresh| Link::expect(fresh, |fresh| users(array(fresh)?)))?;
        if fresh.is_empty() {
            return Ok(outcomes);
        }
        self.look_up(&conversation, &fresh).await?;
        // Those did not count yet.
        let again = self.register_each(&conversation, &head, "", &all, now).await?;
        Ok(outcomes.into_iter().zip(&again).map(|(was, again)| counted(was, outcome(again))).collect())
    }

    /// One after the other, on one way: they are polled in this order, and so sent in it.
    async fn register_each(
        &self,
        conversation: &ConversationId,
        head: &str,
        life: &str,
        registrations: &[(&Registration, u64)],
        now: Timestamp,
    ) -> Result<Vec<Value>, StoreError> {
        let command =
            |(sent, generation): &(&Registration, u64)| registration(head, life, sent, *generation, now);
        let writes = registrations.iter().map(command).map(|command| self.write(conversation, head, command));
        join_all(writes).await.into_iter().collect()
    }

    pub(super) async fn message_of(
        &self,
        conversation: &ConversationId,
        message: &MessageId,
        now: Timestamp,
    ) -> Result<Option<MessageReceipts>, StoreError> {
        let head = self.link.keys.head(conversation);
        let mut command = script::MESSAGES.on(&head);
        command.arg(unix_s(now)).arg("").arg(message.as_str());
        let answer = self.read_known(conversation, &head, command).await?;
        Link::expect(&answer, |answer| shown(answer).map(|mut shown| shown.pop()))
    }

    pub(super) async fn messages_of(
        &self,
        conversation: &ConversationId,
        after: Option<Order>,
        limit: usize,
        now: Timestamp,
    ) -> Result<(Vec<MessageReceipts>, bool), StoreError> {
        let head = self.link.keys.head(conversation);
        let mut command = script::MESSAGES.on(&head);
        command.arg(unix_s(now)).arg(after_order(after)).arg(limit + 1);
        let answer = self.read_known(conversation, &head, command).await?;
        let mut messages = Link::expect(&answer, shown)?;
        let more = messages.len() > limit;
        messages.truncate(limit);
        Ok((messages, more))
    }

    pub(super) async fn forget_one(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let head = self.link.keys.head(&conversation);
        let mut command = script::FORGET_MESSAGE.on(&head);
        command.arg(unix_s(now)).arg(message.as_str());
        self.write(&conversation, &head, command).await.map(drop)
    }

    pub(super) async fn reset_one(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let generation = self.generations(1, now).await?.start;
        let head = self.link.keys.head(&conversation);
        let mut command = script::RESET_MESSAGE.on(&head);
        command.arg(unix_s(now)).arg(message.as_str()).arg(&generation.to_be_bytes()[..]);
        let answer = self.write(&conversation, &head, command).await?;
        Link::expect(&answer, int).map(|reset| reset == 1)
    }
}

/// Where in the answer to a registration the users are who are still to be looked up.
const FRESH: usize = 4;

fn registration(head: &str, life: &str, sent: &Registration, generation: u64, now: Timestamp) -> Cmd {
    let Registration { message, sender, audience, expires_in_s, expires_at, order } = sent;
    let asked = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    let mut command = script::REGISTER.on(head);
    command.arg(unix_s(now)).arg(life).arg(message.as_str()).arg(sender.as_str());
    command
        .arg(asked(expires_in_s.map(u64::from)))
        .arg(expires_at.unix_s)
        .arg(asked(order.map(|order| order.0)));
    command.arg(&generation.to_be_bytes()[..]).arg(keep_ms(*expires_at, now));
    match audience {
        Audience::Roster => {
            command.arg("r");
        }
        Audience::Users(users) => {
            let mut users = users.clone();
            drop_doubles(&mut users);
            users.retain(|user| user != sender);
            command.arg("a");
            command.arg(users.iter().map(UserId::as_str).collect::<Vec<_>>());
        }
    }
    command
}

/// How long a node is to keep a message, in milliseconds.
pub(super) fn keep_ms(ends: ExpiresAt, now: Timestamp) -> u64 {
    let grace_ms = u64::try_from(GRACE.as_millis()).expect("invariant: a minute");
    ends.unix_s.saturating_mul(1_000).saturating_sub(now.unix_ms) + grace_ms
}

fn outcome(answer: &Value) -> Option<RegisterOutcome> {
    let parts = array(answer)?;
    let refused = |refusal| Some(RegisterOutcome::Refused(refusal));
    let registered = || {
        let [_, of, order, ends, ..] = parts else { return None };
        Some(Registered {
            of: u32::try_from(int(of)?).ok()?,
            order: Order(number(order)?),
            expires_at: ExpiresAt { unix_s: number(ends)? },
        })
    };
    match int(parts.first()?)? {
        0 => registered().map(RegisterOutcome::New),
        1 => registered().map(RegisterOutcome::Same),
        2 => refused(Refusal::MessageDiffers),
        3 => refused(Refusal::NoAudience),
        4 => refused(Refusal::OrderPassed),
        _ => None,
    }
}

/// An outcome with what is counted now.
fn counted(was: RegisterOutcome, again: Option<RegisterOutcome>) -> RegisterOutcome {
    match (was, again) {
        (RegisterOutcome::New(_), Some(RegisterOutcome::Same(now))) => RegisterOutcome::New(now),
        (RegisterOutcome::Same(_), Some(RegisterOutcome::Same(now))) => RegisterOutcome::Same(now),
        (was, _) => was,
    }
}

fn shown(answer: &Value) -> Option<Vec<MessageReceipts>> {
    let one = |value: &Value| {
        let [message, sender, order, ends, known] = array(value)? else { return None };
        Some(MessageReceipts {
            message: id(message, |text| MessageId::new(text).ok())?,
            sender: id(sender, |text| UserId::new(text).ok())?,
            order: Order(number(order)?),
            expires_at: ExpiresAt { unix_s: number(ends)? },
            receipts: state::receipts(bytes(known)?)?,
        })
    };
    array(answer)?.iter().map(one).collect()
}

/// Behind which order to go on, as scripts take it.
pub(super) fn after_order(after: Option<Order>) -> String {
    after.map_or("-inf".to_owned(), |order| order.0.to_string())
}
