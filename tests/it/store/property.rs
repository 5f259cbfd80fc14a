//! Random operations, Restart and Crash among them, on the embedded engine and on the model: after each, both
//! answer the same.

use proptest::{collection::vec, prelude::*};
use seenby::{
    domain::{
        Audience, ConversationId, ExpiresAt, MessageId, Order, RegisterOutcome, Registration, Role,
        Timestamp, UserId, Viewer, Visibility,
    },
    store::{
        Half, Mark, Read, ReadersWanted, Store,
        dump::{Export, Writer},
        model::ModelStore,
    },
};

use super::{
    crash::Disk,
    dumps::{LABEL, dump, restored},
};

const CONVERSATIONS: u8 = 2;
const USERS: u8 = 6;
const MESSAGES: u8 = 12;

#[derive(Debug, Clone)]
enum Op {
    Replace(u8, Vec<u8>),
    Change(u8, Vec<u8>, Vec<u8>),
    Register(u8, Vec<Sent>),
    /// So many messages at once that pages fill up.
    Fill(u8, u8),
    Mark(Vec<(u8, u8, What, bool)>),
    Reset(u8, u8),
    Forget(u8, u8),
    End(u8),
    Hide(u8, bool),
    ForgetUser(u8),
    Sweep,
    Later(u16),
    Checkpoint,
    Restart,
    Crash,
    /// An export begins, and goes on beside what follows.
    Export,
    /// Each engine goes on as what the other one's dump restores to.
    Move,
}

#[derive(Debug, Clone)]
struct Sent {
    message: u8,
    sender: u8,
    audience: Option<Vec<u8>>,
    expires_in_s: Option<u32>,
    order: Option<u64>,
}

