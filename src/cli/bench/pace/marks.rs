//! Marks at a steady rate, whatever becomes of earlier ones, each timed from when it was due.

use std::time::Duration;

use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::super::{
    BenchError,
    load::{Bar, Load},
    open_loop::part,
};

/// Milliseconds from when marks were due to their answers.
#[derive(Debug, Serialize)]
pub(super) struct Marks {
    pub(super) answered: usize,
    /// Not answered, or refused.
    pub(super) lost: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    pub(super) first_loss: Option<String>,
}

/// Sends so many marks a second for so long, one message by one reader each, and waits for the last.
pub(super) async fn marks(load: &Load, rate: u32, length: Duration) -> Result<Marks, BenchError> {
    let bar = Bar::new("marks and pulls", usize::try_from(length.as_secs()).unwrap_or(usize::MAX));
    let (began, every) = (Instant::now(), Duration::from_secs(1) / rate);
    let (mut running, mut sent) = (JoinSet::new(), 0);
    while every * sent < length {
        sleep_until(began + every * sent).await;
        if sent % rate == 0 {
            bar.add(1);
        }
        running.spawn(mark(load.clone(), began + every * sent, sent));
        sent += 1;
    }
    sleep_until(began + length).await;
    let (mut took, mut first_loss, mut lost) = (Vec::new(), None, 0);
    while let Some(marked) = running.join_next().await {
        match marked? {
            Ok(time) => took.push(time),
            Err(error) => {
                lost += 1;
                first_loss.get_or_insert(error);
            }
        }
    }
    took.sort_unstable();
    let [p50_ms, p99_ms, max_ms] = [50, 99, 100].map(|per_cent| part(&took, per_cent));
    Ok(Marks { answered: took.len(), lost, p50_ms, p99_ms, max_ms, first_loss })
}

/// Marks a message at random.
async fn mark(load: Load, due: Instant, at: u32) -> Result<Duration, String> {
    let chats = load.chats;
    let mut chance = chats.chance(&[13, usize::try_from(at).unwrap_or_default()]);
    let (conversation, message) = (chance.usize(..chats.conversations), chance.usize(..chats.messages));
    let sender = chats.sender(conversation, message);
    let reader = (sender + chance.usize(1..chats.members)) % chats.members;
    let (name, id) = (chats.name(conversation), chats.message(conversation, message));
    let marked = load.client.mark_messages(&name, &chats.member(conversation, reader), &[id]).await;
    match marked {
        Ok(marked) if marked.refused.is_empty() => Ok(due.elapsed()),
        Ok(marked) => Err(format!("refused: {}", marked.refused[0].code)),
        Err(error) => Err(error.to_string()),
    }
}
