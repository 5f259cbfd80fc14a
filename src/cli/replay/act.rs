//! Acting a trace out: what the chat's own back end and its clients send as it goes on.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{Difference, Play, ReplayError, message_id, report::Counts};
use crate::{
    cli::trace::{Act, Event, ExpectedMessage},
    client::{Pulled, Receipts},
    wire::{Poll, RegisterRequest, RosterChangeRequest},
};

/// Acts the trace out from the beginning; what it meets on the way that must not be are differences.
pub(super) async fn act(play: Arc<Play>) -> Result<Vec<Difference>, ReplayError> {
    let conversation = &play.conversation;
    let delete = || play.client.delete_conversation(conversation);
    play.retry.run(delete).await.map_err(play.failed("delete the conversation"))?;
    let began = Instant::now();
    let mut stage =
        Stage { play: play.clone(), last_post: None, posts: 0, looks: JoinSet::new(), found: Vec::new() };
    let mut events = play.trace.events.as_slice();
    while let Some(event) = events.first() {
        let (now, later) = events.split_at(moves_at_once(events).max(1));
        sleep_until(began + Duration::from_millis(event.at_ms) / play.faster).await;
        match event.act {
            Act::Post(number) => stage.post(event, number).await?,
            Act::Join | Act::Leave => stage.move_members(now).await?,
        }
        play.progress.add(now.len());
        events = later;
    }
    stage.end().await
}

/// How many of the first events are joins and leaves of one instant, of different users: one change of the roster.
fn moves_at_once(events: &[Event]) -> usize {
    let mut moved = std::collections::HashSet::new();
    events
        .iter()
        .take_while(|event| {
            !matches!(event.act, Act::Post(_)) && event.at_ms == events[0].at_ms && moved.insert(&event.user)
        })
        .count()
}

/// One conversation as far as it has been acted out.
struct Stage {
    play: Arc<Play>,
    last_post: Option<String>,
    posts: usize,
    looks: JoinSet<Result<Vec<Difference>, ReplayError>>,
    found: Vec<Difference>,
}

impl Stage {
    /// The first members are put, whoever comes and goes later is patched.
    async fn move_members(&mut self, moves: &[Event]) -> Result<(), ReplayError> {
        let Play { conversation, client, retry, trace, .. } = &*self.play;
        let who = |act| {
            let moved = moves.iter().filter(move |event| event.act == act);
            moved.map(|event| event.user.to_string()).collect::<Vec<_>>()
        };
        let (add, remove) = (who(Act::Join), who(Act::Leave));
        let is_first = std::ptr::eq(moves.as_ptr(), trace.events.as_ptr());
        let moved = if is_first {
            retry.run(|| client.replace_roster(conversation, &add)).await
        } else {
            let change = RosterChangeRequest { add, remove };
            retry.run(|| client.change_roster(conversation, &change)).await
        };
        moved.map(|_| ()).map_err(self.play.failed("change the roster"))
    }

    /// The poster has read what came before, posts, and looks at the own message.
    async fn post(&mut self, event: &Event, number: u64) -> Result<(), ReplayError> {
        let Play { conversation, client, retry, counts, expected, .. } = &*self.play;
        let (user, id) = (&*event.user, message_id(number));
        if let Some(before) = &self.last_post {
            let marked = retry.run(|| client.mark_up_to(conversation, user, before)).await;
            let marked = marked.map_err(self.play.failed(format!("mark up to {before} for {user}")))?;
            Counts::add(&counts.marks);
            if !marked.refused.is_empty() {
                let refused = &marked.refused[0];
                let what =
                    format!("{user} marks up to {before}: {} is refused, {}", refused.message, refused.code);
                self.found.push(self.play.differs(what));
            }
        }
        let request = RegisterRequest { order: Some(number), ..user.into() };
        let registered = retry.run(|| client.register(conversation, &id, &request)).await;
        let registered = registered.map_err(self.play.failed(format!("register {id}")))?;
        let message = &expected.messages[self.posts];
        if registered.of as usize != message.of() || registered.order != number {
            let what = format!(
                "{id} is registered for {} under {}, and must be for {} under {number}",
                registered.of,
                registered.order,
                message.of()
            );
            self.found.push(self.play.differs(what));
        }
        let look = Look { play: self.play.clone(), message: self.posts, id: id.clone(), read: 0 };
        self.looks.spawn(look.watch());
        self.posts += 1;
        self.last_post = Some(id);
        self.gather(false).await
    }