#[derive(Debug, Clone)]
enum What {
    Messages(Vec<u8>),
    UpTo(u8),
    UpToOrder(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let c = || 0..CONVERSATIONS;
    let some_users = || vec(0..USERS, 0..5);
    let sent = (
        0..MESSAGES,
        0..USERS,
        proptest::option::weighted(0.3, some_users()),
        proptest::option::weighted(0.4, 1..60_u32),
        proptest::option::weighted(0.2, 0..400_u64),
    )
        .prop_map(|(message, sender, audience, expires_in_s, order)| Sent {
            message,
            sender,
            audience,
            expires_in_s,
            order,
        });
    let what = prop_oneof![
        vec(0..MESSAGES, 1..6).prop_map(What::Messages),
        (0..MESSAGES).prop_map(What::UpTo),
        (0..400_u64).prop_map(What::UpToOrder),
    ];
    prop_oneof![
        2 => (c(), some_users()).prop_map(|(c, users)| Op::Replace(c, users)),
        2 => (c(), some_users(), some_users()).prop_map(|(c, add, remove)| Op::Change(c, add, remove)),
        6 => (c(), vec(sent, 1..4)).prop_map(|(c, sent)| Op::Register(c, sent)),
        1 => (c(), 1..90_u8).prop_map(|(c, count)| Op::Fill(c, count)),
        8 => vec((c(), 0..USERS, what, any::<bool>()), 1..4).prop_map(Op::Mark),
        2 => (c(), 0..MESSAGES).prop_map(|(c, m)| Op::Reset(c, m)),
        2 => (c(), 0..MESSAGES).prop_map(|(c, m)| Op::Forget(c, m)),
        1 => c().prop_map(Op::End),
        3 => (0..USERS, any::<bool>()).prop_map(|(u, is_hidden)| Op::Hide(u, is_hidden)),
        1 => (0..USERS).prop_map(Op::ForgetUser),
        1 => Just(Op::Sweep),
        2 => (1..40_000_u16).prop_map(Op::Later),
        1 => Just(Op::Checkpoint),
        1 => Just(Op::Restart),
        1 => Just(Op::Crash),
        2 => Just(Op::Export),
        1 => Just(Op::Move),
    ]
}

fn conversation(c: u8) -> ConversationId {
    super::conversation(&format!("c{c}"))
}

fn message(m: u8) -> MessageId {
    super::message(&format!("m{m}"))
}

fn user(u: u8) -> UserId {
    super::user(&format!("u{u}"))
}

fn users(ids: &[u8]) -> Vec<UserId> {
    ids.iter().map(|id| user(*id)).collect()
}

struct Pair {
    model: ModelStore,
    disk: Disk,
    now: Timestamp,
    filled: u32,
    exporting: Option<Exporting>,
}

/// An export under way, what it has handed over so far, and the state that it is of.
struct Exporting {
    export: Box<dyn Export>,
    writer: Writer<Vec<u8>>,
    model: ModelStore,
}

impl Exporting {
    /// Takes a piece; false at the end.
    fn step(&mut self) -> bool {
        let item = self.export.next().unwrap();
        item.is_some_and(|item| self.writer.put(&item).is_ok())
    }
}

impl Pair {
    async fn apply(&mut self, op: Op) {
        if matches!(op, Op::Restart | Op::Crash | Op::Move | Op::Export) {
            self.end_export();
        }
        if let Some(exporting) = &mut self.exporting {
            exporting.step();
        }
        match op {
            Op::Replace(c, members) => {
                let ask = |store: &dyn Store| futures(store.replace_roster(conversation(c), users(&members)));
                self.same(ask);
            }
            Op::Change(c, add, remove) => {
                self.same(|store| {
                    futures(store.change_roster(conversation(c), users(&add), users(&remove), 5))
                });
            }
            Op::Register(c, sent) => {
                let sent: Vec<_> = sent.iter().map(|sent| self.registration(sent)).collect();
                self.register(c, &sent);
            }
            Op::Fill(c, count) => {
                let sent: Vec<_> = (0..count).map(|_| self.filling()).collect();
                self.register(c, &sent);
            }
            Op::Mark(marks) => {
                let marks: Vec<_> = marks.iter().map(entry).collect();
                let now = self.now;
                self.same(|store| futures(store.mark(marks.clone(), now)));
            }
            Op::Reset(c, m) => {
                let now = self.now;
                self.same(|store| futures(store.reset_message(conversation(c), message(m), now)));
            }
            Op::Forget(c, m) => {
                let now = self.now;
                self.same(|store| futures(store.forget_message(conversation(c), message(m), now)));
            }
            Op::End(c) => self.same(|store| futures(store.forget_conversation(conversation(c)))),
            Op::Hide(u, is_hidden) => self.same(|store| futures(store.set_hidden(user(u), is_hidden))),
            Op::ForgetUser(u) => self.same(|store| futures(store.forget_user(user(u)))),
            Op::Sweep => {
                let now = self.now;
                // The model sweeps what an engine may have swept before a restart already: only compare after.
                futures(self.model.sweep(now)).unwrap();
                futures(self.disk.store().sweep(now)).unwrap();
                assert_eq!(self.model.vitals().messages, self.disk.store().vitals().messages);
            }
            Op::Later(ms) => self.now.unix_ms += u64::from(ms),
            Op::Checkpoint => self.disk.store().checkpoint().await,
            Op::Restart => self.disk.restart().await,
            Op::Crash => self.disk.crash(),
            Op::Export => {
                let export = futures(self.disk.store().export(None)).unwrap();
                let writer = Writer::begin(Vec::new(), export.head(), LABEL).unwrap();
                let model = restored(&dump(&self.model));
                self.exporting = Some(Exporting { export, writer, model });
            }
            Op::Move => {
                let (model, disk) = (dump(&self.model), dump(self.disk.store()));
                self.model = restored(&disk);
                self.disk = Disk::restored(&model);
            }
        }
    }

    /// Takes what is left of an export: however much has changed since it began, it has what there was then.
    fn end_export(&mut self) {
        let Some(mut exporting) = self.exporting.take() else { return };
        while exporting.step() {}
        let Exporting { writer, model, export } = exporting;
        drop(export);
        let dump = writer.end().unwrap();
        compare(&model, &restored(&dump), self.now);
        compare(&model, Disk::restored(&dump).store(), self.now);
    }

    /// Asks both engines, and expects one answer.
    fn same<T: PartialEq + std::fmt::Debug>(&self, ask: impl Fn(&dyn Store) -> T) {
        same(&self.model, self.disk.store(), ask);
    }

    fn registration(&self, sent: &Sent) -> Registration {
        let life_ms = sent.expires_in_s.map_or(1_000_000, |s| u64::from(s) * 1_000);
        Registration {
            message: message(sent.message),
            sender: user(sent.sender),
            audience: sent.audience.as_ref().map_or(Audience::Roster, |ids| Audience::Users(users(ids))),
            expires_in_s: sent.expires_in_s,
            expires_at: ExpiresAt { unix_s: (self.now.unix_ms + life_ms).div_ceil(1_000) },
            order: sent.order.map(Order),
        }
    }

