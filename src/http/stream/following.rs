//! An open stream: when it looks, what it says, and the body that is made of it.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{COMMENT, ENDED, places::Place, receipts};
use crate::{
    http::auth::Shown,
    process::{clock::Clock, metrics::Metrics},
    receipts::{Change, Stream},
};

/// An open stream, between two events.
pub(super) struct Following {
    /// What is sent before all else.
    pub(super) due: Option<Bytes>,
    pub(super) stream: Stream,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shown: Shown,
    /// When the caller was last seen to be let in.
    pub(super) vetted_at: Instant,
    /// Zero where each mark is told by itself.
    pub(super) every: Duration,
    pub(super) keep_alive: Duration,
    /// When anything was sent last.
    pub(super) spoke_at: Instant,
    /// When something was told last.
    pub(super) told_at: Instant,
    /// Whether something may have changed since the last look.
    pub(super) is_stale: bool,
    pub(super) ends_at: Instant,
    pub(super) has_ended: bool,
    pub(super) draining: watch::Receiver<bool>,
    pub(super) _place: Place,
}

/// What a stream that waits has come to.
enum Came {
    /// Something may have changed, and may be told.
    Change,
    /// It has been silent for long.
    Silence,
    /// Its time is over.
    End,
    /// The server goes. Without an event `end`: the client comes again, elsewhere or later.
    Stop,
}

impl Following {
    /// The next bytes to send; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(due) = self.due.take() {
            return Some(due);
        }
        if self.has_ended || *self.draining.borrow() {
            return None;
        }
        // However much there is to tell: its time is its time.
        if Instant::now() < self.ends_at
            && self.may_go_on()
            && let Some(change) = self.rest()
        {
            return Some(self.say(&change));
        }
        loop {
            match self.wait().await {
                Came::Stop => return None,
                Came::End => return self.end().await,
                Came::Change | Came::Silence if !self.may_go_on() => return None,
                Came::Change => {
                    self.is_stale = false;
                    // What the store cannot say now the client may ask anew.
                    self.stream.look(self.clock.now()).await.ok()?;
                    if let Some(change) = self.changed() {
                        return Some(self.say(&change));
                    }
                }
                Came::Silence => {
                    // Nobody tells that something expires.
                    self.is_stale = true;
                    self.spoke_at = Instant::now();
                    return Some(COMMENT);
                }
            }
        }
    }

    /// The event `end`, and before it what has changed and was not told yet: nobody resumes behind it.
    async fn end(&mut self) -> Option<Bytes> {
        self.has_ended = true;
        if !self.shown.is_good(self.clock.now()) {
            return None;
        }
        // A store that cannot say has nothing new for a new look either.
        let looked = self.stream.look(self.clock.now()).await.is_ok();
        let change = if looked { self.stream.show_all() } else { None };
        let end = Bytes::from(format!("id: {}{ENDED}\nevent: end\ndata: {{}}\n\n", self.stream.etag()));
        match change.map(|change| self.say(&change)) {
            Some(change) => {
                self.due = Some(end);
                Some(change)
            }
            None => Some(end),
        }
    }

    /// Whether the caller would still be let in, as far as was looked within the time of silence. If not, it may try.
    fn may_go_on(&mut self) -> bool {
        if self.vetted_at.elapsed() < self.keep_alive {
            return true;
        }
        self.vetted_at = Instant::now();
        self.shown.is_good(self.clock.now())
    }

    /// What was found with the last look and is not told yet, where marks are told one by one.
    fn rest(&mut self) -> Option<Change> {
        if self.every.is_zero() { self.stream.show_next() } else { None }
    }

    fn changed(&mut self) -> Option<Change> {
        if self.every.is_zero() { self.stream.show_next() } else { self.stream.show_all() }
    }

    fn say(&mut self, change: &Change) -> Bytes {
        (self.spoke_at, self.told_at) = (Instant::now(), Instant::now());
        self.metrics.stream_told();
        receipts(&change.etag, change.named(), change.poll)
    }

    async fn wait(&mut self) -> Came {
        let silence = self.spoke_at + self.keep_alive;
        let changed = async {
            if !self.is_stale {
                self.stream.may_have_changed().await;
                self.is_stale = true;
            }
            if let Some(at) = may_look_at(self.told_at, self.every, Instant::now()) {
                sleep_until(at).await;
            }
        };
        tokio::select! {
            biased;
            // An error means that the server itself is gone.
            _ = self.draining.wait_for(|draining| *draining) => Came::Stop,
            () = sleep_until(self.ends_at) => Came::End,
            () = changed => Came::Change,
            () = sleep_until(silence) => Came::Silence,
        }
    }
}

/// Parts of the time between two events: something that happens rarely may be told so much later than it happens.
const PARTS: u32 = 10;

/// When to look at what may have changed `now`; at once if there is no time between two events. Else it is `every` after
/// something was `told_at`, or a whole number of its parts later, so it depends on nothing that the client is not told: not on
/// marks of other messages, nor on those of hidden users, which change the conversation too.
fn may_look_at(told_at: Instant, every: Duration, now: Instant) -> Option<Instant> {
    let part_ns = (every / PARTS).as_nanos();
    if part_ns == 0 {
        return None;
    }
    let parts = now.saturating_duration_since(told_at).as_nanos().div_ceil(part_ns).max(PARTS.into());
    u64::try_from(parts * part_ns).ok().map(|ns| told_at + Duration::from_nanos(ns))
}

/// The next bytes, and the stream that goes on behind them.
type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Following)>> + Send>>;

/// The body of a stream.
pub(in crate::http) struct Events(Option<Next>);

impl Events {
    pub(super) fn new(following: Following) -> Self {
        Self(Some(next(following)))
    }

    /// The next event, or a sign of life; none at the end.
    pub(in crate::http) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(waiting) = &mut self.0 else { return Poll::Ready(None) };
        let came = ready!(waiting.as_mut().poll(cx));
        let (bytes, following) = came.unzip();
        self.0 = following.map(next);
        Poll::Ready(bytes)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Events")
    }
}

fn next(mut following: Following) -> Next {
    Box::pin(async move { following.next().await.map(|bytes| (bytes, following)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_look_depends_on_what_was_told_and_on_nothing_else() {
        let (told_at, every) = (Instant::now(), Duration::from_secs(1));
        let look = |now_ms| {
            let at = may_look_at(told_at, every, told_at + Duration::from_millis(now_ms)).unwrap();
            u64::try_from((at - told_at).as_millis()).unwrap()
        };
        assert_eq!(
            [0, 300, 1_000, 1_001, 1_100, 7_777].map(look),
            [1_000, 1_000, 1_000, 1_100, 1_100, 7_800]
        );
        assert_eq!(may_look_at(told_at, Duration::ZERO, told_at), None);
        let long_ago = told_at + Duration::from_hours(24 * 365);
        assert_eq!(may_look_at(told_at, Duration::from_millis(1), long_ago), Some(long_ago));
    }
}
