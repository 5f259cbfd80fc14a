//! What a play comes to in figures: per message, over all messages, and how old the shown count was.

use std::time::Duration;

use serde::Serialize;

use super::{
    play::{Followed, Played},
    readers::Look,
    scene::Scene,
};
use crate::cli::measure::float;

/// How often a look at a message is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// How long after a look begins it is looked at first: a phone that asks only then waits for its first answer, and what it
/// shows meanwhile says more of how fast time runs here than of the strategy.
const OPENING: Duration = Duration::from_secs(1);
/// How much of a look is its beginning: as long as the server has a phone pull, if nothing else is set.
const BEGINNING: Duration = Duration::from_secs(20);

/// Marks that are later than this, in simulated seconds, are no more those of the readers' model, and whoever sends and asks
/// is as late.
const LATE_MAX_S: f64 = 10.0;

/// One strategy in one group. What is not per message is of all messages together.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figures {
    pub(super) strategy: String,
    #[serde(skip)]
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) sums: Sums,
    pub(super) age_p50_s: f64,
    pub(super) age_p99_s: f64,
    /// In the first 20 seconds of each look.
    pub(super) age_beginning_p99_s: f64,
    pub(super) samples: usize,
    pub(super) cpu_ms: f64,
    /// Above that of the server that nobody asks.
    pub(super) cpu_above_ms: f64,
    pub(super) resident_most: u64,
    pub(super) late_p99_s: f64,
    /// Whether marks came too late for ages to mean anything.
    pub(super) is_late: bool,
    pub(super) messages: Vec<OfMessage>,
}

/// Counts that add up over messages.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Sums {
    pub(super) members_read: u64,
    pub(super) requests: u64,
    pub(super) answers: u64,
    pub(super) events: u64,
    /// Events that tell of marks: all but those that a stream begins with if it goes on from nothing.
    pub(super) pushed: u64,
    pub(super) connections: u64,
    pub(super) bytes_up: u64,
    pub(super) bytes_down: u64,
    pub(super) wakes: u64,
    pub(super) awake_s: f64,
}

/// One message.
#[derive(Debug, Clone, Serialize)]
pub(super) struct OfMessage {
    pub(super) message: String,
    #[serde(flatten)]
    pub(super) sums: Sums,
    /// Pulls, look by look.
    pub(super) pulls_of_looks: Vec<u64>,
    /// The first count that was shown.
    pub(super) shown_first: u32,
    pub(super) shown_last: u32,
}

impl Figures {
    /// Of `played`; `baseline` is the one that nobody asked.
    pub(super) fn of(scene: &Scene, played: &Played, baseline: &Played) -> Self {
        let ms = |cpu_ns: u64| float(cpu_ns) / 1e6;
        let samples: Vec<_> = scene
            .messages
            .iter()
            .zip(&played.messages)
            .flat_map(|(sent, followed)| ages(&sent.looks, &followed.seen.shown, &followed.answered))
            .collect();
        let ages = in_order(samples.iter().map(|sample| sample.age));
        let beginning = samples.iter().filter(|sample| sample.into_look < BEGINNING);
        let beginning = in_order(beginning.map(|sample| sample.age));
        let messages: Vec<_> = scene
            .messages
            .iter()
            .zip(&played.messages)
            .map(|(sent, followed)| OfMessage::of(&sent.id, followed))
            .collect();
        let late_p99_s = share(&in_order(played.late.iter().copied()), 99);
        Self {
            strategy: played.strategy.key(),
            name: played.strategy.name(),
            port: played.port,
            sums: messages.iter().fold(Sums::default(), |sum, message| sum.plus(&message.sums)),
            age_p50_s: share(&ages, 50),
            age_p99_s: share(&ages, 99),
            age_beginning_p99_s: share(&beginning, 99),
            samples: ages.len(),
            cpu_ms: ms(played.cpu_ns),
            cpu_above_ms: ms(played.cpu_ns) - ms(baseline.cpu_ns),
            resident_most: played.resident_most,
            late_p99_s,
            is_late: late_p99_s > LATE_MAX_S,
            messages,
        }
    }

    /// Whether every member that read was pushed, once: the first event shows who had read before the stream was open.
    pub(super) fn pushed_as_read(&self) -> bool {
        self.messages.iter().all(OfMessage::pushed_as_read)
    }
}

impl OfMessage {
    fn of(id: &str, followed: &Followed) -> Self {
        let Followed { seen, traffic, answered } = followed;
        Self {
            message: id.to_owned(),
            sums: Sums {
                members_read: answered.len() as u64,
                requests: seen.requests,
                answers: seen.answers,
                events: seen.events,
                pushed: seen.pushed,
                connections: seen.connections,
                bytes_up: traffic.bytes_up,
                bytes_down: traffic.bytes_down,
                wakes: traffic.wakes,
                awake_s: traffic.awake.as_secs_f64(),
            },
            pulls_of_looks: seen.pulls.clone(),
            shown_first: seen.shown.first().map_or(0, |(_, read)| *read),
            shown_last: seen.last(),
        }
    }

