//! What the writers of a run ask for, made of a seed: the same seed makes the same writes.
//!
//! Each writer has conversations of its own and asks for one thing after the other, so what must be there follows from
//! how many of its writes were answered, and the model says what that is.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use seenby::{
    domain::{Audience, ConversationId, ExpiresAt, Order, RegisterOutcome, Registration, Role, Timestamp},
    store::{Mark, Read, Store},
};
use serde_json::{Value, json};

use crate::store::{conversation, message, user, users};

/// Conversations of a writer; the last is a large one.
const CONVERSATIONS: usize = 4;
const MEMBERS: u16 = 12;
const MEMBERS_LARGE: u16 = 200;
/// Seconds that short-lived messages ask for.
const BRIEF_S: u32 = 1;

/// The instant of the model's writes.
const BEGIN: Timestamp = Timestamp { unix_ms: 0 };
/// When the model's short-lived messages end, and all others.
const BRIEF_END: ExpiresAt = ExpiresAt { unix_s: 1 };
const END: ExpiresAt = ExpiresAt { unix_s: 1_000 };
/// The model's instant between the two.
pub(super) const MODEL_NOW: Timestamp = Timestamp { unix_ms: 2_000 };

/// A message as it is registered.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    id: String,
    sender: u16,
    audience: Option<Vec<u16>>,
    is_brief: bool,
    order: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Replace(Vec<u16>),
    Change {
        add: Vec<u16>,
        remove: Vec<u16>,
    },
    Register(Sent),
    RegisterMany(Vec<Sent>),
    Mark {
        reader: u16,
        messages: Vec<String>,
    },
    MarkUpTo {
        reader: u16,
        message: String,
    },
    /// Conversations, readers, and what each read there.
    MarkMany(Vec<(String, u16, Vec<String>)>),
    Reset(String),
    Delete(String),
    End,
    /// One of the writer's own users is hidden, or shown again.
    Hide {
        writer: usize,
        user: u16,
        is_hidden: bool,
    },
    /// One of the writer's own users is deleted.
    ForgetUser {
        writer: usize,
        user: u16,
    },
}

/// One write.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) conversation: String,
    pub(super) what: What,
}

/// The writes of one writer, one after the other.
#[derive(Debug)]
pub(super) struct Writes {
    rng: Rng,
    writer: usize,
    /// Of each conversation: the ids that were used, none before its first roster.
    ids: [Option<Vec<String>>; CONVERSATIONS],
    used: usize,
}

/// The names of a writer's conversations.
pub(super) fn conversations(writer: usize) -> Vec<String> {
    (0..CONVERSATIONS).map(|at| name_of(writer, at)).collect()
}

/// How many members a conversation begins with.
fn members(at: usize) -> u16 {
    if at + 1 == CONVERSATIONS { MEMBERS_LARGE } else { MEMBERS }
}

fn name_of(writer: usize, at: usize) -> String {
    format!("w{writer}-{at}")
}

