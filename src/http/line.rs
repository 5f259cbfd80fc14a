//! One line for all connections that have more to send than a turn's worth: the server goes on with one of them at a
//! time, after it has looked after everybody else.
//!
//! Without it, a few clients who always have more to send take turns with each other, and whoever sends a single
//! request waits for all of their turns.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{sync::Mutex, task::yield_now};

/// The line. First come, first served.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Arc<Mutex<()>>);

/// A place in the line; none for who does not wait.
#[derive(Default)]
pub(super) struct Place(Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>);

impl Line {
    /// Stands at the end of it, until it is the first and all others have had their turn.
    pub(super) async fn pass(&self) {
        let _first = self.0.lock().await;
        yield_now().await;
    }

    /// The same, for who has no task to wait in.
    pub(super) fn join(&self) -> Place {
        let line = self.clone();
        Place(Some(Box::pin(async move { line.pass().await })))
    }
}

impl Place {
    /// Ready for who has passed the line, and for who does not wait.
    pub(super) fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.0 else { return Poll::Ready(()) };
        let passed = waiting.as_mut().poll(cx);
        if passed.is_ready() {
            self.0 = None;
        }
        passed
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_some() { "waits" } else { "does not wait" })
    }
}
