//! What a connection is at, as it is seen between hyper and the socket.
//!
//! hyper has one timer for heads and idle time alike, and answers a head that it cannot read with a bare status
//! of its own. The socket (`watched`) tells both apart by the [`Phase`] that the connection is in: bytes read
//! between requests begin a head, and bytes written before a request has come to us are that bare status, which
//! is withheld, for `connection` to say it as a problem document. It knows no HTTP beyond this.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    HttpLimits,
    line::{Line, Place},
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

/// What is seen of a connection.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is true of a connection whatever the others are")]
pub(super) struct State {
    phase: Phase,
    since: Instant,
    /// When the driver's turn began, which is when all that happens in it does: to ask for the time takes its own.
    turn_at: Instant,
    in_flight: usize,
    /// Those of them whose answers are streams.
    streaming: usize,
    /// Whether the last answer was a stream, where there is one at a time. Its end may still be on its way.
    has_streamed: bool,
    /// Whether hyper has something of an answer that the kernel has not.
    unsent: bool,
    /// Since when hyper has taken nothing of these answers, each by its request's number.
    answers: Vec<(usize, Instant)>,
    requests: usize,
    /// Requests whose client did not wait for the whole answer.
    abandoned: usize,
    /// Several requests at a time: the bytes say nothing of a request's beginning and end.
    multiplexed: bool,
    pub(super) hung_up: bool,
    withheld: bool,
    /// What the connection has had since its driver's turn began.
    turn_bytes: usize,
    turn_requests: usize,
    /// When whoever has nothing under way but streams is left behind, since the server goes.
    leave_by: Option<Instant>,
    /// Wakes the connection's task.
    driver: Option<Waker>,
    /// Where the connection stands in the line, after a turn's worth of bytes.
    place: Place,
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
    /// The same for requests that go beside each other: the connection's own. Behind a gateway they may be of many
    /// clients.
    own_line: Line,
}

impl Watch {
    pub(super) fn new(line: Line) -> Self {
        let now = Instant::now();
        let state = State {
            phase: Phase::Opened,
            since: now,
            turn_at: now,
            in_flight: 0,
            streaming: 0,
            has_streamed: false,
            unsent: false,
            answers: Vec::new(),
            requests: 0,
            abandoned: 0,
            multiplexed: false,
            hung_up: false,
            withheld: false,
            turn_bytes: 0,
            turn_requests: 0,
            leave_by: None,
            driver: None,
            place: Place::default(),
        };
        Self { state: Mutex::new(state), line, own_line: Line::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
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
        state.has_streamed = false;
        let most = if state.multiplexed { TURN_REQUESTS_MULTIPLEXED } else { TURN_REQUESTS };
        let crowded = state.turn_requests > most;
        state.enter(Phase::Busy);
        drop(state);
        InFlight { watch: self.clone(), number, crowded, streams: false, whole: false }
    }

    /// The connection is driven on, after others were. Also where nothing is read any more, a place in the line must move
    /// on: all others are behind it.
    pub(super) fn begin_turn(&self, cx: &mut Context<'_>) {
        let mut state = self.state();
        state.turn_at = Instant::now();
        (state.turn_bytes, state.turn_requests) = (0, 0);
        if state.multiplexed && !state.driver.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
            state.driver = Some(cx.waker().clone());
        }
        let _ = state.place.poll_passed(cx);
    }

    /// Gives up the place in the line, if it has one, since nobody drives the connection on.
    pub(super) fn leave_line(&self) {
        self.state().place = Place::default();
    }

