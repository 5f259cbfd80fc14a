//! Whether an image holds what it must: each writer's answered writes, and of those that it was not answered yet as many
//! as it likes, in their order. The model says what each number of writes comes to.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    hash::{DefaultHasher, Hasher},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use seenby::{
    domain::{Audience, RegisterOutcome, Timestamp, Viewer},
    store::{
        Half, ReadersWanted, Store,
        embedded::{EmbeddedStore, Options},
        model::ModelStore,
    },
};
use tokio::runtime::Runtime;

use super::{
    run::Run,
    script::{MODEL_NOW, Writes, conversations},
};
use crate::store::{conversation, message, registration, user};

/// More than there is of anything.
const ALL: usize = 1 << 20;

/// What is left of a writer after a number of its writes.
#[derive(Debug, Clone, Default)]
struct Expected {
    /// A hash of what each of its conversations shows.
    shown: BTreeMap<String, u64>,
    /// The highest order of each conversation that has one.
    highest: BTreeMap<String, u64>,
}

#[derive(Debug)]
pub(super) struct Judge {
    seed: u64,
    /// By writer and number of writes, of those numbers that are asked for.
    expected: Vec<BTreeMap<usize, Expected>>,
    /// An instant after the end of every short-lived message.
    now: Timestamp,
}

impl Judge {
    /// For images with such bounds.
    pub(super) fn new(run: &Run, bounds: &[Vec<(usize, usize)>]) -> Self {
        let runtime = runtime();
        let numbers = |writer: usize| {
            bounds.iter().flat_map(move |bounds| bounds[writer].0..=bounds[writer].1).collect()
        };
        let expect = |writer| runtime.block_on(expect(run.seed, writer, &numbers(writer)));
        Self { seed: run.seed, expected: (0..run.asked.len()).map(expect).collect(), now: run.now }
    }

    /// Opens an image and holds it against `bounds`: how many writes of each writer are in it at least and at most.
    /// Says what is wrong.
    pub(super) fn check(&self, image: &Path, bounds: &[(usize, usize)]) -> Result<(), String> {
        let check = || runtime().block_on(self.check_here(image, bounds));
        catch_unwind(AssertUnwindSafe(check))
            .unwrap_or_else(|panic| Err(format!("a panic: {}", said(&*panic))))
    }

    async fn check_here(&self, image: &Path, bounds: &[(usize, usize)]) -> Result<(), String> {
        let store =
            EmbeddedStore::open(image, Options::default()).map_err(|error| format!("refused: {error}"))?;
        let (known, _) = store.conversations(None, ALL, self.now).await.map_err(|error| error.to_string())?;
        let ours: BTreeSet<_> = (0..bounds.len()).flat_map(conversations).collect();
        if let Some(other) = known.iter().find(|known| !ours.contains(known.as_str())) {
            return Err(format!("{other:?} was never asked for"));
        }
        for (writer, (least, most)) in bounds.iter().enumerate() {
            let mut found = BTreeMap::new();
            for name in conversations(writer) {
                let hash = hash(&shown(&store, &name, self.now).await);
                found.insert(name, hash);
            }
            let expected = &self.expected[writer];
            let after: Vec<_> = (*least..=*most)
                .map(|number| &expected[&number])
                .filter(|expected| expected.shown == found)
                .collect();
            if after.is_empty() {
                return Err(self.difference(&store, writer, *least, *most, &found).await);
            }
            self.go_on(&store, writer, &after).await?;
        }
        store.close().await.map_err(|error| format!("it cannot be closed: {error}"))?;
        drop(store);
        // What a start after the power cut left must itself do for a start.
        let store = EmbeddedStore::open(image, Options::default())
            .map_err(|error| format!("refused later: {error}"))?;
        for name in (0..bounds.len()).flat_map(conversations) {
            let next = store.message(&conversation(&name), &message("next"), self.now).await;
            if !matches!(next, Ok(Some(_))) {
                return Err(format!("{name}: a message of after the power cut is {next:?}"));
            }
        }
        Ok(())
    }

