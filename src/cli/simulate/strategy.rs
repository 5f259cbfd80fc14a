//! The ways to bring receipts to a sender's phone, and what the phone does in each.

use std::time::Duration;

use super::{
    readers::Look,
    scene::{Scene, Sent},
    sender::{Next, Sender},
};
use crate::{cli::measure::MeasureError, client::StreamEvent, wire::Poll};

/// How long before its message is sent a phone opens the stream that every receipt is pushed over.
const BEFORE: Duration = Duration::from_secs(2);
/// How long, in real time, a pushed receipt may take that is due.
const DUE_MAX: Duration = Duration::from_secs(10);
/// A pull comes by up to this part later than the pace says, so that phones do not pull all at once.
const JITTER: f64 = 0.1;
/// How often a stream is kept alive that nothing comes over.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
/// How often a stream that is not the naive push may tell of changes.
const EVENTS_EVERY: Duration = Duration::from_secs(1);

/// A way to bring receipts to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    /// Readers mark, and no sender ever asks: what the marks alone cost.
    Nobody,
    /// Every receipt as it happens.
    Push,
    /// Always, so often.
    Pull(Duration),
    /// While the sender looks: a pull, and then a stream.
    Combined,
    /// While the sender looks, and for no longer than the server says: a pull every now and then.
    Proactive,
}

impl Strategy {
    /// `naive-pull-10s`.
    pub(super) fn key(self) -> String {
        match self {
            Self::Pull(every) => format!("naive-pull-{}s", every.as_secs_f64()),
            other => other.name().replace(' ', "-"),
        }
    }

    /// `naive pull, 10 s`.
    pub(super) fn name(self) -> String {
        match self {
            Self::Nobody => "nobody asks".to_owned(),
            Self::Push => "naive push".to_owned(),
            Self::Pull(every) => format!("naive pull, {} s", every.as_secs_f64()),
            Self::Combined => "combined".to_owned(),
            Self::Proactive => "proactive pull".to_owned(),
        }
    }

    /// What the server's own clock does that must go as fast as the scene; and the pace stays what it is, for all of them,
    /// however busy so many servers on one machine are.
    pub(super) fn settings(self, scene: &Scene) -> Vec<(&'static str, String)> {
        let (factor, paced) = (scene.factor, ("SEENBY_POLL_EVERY_MAX", "2s".to_owned()));
        let every = match self {
            Self::Push => Duration::ZERO,
            Self::Combined => EVENTS_EVERY / factor,
            Self::Nobody | Self::Pull(_) | Self::Proactive => return vec![paced],
        };
        // Settings are whole milliseconds: at 60 times, a second is 17 of them, and so 1.02 s.
        let ms = |duration: Duration| format!("{}ms", (duration.as_micros() + 500) / 1_000);
        vec![
            paced,
            ("SEENBY_STREAM_EVERY", ms(every)),
            ("SEENBY_STREAM_KEEP_ALIVE", ms(COMMENT_EVERY / factor)),
            // Streams end with the look or the horizon, and not before.
            ("SEENBY_STREAM_FOR", format!("{}s", scene.horizon.as_secs() + 60)),
        ]
    }

    /// Follows one message, from its sending to `until`.
    pub(super) async fn follow(
        self,
        sender: &mut Sender,
        sent: &Sent,
        until: Duration,
    ) -> Result<(), MeasureError> {
        match self {
            Self::Nobody => Ok(()),
            Self::Push => push(sender, sent, until).await,
            Self::Pull(every) => pull_always(sender, sent.at, until, every).await,
            Self::Combined => {
                for look in &sent.looks {
                    pull_and_stream(sender, *look).await?;
                }
                Ok(())
            }
            Self::Proactive => {
                for look in &sent.looks {
                    if pull_while_looking(sender, *look).await?.is_none() {
                        break;
                    }
                }
                Ok(())
            }
        }
    }
}

