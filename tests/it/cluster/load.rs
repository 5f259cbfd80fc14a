//! Marks and pulls that go on whatever happens, and what was answered: so what must be there afterwards, what may be, and
//! for how long nothing was answered.
//!
//! Each conversation has a writer. It takes the servers in turn, so a mark goes through one and the pull that must show it
//! through another.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use seenby::client::{Client, ClientError};
use tokio::task::JoinSet;

use crate::{
    harness::{PATIENCE, Running},
    process::client,
};

const READERS: u64 = 40;
/// Marks between two pulls.
const PULL_EVERY: u64 = 5;
/// Before the next call after one that was refused.
const PAUSE: Duration = Duration::from_millis(20);

/// What one writer was answered.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) conversation: String,
    /// The messages whose registration was answered.
    pub(super) messages: u64,
    /// Marks that were answered: the message and its reader.
    pub(super) answered: BTreeSet<(u64, u64)>,
    /// Those that were not: they may have been made.
    pub(super) unsure: BTreeSet<(u64, u64)>,
    /// The most that a pull ever said of a message.
    pub(super) shown: BTreeMap<u64, u32>,
    /// Calls that were not answered, by the code they were refused with.
    pub(super) refused: BTreeMap<String, u64>,
    /// Answers that deny what an earlier one said: an unknown message, or fewer readers than there were.
    pub(super) denied: Vec<String>,
    /// The longest time without an answer to a mark.
    pub(super) gap: Duration,
    /// The longest time that a call took that was not answered.
    pub(super) slowest_refusal: Duration,
    last: Instant,
}

impl Book {
    fn new(conversation: String) -> Self {
        Self {
            conversation,
            messages: 0,
            answered: BTreeSet::new(),
            unsure: BTreeSet::new(),
            shown: BTreeMap::new(),
            refused: BTreeMap::new(),
            denied: Vec::new(),
            gap: Duration::ZERO,
            slowest_refusal: Duration::ZERO,
            last: Instant::now(),
        }
    }

    fn note_gap(&mut self) {
        self.gap = self.gap.max(self.last.elapsed());
        self.last = Instant::now();
    }

    /// Waits a little, since nothing was to be had.
    async fn refuse(&mut self, error: &ClientError, asked: Instant) {
        self.slowest_refusal = self.slowest_refusal.max(asked.elapsed());
        let code = match error {
            ClientError::Problem { problem, .. } => problem.code.to_string(),
            ClientError::Unreachable { .. } => "unreachable".to_owned(),
            other => other.to_string(),
        };
        *self.refused.entry(code).or_default() += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) fn message(number: u64) -> String {
    format!("m{number}")
}

pub(super) fn reader(number: u64) -> String {
    format!("r{number}")
}

/// A conversation's writer.
struct Writer {
    book: Book,
    clients: Vec<Client>,
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    refusals: Arc<AtomicU64>,
}

impl Writer {
    async fn write(mut self) -> Book {
        for at in 0.. {
            let (number, by) = (at / READERS, at % READERS);
            if by == 0 && !self.register(number).await || self.stop.load(Ordering::SeqCst) {
                break;
            }
            self.mark(at, number, by).await;
            if at % PULL_EVERY == 0 {
                self.pull(at, number).await;
            }
        }
        self.book.note_gap();
        self.book
    }

    fn client(&self, turn: u64) -> Client {
        self.clients[usize::try_from(turn).unwrap() % self.clients.len()].clone()
    }

    /// Until it is answered; false if there is to be an end first.
    async fn register(&mut self, number: u64) -> bool {
        for turn in 0.. {
            let asked = Instant::now();
            let client = self.client(turn);
            match client.register(&self.book.conversation, &message(number), &"alice".into()).await {
                Ok(_) => break,
                Err(error) => {
                    self.refusals.fetch_add(1, Ordering::SeqCst);
                    self.book.refuse(&error, asked).await;
                }
            }
            if self.stop.load(Ordering::SeqCst) {
                return false;
            }
        }
        self.book.messages = number + 1;
        true
    }