    /// Takes in the looks that are over; if `all`, waits for the others too.
    async fn gather(&mut self, all: bool) -> Result<(), ReplayError> {
        loop {
            let over = if all { self.looks.join_next().await } else { self.looks.try_join_next() };
            match over {
                Some(over) => self.found.append(&mut over??),
                None => return Ok(()),
            }
        }
    }

    async fn end(mut self) -> Result<Vec<Difference>, ReplayError> {
        self.gather(true).await?;
        Ok(self.found)
    }
}

/// A sender looking at the own message.
struct Look {
    play: Arc<Play>,
    message: usize,
    id: String,
    /// The highest count seen.
    read: u32,
}

impl Look {
    /// Pulls at the server's pace until the window is over or nothing can change any more.
    async fn watch(mut self) -> Result<Vec<Difference>, ReplayError> {
        let play = self.play.clone();
        let Play { conversation, client, retry, counts, .. } = &*play;
        let messages = [self.id.clone()];
        let mut found = Vec::new();
        let began = Instant::now();
        let pulled = retry.run(|| client.pull(conversation, &messages)).await;
        let mut last = pulled.map_err(play.failed(format!("pull {}", self.id)))?;
        Counts::add(&counts.pulls);
        self.check(&last, &mut found);
        while let Some(Poll { every_ms, for_ms }) = last.poll {
            let window_end = began + self.compressed(for_ms);
            let next = Instant::now() + self.compressed(every_ms);
            if next >= window_end {
                break;
            }
            sleep_until(next).await;
            let pulled = retry.run(|| client.pull_again(conversation, &messages, &last.etag)).await;
            Counts::add(&counts.pulls);
            match pulled.map_err(play.failed(format!("pull {} again", self.id)))? {
                Pulled::Unchanged { .. } => Counts::add(&counts.pulls_unchanged),
                Pulled::Receipts(receipts) => {
                    self.check(&receipts, &mut found);
                    last = receipts;
                }
            }
        }
        Ok(found)
    }

    /// The trace's time runs faster, and the windows within it too.
    fn compressed(&self, wire_ms: u64) -> Duration {
        Duration::from_millis(wire_ms) / self.play.faster
    }

    /// Within a look the count never falls, and never goes past who was asked.
    fn check(&mut self, receipts: &Receipts, found: &mut Vec<Difference>) {
        let message: &ExpectedMessage = &self.play.expected.messages[self.message];
        let mut differs =
            |what: String| found.push(self.play.differs(format!("looking at {}: {what}", self.id)));
        let [entry] = &receipts.receipts[..] else {
            return differs(format!("{} entries instead of 1", receipts.receipts.len()));
        };
        let (Some(read), Some(of)) = (entry.read, entry.of) else {
            return differs(format!("{:?} instead of counts", entry.code));
        };
        if entry.message != self.id {
            differs(format!("an entry for {}", entry.message));
        }
        if read < self.read {
            differs(format!("read by {read}, and before by {}", self.read));
        }
        if of as usize != message.of() || read > of {
            differs(format!("read by {read} of {of}, and must be of {}", message.of()));
        }
        if read as usize > message.readers.len() {
            differs(format!("read by {read}, and never by more than {}", message.readers.len()));
        }
        self.read = self.read.max(read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::trace::Trace;

    #[test]
    fn joins_and_leaves_of_one_instant_are_one_change_unless_a_user_is_in_both() {
        let at_once = |text: &str| moves_at_once(&Trace::parse("t", text).unwrap().events);
        assert_eq!(at_once("0\tjoin\ta\n0\tjoin\tb\n0\tpost\ta\t1\n0\tjoin\tc\n"), 2);
        assert_eq!(at_once("0\tjoin\ta\n1\tjoin\tb\n1\tpost\ta\t1\n"), 1);
        assert_eq!(at_once("0\tjoin\ta\n0\tleave\ta\n0\tjoin\tb\n0\tpost\tb\t1\n"), 1);
        assert_eq!(moves_at_once(&[]), 0);
    }
}