/// One event for each mark, up to the end; and then those that are due: readers who came in time and whose marks took
/// their time.
async fn push(sender: &mut Sender, sent: &Sent, until: Duration) -> Result<(), MeasureError> {
    sender.time.until(sent.at.saturating_sub(BEFORE)).await;
    let (time, mut stream, mut first) = (sender.time, sender.stream().await?, true);
    loop {
        let is_due = (sender.seen.last() as usize) < sent.readers;
        let event = tokio::select! {
            event = stream.next() => event.map_err(MeasureError::call("read a stream"))?,
            () = time.until(until), if !is_due => break,
            () = overdue(time.until(until)), if is_due => break,
        };
        let Some(StreamEvent::Receipts(came)) = event else { break };
        sender.take(came)?;
        sender.seen.events += 1;
        sender.seen.pushed += u64::from(!first);
        first = false;
    }
    sender.hang_up();
    Ok(())
}

async fn overdue(end: impl Future<Output = ()>) {
    end.await;
    tokio::time::sleep(DUE_MAX).await;
}

/// By a timer that knows nothing: a pull that takes longer than that has the timer go on from there.
async fn pull_always(
    sender: &mut Sender,
    from: Duration,
    until: Duration,
    every: Duration,
) -> Result<(), MeasureError> {
    let mut at = from;
    while at <= until {
        sender.time.until(at).await;
        sender.pull().await?;
        at += every;
        while at < sender.time.now() {
            at += every;
        }
    }
    sender.hang_up();
    Ok(())
}

async fn pull_and_stream(sender: &mut Sender, look: Look) -> Result<(), MeasureError> {
    let time = sender.time;
    time.until(look.begin).await;
    sender.pull().await?;
    let mut stream = sender.stream().await?;
    loop {
        let event = tokio::select! {
            event = stream.next() => event.map_err(MeasureError::call("read a stream"))?,
            () = time.until(look.end) => break,
        };
        let Some(StreamEvent::Receipts(came)) = event else {
            return Err(MeasureError::Wrong("a stream ended before its look did".to_owned()));
        };
        sender.take(came)?;
        sender.seen.events += 1;
        sender.seen.pushed += 1;
    }
    sender.hang_up();
    Ok(())
}

/// At the server's pace. None when nothing can change any more.
async fn pull_while_looking(sender: &mut Sender, look: Look) -> Result<Option<Poll>, MeasureError> {
    let (time, mut at, mut pulls) = (sender.time, look.begin, 0);
    let last = loop {
        time.until(at).await;
        let Next { poll, max_age } = sender.pull().await?;
        pulls += 1;
        let Some(pace) = poll else { break None };
        at = next_pull(at, Duration::from_millis(pace.every_ms).max(max_age), sender.chance.f64());
        if at > look.end.min(look.begin + Duration::from_millis(pace.for_ms)) {
            break poll;
        }
    };
    sender.seen.pulls.push(pulls);
    sender.hang_up();
    Ok(last)
}

fn next_pull(at: Duration, every: Duration, chance: f64) -> Duration {
    at + every.mul_f64(1.0 + JITTER * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_have_names_for_people_and_for_programs() {
        let all = [
            Strategy::Nobody,
            Strategy::Push,
            Strategy::Pull(Duration::from_secs(10)),
            Strategy::Pull(Duration::from_millis(1_500)),
            Strategy::Combined,
            Strategy::Proactive,
        ];
        assert_eq!(
            all.map(Strategy::key),
            ["nobody-asks", "naive-push", "naive-pull-10s", "naive-pull-1.5s", "combined", "proactive-pull"]
        );
        assert_eq!(all[2].name(), "naive pull, 10 s");
    }

    #[test]
    fn a_pull_comes_at_the_pace_or_a_tenth_of_it_later() {
        let (at, every) = (Duration::from_secs(7), Duration::from_secs(2));
        assert_eq!(next_pull(at, every, 0.0), Duration::from_secs(9));
        assert_eq!(next_pull(at, every, 1.0), Duration::from_millis(9_200));
    }
}
