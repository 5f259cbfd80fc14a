//! What a connection is at: between hyper and the socket, seeing bytes move.
//!
//! hyper has one timer for heads and idle time alike, and answers a head that it cannot read with a bare status
//! of its own. The [`Watched`] socket tells both apart by the [`Phase`] that the connection is in: bytes read
//! between requests begin a head, and bytes written before a request has come to us are that bare status, which
//! is withheld, for `connection` to say it as a problem document. It knows no HTTP beyond this.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{
    HttpLimits,
    line::{Line, Place},
    listener::Stream,
};

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Accepted, and not a byte yet.
    Opened,
    /// Part of a head has come.
    Head,
    /// At least one request is with us, or the body of its answer is.
    Busy,
    /// The answer's head is with hyper, and not all of it with the kernel.
    Answered,
    /// Between two requests.
    Idle,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    in_flight: usize,
    /// Since when hyper has taken nothing of these answers, each by its request's number.
    answers: Vec<(usize, Instant)>,
    requests: usize,
    /// Requests whose client did not wait for the whole answer.
    abandoned: usize,
    /// Several requests at a time: the bytes say nothing of a request's beginning and end.
    multiplexed: bool,
    hung_up: bool,
    withheld: bool,
    /// What the connection has had since its driver's turn began.
    turn_bytes: usize,
    turn_requests: usize,
}

/// So many requests may be abandoned by a client that abandons more than it waits for. Who goes on with that wants
/// the work, not the answers: CVE-2023-44487.
const ABANDONED: usize = 200;

/// Bytes that a connection reads before it stands in the line: a read that begins below that may bring more.
const TURN_BYTES: usize = 16 << 10;
/// Requests of one connection that are begun before others have their turn.
const TURN_REQUESTS: usize = 1;
/// The same, where the protocol has several in flight.
const TURN_REQUESTS_MULTIPLEXED: usize = 8;

/// What a connection is at, shared by its socket, its driver and its requests.
#[derive(Debug)]
pub(super) struct Watch {
    state: Mutex<State>,
    /// Where requests past those of a turn pass one at a time: the server's.
    line: Line,
    /// Where the connection stands in it, after a turn's worth of bytes.
    place: Mutex<Place>,
    /// The same for requests that go beside each other: the connection's own. Behind a gateway they may be of many
    /// clients.
    own_line: Line,
}

impl Watch {
    fn new(line: Line) -> Self {
        let state = State {
            phase: Phase::Opened,
            since: Instant::now(),
            in_flight: 0,
            answers: Vec::new(),
            requests: 0,
            abandoned: 0,
            multiplexed: false,
            hung_up: false,
            withheld: false,
            turn_bytes: 0,
            turn_requests: 0,
        };
        Self { state: Mutex::new(state), line, place: Mutex::default(), own_line: Line::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        state.requests += 1;
        let number = state.requests;
        state.turn_requests += 1;
        let most = if state.multiplexed { TURN_REQUESTS_MULTIPLEXED } else { TURN_REQUESTS };
        let crowded = state.turn_requests > most;
        state.enter(Phase::Busy);
        drop(state);
        InFlight { watch: self.clone(), number, crowded, whole: false }
    }

    /// The connection is driven on, after others were. Also where nothing is read any more, a place in the line must move
    /// on: all others are behind it.
    pub(super) fn begin_turn(&self, cx: &mut Context<'_>) {
        let mut state = self.state();
        (state.turn_bytes, state.turn_requests) = (0, 0);
        drop(state);
        let _ = self.poll_passed(cx);
    }

    /// Gives up the place in the line, if it has one, since nobody drives the connection on.
    pub(super) fn leave_line(&self) {
        *self.place() = Place::default();
    }

    /// Ready while the connection may read: at the end of a turn it stands in the line first.
    fn poll_may_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.turn_bytes >= TURN_BYTES {
            state.turn_bytes = 0;
            *self.place() = self.line.join();
        }
        drop(state);
        self.poll_passed(cx)
    }

    fn poll_passed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.place().poll_passed(cx)
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// When the client's patience with us ends, or ours with it; over HTTP/1.1 never while we are the ones who work.
    pub(super) fn deadline(&self, limits: &HttpLimits) -> Option<Instant> {
        let state = self.state();
        let after = match state.phase {
            Phase::Opened | Phase::Head => limits.head_timeout,
            Phase::Busy if state.multiplexed => limits.body_timeout + limits.idle_timeout,
            Phase::Busy => return None,
            Phase::Answered => limits.answer_timeout,
            Phase::Idle => limits.idle_timeout,
        };
        if state.abandoned > ABANDONED && state.abandoned > state.requests / 2 {
            return Some(state.since);
        }
        let answer = state.answers.iter().map(|(_, since)| *since + limits.answer_timeout).min();
        Some(answer.map_or(state.since + after, |due| due.min(state.since + after)))
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }

    fn has_read(&mut self, count: usize) {
        self.turn_bytes += count;
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
        if self.phase == Phase::Answered && self.in_flight == 0 {
            self.enter(Phase::Idle);
        }
    }
}

/// A request that is with us, up to the last byte of its answer's body.
#[derive(Debug)]
pub(super) struct InFlight {
    watch: Arc<Watch>,
    number: usize,
    crowded: bool,
    /// Whether hyper has taken all of the answer.
    whole: bool,
}

impl InFlight {
    /// hyper has taken the answer's head, or a part of its body, or the last of it.
    pub(super) fn answered(&mut self, whole: bool) {
        self.whole = whole;
        let mut state = self.watch.state();
        if !state.multiplexed {
            state.enter(Phase::Answered);
        } else if !whole {
            state.answers.retain(|(number, _)| *number != self.number);
            state.answers.push((self.number, Instant::now()));
        }
    }

    /// Lets all others go first, if the connection has had as many requests as it may at a time: whoever sends
    /// requests without end waits for those who send one.
    pub(super) async fn turn(&self) {
        if self.crowded {
            let multiplexed = self.watch.state().multiplexed;
            let line = if multiplexed { &self.watch.own_line } else { &self.watch.line };
            line.pass().await;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.watch.state();
        state.in_flight -= 1;
        state.abandoned += usize::from(!self.whole);
        state.answers.retain(|(number, _)| *number != self.number);
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
    /// A socket that reads beyond a turn's worth only after it has stood in `line`.
    pub(super) fn new(stream: Stream, line: Line) -> Self {
        Self { stream, watch: Arc::new(Watch::new(line)), sniffed: Bytes::new(), stays_open: true }
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
        ready!(this.watch.poll_may_read(cx));
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
