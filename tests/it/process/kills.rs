//! SIGKILL at random moments under load: what was answered holds exactly, and nothing else is there.
//!
//! Each writer has a conversation of its own and knows what must be in it. Of the one request that was on its way
//! when the server died, either all is there or nothing.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use fastrand::Rng;
use seenby::{
    client::{Client, ClientError},
    wire::Code,
};
use tokio::task::JoinSet;

use super::{client, connection, metric_is, start};
use crate::harness::{Running, binary, free_address};

const WRITERS: usize = 8;
const MEMBERS: [&str; 5] = ["sender", "r1", "r2", "r3", "r4"];
const IDS: [&str; 6] = ["m1", "m2", "m3", "m4", "m5", "m6"];
/// A small journal and checkpoints as often as can be, so that kills meet them.
const ARGS: [&str; 4] = ["--checkpoint-every", "100ms", "--journal-bytes-max", "1MiB"];

#[derive(Debug, Clone, Copy)]
enum Op {
    Gather,
    Register(&'static str),
    Mark(&'static str, [&'static str; 2]),
    MarkUpTo(&'static str, &'static str),
    Reset(&'static str),
    Delete(&'static str),
    End,
}

/// A message that is there: its id, its place, who has read it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    id: String,
    order: u64,
    readers: BTreeSet<String>,
}

/// What must be in one conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Chat {
    has_roster: bool,
    order_highest: u64,
    messages: Vec<Known>,
}

impl Chat {
    /// Something that changes it, mostly.
    fn any_op(&self, rng: &mut Rng) -> Op {
        let id = IDS[rng.usize(..IDS.len())];
        let reader = MEMBERS[rng.usize(1..MEMBERS.len())];
        match rng.u8(..100) {
            _ if !self.has_roster => Op::Gather,
            0..2 => Op::End,
            2..10 => Op::Delete(id),
            10..18 => Op::Reset(id),
            18..28 => Op::MarkUpTo(reader, id),
            28..70 => Op::Mark(reader, [id, IDS[rng.usize(..IDS.len())]]),
            _ => Op::Register(id),
        }
    }

    fn place(&self, id: &str) -> Option<usize> {
        self.messages.iter().position(|known| known.id == id)
    }

    /// Does it; returns how many messages were newly marked.
    fn apply(&mut self, op: Op) -> usize {
        let read = |known: &mut Known, reader: &str| usize::from(known.readers.insert(reader.to_owned()));
        match op {
            Op::Gather => self.has_roster = true,
            Op::End => *self = Self::default(),
            Op::Register(id) => {
                if self.place(id).is_none() {
                    self.order_highest += 1;
                    let order = self.order_highest;
                    self.messages.push(Known { id: id.to_owned(), order, readers: BTreeSet::new() });
                }
            }
            Op::Mark(reader, ids) => {
                let known = self.messages.iter_mut().filter(|known| ids.contains(&known.id.as_str()));
                return known.map(|known| read(known, reader)).sum();
            }
            Op::MarkUpTo(reader, id) => {
                let end = self.place(id).map_or(0, |place| place + 1);
                return self.messages[..end].iter_mut().map(|known| read(known, reader)).sum();
            }
            Op::Reset(id) => {
                if let Some(place) = self.place(id) {
                    self.messages[place].readers.clear();
                }
            }
            Op::Delete(id) => self.messages.retain(|known| known.id != id),
        }
        0
    }
}

/// One writer: its conversation, what must be in it, and what was on its way when the server died.
#[derive(Debug)]
struct Writer {
    conversation: String,
    rng: Rng,
    chat: Chat,
    on_its_way: Option<Op>,
    answered: usize,
}

