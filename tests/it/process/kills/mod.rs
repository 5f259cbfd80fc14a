//! SIGKILL at random moments of every kind: what was answered holds exactly, and nothing else is there.
//!
//! Writers, each with conversations of its own, write whatever there is to write until the server is gone. The next
//! one must show all that was answered, and of each write that was on its way all or nothing: `judge` says what that
//! is, `shown` asks, `op` makes up the writes.

mod judge;
mod op;
mod shown;

use std::{
    collections::BTreeMap,
    ops::Range,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use fastrand::Rng;
use seenby::{
    client::{Client, ClientError},
    wire::Code,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use self::judge::{Judge, instants, now};
pub(crate) use self::{
    op::{IDS, Op},
    shown::{Shown, shown},
};
use super::{client, connection, metric};
use crate::harness::{PATIENCE, Running, binary, free_address};

const WRITERS: usize = 6;
/// A small journal, and checkpoints and sweeps as often as can be, so that kills meet them.
const ARGS: [&str; 8] = [
    "--checkpoint-every",
    "100ms",
    "--sweep-every",
    "100ms",
    "--journal-bytes-max",
    "1MiB",
    "--log",
    "error",
];

/// What the server is at when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Writing,
    Starting,
    Checkpoint,
    Expiry,
    Shutdown,
}

const MOMENTS: [Moment; 5] =
    [Moment::Writing, Moment::Starting, Moment::Checkpoint, Moment::Expiry, Moment::Shutdown];

/// One writer: its conversations, and what must be in them.
pub(crate) struct Writer {
    conversations: Vec<String>,
    rng: Rng,
    judge: Judge,
    /// Whether it writes one entry at a time.
    is_single: bool,
    pub(crate) answered: usize,
}

impl Writer {
    pub(crate) async fn new(number: usize, seed: u64) -> Self {
        let conversations = vec![format!("w{number}a"), format!("w{number}b")];
        let rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number as u64));
        let judge = Judge::new(conversations.clone()).await;
        Self { conversations, rng, judge, is_single: false, answered: 0 }
    }

    /// The same for a store that may do a part of a bulk, if its server dies before it answers.
    pub(crate) fn without_bulks(self) -> Self {
        Self { is_single: true, ..self }
    }

    /// Writes until the server is gone.
    pub(crate) async fn write(mut self, client: Client) -> Self {
        loop {
            let op = Op::any(&mut self.rng, &self.conversations);
            let op = if self.is_single { op.first() } else { op };
            let asked = now();
            let said = op.ask(&client).await;
            let instants = instants(asked, now());
            match said {
                Ok(said) => {
                    self.judge.answered(&op, &said, &instants).await;
                    self.answered += 1;
                }
                Err(ClientError::Unreachable { .. }) => {
                    self.judge.unanswered(&op, &instants).await;
                    return self;
                }
                // Nothing of it was done.
                Err(ClientError::Problem { problem, .. }) if problem.code == Code::Overloaded => {}
                Err(error) => panic!("{op:?}: {error}"),
            }
        }
    }

    /// Holds what the server shows against what must be there.
    pub(crate) async fn check(mut self, client: Client) -> Self {
        let began = Instant::now();
        loop {
            let asked = now();
            let found = shown(&client, &self.conversations).await.unwrap();
            // Nothing came to its end meanwhile.
            if instants(asked, now()).len() == 1 {
                self.judge.found(&found, asked).await;
                return self;
            }
            assert!(began.elapsed() < PATIENCE, "nothing is read within a second");
        }
    }
}

/// A server on a directory that it and those after it share, and what it is up against.
struct Story {
    directory: TempDir,
    rng: Rng,
    /// How long the last start took.
    start: Duration,
    met: BTreeMap<Moment, usize>,
}

impl Story {
    fn data(&self) -> &Path {
        self.directory.path()
    }

    fn start(&mut self) -> Running {
        let began = Instant::now();
        let data = ["--data", self.data().to_str().unwrap()];
        let server = Running::start(&[&data[..], &ARGS].concat());
        self.start = began.elapsed();
        server
    }

    /// For some of these milliseconds. Not by the runtime's clock, which is a coarse one; the writers have threads of
    /// their own.
    fn sleep_ms(&mut self, range: Range<u64>) {
        sleep(Duration::from_micros(self.rng.u64(range.start * 1_000..range.end * 1_000)));
    }

