//! The pace of pulling, and how it follows the load.
//!
//! Pure arithmetic: the load and the time that has passed are told. Who measures the load is no concern of this file;
//! clients learn of a new pace only from the answer to their next pull, and all rules here follow from that.

use std::{collections::VecDeque, time::Duration};

/// How a client should go on pulling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Milliseconds from one pull to the next.
    pub every_ms: u64,
    /// For at most so many milliseconds from when the messages came on screen.
    pub for_ms: u64,
}

impl Default for Pace {
    /// Every 2 seconds, for at most 20.
    fn default() -> Self {
        Self { every_ms: 2_000, for_ms: 20_000 }
    }
}

/// The least that one step stretches by: less would hardly show.
const STEP_MIN: f64 = 1.5;
/// The most that one step stretches by, or takes back. More than that a load does not say: a processor that has no
/// time left looks alike at 2 and at 5 times of what it can do.
const STEP_MAX: f64 = 2.0;
/// The load that a step back may lead to. Up to 1, from where on it would be stretched again, there is room for what
/// nobody could foresee.
const LOAD_AFTER: f64 = 0.85;
/// The same where the pace that it leads to was too short before.
const LOAD_AGAIN: f64 = 0.7;
/// What one look counts for at the most, when many are weighed: as much as a processor shows that has no time left, where 1
/// is 0.8 of it. Requests wait without measure in a crowd, and must not outweigh the lull that follows it.
const LOAD_FULL: f64 = 1.25;
/// So many looks in a row must find too much before anything is stretched: one alone is a spike.
const LOOKS_MIN: usize = 2;

/// Stretches the time between pulls while the load is too much, and takes it back when it is not.
///
/// A load of 1 is as much as there should be. The rules:
///
/// - **Stretch** when the load is 1 or more: in two looks in a row, and on average over the time in which every client pulls
///   once; where it was stretched just before, as soon as that shows to be too little. By 1.5 to 2 times, as the load
///   says, and never past the limit.
/// - **Take back** when the load, over the time in which every client pulls once, would stay below 0.85 at the shorter pace
///   even if all of it were pulls: as far as that goes, at most by half. To a pace that was too short before, only if
///   it would stay below 0.7.
/// - **Turn slowly**: a step is spread evenly over the time between two pulls of before it. At once, it would tear a
///   hole into the pulls (all who were told the old pace have come, and of those who were told the new one nobody has),
///   and after it all would come together, again and again; from longer to shorter, two crowds would meet. Spread so,
///   clients who pull evenly go on to pull evenly.
/// - **Wait for the effect**: while a step is under way, nothing is decided.
///
/// Between 0.85 and 1 nothing happens, and a step up from 1 leads to 2/3 or less, of which a step back leads nowhere near
/// 1 again: under a constant demand it comes to rest.
#[derive(Debug, Clone)]
pub struct Stretch {
    base_ms: u64,
    most_ms: u64,
    /// Where the last step came from.
    from_ms: u64,
    /// Where it leads.
    to_ms: u64,
    since_step: Duration,
    /// The pace that was stretched last; 0 for none.
    too_short_ms: u64,
    /// The loads since the last step has its effect, each with the time that it is of. Of the time between two pulls.
    looks: VecDeque<(Duration, f64)>,
}

impl Stretch {
    /// Of `base_ms` between two pulls, up to `most_ms`: whole seconds of it, since a 304 tells the pace in those.
    #[must_use]
    pub fn new(base_ms: u64, most_ms: u64) -> Self {
        let most_ms = base_ms.max(most_ms / 1_000 * 1_000);
        Self {
            base_ms,
            most_ms,
            from_ms: base_ms,
            to_ms: base_ms,
            since_step: Duration::MAX,
            too_short_ms: 0,
            looks: VecDeque::new(),
        }
    }

