//! A trickle of marks beside the attacks. Each that was answered is remembered, to be looked for in the end.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::super::{BenchError, load::count};
use crate::{client::Client, wire::RegisterEntry};

const CONVERSATION: &str = "witnessed";
const SENDER: &str = "sender";
/// Each marks each message once.
const READERS: usize = 1_000;
/// As many as one call registers; there is a mark for each message and reader.
const MESSAGES: usize = 1_000;
/// Between two marks.
const EVERY: Duration = Duration::from_millis(20);

/// What became of the marks beside one attack.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    pub(super) answered: usize,
    /// Not answered with a success: whether they are kept, nobody was told.
    pub(super) failed: usize,
    pub(super) longest: Duration,
}

/// The marks of one attack.
#[derive(Debug, Default)]
struct Seen {
    marks: Marks,
    answered: Vec<usize>,
}

/// Marks again and again. Ends when dropped.
#[derive(Debug)]
pub(super) struct Witness {
    /// The last one is of the attack that goes on.
    seen: Arc<Mutex<Vec<Seen>>>,
    client: Client,
    marking: JoinHandle<()>,
}

impl Witness {
    /// Puts a conversation there, and begins.
    pub(super) async fn begin(client: Client) -> Result<Self, BenchError> {
        let mut members: Vec<_> = (0..READERS).map(reader).collect();
        members.push(SENDER.to_owned());
        let put = client.replace_roster(CONVERSATION, &members).await;
        put.map_err(BenchError::call("put a roster"))?;
        let entry = |at| RegisterEntry {
            id: message(at),
            sender: SENDER.to_owned(),
            audience: None,
            expires_in_s: None,
            order: None,
        };
        let sent = client.register_bulk(CONVERSATION, (0..MESSAGES).map(entry).collect()).await;
        let sent = sent.map_err(BenchError::call("register messages"))?;
        count("messages", sent.registered as u64, MESSAGES as u64)?;
        let seen = Arc::new(Mutex::new(vec![Seen::default()]));
        let marking = tokio::spawn(mark_on(client.clone(), seen.clone()));
        Ok(Self { seen, client, marking })
    }

    /// Begins to count anew.
    pub(super) fn next(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen::default());
    }

    /// Since it last began to count.
    pub(super) fn marks(&self) -> Marks {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.last().map(|seen| seen.marks).unwrap_or_default()
    }

    /// How long it takes until the server is ready, and has made a mark durable.
    pub(super) async fn well_after(&self) -> Result<Duration, BenchError> {
        let began = Instant::now();
        let ready = self.client.is_ready().await.map_err(BenchError::call("ask whether it is ready"))?;
        let marked = self.client.mark_messages(CONVERSATION, &reader(0), &[message(0)]).await;
        marked.map_err(BenchError::call("mark"))?;
        if ready { Ok(began.elapsed()) } else { Err(BenchError::Server("it is not ready".to_owned())) }
    }

    /// Ends it. What was answered, attack for attack.
    pub(super) fn end(self) -> Vec<Vec<usize>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter_mut().map(|seen| std::mem::take(&mut seen.answered)).collect()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.marking.abort();
    }
}

/// Marks one message after the other, and each for one reader after the other.
async fn mark_on(client: Client, seen: Arc<Mutex<Vec<Seen>>>) {
    for mark in 0..MESSAGES * READERS {
        let (at, by) = (mark / READERS, mark % READERS);
        let began = Instant::now();
        let marked = client.mark_messages(CONVERSATION, &reader(by), &[message(at)]).await;
        let took = began.elapsed();
        if let Some(seen) = seen.lock().unwrap_or_else(PoisonError::into_inner).last_mut() {
            seen.marks.longest = seen.marks.longest.max(took);
            if marked.is_ok_and(|marked| marked.refused.is_empty()) {
                seen.marks.answered += 1;
                seen.answered.push(mark);
            } else {
                seen.marks.failed += 1;
            }
        }
        sleep(EVERY).await;
    }
}

/// How many of the answered marks, attack for attack, the server does not know.
pub(super) async fn lost(client: &Client, answered: &[Vec<usize>]) -> Result<Vec<usize>, BenchError> {
    let mut readers: HashMap<usize, HashSet<String>> = HashMap::new();
    let mut lost = Vec::new();
    for marks in answered {
        let mut missing = 0;
        for mark in marks {
            let (at, by) = (mark / READERS, mark % READERS);
            let readers = match readers.entry(at) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let known = client.readers(CONVERSATION, &message(at)).await;
                    place.insert(known.map_err(BenchError::call("ask who has read"))?.into_iter().collect())
                }
            };
            missing += usize::from(!readers.contains(&reader(by)));
        }
        lost.push(missing);
    }
    Ok(lost)
}

fn reader(at: usize) -> String {
    format!("reader-{at}")
}

fn message(at: usize) -> String {
    format!("message-{at}")
}