    async fn mark(&mut self, turn: u64, number: u64, by: u64) {
        let asked = Instant::now();
        let (client, c) = (self.client(turn), &self.book.conversation);
        match client.mark_messages(c, &reader(by), &[message(number)]).await {
            Ok(marked) if marked.refused.is_empty() => {
                self.book.note_gap();
                self.book.answered.insert((number, by));
                self.answers.fetch_add(1, Ordering::SeqCst);
            }
            Ok(refused) => self.book.denied.push(format!("a mark of m{number}: {:?}", refused.refused)),
            Err(error) => {
                self.refusals.fetch_add(1, Ordering::SeqCst);
                self.book.unsure.insert((number, by));
                self.book.refuse(&error, asked).await;
            }
        }
    }

    async fn pull(&mut self, turn: u64, number: u64) {
        let asked = Instant::now();
        let client = self.client(turn + 1);
        match client.pull(&self.book.conversation, &[message(number)]).await {
            Ok(pulled) => {
                let least = self.book.answered.range((number, 0)..(number + 1, 0)).count();
                let read = pulled.receipts[0].read;
                if read.is_none_or(|read| read < u32::try_from(least).unwrap()) {
                    self.book.denied.push(format!("a pull of m{number} after {least} marks: {read:?}"));
                }
                let shown = self.book.shown.entry(number).or_default();
                *shown = (*shown).max(read.unwrap_or_default());
            }
            Err(error) => self.book.refuse(&error, asked).await,
        }
    }
}

/// Writers that go on until they are told to stop.
pub(super) struct Load {
    writing: JoinSet<Book>,
    stop: Arc<AtomicBool>,
    /// Of each writer, how many marks were answered.
    answers: Vec<Arc<AtomicU64>>,
    /// How many writes were not, of all.
    refusals: Arc<AtomicU64>,
}

impl Load {
    /// Makes the conversations, and begins to write to them through these servers.
    pub(super) async fn begin(servers: &[&Running], conversations: &[String]) -> Self {
        let clients: Vec<_> = servers.iter().map(|server| client(server)).collect();
        let mut load = Self {
            writing: JoinSet::new(),
            stop: Arc::default(),
            answers: Vec::new(),
            refusals: Arc::default(),
        };
        let readers: Vec<_> = (0..READERS).map(reader).collect();
        let members: Vec<_> = std::iter::once("alice").chain(readers.iter().map(String::as_str)).collect();
        for conversation in conversations {
            clients[0].replace_roster(conversation, &members).await.unwrap();
            let answers = Arc::<AtomicU64>::default();
            load.answers.push(answers.clone());
            let book = Book::new(conversation.clone());
            let (clients, stop, refusals) = (clients.clone(), load.stop.clone(), load.refusals.clone());
            load.writing.spawn(Writer { book, clients, stop, answers, refusals }.write());
        }
        load.flows().await;
        load
    }

    /// Waits until in each conversation some more marks were answered, and says how long that took.
    pub(super) async fn flows(&self) -> Duration {
        self.flow_in(|_| true).await
    }

    /// The same, of some of the conversations by their numbers.
    pub(super) async fn flow_in(&self, wanted: impl Fn(usize) -> bool) -> Duration {
        const MORE: u64 = 20;
        let began = Instant::now();
        let count = |answers: &Arc<AtomicU64>| answers.load(Ordering::SeqCst);
        let before: Vec<_> = self.answers.iter().map(count).collect();
        let is_there =
            |(at, answers): (usize, &Arc<AtomicU64>)| !wanted(at) || count(answers) >= before[at] + MORE;
        while !self.answers.iter().enumerate().all(is_there) {
            assert!(began.elapsed() < PATIENCE, "marks do not flow");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }

    /// Waits until a few more marks were answered, wherever it is.
    pub(super) async fn ticks(&self) {
        const MORE: u64 = 3;
        let count = || self.answers.iter().map(|answers| answers.load(Ordering::SeqCst)).sum::<u64>();
        let (began, before) = (Instant::now(), count());
        while count() < before + MORE {
            assert!(began.elapsed() < PATIENCE, "no mark is answered");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until some more writes were refused.
    pub(super) async fn refuses(&self) {
        const MORE: u64 = 5;
        let (began, before) = (Instant::now(), self.refusals.load(Ordering::SeqCst));
        while self.refusals.load(Ordering::SeqCst) < before + MORE {
            assert!(began.elapsed() < PATIENCE, "no write is refused");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the writers.
    pub(super) async fn end(self) -> Vec<Book> {
        self.stop.store(true, Ordering::SeqCst);
        self.writing.join_all().await
    }
}
