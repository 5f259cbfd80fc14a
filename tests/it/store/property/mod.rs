//! Random operations, Restart and Crash among them, on an engine and on the model: after each, both answer the same.

mod op;

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

use self::op::{CONVERSATIONS, MESSAGES, Op, Sent, USERS, What, op};
use super::{
    crash::Disk,
    dumps::{LABEL, dump, restored},
};

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

/// An engine, and what it stands on.
trait Engine {
    /// Whether an export is of one instant, whatever goes on meanwhile.
    const EXPORTS_AN_INSTANT: bool;

    fn store(&self) -> &dyn Store;
    async fn checkpoint(&mut self);
    async fn restart(&mut self);
    async fn crash(&mut self);
    /// Another one, with what the dump holds.
    async fn restored(dump: &[u8], now: Timestamp) -> Self;
}

impl Engine for Disk {
    const EXPORTS_AN_INSTANT: bool = true;

    fn store(&self) -> &dyn Store {
        self.store()
    }

    async fn checkpoint(&mut self) {
        Self::store(self).checkpoint().await;
    }

    async fn restart(&mut self) {
        self.restart().await;
    }

    async fn crash(&mut self) {
        self.crash();
    }

    async fn restored(dump: &[u8], _: Timestamp) -> Self {
        Self::restored(dump)
    }
}

struct Pair<E> {
    model: ModelStore,
    engine: E,
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
        let item = tokio::task::block_in_place(|| self.export.next()).unwrap();
        item.is_some_and(|item| self.writer.put(&item).is_ok())
    }
}

impl<E: Engine> Pair<E> {
    async fn apply(&mut self, op: Op) {
        if matches!(op, Op::Restart | Op::Crash | Op::Move | Op::Export) {
            self.end_export().await;
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
                futures(self.engine.store().sweep(now)).unwrap();
                assert_eq!(self.model.vitals().messages, self.engine.store().vitals().messages);
            }
            Op::Later(ms) => self.now.unix_ms += u64::from(ms),
            Op::Checkpoint => self.engine.checkpoint().await,
            Op::Restart => self.engine.restart().await,
            Op::Crash => self.engine.crash().await,
            Op::Export => {
                let export = futures(self.engine.store().export(None)).unwrap();
                let writer = Writer::begin(Vec::new(), export.head(), LABEL).unwrap();
                let model = restored(&dump(&self.model));
                self.exporting = Some(Exporting { export, writer, model });
                if !E::EXPORTS_AN_INSTANT {
                    self.end_export().await;
                }
            }
            Op::Move => {
                let (model, engine) = (dump(&self.model), dump(self.engine.store()));
                self.model = restored(&engine);
                self.engine = E::restored(&model, self.now).await;
            }
        }
    }

    /// Takes what is left of an export: however much has changed since it began, it has what there was then.
    async fn end_export(&mut self) {
        let Some(mut exporting) = self.exporting.take() else { return };
        while exporting.step() {}
        let Exporting { writer, model, export } = exporting;
        drop(export);
        let dump = writer.end().unwrap();
        compare(&model, &restored(&dump), self.now);
        compare(&model, E::restored(&dump, self.now).await.store(), self.now);
    }

    /// Asks both engines, and expects one answer.
    fn same<T: PartialEq + std::fmt::Debug>(&self, ask: impl Fn(&dyn Store) -> T) {
        same(&self.model, self.engine.store(), ask);
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
                    let ids: Vec<_> = ids.iter().map(MessageId::borrowed).collect();
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

/// So many runs take some seconds; `PROPTEST_CASES` asks for more.
fn config(few: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { few };
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

/// Does these operations on an engine that holds nothing yet, and on the model.
async fn judge<E: Engine>(engine: E, ops: Vec<Op>) {
    let now = Timestamp { unix_ms: 1_000_000 };
    let mut pair = Pair { model: ModelStore::default(), engine, now, filled: 0, exporting: None };
    for op in ops {
        pair.apply(op).await;
        compare(&pair.model, pair.engine.store(), pair.now);
    }
    pair.end_export().await;
}

/// Runs a test in a runtime that it may wait in.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn the_embedded_engine_answers_as_the_model_does(ops in vec(op(), 1..60)) {
        run(async { judge(Disk::without_memory(), ops).await });
    }
}

mod with_tools {
    use super::*;
    use crate::cluster::shared::Deployment;

    impl Engine for Deployment {
        const EXPORTS_AN_INSTANT: bool = false;

        fn store(&self) -> &dyn Store {
            &self.store
        }

        async fn checkpoint(&mut self) {}

        async fn restart(&mut self) {
            self.store.close().await.unwrap();
            self.open_again().await;
        }

        async fn crash(&mut self) {
            self.open_again().await;
        }

        async fn restored(dump: &[u8], now: Timestamp) -> Self {
            Self::restored(dump, now).await
        }
    }

    proptest! {
        #![proptest_config(config(24))]

        #[test]
        #[ignore = "needs Valkey; tests/run runs it"]
        fn the_cluster_answers_as_the_model_does(ops in vec(op(), 1..60)) {
            run(async { judge(Deployment::new().await, ops).await });
        }
    }
}
