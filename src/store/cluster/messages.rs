//! Messages: registered, shown, reset and forgotten.

use redis::{Cmd, Value};

use super::{
    GRACE,
    engine::ClusterStore,
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
        let all: Vec<_> = registrations.iter().zip(generations).collect();
        let (mut outcomes, mut fresh, mut life) = (Vec::with_capacity(all.len()), Vec::new(), String::new());
        while outcomes.len() < all.len() {
            let part = part(&all[outcomes.len()..]);
            let (done, fresh_now) = self.register_part(&conversation, &life, part, now).await?;
            if done.len() < part.len() {
                life = self.list(&conversation).await?.life;
            }
            outcomes.extend(done.into_iter().collect::<Option<Vec<_>>>().ok_or(StoreError::Unreachable)?);
            fresh = fresh_now;
        }
        if !fresh.is_empty() {
            self.look_up(&conversation, &fresh).await?;
            self.count_anew(&conversation, &all, &mut outcomes, now).await?;
        }
        Ok(outcomes)
    }

    /// Gives those that are registered the counts of now: users who were new did not count yet.
    async fn count_anew(
        &self,
        conversation: &ConversationId,
        all: &[(&Registration, u64)],
        outcomes: &mut [RegisterOutcome],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let is_there = |at: &usize| !matches!(outcomes[*at], RegisterOutcome::Refused(_));
        let there: Vec<_> = (0..all.len()).filter(is_there).collect();
        let these: Vec<_> = there.iter().map(|at| all[*at]).collect();
        let mut counted = Vec::with_capacity(these.len());
        while counted.len() < these.len() {
            let part = part(&these[counted.len()..]);
            counted.extend(self.register_part(conversation, COUNT, part, now).await?.0);
        }
        for (at, counted) in there.into_iter().zip(counted) {
            if let Some(RegisterOutcome::Same(now)) = counted {
                outcomes[at] = match outcomes[at] {
                    RegisterOutcome::New(_) => RegisterOutcome::New(now),
                    _ => RegisterOutcome::Same(now),
                };
            }
        }
        Ok(())
    }

    /// Registers some at once: what became of each, of the first ones alone if one would begin a life that may not begin, and
    /// who is still to be looked up.
    async fn register_part(
        &self,
        conversation: &ConversationId,
        life: &str,
        part: &[(&Registration, u64)],
        now: Timestamp,
    ) -> Result<(Vec<Option<RegisterOutcome>>, Vec<UserId>), StoreError> {
        let head = self.link.keys.head(conversation);
        let mut command = script::REGISTER.on(&head);
        command.arg(unix_s(now)).arg(life);
        part.iter().for_each(|(sent, generation)| add_registration(&mut command, sent, *generation, now));
        let answer = self.write(conversation, &head, command).await?;
        Link::expect(&answer, |answer| {
            let [done, fresh] = array(answer)? else { return None };
            let done: Vec<_> = array(done)?.iter().map(outcome).collect();
            // Each that was counted is answered.
            (!done.is_empty() || life != COUNT).then_some((done, users(array(fresh)?)?))
        })
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
        // Above all that any process has taken: a reset by an older one is taken for a copy that comes late.
        let generation = self.reserve(1, now.unix_ms.saturating_mul(1_000)).await?;
        let head = self.link.keys.head(&conversation);
        let mut command = script::RESET_MESSAGE.on(&head);
        command.arg(unix_s(now)).arg(message.as_str()).arg(&generation.to_be_bytes()[..]);
        let answer = self.write(&conversation, &head, command).await?;
        Link::expect(&answer, int).map(|reset| reset == 1)
    }
}

/// In place of a life's number: nothing is registered, and what is there is counted.
const COUNT: &str = "?";

/// How many registrations one script does at the most, and about how many users of audiences.
const REGISTRATIONS_MAX: usize = 50;
const USERS_MAX: usize = 5_000;

/// The first of these, as many as one script does.
fn part<'a, 'b>(all: &'a [(&'b Registration, u64)]) -> &'a [(&'b Registration, u64)] {
    let users =
        |sent: &Registration| if let Audience::Users(users) = &sent.audience { users.len() } else { 0 };
    let mut sum = 0;
    let fits = |(sent, _): &&(&Registration, u64)| {
        sum += users(sent);
        sum <= USERS_MAX
    };
    let count = all.iter().take(REGISTRATIONS_MAX).take_while(fits).count();
    &all[..count.max(1)]
}

fn add_registration(command: &mut Cmd, sent: &Registration, generation: u64, now: Timestamp) {
    let Registration { message, sender, audience, expires_in_s, expires_at, order } = sent;
    let asked = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    command
        .arg(message.as_str())
        .arg(sender.as_str())
        .arg(asked(expires_in_s.map(u64::from)))
        .arg(expires_at.unix_s)
        .arg(asked(order.map(|order| order.0)));
    command.arg(&generation.to_be_bytes()[..]).arg(keep_ms(*expires_at, now));
    match audience {
        Audience::Roster => {
            command.arg("r").arg(0);
        }
        Audience::Users(users) => {
            let mut users = users.clone();
            drop_doubles(&mut users);
            users.retain(|user| user != sender);
            command.arg("a").arg(users.len());
            command.arg(users.iter().map(UserId::as_str).collect::<Vec<_>>());
        }
    }
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