    fn filling(&mut self) -> Registration {
        self.filled += 1;
        Registration {
            message: super::message(&format!("f{}", self.filled)),
            sender: user(0),
            audience: Audience::Roster,
            expires_in_s: Some(self.filled % 50 + 1),
            expires_at: ExpiresAt { unix_s: self.now.unix_ms / 1_000 + u64::from(self.filled % 50) + 1 },
            order: None,
        }
    }

    fn register(&self, c: u8, sent: &[Registration]) {
        let now = self.now;
        self.same(|store| -> Result<Vec<RegisterOutcome>, _> {
            futures(store.register(conversation(c), sent.to_vec(), now))
        });
    }
}

/// Asks both stores, and expects one answer.
fn same<T: PartialEq + std::fmt::Debug>(one: &dyn Store, other: &dyn Store, ask: impl Fn(&dyn Store) -> T) {
    assert_eq!(ask(one), ask(other), "the first answers left, the second right");
}

/// Compares everything that can be asked.
fn compare(one: &dyn Store, other: &dyn Store, now: Timestamp) {
    let ids: Vec<_> = (0..MESSAGES).map(message).collect();
    same(one, other, |store| futures(store.conversations(None, 99, now)));
    for c in (0..CONVERSATIONS).map(conversation) {
        same(one, other, |store| futures(store.roster(&c, None, 99)));
        let strip = |store: &dyn Store| {
            let (list, more) = futures(store.messages(&c, None, 999, now)).unwrap();
            let without_generation = list.into_iter().map(|known| {
                (
                    known.message,
                    known.sender,
                    known.order,
                    known.expires_at,
                    known.receipts.read,
                    known.receipts.of,
                )
            });
            (without_generation.collect::<Vec<_>>(), more)
        };
        same(one, other, strip);
        for u in (0..USERS).map(user) {
            same(one, other, |store| futures(store.unread(&c, &u, now)));
            same(one, other, |store| futures(store.is_hidden(&u)));
            for sees in [Visibility::Sender, Visibility::Audience] {
                let viewer = Viewer::User { user: u.clone(), sees };
                same(one, other, |store| {
                    let receipts = futures(store.receipts(&c, &ids, &viewer, now)).unwrap();
                    let counts = receipts.into_iter().map(|known| known.map(|known| (known.read, known.of)));
                    counts.collect::<Vec<_>>()
                });
            }
        }
        for m in (0..MESSAGES).map(message) {
            for half in [Half::Read, Half::Unread] {
                same(one, other, |store| {
                    let part = futures(store.readers(
                        &c,
                        &m,
                        &Viewer::App,
                        ReadersWanted { half, after: None, limit: 3 },
                        now,
                    ))
                    .unwrap();
                    part.map(|part| (part.receipts.read, part.receipts.of, part.users, part.next))
                });
            }
        }
    }
}

fn entry((c, u, what, by_user): &(u8, u8, What, bool)) -> Mark {
    let read = match what {
        What::Messages(ids) => Read::Messages(ids.iter().map(|id| message(*id)).collect()),
        What::UpTo(id) => Read::UpTo(message(*id)),
        What::UpToOrder(order) => Read::UpToOrder(Order(*order)),
    };
    let by = if *by_user { Role::User } else { Role::App };
    Mark { conversation: conversation(*c), reader: user(*u), read, by }
}

/// Waits for an answer outside of a runtime's own thread.
pub(super) fn futures<T>(answer: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(answer))
}

/// 48 runs take some seconds; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { 48 };
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_embedded_engine_answers_as_the_model_does(ops in vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            tokio::spawn(async move {
                let mut pair = Pair {
                    model: ModelStore::default(),
                    disk: Disk::without_memory(),
                    now: Timestamp { unix_ms: 1_000_000 },
                    filled: 0,
                    exporting: None,
                };
                for op in ops {
                    pair.apply(op).await;
                    compare(&pair.model, pair.disk.store(), pair.now);
                }
                pair.end_export();
            })
            .await
            .unwrap();
        });
    }
}
