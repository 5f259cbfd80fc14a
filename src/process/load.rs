//! How much the process has to do, as one number: 1 is as much as it should have.
//!
//! Three figures, each against a target of its own, and the most of them counts. `domain/pace` says what follows from
//! it; nothing here knows of pulls.

use std::{future::poll_fn, num::NonZero, task::Poll, thread::available_parallelism, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use tokio::time::{Instant, sleep_until};

use crate::receipts::Vitals;

/// Of the time that its processors have, so much the process may take: with more, whatever comes unevenly waits.
const PROCESSOR_TARGET: f64 = 0.8;
/// How long a task that could go on may wait for its turn. A request has some turns, and should not take a tenth of a
/// second for waiting alone.
const WAITING_TARGET: Duration = Duration::from_millis(25);
/// How long a write may wait from when it is let in until it is answered.
///
/// This is far more than any disk in good order takes, which is some milliseconds, or some tens if it turns: a disk is
/// not a reason to pull less, since pulls never wait for it. When writes wait for a second, what they wait for is the
/// commit thread, with thousands of others in front of them.
const COMMIT_TARGET: Duration = Duration::from_secs(1);
/// Below so much of its target, the processor has time to spare: writes that wait then wait for the disk alone, and would
/// not be helped by fewer pulls. Else a disk that hangs would stretch the pace for as long as it does.
const IDLE: f64 = 0.5;

/// How long one look takes.
const LOOK: Duration = Duration::from_secs(1);
/// How often in that time the turn and the writes are tried.
const TRY_EVERY: Duration = Duration::from_millis(50);

/// What there was to do, each 1 at its target.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Processor time of all threads, of what the processors have that the process may use.
    pub processor: f64,
    /// How long tasks that can go on wait for a thread of the runtime: the median of a look's tries, so that a machine
    /// that stands still for a moment is nothing.
    pub waiting: f64,
    /// How long writes wait for their answer, on average.
    pub commit: f64,
}

impl Load {
    /// The one that counts.
    #[must_use]
    pub fn most(&self) -> f64 {
        let commit = if self.processor.max(self.waiting) < IDLE { 0.0 } else { self.commit };
        self.processor.max(self.waiting).max(commit)
    }

    /// Each by its name.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, f64); 3] {
        [("processor", self.processor), ("waiting", self.waiting), ("commit", self.commit)]
    }
}

/// Looks at the process it is in, from within its runtime.
#[derive(Debug)]
pub struct Meter {
    processors: f64,
    used: Duration,
    writes: u64,
    since: Instant,
}

impl Meter {
    /// Begins to measure.
    #[must_use]
    pub fn begin(vitals: &Vitals) -> Self {
        // With affinity and the quota of the control group, where there is one.
        let processors = available_parallelism().map_or(1, NonZero::get);
        let processors = f64::from(u32::try_from(processors).unwrap_or(u32::MAX));
        Self { processors, used: processor_time(), writes: vitals.writes, since: Instant::now() }
    }

    /// Takes a second, or longer if there is too much to do, and says what there was to do in it, and how long it was.
    pub async fn look(&mut self, vitals: impl Fn() -> Vitals) -> (Load, Duration) {
        let (mut waits, mut writes_waiting) = (Vec::new(), 0);
        while self.since.elapsed() < LOOK {
            waits.push(wait_for_turn().await);
            writes_waiting += vitals().writes_waiting;
        }
        let (used, writes, took) = (processor_time(), vitals().writes, self.since.elapsed());
        let answered = writes.saturating_sub(self.writes);
        let load = Load {
            processor: share(used.saturating_sub(self.used), took) / self.processors / PROCESSOR_TARGET,
            waiting: share(median(&mut waits), WAITING_TARGET),
            commit: share(delay(writes_waiting, waits.len(), answered, took), COMMIT_TARGET),
        };
        (self.used, self.writes, self.since) = (used, writes, Instant::now());
        (load, took)
    }
}

/// How long a task waits until it goes on after it could.
async fn wait_for_turn() -> Duration {
    let due = Instant::now() + TRY_EVERY;
    sleep_until(due).await;
    // Who is woken by a timer may go first. Who wakes itself goes to the end of the queue, and sees all of it.
    let mut has_woken = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_woken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    due.elapsed()
}

/// How long a write waits on average, of as many as were `answered` in the time that it `took`, while `waiting` waited over
/// all `tries`. By Little's law, so that nobody has to time each of them: those that wait at a time are those that come
/// in the time that one waits.
fn delay(waiting: u64, tries: usize, answered: u64, took: Duration) -> Duration {
    let mean = float(waiting) / float(tries.max(1) as u64);
    took.mul_f64(mean / float(answered.max(1)))
}

fn median(waits: &mut [Duration]) -> Duration {
    waits.sort_unstable();
    waits.get(waits.len() / 2).copied().unwrap_or_default()
}

fn share(of: Duration, whole: Duration) -> f64 {
    of.as_secs_f64() / whole.as_secs_f64()
}

/// What all threads of the process have had, also those that have ended.
fn processor_time() -> Duration {
    // It never fails, and never goes back.
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Load = Load { processor: 0.0, waiting: 0.0, commit: 0.0 };

    #[test]
    fn the_most_of_it_counts() {
        assert!((Load { processor: 1.1, waiting: 0.2, commit: 0.3 }.most() - 1.1).abs() < 1e-9);
        assert!((Load { processor: 0.6, waiting: 0.7, commit: 0.3 }.most() - 0.7).abs() < 1e-9);
        assert!((Load { processor: 0.6, waiting: 0.0, commit: 2.0 }.most() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_disk_that_is_slow_by_itself_is_no_load() {
        assert!(Load { commit: 9.0, processor: 0.1, ..NOTHING }.most() < IDLE);
    }

    #[test]
    fn writes_wait_as_long_as_those_that_wait_take_to_be_answered() {
        let second = Duration::from_secs(1);
        assert_eq!(delay(0, 20, 0, second), Duration::ZERO);
        // Ten at a time, and 100 a second: a tenth of a second each.
        assert_eq!(delay(200, 20, 100, second), second / 10);
        assert_eq!(delay(20, 20, 0, second), second, "one that is not answered at all");
        assert_eq!(delay(0, 0, 0, second), Duration::ZERO);
    }

    #[test]
    fn one_stop_among_many_tries_is_nothing() {
        let ms = Duration::from_millis;
        assert_eq!(median(&mut [ms(1), ms(900), ms(2), ms(1), ms(800)]), ms(2));
        assert_eq!(median(&mut []), ms(0));
    }

    #[tokio::test]
    async fn a_process_that_works_has_a_load() {
        let mut meter = Meter::begin(&Vitals::default());
        let worked = std::thread::spawn(|| {
            let began = std::time::Instant::now();
            while began.elapsed() < LOOK / 2 {
                std::hint::spin_loop();
            }
        });
        let (load, took) = meter.look(Vitals::default).await;
        worked.join().unwrap();
        assert!(load.processor > 0.0 && load.waiting > 0.0 && took >= LOOK, "{load:?}");
    }
}
