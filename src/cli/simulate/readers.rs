//! How readers come to a message, and how its sender looks at it: chances, and nothing else.

use std::{f64::consts::TAU, time::Duration};

use fastrand::Rng;

/// When readers read a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Readers {
    /// The part of the audience that ever reads it.
    pub(super) reach: f64,
    /// Of the log-normal delays.
    pub(super) median: Duration,
    /// Of the delays' logarithms.
    pub(super) sigma: f64,
    /// The part of the readers whose chat is open: their delays are exponential.
    pub(super) fast_share: f64,
    /// Of the exponential delays.
    pub(super) fast_mean: Duration,
}

impl Readers {
    /// After how long one member of the audience reads a message; none if never.
    pub(super) fn delay(&self, chance: &mut Rng) -> Option<Duration> {
        if chance.f64() >= self.reach {
            return None;
        }
        let times = if chance.f64() < self.fast_share {
            return Some(self.fast_mean.mul_f64(exponential(chance)));
        } else {
            (self.sigma * normal(chance)).exp()
        };
        // Who reads it after a lifetime does not read it.
        Duration::try_from_secs_f64(self.median.as_secs_f64() * times).ok()
    }
}

/// Of mean 1.
fn exponential(chance: &mut Rng) -> f64 {
    -(1.0 - chance.f64()).ln()
}

/// Of mean 0 and deviation 1: one half of Box and Muller's pair.
fn normal(chance: &mut Rng) -> f64 {
    (2.0 * exponential(chance)).sqrt() * (TAU * chance.f64()).cos()
}

/// When a sender looks at a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looks {
    /// The look after sending it.
    pub(super) first: Duration,
    /// How many more.
    pub(super) more: u32,
    /// The shortest and the longest of these.
    pub(super) between: (Duration, Duration),
}

/// From when to when a sender looks at a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) begin: Duration,
    pub(super) end: Duration,
}

impl Looks {
    /// The looks at a message sent at `sent`, within `horizon` of that: the first at once, and each of the others
    /// somewhere in its own equal part of the rest, so that there is always some time away between.
    pub(super) fn at(&self, sent: Duration, horizon: Duration, chance: &mut Rng) -> Vec<Look> {
        let first = self.first.min(horizon);
        let mut looks = vec![Look { begin: sent, end: sent + first }];
        let Some(part) = horizon.saturating_sub(first).checked_div(self.more) else { return looks };
        let (shortest, longest) = self.between;
        for at in 0..self.more {
            let length = (shortest + longest.saturating_sub(shortest).mul_f64(chance.f64())).min(part / 2);
            let begin = sent + first + part * at + part.saturating_sub(length).mul_f64(chance.f64());
            looks.push(Look { begin, end: begin + length });
        }
        looks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Readers = Readers {
        reach: 1.0,
        median: Duration::from_secs(369),
        sigma: 1.92,
        fast_share: 0.0,
        fast_mean: Duration::from_secs(5),
    };
    const MANY: usize = 100_000;

    /// The parts in 100 of `MANY` that have read after these seconds.
    fn read_after<const N: usize>(readers: Readers, seconds: [u64; N]) -> [f64; N] {
        let mut chance = Rng::with_seed(1);
        let delays: Vec<_> = (0..MANY).filter_map(|_| readers.delay(&mut chance)).collect();
        let count = |s| delays.iter().filter(|delay| **delay <= Duration::from_secs(s)).count();
        seconds.map(|s| f64::from(u32::try_from(count(s)).unwrap()) * 100.0 / 100_000.0)
    }

    #[track_caller]
    fn near(found: &[f64], wanted: &[f64]) {
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 0.6, "{found} and not {wanted}");
        }
    }

    #[test]
    fn readers_who_were_away_come_as_was_fitted() {
        near(&read_after(ALL, [2, 20, 60, 300, 369, 3_600]), &[0.3, 6.4, 17.2, 45.7, 50.0, 88.2]);
    }

    #[test]
    fn readers_whose_chat_is_open_come_first() {
        // An exponential of mean 5: 33 % by 2 s, 63 % by 5 s, 98 % by 20 s.
        let fast = Readers { fast_share: 1.0, ..ALL };
        near(&read_after(fast, [2, 5, 20]), &[33.0, 63.2, 98.2]);
        let usual = Readers { reach: 0.65, fast_share: 0.2, ..ALL };
        near(&read_after(usual, [20, 3_600]), &[0.65 * (19.6 + 5.1), 0.65 * (20.0 + 70.6)]);
        near(&read_after(usual, [u64::from(u32::MAX)]), &[65.0]);
    }

    #[test]
    fn looks_follow_each_other_and_end_in_time() {
        let second = Duration::from_secs;
        let looks = Looks { first: second(30), more: 3, between: (second(5), second(60)) };
        let mut chance = Rng::with_seed(2);
        for horizon in [second(3_600), second(300), second(60), second(31), second(10)] {
            for _ in 0..100 {
                let looks = looks.at(second(7), horizon, &mut chance);
                assert_eq!((looks.len(), looks[0].begin), (4, second(7)));
                assert!(looks.windows(2).all(|pair| pair[0].end <= pair[1].begin), "{looks:?}");
                assert!(looks.iter().all(|look| look.begin <= look.end));
                assert!(looks[3].end <= second(7) + horizon, "{looks:?}");
            }
        }
        let none = Looks { more: 0, ..looks };
        assert_eq!(none.at(second(0), second(60), &mut chance).len(), 1);
    }
}
