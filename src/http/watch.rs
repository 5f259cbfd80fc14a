//! What a connection is at: between hyper and the socket, counting no bytes but seeing them move.
//!
//! hyper has one timer for heads and idle time alike, and answers a head that it cannot read with a bare status
//! of its own. The [`Watched`] socket tells both apart by the [`Phase`] that the connection is in: bytes read
//! between requests begin a head, and bytes written before a request has come to us are that bare status, which
//! is withheld, for `connection` to say it as a problem document. It knows no HTTP beyond this.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{HttpLimits, listener::Stream};

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Accepted, and not a byte yet.
    Opened,
    /// Part of a head has come.
    Head,
    /// At least one request is with us, or the body of its answer is.
    Busy,
    /// The answer is with hyper, and not all of it with the kernel.
    Answered,
    /// Between two requests.
    Idle,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    in_flight: usize,
    /// Several requests at a time: the bytes say nothing of a request's beginning and end.
    multiplexed: bool,
    hung_up: bool,
    withheld: bool,
}

/// What a connection is at, shared by its socket, its driver and its requests.
#[derive(Debug)]
pub(super) struct Watch(Mutex<State>);

impl Watch {
    fn new() -> Self {
        Self(Mutex::new(State {
            phase: Phase::Opened,
            since: Instant::now(),
            in_flight: 0,
            multiplexed: false,
            hung_up: false,
            withheld: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on several requests may be in flight at a time.
    pub(super) fn multiplex(&self) {
        let mut state = self.state();
        state.multiplexed = true;
        state.enter(Phase::Idle);
    }

    /// A request has come. It is with us until the value is dropped.
    pub(super) fn request(self: &Arc<Self>) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.enter(Phase::Busy);
        drop(state);
        InFlight(self.clone())
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Whether the client has closed its side.
    pub(super) fn hung_up(&self) -> bool {
        self.state().hung_up
    }

    /// Whether hyper refused a head by itself.
    pub(super) fn withheld(&self) -> bool {
        self.state().withheld
    }

    /// When the client's patience with us ends, or ours with it; never while we are the ones who work.
    pub(super) fn deadline(&self, limits: &HttpLimits) -> Option<Instant> {
        let state = self.state();
        let after = match state.phase {
            Phase::Opened | Phase::Head => limits.head_timeout,
            Phase::Busy if state.multiplexed => limits.body_timeout + limits.idle_timeout,
            Phase::Busy => return None,
            Phase::Answered => limits.answer_timeout,
            Phase::Idle => limits.idle_timeout,
        };
        Some(state.since + after)
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }

    fn has_read(&mut self, count: usize) {
        match self.phase {
            _ if count == 0 => self.hung_up = true,
            _ if self.multiplexed => {}
            // The time for the first head has run since the connection was accepted.
            Phase::Opened => self.phase = Phase::Head,
            Phase::Idle => self.enter(Phase::Head),
            Phase::Head | Phase::Busy | Phase::Answered => {}
        }
    }

    fn may_write(&mut self) -> bool {
        let ours = self.multiplexed || matches!(self.phase, Phase::Busy | Phase::Answered);
        self.withheld |= !ours;
        ours
    }

    fn has_written(&mut self) {
        if self.phase == Phase::Answered {
            self.since = Instant::now();
        }
    }

    fn has_flushed(&mut self) {
        if self.phase == Phase::Answered {
            self.enter(Phase::Idle);
        }
    }
}

/// A request that is with us, up to the last byte of its answer's body.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Watch>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        let phase = if state.in_flight == 0 { Phase::Answered } else { Phase::Busy };
        state.enter(phase);
    }
}

/// A socket that tells its [`Watch`] what moves.
#[derive(Debug)]
pub(super) struct Watched {
    stream: Stream,
    watch: Arc<Watch>,
    /// Read while finding out which protocol is spoken, and not yet given to hyper.
    sniffed: Bytes,
    /// Whether shutting down is left to the driver, which may have something to say first.
    stays_open: bool,
}

impl Watched {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, watch: Arc::new(Watch::new()), sniffed: Bytes::new(), stays_open: true }
    }

    pub(super) fn watch(&self) -> Arc<Watch> {
        self.watch.clone()
    }

    /// Gives back what was read ahead.
    pub(super) fn unread(&mut self, sniffed: Bytes) {
        self.sniffed = sniffed;
    }

    /// Lets whoever holds the socket shut it down.
    pub(super) fn may_shut_down(&mut self) {
        self.stays_open = false;
    }

    /// The bare socket.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.sniffed.is_empty() {
            let count = this.sniffed.len().min(into.remaining());
            into.put_slice(&this.sniffed[..count]);
            this.sniffed.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, into);
        if matches!(outcome, Poll::Ready(Ok(()))) {
            this.watch.state().has_read(into.filled().len() - before);
        }
        outcome
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.watch.state().may_write() {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, parts);
        if outcome.is_ready() {
            this.watch.state().has_written();
        }
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(cx);
        if outcome.is_ready() {
            this.watch.state().has_flushed();
        }
        outcome
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.stays_open { Poll::Ready(Ok(())) } else { Pin::new(&mut this.stream).poll_shutdown(cx) }
    }
}