    fn pushed_as_read(&self) -> bool {
        let read = self.sums.members_read;
        u64::from(self.shown_first) + self.sums.pushed == read && u64::from(self.shown_last) == read
    }
}

impl Sums {
    fn plus(&self, more: &Self) -> Self {
        Self {
            members_read: self.members_read + more.members_read,
            requests: self.requests + more.requests,
            answers: self.answers + more.answers,
            events: self.events + more.events,
            pushed: self.pushed + more.pushed,
            connections: self.connections + more.connections,
            bytes_up: self.bytes_up + more.bytes_up,
            bytes_down: self.bytes_down + more.bytes_down,
            wakes: self.wakes + more.wakes,
            awake_s: self.awake_s + more.awake_s,
        }
    }
}

/// How old the shown count is, so long into a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    into_look: Duration,
    age: Duration,
}

/// How old the shown count is, in the middle of each quarter of a second of the looks but for their opening: nothing if all is shown that was
/// answered, else since when the oldest mark is missing. `answered` is in order.
fn ages(looks: &[Look], shown: &[(Duration, u32)], answered: &[Duration]) -> Vec<Sample> {
    let mut ages = Vec::new();
    for look in looks {
        let mut now = look.begin + OPENING + SAMPLE_EVERY / 2;
        while now < look.end {
            let shows = shown.partition_point(|(at, _)| *at <= now);
            let shows = shows.checked_sub(1).map_or(0, |last| shown[last].1);
            let missing = answered.get(shows as usize).filter(|at| **at <= now);
            let age = missing.map_or(Duration::ZERO, |at| now.saturating_sub(*at));
            ages.push(Sample { into_look: now.saturating_sub(look.begin), age });
            now += SAMPLE_EVERY;
        }
    }
    ages
}

fn in_order(values: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values
}

/// What so many in 100 of the values in order are not above, in seconds; 0 of none.
fn share(values: &[Duration], percent: usize) -> f64 {
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).map_or(0.0, Duration::as_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::simulate::{meter::Traffic, sender::Seen};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_count_is_as_old_as_the_oldest_mark_it_misses() {
        let look = Look { begin: ms(9_000), end: ms(11_250) };
        let answered = [ms(1_000), ms(10_200), ms(10_300), ms(11_100)];
        let of = |looks: &[Look], shown: &[(Duration, u32)]| -> Vec<_> {
            ages(looks, shown, &answered).iter().map(|sample| sample.age).collect()
        };
        // Looked at in 10,125, 10,375, 10,625, 10,875 and 11,125.
        assert_eq!(of(&[look], &[(ms(9_000), 1)]), [0, 175, 425, 675, 925].map(ms));
        assert_eq!(of(&[look], &[(ms(9_000), 1), (ms(10_400), 3)]), [0, 175, 0, 0, 25].map(ms));
        assert_eq!(of(&[look], &[])[0], ms(9_125), "nothing was shown yet");
        assert_eq!(of(&[look], &[(ms(9_000), 9)]), [0; 5].map(ms), "durable, and not yet answered");
        assert_eq!(of(&[], &[]), []);
        assert_eq!(ages(&[look], &[], &answered)[4].into_look, ms(2_125));
    }

    #[test]
    fn a_push_too_few_or_too_many_is_found() {
        let message = |shown: &[u32], pushed| {
            let shown = shown.iter().map(|read| (ms(0), *read)).collect();
            let seen = Seen { pushed, shown, ..Seen::default() };
            let answered = [1, 2, 3].map(ms).to_vec();
            OfMessage::of("m", &Followed { seen, traffic: Traffic::default(), answered }).pushed_as_read()
        };
        assert!(message(&[0, 1, 2, 3], 3));
        assert!(message(&[1, 2, 3], 2), "one had read before the stream was open");
        assert!(!message(&[0, 1, 3], 2), "two in one event");
        assert!(!message(&[0, 1, 2], 2), "one is missing");
        assert!(!message(&[0, 1, 2, 3, 3], 4), "one came twice");
    }

    #[test]
    fn shares_are_of_the_values_in_order() {
        let values: Vec<_> = (1..=200).map(ms).collect();
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found}");
        near(share(&values, 50), 0.1);
        near(share(&values, 99), 0.198);
        near(share(&values[..1], 50), 0.001);
        near(share(&[], 99), 0.0);
    }
}
