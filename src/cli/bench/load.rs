//! Sending: rosters, messages, marks and pulls of made-up chats, many requests at once, with a bar.

use std::{
    ops::Range,
    time::{Duration, SystemTime},
};

use tokio::task::JoinSet;

use super::{
    BenchError,
    chats::{Chats, Reads},
};
pub(super) use crate::cli::measure::Bar;
use crate::{
    client::{Client, Retry},
    wire::{BulkMarkEntry, BulkMarkResponse, RegisterEntry},
};

/// Messages that are sent in one step; then their readers come.
const STEP_MIN: usize = 100;
/// The most that one request can register.
const STEP_MAX: usize = 1_000;
/// A conversation goes on in about so many steps, so that its marks do not come all at once.
const STEPS: usize = 100;
/// Readers whose marks of one step go into one request, or several if they do not fit.
const READERS: usize = 500;
/// The most that one request can mark.
const ENTRIES_MAX: usize = 1_000;
/// Messages on a screen.
pub(super) const SCREEN: usize = 20;
/// For how long a call is made again that the server is too busy for.
const GIVE_UP: Duration = Duration::from_mins(5);

/// How many requests are under way at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) connections: usize,
}

/// Does `work` for each of `items`, several at once, and gathers what comes of it, in any order.
pub(super) async fn each<T, R, F>(
    pace: Pace,
    bar: &Bar,
    items: impl Iterator<Item = T>,
    work: impl Fn(T) -> F,
) -> Result<Vec<R>, BenchError>
where
    R: Send + 'static,
    F: Future<Output = Result<R, BenchError>> + Send + 'static,
{
    let (mut running, mut gathered) = (JoinSet::new(), Vec::new());
    for item in items {
        if running.len() >= pace.connections
            && let Some(done) = running.join_next().await
        {
            gathered.push(done??);
            bar.add(1);
        }
        running.spawn(work(item));
    }
    while let Some(done) = running.join_next().await {
        gathered.push(done??);
        bar.add(1);
    }
    Ok(gathered)
}

/// Chats and the server that they are on.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) chats: Chats,
    pub(super) client: Client,
    pub(super) retry: Retry,
    pub(super) pace: Pace,
    /// When its messages expire, if not after the server's retention.
    pub(super) end: Option<SystemTime>,
}

impl Load {
    pub(super) fn new(chats: Chats, client: &Client, pace: Pace) -> Self {
        Self { chats, client: client.clone(), retry: Retry::new(GIVE_UP), pace, end: None }
    }

    /// The same, with messages that all expire at `end`.
    pub(super) fn until(self, end: SystemTime) -> Self {
        Self { end: Some(end), ..self }
    }

    /// Puts all rosters.
    pub(super) async fn rosters(&self) -> Result<(), BenchError> {
        let bar = Bar::new("rosters", self.chats.conversations);
        let rosters = each(self.pace, &bar, 0..self.chats.conversations, |at| self.clone().roster(at));
        rosters.await.map(|_| ())
    }

    async fn roster(self, at: usize) -> Result<(), BenchError> {
        let (name, chats) = (self.chats.name(at), self.chats);
        let members: Vec<_> = (0..chats.members).map(|member| chats.member(at, member)).collect();
        let put = self.retry.run(|| self.client.replace_roster(&name, &members)).await;
        let put = put.map_err(BenchError::call("put a roster"))?;
        count("members", put.members as u64, chats.members as u64)
    }

    /// Sends all messages and marks, in steps. How many marks were new.
    pub(super) async fn messages_and_marks(&self) -> Result<u64, BenchError> {
        let Chats { conversations, messages, .. } = self.chats;
        let step = messages.div_ceil(STEPS).clamp(STEP_MIN, STEP_MAX);
        let steps = messages.div_ceil(step);
        let bar = Bar::new("messages and marks", steps * (conversations + self.batches()));
        let mut marked = 0;
        for first in (0..messages).step_by(step) {
            marked += self.step(first..(first + step).min(messages), &bar).await?;
        }
        Ok(marked)
    }

    /// Sends some messages in every conversation, and the marks that come next. How many of them were new.
    pub(super) async fn step(&self, messages: Range<usize>, bar: &Bar) -> Result<u64, BenchError> {
        let conversations = 0..self.chats.conversations;
        each(self.pace, bar, conversations, |at| self.clone().register(at, messages.clone())).await?;
        let marks =
            each(self.pace, bar, 0..self.batches(), |batch| self.clone().readers(batch, messages.clone()));
        Ok(marks.await?.iter().sum())
    }

    fn batches(&self) -> usize {
        (self.chats.conversations * self.chats.members).div_ceil(READERS)
    }

    /// Registers some messages of a conversation.
    pub(super) async fn register(self, at: usize, messages: Range<usize>) -> Result<(), BenchError> {
        let (name, chats, wanted) = (self.chats.name(at), self.chats, messages.len());
        let left =
            |end: SystemTime| end.duration_since(SystemTime::now()).unwrap_or_default().as_secs().max(1);
        let expires_in_s = self.end.map(left);
        let entry = |message| RegisterEntry {
            id: chats.message(at, message),
            sender: chats.member(at, chats.sender(at, message)),
            audience: None,
            expires_in_s,
            order: None,
        };
        let sent = self.retry.run(|| self.client.register_bulk(&name, messages.clone().map(entry).collect()));
        let sent = sent.await.map_err(BenchError::call("register messages"))?;
        count("messages", (sent.registered + sent.same) as u64, wanted as u64)
    }

