//! Writes at random, how to ask a server for one, and what the model says to it.

use fastrand::Rng;
use seenby::{
    client::{Client, ClientError},
    domain::{Refusal, RegisterOutcome, Registration, Role, RosterChange, Timestamp},
    receipts::{Ledger, Mark, Read},
    wire::{
        BulkMarkEntry, BulkMarkResponse, BulkRegisterResponse, Code, EntryRefused, MarkRequest, MarkResponse,
        MessageRefused, RegisterEntry, RegisterRequest, RegisterResponse, RosterChangeRequest, RosterVersion,
    },
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::store::{conversation, message, user, users};

pub(crate) const USERS: [&str; 6] = ["u0", "u1", "u2", "u3", "u4", "u5"];
pub(crate) const IDS: [&str; 6] = ["m0", "m1", "m2", "m3", "m4", "m5"];

/// A write, as it is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Replace(String, Vec<&'static str>),
    Change(String, Vec<&'static str>, Vec<&'static str>),
    Register(String, RegisterEntry),
    RegisterBulk(String, Vec<RegisterEntry>),
    Mark(BulkMarkEntry),
    MarkBulk(Vec<BulkMarkEntry>),
    Reset(String, &'static str),
    Forget(String, &'static str),
    End(String),
}

fn one_of(rng: &mut Rng, of: &[&'static str]) -> &'static str {
    of[rng.usize(..of.len())]
}

fn some_of(rng: &mut Rng, of: &[&'static str]) -> Vec<&'static str> {
    of.iter().copied().filter(|_| rng.bool()).collect()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Most live for a second or two: then the ids are free again.
fn entry(rng: &mut Rng) -> RegisterEntry {
    RegisterEntry {
        id: one_of(rng, &IDS).to_owned(),
        sender: one_of(rng, &USERS).to_owned(),
        audience: (rng.u8(..4) == 0).then(|| owned(&some_of(rng, &USERS))),
        expires_in_s: match rng.u8(..10) {
            0..6 => Some(1),
            6..8 => Some(2),
            8 => Some(3_600),
            _ => None,
        },
        order: (rng.u8(..12) == 0).then(|| rng.u64(..400)),
    }
}

fn mark(rng: &mut Rng, c: &str) -> BulkMarkEntry {
    let entry = BulkMarkEntry {
        conversation: c.to_owned(),
        reader: one_of(rng, &USERS).to_owned(),
        ..BulkMarkEntry::default()
    };
    match rng.u8(..4) {
        0 => BulkMarkEntry { up_to: Some(one_of(rng, &IDS).to_owned()), ..entry },
        1 => BulkMarkEntry { up_to_order: Some(rng.u64(..400)), ..entry },
        _ => {
            BulkMarkEntry { messages: Some((0..3).map(|_| one_of(rng, &IDS).to_owned()).collect()), ..entry }
        }
    }
}

impl Op {
    /// Some write to one of the conversations, or marks in several of them.
    pub(crate) fn any(rng: &mut Rng, conversations: &[String]) -> Self {
        let c = conversations[rng.usize(..conversations.len())].clone();
        match rng.u16(..1_000) {
            0..50 => Self::Replace(c, some_of(rng, &USERS)),
            50..100 => {
                let add = some_of(rng, &USERS);
                let others: Vec<_> = USERS.into_iter().filter(|user| !add.contains(user)).collect();
                let remove = some_of(rng, &others);
                Self::Change(c, add, remove)
            }
            100..350 => Self::Register(c, entry(rng)),
            350..450 => Self::RegisterBulk(c, (0..4).map(|_| entry(rng)).collect()),
            450..800 => Self::Mark(mark(rng, &c)),
            800..900 => {
                let marks = (0..4).map(|_| {
                    let c = &conversations[rng.usize(..conversations.len())];
                    mark(rng, c)
                });
                Self::MarkBulk(marks.collect())
            }
            900..965 => Self::Reset(c, one_of(rng, &IDS)),
            965..996 => Self::Forget(c, one_of(rng, &IDS)),
            _ => Self::End(c),
        }
    }

    /// Its first entry alone.
    pub(super) fn first(self) -> Self {
        match self {
            Self::RegisterBulk(c, mut entries) => Self::Register(c, entries.swap_remove(0)),
            Self::MarkBulk(mut marks) => Self::Mark(marks.swap_remove(0)),
            op => op,
        }
    }

    /// What of it matters once the conversation `ended` is no more.
    pub(super) fn without(self, ended: &str) -> Option<Self> {
        match self {
            Self::Replace(ref c, _)
            | Self::Change(ref c, ..)
            | Self::Register(ref c, _)
            | Self::RegisterBulk(ref c, _)
            | Self::Reset(ref c, _)
            | Self::Forget(ref c, _)
            | Self::End(ref c) => (c != ended).then_some(self),
            Self::Mark(ref entry) => (entry.conversation != ended).then_some(self),
            Self::MarkBulk(mut entries) => {
                entries.retain(|entry| entry.conversation != ended);
                (!entries.is_empty()).then_some(Self::MarkBulk(entries))
            }
        }
    }

    /// The same, of messages that do not come to their end within a test.
    pub(crate) fn lasting(mut self) -> Self {
        let last = |entry: &mut RegisterEntry| entry.expires_in_s = entry.expires_in_s.map(|_| 3_600);
        match &mut self {
            Self::Register(_, entry) => last(entry),
            Self::RegisterBulk(_, entries) => entries.iter_mut().for_each(last),
            _ => {}
        }
        self
    }

    /// Asks a server for it. What it refuses is an answer too.
    pub(crate) async fn ask(&self, client: &Client) -> Result<Value, ClientError> {
        match self {
            Self::Replace(c, members) => said(client.replace_roster(c, members).await),
            Self::Change(c, add, remove) => {
                let change = RosterChangeRequest { add: owned(add), remove: owned(remove) };
                said(client.change_roster(c, &change).await)
            }
            Self::Register(c, entry) => {
                let RegisterEntry { id, sender, audience, expires_in_s, order } = entry.clone();
                said(
                    client.register(c, &id, &RegisterRequest { sender, audience, expires_in_s, order }).await,
                )
            }
            Self::RegisterBulk(c, entries) => said(client.register_bulk(c, entries.clone()).await),
            Self::Mark(entry) => {
                let BulkMarkEntry { conversation, reader, messages, up_to, up_to_order } = entry.clone();
                let request = MarkRequest { reader: Some(reader), messages, up_to, up_to_order };
                said(client.mark(&conversation, &request).await)
            }
            Self::MarkBulk(entries) => said(client.mark_bulk(entries.clone()).await),
            Self::Reset(c, id) => said(client.reset_message(c, id).await),
            Self::Forget(c, id) => said(client.delete_message(c, id).await),
            Self::End(c) => said(client.delete_conversation(c).await),
        }
    }

    /// Does it in the model.
    pub(super) async fn judge(&self, model: &Ledger, now: Timestamp) -> Value {
        match self {
            Self::Replace(c, members) => {
                roster(model.replace_roster(conversation(c), users(members)).await.unwrap())
            }
            Self::Change(c, add, remove) => {
                roster(model.change_roster(conversation(c), users(add), users(remove)).await.unwrap())
            }
            Self::Register(c, entry) => {
                let sent = registration(model, entry, now);
                registered(&entry.id, model.register(conversation(c), sent, now).await.unwrap())
            }
            Self::RegisterBulk(c, entries) => {
                let sent = entries.iter().map(|entry| registration(model, entry, now)).collect();
                let bulk = model.register_bulk(conversation(c), sent, now).await.unwrap();
                let refused = bulk.refused.into_iter().map(message_refused).collect();
                value(&BulkRegisterResponse { registered: bulk.registered, same: bulk.same, refused })
            }
            Self::Mark(entry) => {
                let marked = model.mark(as_mark(entry), now).await.unwrap();
                let refused = marked.refused.into_iter().map(message_refused).collect();
                value(&MarkResponse { marked: marked.marked, already: marked.already, refused })
            }
            Self::MarkBulk(entries) => {
                let bulk = model.mark_bulk(entries.iter().map(as_mark).collect(), now).await.unwrap();
                let refused = bulk.refused.into_iter().map(|refused| EntryRefused {
                    entry: refused.entry,
                    message: refused.message.to_string(),
                    code: code(refused.refusal),
                });
                let refused = refused.collect();
                value(&BulkMarkResponse { marked: bulk.marked, already: bulk.already, refused })
            }
            Self::Reset(c, id) => {
                let is_known = model.reset_message(conversation(c), message(id), now).await.unwrap();
                if is_known { Value::Null } else { refusal(Code::UnknownMessage) }
            }
            Self::Forget(c, id) => {
                value(&model.forget_message(conversation(c), message(id), now).await.unwrap())
            }
            Self::End(c) => value(&model.forget_conversation(conversation(c)).await.unwrap()),
        }
    }
}

fn value(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap()
}

fn refusal(code: Code) -> Value {
    json!({ "code": code })
}

fn said<T: Serialize>(answer: Result<T, ClientError>) -> Result<Value, ClientError> {
    match answer {
        Ok(answer) => Ok(value(&answer)),
        Err(ClientError::Problem { status, problem, .. }) if status.is_client_error() => {
            Ok(refusal(problem.code))
        }
        Err(error) => Err(error),
    }
}

fn code(refusal: Refusal) -> Code {
    match refusal {
        Refusal::MessageDiffers => Code::MessageDiffers,
        Refusal::OrderPassed => Code::OrderPassed,
        Refusal::NoAudience => Code::NoAudience,
        Refusal::UnknownMessage => Code::UnknownMessage,
        Refusal::NotInAudience => Code::NotInAudience,
    }
}

fn message_refused((id, refusal): (seenby::domain::MessageId, Refusal)) -> MessageRefused {
    MessageRefused { message: id.to_string(), code: code(refusal) }
}

fn roster(change: RosterChange) -> Value {
    let RosterChange::Now { members, version } = change else { panic!("{change:?}") };
    value(&RosterVersion { members, version })
}

fn registration(model: &Ledger, entry: &RegisterEntry, now: Timestamp) -> Registration {
    model.registration(
        message(&entry.id),
        user(&entry.sender),
        entry.audience.as_ref().map(|audience| audience.iter().map(|id| user(id)).collect()),
        entry.expires_in_s.map(|life| u32::try_from(life).unwrap()),
        entry.order.map(seenby::domain::Order),
        now,
    )
}

fn registered(id: &str, outcome: RegisterOutcome) -> Value {
    match outcome {
        RegisterOutcome::New(known) | RegisterOutcome::Same(known) => value(&RegisterResponse {
            message: id.to_owned(),
            of: known.of,
            order: known.order.0,
            expires_at: super::judge::rfc3339(known.expires_at),
        }),
        RegisterOutcome::Refused(refused) => refusal(code(refused)),
    }
}

fn as_mark(entry: &BulkMarkEntry) -> Mark {
    let read = match (&entry.messages, &entry.up_to, entry.up_to_order) {
        (Some(ids), None, None) => Read::Messages(ids.iter().map(|id| message(id)).collect()),
        (None, Some(id), None) => Read::UpTo(message(id)),
        (None, None, Some(order)) => Read::UpToOrder(seenby::domain::Order(order)),
        _ => panic!("{entry:?}"),
    };
    Mark { conversation: conversation(&entry.conversation), reader: user(&entry.reader), read, by: Role::App }
}
