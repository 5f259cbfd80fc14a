//! A sender of its own who asks for the pace again and again, one pull after the other, so that what it sees is in order.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::super::{BenchError, load::Load};
use crate::client::Client;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(200);

/// The pace over time: since when it was what.
#[derive(Debug, Default, Clone)]
pub(super) struct Watched {
    pub(super) paces: Vec<(Duration, Duration)>,
    /// Pulls of the observer that failed.
    pub(super) errors: usize,
}

impl Watched {
    fn note(&mut self, at: Duration, seen: Option<Duration>) {
        match seen {
            Some(every) if self.paces.last().is_none_or(|last| last.1 != every) => {
                self.paces.push((at, every));
            }
            Some(_) => {}
            None => self.errors += 1,
        }
    }
}

/// Looks until it is dropped.
#[derive(Debug)]
pub(super) struct Observer {
    watched: Arc<Mutex<Watched>>,
    looking: JoinHandle<()>,
    base: Duration,
    began: Instant,
}

impl Observer {
    /// Takes the pace of now as the base, and begins.
    pub(super) async fn begin(load: &Load) -> Result<Self, BenchError> {
        let (conversation, message) = (load.chats.name(0), load.chats.message(0, load.chats.messages - 1));
        let (client, began) = (load.client.clone(), Instant::now());
        let base = look(&client, &conversation, &message).await?;
        let watched = Watched { paces: vec![(Duration::ZERO, base)], errors: 0 };
        let watched = Arc::new(Mutex::new(watched));
        let noted = watched.clone();
        let looking = tokio::spawn(async move {
            loop {
                let seen = look(&client, &conversation, &message).await;
                noted.lock().unwrap_or_else(PoisonError::into_inner).note(began.elapsed(), seen.ok());
                sleep(EVERY).await;
            }
        });
        Ok(Self { watched, looking, base, began })
    }

    pub(super) fn base(&self) -> Duration {
        self.base
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until the pace is the base again, or for so long.
    pub(super) async fn wait_for_base(&self, most: Duration) {
        let until = Instant::now() + most;
        while self.watched().paces.last().is_none_or(|last| last.1 != self.base) && Instant::now() < until {
            sleep(EVERY).await;
        }
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it. What it saw.
    pub(super) fn end(self) -> Watched {
        self.watched().clone()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

async fn look(client: &Client, conversation: &str, message: &str) -> Result<Duration, BenchError> {
    let pulled = client.pull(conversation, &[message]).await.map_err(BenchError::call("pull"))?;
    let poll = pulled.poll.ok_or_else(|| BenchError::Wrong("all have read the message".to_owned()))?;
    Ok(Duration::from_millis(poll.every_ms))
}