    /// Ready while the connection may read: at the end of a turn it stands in the line first.
    pub(super) fn poll_may_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.turn_bytes >= TURN_BYTES {
            state.turn_bytes = 0;
            state.place = self.line.join();
        }
        state.place.poll_passed(cx)
    }

    /// The server goes: it waits for streams no longer than this, and over HTTP/2 for a client that does not hang up.
    pub(super) fn leave_by(&self, at: Instant) {
        self.state().leave_by = Some(at);
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Whether the client has closed its side.
    pub(super) fn hung_up(&self) -> bool {
        self.state().hung_up
    }

    /// Answers under way that are streams.
    pub(super) fn streaming(&self) -> usize {
        self.state().streaming
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
            Phase::Busy if state.multiplexed && state.in_flight > state.streaming => {
                limits.body_timeout + limits.idle_timeout
            }
            // What a stream may take is its own matter, as long as what it says is taken.
            Phase::Busy if state.multiplexed => Duration::MAX,
            Phase::Busy => return None,
            Phase::Answered if state.streaming > 0 && !state.unsent => return state.leaves(),
            Phase::Answered => limits.answer_timeout,
            Phase::Idle => limits.idle_timeout,
        };
        let due = state.since.checked_add(after);
        if state.abandoned > ABANDONED && state.abandoned > state.requests / 2 {
            return Some(state.since);
        }
        let answers = state.answers.iter().map(|(_, since)| *since + limits.answer_timeout);
        answers.chain(due).chain(state.leaves()).min()
    }
}

impl State {
    fn leaves(&self) -> Option<Instant> {
        let may = if self.multiplexed { self.in_flight == self.streaming } else { self.has_streamed };
        self.leave_by.filter(|_| may)
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = self.now();
    }

    /// When this happens. Answers that go beside each other are made in tasks of their own, at any time.
    fn now(&self) -> Instant {
        if self.multiplexed { Instant::now() } else { self.turn_at }
    }

    pub(super) fn has_read(&mut self, count: usize) {
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

    pub(super) fn may_write(&mut self) -> bool {
        let ours = self.multiplexed || matches!(self.phase, Phase::Busy | Phase::Answered);
        self.withheld |= !ours;
        ours
    }

    pub(super) fn has_written(&mut self) {
        if self.phase == Phase::Answered {
            self.since = self.now();
        }
    }

    /// All that hyper had is with the kernel. Says whether the one answer under way is a stream.
    pub(super) fn has_flushed(&mut self) -> bool {
        self.unsent = false;
        if self.phase == Phase::Answered && self.in_flight == 0 {
            self.enter(Phase::Idle);
        }
        !self.multiplexed && self.streaming > 0
    }
}

/// A request that is with us, up to the last byte of its answer's body.
#[derive(Debug)]
pub(super) struct InFlight {
    watch: Arc<Watch>,
    number: usize,
    crowded: bool,
    streams: bool,
    /// Whether hyper has taken all of the answer.
    whole: bool,
}

impl InFlight {
    /// hyper has taken the answer's head, or a part of its body, or the last of it.
    pub(super) fn answered(&mut self, whole: bool) {
        // Who leaves a stream after its first event wanted no more of it.
        self.whole = whole || self.streams;
        let mut state = self.watch.state();
        if !state.multiplexed {
            // What hyper goes on to keep of an answer that is stuck does not set its time back.
            let since = if state.unsent { state.since } else { state.now() };
            (state.phase, state.since, state.unsent) = (Phase::Answered, since, true);
        } else if !whole {
            state.answers.retain(|(number, _)| *number != self.number);
            // Answers have tasks of their own, and the connection's has to know that there is a deadline.
            if let Some(driver) = state.driver.as_ref().filter(|_| state.answers.is_empty()) {
                driver.wake_by_ref();
            }
            let now = state.now();
            state.answers.push((self.number, now));
        }
    }

    /// The answer is a stream: it may be silent for long, and its end is not the client's to wait for.
    pub(super) fn streams(&mut self) {
        self.streams = true;
        let mut state = self.watch.state();
        (state.streaming, state.has_streamed) = (state.streaming + 1, true);
        if !state.multiplexed {
            state.enter(Phase::Answered);
        }
    }

    /// hyper has taken all that there is of a stream, and would take more.
    pub(super) fn has_all_there_is(&self) {
        self.watch.state().answers.retain(|(number, _)| *number != self.number);
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
        state.streaming -= usize::from(self.streams);
        state.abandoned += usize::from(!self.whole);
        state.answers.retain(|(number, _)| *number != self.number);
        let phase = if state.in_flight == 0 { Phase::Answered } else { Phase::Busy };
        state.enter(phase);
    }
}