impl Writes {
    pub(super) fn new(seed: u64, writer: usize) -> Self {
        let rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(writer as u64));
        Self { rng, writer, ids: Default::default(), used: 0 }
    }

    fn some_members(&mut self, at: usize, count: usize) -> Vec<u16> {
        let members = members(at);
        (0..count).map(|_| self.rng.u16(..members)).collect()
    }

    /// A user that no other writer names: what becomes of users is for all conversations.
    fn own_user(&mut self) -> u16 {
        2_000 + 10 * u16::try_from(self.writer).expect("few writers") + self.rng.u16(..5)
    }

    /// One of the writer's own users now and then, else another.
    fn own_user_or(&mut self, other: u16) -> u16 {
        if self.rng.u8(..6) == 0 { self.own_user() } else { other }
    }

    fn new_id(&mut self, at: usize) -> String {
        self.used += 1;
        let id = format!("m{}", self.used);
        self.ids[at].get_or_insert_default().push(id.clone());
        id
    }

    /// An id that was used, mostly one of the last.
    fn old_id(&mut self, at: usize) -> String {
        let ids = self.ids[at].as_deref().unwrap_or_default();
        if ids.is_empty() {
            return "none".to_owned();
        }
        let from = if self.rng.u8(..4) == 0 { 0 } else { ids.len().saturating_sub(20) };
        ids[self.rng.usize(from..ids.len())].clone()
    }

    fn old_ids(&mut self, at: usize, most: usize) -> Vec<String> {
        (0..self.rng.usize(1..=most)).map(|_| self.old_id(at)).collect()
    }

    fn sent(&mut self, at: usize, is_brief: bool) -> Sent {
        // Nothing else ever names a short-lived message: what becomes of it hangs on when that is done.
        let id = if is_brief {
            self.used += 1;
            format!("brief{}", self.used)
        } else {
            self.new_id(at)
        };
        // Much for the journal and the base, and little for whoever compares what is there.
        let count = if is_brief { 60 } else { 4 };
        let audience = (self.rng.u8(..5) == 0 || is_brief).then(|| {
            let mut some = self.some_members(at, count);
            // Somebody who is not a member.
            some.push(1_000 + self.rng.u16(..50));
            some.push(self.own_user());
            some
        });
        // A short-lived one that is sent again may have gone since: only with an order of its own it has no second life.
        let order = (is_brief || self.rng.u8(..10) == 0).then_some(self.used as u64 * 3);
        let sender = self.rng.u16(..MEMBERS);
        Sent { id, sender: self.own_user_or(sender), audience, is_brief, order }
    }

    fn what(&mut self, at: usize) -> What {
        if self.ids[at].is_none() {
            self.ids[at] = Some(Vec::new());
            return What::Replace((0..members(at)).collect());
        }
        match self.rng.u8(..106) {
            0..3 => {
                self.ids[at] = None;
                What::End
            }
            3..12 => What::Delete(self.old_id(at)),
            12..18 => What::Reset(self.old_id(at)),
            18..25 => What::MarkUpTo { reader: self.rng.u16(..MEMBERS), message: self.old_id(at) },
            25..33 => {
                let count = self.rng.usize(1..80);
                What::RegisterMany((0..count).map(|_| self.sent(at, true)).collect())
            }
            33..45 => {
                let count = self.rng.usize(1..20);
                What::RegisterMany((0..count).map(|_| self.sent(at, false)).collect())
            }
            45..50 => {
                let add = vec![self.rng.u16(..MEMBERS), self.rng.u16(300..330), self.own_user()];
                What::Change { add, remove: vec![self.rng.u16(MEMBERS..MEMBERS_LARGE)] }
            }
            50..60 => What::Register(self.sent(at, false)),
            // An id that was used: the same again, another one, or a new message under the old id.
            60..65 => {
                let id = self.old_id(at);
                let sender = self.rng.u16(..MEMBERS);
                What::Register(Sent { id, sender, audience: None, is_brief: false, order: None })
            }
            65..78 => {
                let count = self.rng.usize(1..30);
                let mut marks = Vec::new();
                for _ in 0..count {
                    let at = if self.rng.u8(..3) == 0 { self.rng.usize(..CONVERSATIONS) } else { at };
                    let reader = self.some_members(at, 1)[0];
                    marks.push((name_of(self.writer, at), reader, self.old_ids(at, 10)));
                }
                What::MarkMany(marks)
            }
            100..104 => {
                let (writer, user, is_hidden) = (self.writer, self.own_user(), self.rng.bool());
                What::Hide { writer, user, is_hidden }
            }
            104.. => What::ForgetUser { writer: self.writer, user: self.own_user() },
            _ => {
                let reader = self.some_members(at, 1)[0];
                What::Mark { reader: self.own_user_or(reader), messages: self.old_ids(at, 8) }
            }
        }
    }
}

impl Iterator for Writes {
    type Item = Op;

    fn next(&mut self) -> Option<Op> {
        let at = self.rng.usize(..CONVERSATIONS);
        Some(Op { conversation: name_of(self.writer, at), what: self.what(at) })
    }
}

fn name(user: u16) -> String {
    format!("u{user}")
}

fn names(users: &[u16]) -> Vec<String> {
    users.iter().map(|user| name(*user)).collect()
}

impl Sent {
    fn body(&self) -> Value {
        let mut body = json!({"sender": name(self.sender)});
        if let Some(audience) = &self.audience {
            body["audience"] = json!(names(audience));
        }
        if self.is_brief {
            body["expires_in_s"] = json!(BRIEF_S);
        }
        if let Some(order) = self.order {
            body["order"] = json!(order);
        }
        body
    }

    fn registration(&self) -> Registration {
        let ids = |ids: &Vec<u16>| ids.iter().map(|id| user(&name(*id))).collect();
        Registration {
            message: message(&self.id),
            sender: user(&name(self.sender)),
            audience: self
                .audience
                .as_ref()
                .map_or(Audience::Roster, |audience| Audience::Users(ids(audience))),
            expires_in_s: self.is_brief.then_some(BRIEF_S),
            expires_at: if self.is_brief { BRIEF_END } else { END },
            order: self.order.map(Order),
        }
    }
}