    /// The pace now: what was given as the base, or more in whole seconds.
    #[must_use]
    pub fn every_ms(&self) -> u64 {
        if !self.is_turning() {
            return self.to_ms;
        }
        let part = self.since_step.as_secs_f64() / Duration::from_millis(self.from_ms).as_secs_f64();
        let (from, to) = (float(self.from_ms), float(self.to_ms));
        self.whole_seconds(from + (to - from) * part)
    }

    /// Whether it is stretched at all.
    #[must_use]
    pub fn is_stretched(&self) -> bool {
        self.every_ms() > self.base_ms
    }

    /// Takes in the load that there was on average since the last look; the pace from now on, in milliseconds.
    pub fn look(&mut self, load: f64, since_last: Duration) -> u64 {
        let was_turning = self.is_turning();
        self.since_step = self.since_step.saturating_add(since_last);
        // What came while it was turning says nothing of where it leads.
        if !was_turning {
            self.remember(load, since_last);
            self.decide();
        }
        self.every_ms()
    }

    fn is_turning(&self) -> bool {
        self.from_ms != self.to_ms && self.since_step < Duration::from_millis(self.from_ms)
    }

    fn remember(&mut self, load: f64, since_last: Duration) {
        self.looks.push_back((since_last, load.max(0.0)));
        let (round, mut looked) = (self.round(), self.looked());
        while let Some((first, _)) = self.looks.front() {
            looked = looked.saturating_sub(*first);
            if self.looks.len() <= LOOKS_MIN || looked < round {
                return;
            }
            self.looks.pop_front();
        }
    }

    /// In which every client pulls once.
    fn round(&self) -> Duration {
        Duration::from_millis(self.to_ms)
    }

    fn looked(&self) -> Duration {
        self.looks.iter().map(|look| look.0).sum()
    }

    fn decide(&mut self) {
        if self.looks.len() < LOOKS_MIN {
            return;
        }
        let (looked, load) = (self.looked(), self.load());
        let last = self.looks.iter().rev().take(LOOKS_MIN).map(|look| look.1);
        let least = last.fold(f64::INFINITY, f64::min);
        // Clients who crowd together come in waves as long as a round: one of them is no reason to turn about.
        let is_round = looked >= self.round();
        if load >= 1.0 && least >= 1.0 && (is_round || self.to_ms > self.from_ms) {
            self.too_short_ms = self.to_ms;
            self.turn(float(self.to_ms) * least.clamp(STEP_MIN, STEP_MAX));
        } else if is_round {
            self.turn_back(load);
        }
    }

    fn turn_back(&mut self, load: f64) {
        // Below a second there is nothing but the base, which may be less than half of it.
        let least = if self.to_ms > 1_000 { 1.0 / STEP_MAX } else { 0.0 };
        let after = |load_after: f64| float(self.to_ms) * (load / load_after).max(least);
        let proven = float(self.too_short_ms + 1);
        let back =
            if after(LOAD_AFTER) >= proven { after(LOAD_AFTER) } else { after(LOAD_AGAIN).min(proven) };
        if back < float(self.to_ms) {
            self.turn(back);
        }
    }

    /// On average over all looks.
    fn load(&self) -> f64 {
        let sum: f64 = self.looks.iter().map(|(time, load)| time.as_secs_f64() * load.min(LOAD_FULL)).sum();
        sum / self.looked().as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn turn(&mut self, every_ms: f64) {
        let to_ms = self.whole_seconds(every_ms);
        if to_ms != self.to_ms {
            (self.from_ms, self.to_ms) = (self.to_ms, to_ms);
            self.since_step = Duration::ZERO;
            self.looks.clear();
        }
    }

    /// Rounded up, and between base and limit.
    fn whole_seconds(&self, every_ms: f64) -> u64 {
        if every_ms <= float(self.base_ms) {
            return self.base_ms;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; not below 0")]
        let seconds = (every_ms / 1_000.0).ceil() as u64;
        seconds.saturating_mul(1_000).min(self.most_ms)
    }
}

/// Times between pulls are far below 2^53 milliseconds.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn float(ms: u64) -> f64 {
    ms as f64
}

#[cfg(test)]
mod tests;
