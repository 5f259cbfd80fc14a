//! The watchdog: ends the process when a thread of the engine hangs in the disk or in sled, since everybody would
//! wait for it for good. What was answered is in the journal; the supervisor starts the whole anew.
//!
//! It counts its own ticks, not the time: a process that was stopped and goes on, or a machine that slept, is not
//! taken for one that hangs.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

/// Looks in the time that the quickest work may take.
const TICKS: u32 = 4;

/// How long the last words may take: the log may be what hangs.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(1);

/// What one thread is busy with, step by step, as the watchdog sees it.
#[derive(Debug)]
pub(super) struct Work {
    what: &'static str,
    step_timeout: Duration,
    /// Rises with each step; odd while one is under way. Only the thread itself changes it.
    steps: AtomicU64,
}

impl Work {
    /// Work of which no step may take longer than `step_timeout`. `what` begins a sentence in the log.
    pub(super) fn new(what: &'static str, step_timeout: Duration) -> Arc<Self> {
        Arc::new(Self { what, step_timeout, steps: AtomicU64::new(0) })
    }

    /// A step begins, and the one before has ended.
    pub(super) fn step(&self) {
        let steps = self.steps.load(Ordering::Relaxed);
        self.steps.store(steps + 1 + steps % 2, Ordering::Relaxed);
    }

    /// Nothing is under way.
    pub(super) fn rest(&self) {
        let steps = self.steps.load(Ordering::Relaxed);
        self.steps.store(steps + steps % 2, Ordering::Relaxed);
    }
}

/// One work, and since when it has been in the same step.
struct Watched {
    work: Arc<Work>,
    steps: u64,
    ticks: u32,
    ticks_max: u32,
}

impl Watched {
    fn new(work: Arc<Work>, tick: Duration) -> Self {
        let ticks = work.step_timeout.as_nanos().div_ceil(tick.as_nanos());
        Self { work, steps: 0, ticks: 0, ticks_max: u32::try_from(ticks).unwrap_or(u32::MAX) }
    }

    /// Looks once; true if the step that is under way has been for too long.
    fn is_overdue(&mut self) -> bool {
        let steps = self.work.steps.load(Ordering::Relaxed);
        let is_same = steps == self.steps && steps % 2 == 1;
        self.steps = steps;
        self.ticks = if is_same { self.ticks + 1 } else { 0 };
        self.ticks >= self.ticks_max
    }
}

/// Watches until nobody is left who could say that it may end.
pub(super) fn watch(works: Vec<Arc<Work>>, stop: &Receiver<()>) {
    let quickest = works.iter().map(|work| work.step_timeout).min().unwrap_or_default();
    let tick = (quickest / TICKS).max(Duration::from_millis(1));
    let mut watched: Vec<_> = works.into_iter().map(|work| Watched::new(work, tick)).collect();
    while stop.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
        if let Some(overdue) =
            watched.iter_mut().find_map(|watched| watched.is_overdue().then_some(&watched.work))
        {
            end(overdue);
        }
    }
}

fn end(overdue: &Work) -> ! {
    let (what, timeout) = (overdue.what, overdue.step_timeout);
    let (said, is_said) = channel::<()>();
    thread::spawn(move || {
        tracing::error!("{what} has hung for {timeout:?}: the process ends, and has to be started anew");
        drop(said);
    });
    let _ = is_said.recv_timeout(LAST_WORDS_TIMEOUT);
    process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_secs(1);

    #[test]
    fn only_a_step_that_goes_on_for_too_long_is_overdue() {
        let work = Work::new("a test", 3 * TICK);
        let mut watched = Watched::new(work.clone(), TICK);
        let mut look = |times: u32| (0..times).map(|_| watched.is_overdue()).collect::<Vec<_>>();
        assert_eq!(look(9), [false; 9], "nothing is under way");
        work.step();
        assert_eq!(look(3), [false; 3]);
        work.step();
        assert_eq!(look(3), [false; 3], "another step");
        work.rest();
        assert_eq!(look(9), [false; 9]);
        work.rest();
        work.step();
        assert_eq!(look(4), [false, false, false, true]);
    }
}