    /// The marks of one batch of readers, counted over all conversations, on the messages of one step.
    async fn readers(self, batch: usize, step: Range<usize>) -> Result<u64, BenchError> {
        let chats = self.chats;
        let readers = batch * READERS..((batch + 1) * READERS).min(chats.conversations * chats.members);
        let mut entries = Vec::new();
        for reader in readers {
            let (at, member) = (reader / chats.members, reader % chats.members);
            let entry = BulkMarkEntry {
                conversation: chats.name(at),
                reader: chats.member(at, member),
                ..BulkMarkEntry::default()
            };
            match chats.reads {
                Reads::InOrder => {
                    let visits = chats
                        .visits(at, member, step.start / chats.period)
                        .into_iter()
                        .filter(|place| step.contains(place));
                    entries.extend(visits.map(|place| (place, up_to(&entry, chats.message(at, place)))));
                }
                Reads::Random => {
                    let picked = chats.picked(at, member, step.clone());
                    let ids: Vec<_> = picked.iter().map(|&message| chats.message(at, message)).collect();
                    if !ids.is_empty() {
                        entries.push((0, BulkMarkEntry { messages: Some(ids), ..entry }));
                    }
                }
            }
        }
        // As they would come: each reader's visits in their order, and between them those of the others.
        entries.sort_by_key(|(place, _)| *place);
        let entries: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
        let mut marked = 0;
        for entries in entries.chunks(ENTRIES_MAX) {
            marked += self.mark(entries).await?.marked as u64;
        }
        Ok(marked)
    }

    /// Marks, and takes no refusal.
    pub(super) async fn mark(&self, entries: &[BulkMarkEntry]) -> Result<BulkMarkResponse, BenchError> {
        let marked = self.retry.run(|| self.client.mark_bulk(entries.to_vec())).await;
        let marked = marked.map_err(BenchError::call("mark"))?;
        match marked.refused.first() {
            None => Ok(marked),
            Some(refused) => Err(BenchError::Wrong(format!(
                "the mark of {} is refused: {}",
                refused.message, refused.code
            ))),
        }
    }

    /// Pulls every message once, as screens in no order. How many receipts there are.
    pub(super) async fn pull_all(&self) -> Result<u64, BenchError> {
        let screens = self.screens();
        let bar = Bar::new("pulls", screens.len());
        let pulled = each(self.pace, &bar, screens.into_iter(), |(at, first)| self.clone().pull(at, first));
        Ok(pulled.await?.iter().sum())
    }

    /// On every screen once, in no order: a member reads up to its end, and the screen is pulled.
    pub(super) async fn mark_and_pull_all(&self) -> Result<(), BenchError> {
        let screens = self.screens();
        let bar = Bar::new("marks and pulls", screens.len());
        let both = each(self.pace, &bar, screens.into_iter(), |(at, first)| {
            let load = self.clone();
            async move {
                let chats = load.chats;
                let member = chats.chance(&[8, at, first]).usize(..chats.members);
                let end = (first + SCREEN).min(chats.messages) - 1;
                let entry = BulkMarkEntry {
                    conversation: chats.name(at),
                    reader: chats.member(at, member),
                    ..BulkMarkEntry::default()
                };
                load.mark(&[up_to(&entry, chats.message(at, end))]).await?;
                load.pull(at, first).await
            }
        });
        both.await.map(|_| ())
    }

    /// Conversations, and where in them screens begin.
    fn screens(&self) -> Vec<(usize, usize)> {
        let firsts = || (0..self.chats.messages).step_by(SCREEN);
        let mut screens: Vec<_> =
            (0..self.chats.conversations).flat_map(|at| firsts().map(move |first| (at, first))).collect();
        self.chats.chance(&[9]).shuffle(&mut screens);
        screens
    }

    /// Pulls a screen; how many receipts it has.
    pub(super) async fn pull(self, at: usize, first: usize) -> Result<u64, BenchError> {
        let (name, chats) = (self.chats.name(at), self.chats);
        let end = (first + SCREEN).min(chats.messages);
        let ids: Vec<_> = (first..end).map(|message| chats.message(at, message)).collect();
        let pulled = self.retry.run(|| self.client.pull(&name, &ids)).await;
        let pulled = pulled.map_err(BenchError::call("pull"))?;
        let read: Option<u64> = pulled.receipts.iter().map(|entry| entry.read.map(u64::from)).sum();
        read.ok_or_else(|| BenchError::Wrong(format!("a message of {name} is not known any more")))
    }

    /// Deletes all conversations.
    pub(super) async fn delete(&self) -> Result<(), BenchError> {
        let bar = Bar::new("deletes", self.chats.conversations);
        let deleted = each(self.pace, &bar, 0..self.chats.conversations, |at| {
            let load = self.clone();
            async move {
                let name = load.chats.name(at);
                let deleted = load.retry.run(|| load.client.delete_conversation(&name)).await;
                deleted.map_err(BenchError::call("delete a conversation"))
            }
        });
        deleted.await.map(|_| ())
    }
}

/// The entry, for everything up to `message`.
pub(super) fn up_to(entry: &BulkMarkEntry, message: String) -> BulkMarkEntry {
    BulkMarkEntry { up_to: Some(message), ..entry.clone() }
}

/// It is an error if the server counts otherwise than this must come to.
pub(super) fn count(what: &str, counted: u64, wanted: u64) -> Result<(), BenchError> {
    if counted == wanted {
        return Ok(());
    }
    Err(BenchError::Wrong(format!("the server counts {counted} {what}, and must count {wanted}")))
}