impl Op {
    /// Method, target and body.
    pub(super) fn request(&self) -> (&'static str, String, Option<Value>) {
        let base = format!("/v1/conversations/{}", self.conversation);
        let (method, target, body) = match &self.what {
            What::Replace(members) => ("PUT", "/members".to_owned(), json!({"members": names(members)})),
            What::Change { add, remove } => {
                ("PATCH", "/members".to_owned(), json!({"add": names(add), "remove": names(remove)}))
            }
            What::Register(sent) => ("PUT", format!("/messages/{}", sent.id), sent.body()),
            What::RegisterMany(many) => {
                let entry = |sent: &Sent| {
                    let mut body = sent.body();
                    body["id"] = json!(sent.id);
                    body
                };
                let many: Vec<_> = many.iter().map(entry).collect();
                ("POST", "/messages".to_owned(), json!({ "messages": many }))
            }
            What::Mark { reader, messages } => {
                ("POST", "/marks".to_owned(), json!({"reader": name(*reader), "messages": messages}))
            }
            What::MarkUpTo { reader, message } => {
                ("POST", "/marks".to_owned(), json!({"reader": name(*reader), "up_to": message}))
            }
            What::MarkMany(marks) => {
                let entry = |(conversation, reader, messages): &(String, u16, Vec<String>)| json!({"conversation": conversation, "reader": name(*reader), "messages": messages});
                let marks: Vec<_> = marks.iter().map(entry).collect();
                return ("POST", "/v1/marks".to_owned(), Some(json!({ "marks": marks })));
            }
            What::Reset(id) => return ("POST", format!("{base}/messages/{id}/reset"), None),
            What::Delete(id) => return ("DELETE", format!("{base}/messages/{id}"), None),
            What::End => return ("DELETE", base, None),
            What::Hide { user, is_hidden, .. } => {
                let body = json!({"receipts": if *is_hidden { "off" } else { "on" }});
                return ("PUT", format!("/v1/users/{}/privacy", name(*user)), Some(body));
            }
            What::ForgetUser { user, .. } => return ("DELETE", format!("/v1/users/{}", name(*user)), None),
        };
        (method, base + &target, Some(body))
    }

    /// The conversations that it may change.
    pub(super) fn conversations(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::from([self.conversation.clone()]);
        match &self.what {
            What::MarkMany(marks) => {
                names.extend(marks.iter().map(|(conversation, ..)| conversation.clone()));
            }
            What::Hide { writer, .. } | What::ForgetUser { writer, .. } => {
                names.extend(conversations(*writer));
            }
            _ => {}
        }
        names
    }

    /// Does it to the model. `highest` has the highest order of each conversation.
    pub(super) async fn apply(&self, model: &dyn Store, highest: &mut BTreeMap<String, u64>) {
        let c = || conversation(&self.conversation);
        let ids = |ids: &[u16]| users(&names(ids).iter().map(String::as_str).collect::<Vec<_>>());
        match &self.what {
            What::Replace(members) => drop(model.replace_roster(c(), ids(members)).await.unwrap()),
            What::Change { add, remove } => {
                let _ = model.change_roster(c(), ids(add), ids(remove), usize::MAX).await.unwrap();
            }
            What::Register(sent) => self.register(model, highest, std::slice::from_ref(sent)).await,
            What::RegisterMany(many) => self.register(model, highest, many).await,
            What::Mark { reader, messages } => {
                drop(model.mark(vec![mark(c(), *reader, messages)], BEGIN).await.unwrap());
            }
            What::MarkUpTo { reader, message: id } => {
                let read = Read::UpTo(message(id));
                let mark = Mark { conversation: c(), reader: user(&name(*reader)), read, by: Role::App };
                drop(model.mark(vec![mark], BEGIN).await.unwrap());
            }
            What::MarkMany(marks) => {
                let entry = |(c, reader, messages): &(String, u16, Vec<String>)| {
                    mark(conversation(c), *reader, messages)
                };
                drop(model.mark(marks.iter().map(entry).collect(), BEGIN).await.unwrap());
            }
            What::Reset(id) => drop(model.reset_message(c(), message(id), BEGIN).await.unwrap()),
            What::Delete(id) => model.forget_message(c(), message(id), BEGIN).await.unwrap(),
            What::Hide { user: id, is_hidden, .. } => {
                model.set_hidden(user(&name(*id)), *is_hidden).await.unwrap();
            }
            What::ForgetUser { user: id, .. } => model.forget_user(user(&name(*id))).await.unwrap(),
            What::End => {
                highest.remove(&self.conversation);
                model.forget_conversation(c()).await.unwrap();
            }
        }
    }

    async fn register(&self, model: &dyn Store, highest: &mut BTreeMap<String, u64>, sent: &[Sent]) {
        let sent = sent.iter().map(Sent::registration).collect();
        for outcome in model.register(conversation(&self.conversation), sent, BEGIN).await.unwrap() {
            if let RegisterOutcome::New(registered) = outcome {
                highest.insert(self.conversation.clone(), registered.order.0);
            }
        }
    }
}

fn mark(conversation: ConversationId, reader: u16, messages: &[String]) -> Mark {
    let read = Read::Messages(messages.iter().map(|id| message(id)).collect());
    Mark { conversation, reader: user(&name(reader)), read, by: Role::App }
}