impl Writer {
    fn new(number: usize, seed: u64) -> Self {
        let rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number as u64));
        Self { conversation: format!("w{number}"), rng, chat: Chat::default(), on_its_way: None, answered: 0 }
    }

    /// Writes until the server is gone.
    async fn write(mut self, client: Client) -> Self {
        loop {
            let op = self.chat.any_op(&mut self.rng);
            match self.ask(&client, op).await {
                Ok(marked) => {
                    assert_eq!(marked, self.chat.apply(op), "{op:?} in {:?}", self.chat);
                    self.answered += 1;
                }
                Err(ClientError::Unreachable { .. }) => {
                    self.on_its_way = Some(op);
                    return self;
                }
                Err(error) => panic!("{op:?} in {:?}: {error}", self.chat),
            }
        }
    }

    /// Asks for it; returns how many messages were newly marked.
    async fn ask(&self, client: &Client, op: Op) -> Result<usize, ClientError> {
        let c = &self.conversation;
        match op {
            Op::Gather => client.replace_roster(c, &MEMBERS).await.map(|_| 0),
            Op::Register(id) => client.register(c, id, &MEMBERS[0].into()).await.map(|_| 0),
            Op::Mark(reader, ids) => client.mark_messages(c, reader, &ids).await.map(|answer| answer.marked),
            Op::MarkUpTo(reader, id) => client.mark_up_to(c, reader, id).await.map(|answer| answer.marked),
            Op::Reset(id) => match client.reset_message(c, id).await {
                Err(ClientError::Problem { problem, .. }) if problem.code == Code::UnknownMessage => {
                    assert_eq!(self.chat.place(id), None, "a reset did not find {id}");
                    Ok(0)
                }
                answer => answer.map(|()| 0),
            },
            Op::Delete(id) => client.delete_message(c, id).await.map(|()| 0),
            Op::End => client.delete_conversation(c).await.map(|()| 0),
        }
    }

    /// Holds what the server has against what must be there; what was on its way is decided by that.
    async fn check(&mut self, client: &Client) {
        let found = self.found(client).await;
        let mut after = self.chat.clone();
        if let Some(op) = self.on_its_way.take() {
            after.apply(op);
            if found == shown(&after) {
                self.chat = after;
                return;
            }
            assert_eq!(found, shown(&self.chat), "{}: {op:?} was on its way", self.conversation);
        }
        assert_eq!(found, shown(&self.chat), "{}: nothing was on its way", self.conversation);
    }

    async fn found(&self, client: &Client) -> (bool, Vec<Known>) {
        let c = &self.conversation;
        let has_roster = match client.roster(c).await {
            Ok(members) => {
                assert_eq!(members, MEMBERS);
                true
            }
            Err(ClientError::Problem { problem, .. }) if problem.code == Code::UnknownConversation => false,
            Err(error) => panic!("{error}"),
        };
        let mut messages = Vec::new();
        for message in client.messages(c).await.unwrap() {
            let readers = client.readers(c, &message.message).await.unwrap();
            assert_eq!((message.read as usize, message.of as usize), (readers.len(), MEMBERS.len() - 1));
            let readers = readers.into_iter().collect();
            messages.push(Known { id: message.message, order: message.order, readers });
        }
        (has_roster, messages)
    }
}

/// What a client can see of it. The highest order shows with the next registration.
fn shown(chat: &Chat) -> (bool, Vec<Known>) {
    (chat.has_roster, chat.messages.clone())
}

/// A start that is killed on the way.
async fn start_in_vain(data: &Path, alive: Duration) {
    let mut starting = Command::new(binary())
        .args(["serve", "--log", "warn", "--listen", &free_address(), "--data", data.to_str().unwrap()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::sleep(alive).await;
    starting.kill().unwrap();
    starting.wait().unwrap();
}

/// Lets them write, kills the server amid that, and holds what the next one has against what must be there.
async fn round(
    data: &Path,
    rng: &mut Rng,
    server: Running,
    mut writers: Vec<Writer>,
) -> (Running, Vec<Writer>) {
    let mut writing = JoinSet::new();
    for writer in writers.drain(..) {
        writing.spawn(writer.write(client(&server)));
    }
    tokio::time::sleep(Duration::from_millis(rng.u64(5..350))).await;
    server.kill();
    writers = writing.join_all().await;
    while rng.u8(..3) == 0 {
        start_in_vain(data, Duration::from_millis(rng.u64(..40))).await;
    }
    let server = start(data, &ARGS);
    let client = client(&server);
    for writer in &mut writers {
        writer.check(&client).await;
    }
    (server, writers)
}

async fn kill_again_and_again(seed: u64, kills: usize) {
    println!("seed {seed}");
    let directory = tempfile::tempdir().unwrap();
    let mut rng = Rng::with_seed(seed);
    let mut server = start(directory.path(), &ARGS);
    let mut writers: Vec<_> = (0..WRITERS).map(|number| Writer::new(number, seed)).collect();
    for _ in 0..kills {
        (server, writers) = round(directory.path(), &mut rng, server, writers).await;
    }
    let messages = writers.iter().map(|writer| writer.chat.messages.len() as u64).sum();
    metric_is(&mut connection(&server).await, "seenby_store_messages", messages).await;
    let answered: usize = writers.iter().map(|writer| writer.answered).sum();
    assert!(answered > kills * WRITERS, "only {answered} answers");
    let first_segment = directory.path().join("journal/00000000000000000001.journal");
    assert!(!first_segment.exists(), "checkpoints were made on the way");
    println!("{kills} kills, {answered} answers");
}

#[tokio::test]
async fn twenty_kills_under_load_lose_and_invent_nothing() {
    kill_again_and_again(7, 20).await;
}

mod long {
    #[tokio::test]
    #[ignore = "some minutes"]
    async fn two_hundred_kills_under_load_lose_and_invent_nothing() {
        super::kill_again_and_again(fastrand::u64(..), 200).await;
    }
}