    /// Kills the server at such a moment, and says whether it was one.
    fn kill_at(&mut self, moment: Moment, server: Running) -> bool {
        match moment {
            Moment::Writing => {
                self.sleep_ms(5..250);
                was_killed(server.kill())
            }
            Moment::Starting => {
                self.sleep_ms(5..50);
                server.kill();
                self.kill_at_start()
            }
            Moment::Checkpoint => {
                self.sleep_ms(0..100);
                let began = Instant::now();
                while !is_checkpointing(self.data()) && began.elapsed() < Duration::from_secs(1) {
                    sleep(Duration::from_micros(200));
                }
                self.sleep_ms(0..8);
                server.kill();
                is_checkpointing(self.data())
            }
            Moment::Expiry => {
                let unix_ms = now().unix_ms;
                sleep(Duration::from_millis(1_000 - unix_ms % 1_000));
                self.sleep_ms(0..150);
                was_killed(server.kill())
            }
            Moment::Shutdown => {
                self.sleep_ms(5..100);
                server.begin_to_end();
                self.sleep_ms(0..20);
                was_killed(server.kill())
            }
        }
    }

    /// Starts in vain, at least once; says whether one was killed before it could answer.
    fn kill_at_start(&mut self) -> bool {
        let mut met = false;
        loop {
            let mut starting = Command::new(binary())
                .args(["serve", "--listen", &free_address(), "--data"])
                .arg(self.data())
                .args(ARGS)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let longest = u64::try_from(self.start.as_millis()).unwrap() + 1;
            self.sleep_ms(0..longest);
            starting.kill().unwrap();
            let output = starting.wait_with_output().unwrap();
            assert!(was_killed(output.status), "it ended by itself: {}", output.status);
            met |= output.stdout.is_empty();
            if self.rng.bool() {
                return met;
            }
        }
    }

    /// Lets them write, kills the server, and holds what the next one has against what must be there.
    async fn round(&mut self, server: Running, writers: Vec<Writer>) -> (Running, Vec<Writer>) {
        let moment = MOMENTS[self.rng.usize(..MOMENTS.len())];
        let mut writing = JoinSet::new();
        for writer in writers {
            writing.spawn(writer.write(client(&server)));
        }
        let mut met = self.kill_at(moment, server);
        let second = now().unix_ms / 1_000;
        let writers = writing.join_all().await;
        if moment == Moment::Expiry {
            met &= writers.iter().any(|writer| writer.judge.ended() == Some(second));
        }
        *self.met.entry(moment).or_default() += usize::from(met);
        let server = self.start();
        let mut checking = JoinSet::new();
        for writer in writers {
            checking.spawn(writer.check(client(&server)));
        }
        let writers = checking.join_all().await;
        let listed = client(&server).conversations().await.unwrap();
        let is_known = |c: &String| writers.iter().any(|writer| writer.conversations.contains(c));
        assert!(listed.iter().all(is_known), "{listed:?}");
        (server, writers)
    }
}

fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}

/// Whether a segment of the journal waits for a checkpoint to have what it holds.
fn is_checkpointing(data: &Path) -> bool {
    let entries = std::fs::read_dir(data.join("journal")).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().extension().is_some_and(|it| it == "journal")).count() > 1
}

/// Waits until the server holds no more messages than there are: what has expired is given up.
async fn nothing_is_kept(server: &Running, writers: &[Writer]) {
    let mut wire = connection(server).await;
    let began = Instant::now();
    loop {
        let held = metric(&mut wire, "seenby_store_messages").await;
        let mut expected = 0;
        for writer in writers {
            expected += writer.judge.messages(now()).await;
        }
        if held == expected {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{held} messages are held, and there are {expected}");
    }
}

async fn kill_again_and_again(seed: u64, rounds: usize) {
    println!("seed {seed}");
    let mut story = Story {
        directory: tempfile::tempdir().unwrap(),
        rng: Rng::with_seed(seed),
        start: Duration::ZERO,
        met: BTreeMap::new(),
    };
    let mut server = story.start();
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        writers.push(Writer::new(number, seed).await);
    }
    for _ in 0..rounds {
        (server, writers) = story.round(server, writers).await;
    }
    nothing_is_kept(&server, &writers).await;
    let answered: usize = writers.iter().map(|writer| writer.answered).sum();
    println!("{rounds} rounds, {answered} answers, killed while at: {:?}", story.met);
    assert!(answered > rounds * WRITERS, "only {answered} answers");
    // How many of each are met depends on how quick the machine is: a sweep may be over before the signal comes.
    for moment in MOMENTS {
        assert!(story.met.contains_key(&moment), "{moment:?}: {:?}", story.met);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_kills_at_moments_of_every_kind_lose_and_invent_nothing() {
    kill_again_and_again(7, 100).await;
}

mod long {
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "many minutes"]
    async fn a_thousand_kills_at_moments_of_every_kind_lose_and_invent_nothing() {
        super::kill_again_and_again(fastrand::u64(..), 1_000).await;
    }
}