    /// Writes go on where they ended: the next message of each conversation has the next order, by one and the same of
    /// the states that show the same.
    async fn go_on(&self, store: &EmbeddedStore, writer: usize, after: &[&Expected]) -> Result<(), String> {
        let mut orders = BTreeMap::new();
        for name in conversations(writer) {
            let mut next = registration("next", "somebody");
            next.audience = Audience::Users(vec![user("else")]);
            next.expires_at.unix_s = self.now.unix_ms / 1_000 + 1_000;
            let outcomes = store.register(conversation(&name), vec![next], self.now).await;
            match outcomes.as_deref() {
                Ok([RegisterOutcome::New(new)]) => orders.insert(name, new.order.0),
                other => return Err(format!("{name}: a new message is {other:?}")),
            };
        }
        let goes_on = |expected: &Expected| {
            orders
                .iter()
                .all(|(name, order)| *order == expected.highest.get(name).map_or(1, |highest| highest + 1))
        };
        if after.iter().any(|expected| goes_on(expected)) {
            return Ok(());
        }
        let highest: Vec<_> = after.iter().map(|expected| &expected.highest).collect();
        Err(format!("new messages have the orders {orders:?} behind {highest:?}"))
    }

    /// What differs, in words.
    async fn difference(
        &self,
        store: &EmbeddedStore,
        writer: usize,
        least: usize,
        most: usize,
        found: &BTreeMap<String, u64>,
    ) -> String {
        let is = self.expected[writer].iter().find(|(_, expected)| expected.shown == *found).map_or_else(
            || "after no number of its writes that was looked at".to_owned(),
            |(number, _)| format!("after {number}"),
        );
        let mut text =
            format!("writer {writer}: {least} writes were answered and {most} sent; it is as {is}.");
        let model = ModelStore::default();
        let mut highest = BTreeMap::new();
        for op in Writes::new(self.seed, writer).take(least) {
            op.apply(&model, &mut highest).await;
        }
        for op in Writes::new(self.seed, writer).skip(least.saturating_sub(1)).take(2) {
            write!(text, "\n  around: {op:.400?}").unwrap();
        }
        for name in conversations(writer) {
            let (wanted, found) =
                (shown(&model, &name, MODEL_NOW).await, shown(store, &name, self.now).await);
            let pairs = wanted.lines().map(Some).chain([None]).zip(found.lines().map(Some).chain([None]));
            if let Some((wanted, found)) = pairs.into_iter().find(|(wanted, found)| wanted != found) {
                write!(text, "\n  {name}: wanted {wanted:.300?}\n  {name}: found  {found:.300?}").unwrap();
            }
        }
        text
    }
}

/// What a writer's conversations come to after such numbers of its writes.
async fn expect(seed: u64, writer: usize, numbers: &BTreeSet<usize>) -> BTreeMap<usize, Expected> {
    let model = ModelStore::default();
    let mut now = Expected::default();
    let mut changed: BTreeSet<_> = conversations(writer).into_iter().collect();
    let mut expected = BTreeMap::new();
    let most = numbers.last().map_or(0, |last| last + 1);
    for (number, op) in Writes::new(seed, writer).take(most).enumerate() {
        if numbers.contains(&number) {
            for name in mem::take(&mut changed) {
                let hash = hash(&shown(&model, &name, MODEL_NOW).await);
                now.shown.insert(name, hash);
            }
            expected.insert(number, now.clone());
        }
        op.apply(&model, &mut now.highest).await;
        changed.extend(op.conversations());
    }
    expected
}

/// All that a conversation shows, as text.
async fn shown(store: &dyn Store, name: &str, now: Timestamp) -> String {
    let mut text = String::new();
    let c = conversation(name);
    if let Some(roster) = store.roster(&c, None, ALL).await.unwrap() {
        write!(text, "version {}:", roster.version).unwrap();
        roster.members.iter().for_each(|member| add(&mut text, member.as_str()));
        text.push('\n');
    }
    for known in store.messages(&c, None, ALL, now).await.unwrap().0 {
        let (sender, receipts) = (known.sender.as_str(), known.receipts);
        add(&mut text, known.message.as_str());
        write!(text, " of {sender}, {}: {} of {}", known.order.0, receipts.read, receipts.of).unwrap();
        for half in [Half::Read, Half::Unread] {
            let part = store
                .readers(
                    &c,
                    &known.message,
                    &Viewer::App,
                    ReadersWanted { half, after: None, limit: ALL },
                    now,
                )
                .await
                .unwrap();
            part.iter().flat_map(|part| &part.users).for_each(|user| add(&mut text, user.as_str()));
            text.push(';');
        }
        text.push('\n');
    }
    for reader in ["u0", "u1", "u300"] {
        let unread = store.unread(&c, &user(reader), now).await.unwrap();
        writeln!(text, "{reader}: {} {:?}", unread.unread, unread.first).unwrap();
    }
    text
}

fn add(text: &mut String, word: &str) {
    text.push(' ');
    text.push_str(word);
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// What a panic had to say.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it does not say why")
}
