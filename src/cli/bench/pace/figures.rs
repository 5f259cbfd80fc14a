//! What came of each demand: when the pace changed, how often it turned about, and what it cost whom.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        float,
        report::{Report, number},
    },
    marks::Marks,
    observer::Watched,
    senders::Pulls,
};

/// With more of its processor than this, the load is what was measured.
const OWN_SHARE_MOST: f64 = 0.9;

/// One demand.
#[derive(Debug)]
pub(super) struct Figures {
    /// Times of what the server can answer.
    pub(super) factor: f64,
    /// Pulls a second that there would be at the base pace.
    pub(super) rate: f64,
    pub(super) base: Duration,
    pub(super) clients: usize,
    pub(super) pulls: Pulls,
    pub(super) marks: Marks,
    pub(super) watched: Watched,
    /// When the senders went.
    pub(super) asked: Duration,
    /// Of one processor each.
    pub(super) own_share: f64,
    pub(super) server_share: f64,
}

impl Figures {
    /// The changes while the senders were there.
    fn under_load(&self) -> &[(Duration, Duration)] {
        let end = self.watched.paces.partition_point(|(at, _)| *at <= self.asked);
        &self.watched.paces[..end]
    }

    fn every_at_end(&self) -> Duration {
        self.under_load().last().map_or(self.base, |last| last.1)
    }

    /// How often it began to shorten after it had grown longer, or the other way, under a demand that stays the same.
    fn turns(&self) -> usize {
        turns(self.under_load().iter().map(|pace| pace.1))
    }

    /// Seconds until it was first longer.
    fn first_stretch_s(&self) -> Option<f64> {
        self.under_load().get(1).map(|change| change.0.as_secs_f64())
    }

    /// Seconds until it changed no more under the load.
    fn steady_s(&self) -> Option<f64> {
        self.under_load()[1..].last().map(|change| change.0.as_secs_f64())
    }

    /// Seconds from when the senders went until it was the base again; none if it did not come back.
    fn back_s(&self) -> Option<f64> {
        let (at, last) = self.watched.paces.last()?;
        (*last == self.base).then(|| at.saturating_sub(self.asked).as_secs_f64())
    }

    fn errors(&self) -> usize {
        self.pulls.errors + self.watched.errors
    }

    /// Pulls a second that were answered in the last quarter, of which the last second may be cut off.
    fn answered_at_end(&self) -> f64 {
        let seconds = &self.pulls.seconds[..self.pulls.seconds.len().saturating_sub(1)];
        let last = &seconds[seconds.len() - seconds.len() / 4..];
        float(last.iter().sum()) / float(last.len().max(1) as u64)
    }

    /// What it did, in order.
    pub(super) fn line(&self) -> String {
        let paces = self.watched.paces.iter();
        let paces = paces.map(|(at, every)| format!("{:.0} s: {}", at.as_secs_f64(), seconds(*every)));
        let gone = format!("(senders gone after {:.0} s)", self.asked.as_secs_f64());
        format!("{}x: {} {gone}", self.factor, paces.collect::<Vec<_>>().join(", "))
    }

    fn cells(&self) -> Vec<String> {
        let after =
            |seconds: Option<f64>| seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.0} s"));
        vec![
            format!("{}x", self.factor),
            number(self.clients as u64),
            format!("{:.0}", self.rate),
            format!("{:.0}", self.answered_at_end()),
            seconds(self.every_at_end()),
            self.turns().to_string(),
            after(self.first_stretch_s()),
            after(self.steady_s()),
            after(self.back_s()),
            self.errors().to_string(),
            format!("{:.0} ms", self.pulls.part(99)),
            format!("{:.1} ms", self.marks.p50_ms),
            format!("{:.1} ms", self.marks.p99_ms),
            self.marks.lost.to_string(),
        ]
    }

    fn json(&self) -> Value {
        let paces = self.watched.paces.iter();
        let paces: Vec<_> = paces.map(|(at, every)| json!([at.as_secs_f64(), every.as_millis()])).collect();
        json!({
            "factor": self.factor,
            "clients": self.clients,
            "offered_per_s": self.rate,
            "answered": self.pulls.answered(),
            "answered_each_s": self.pulls.seconds,
            "answered_per_s_at_end": self.answered_at_end(),
            "paces": paces,
            "asked_s": self.asked.as_secs_f64(),
            "every_ms_at_end": self.every_at_end().as_millis(),
            "turns": self.turns(),
            "first_stretch_s": self.first_stretch_s(),
            "steady_s": self.steady_s(),
            "back_s": self.back_s(),
            "errors": self.errors(),
            "first_error": self.pulls.first_error,
            "pulls_p50_ms": self.pulls.part(50),
            "pulls_p99_ms": self.pulls.part(99),
            "marks": self.marks,
            "own_share": self.own_share,
            "own_delay_p99_ms": self.pulls.own_delay_p99_ms,
            "server_share": self.server_share,
        })
    }
}

/// All demands, at a server that can answer `capacity` pulls a second.
pub(super) fn report(seed: u64, capacity: f64, marks: u32, all: &[Figures]) -> Report {
    let columns = [
        "demand",
        "senders",
        "pulls/s asked",
        "answered",
        "pace",
        "turns",
        "stretched",
        "steady",
        "back",
        "errors",
        "pulls p99",
        "marks p50",
        "p99",
        "lost",
    ];
    let mut report = Report::new("pace", seed, &columns);
    for figures in all {
        report.row(figures.cells());
    }
    report.note(format!(
        "the server can answer {capacity:.0} pulls of 100 messages in a second of processor time; asked: at the base pace; \
         answered, pace: at the end; pulls and marks ({marks} a second) are timed from when they were due"
    ));
    for figures in all {
        report.note(figures.line());
    }
    for figures in all {
        report.note(format!(
            "{}x: of a processor each, the server took {:.0} % and the load {:.0} %, which was {:.1} ms late (p99){}",
            figures.factor,
            figures.server_share * 100.0,
            figures.own_share * 100.0,
            figures.pulls.own_delay_p99_ms,
            if figures.own_share > OWN_SHARE_MOST { ": THE LOAD ITSELF WAS THE BOTTLENECK" } else { "" }
        ));
    }
    report.figure("capacity_per_s", json!(capacity));
    report.figure("demands", all.iter().map(Figures::json).collect());
    report
}

fn turns(paces: impl Iterator<Item = Duration>) -> usize {
    let paces: Vec<_> = paces.collect();
    let ways: Vec<_> = paces.windows(2).map(|two| two[0] < two[1]).collect();
    ways.windows(2).filter(|two| two[0] != two[1]).count()
}

fn seconds(every: Duration) -> String {
    format!("{} s", every.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_of_direction_is_a_turn() {
        let of = |paces: &[u64]| turns(paces.iter().copied().map(Duration::from_secs));
        assert_eq!([of(&[2]), of(&[2, 3, 5]), of(&[2, 4, 8, 7, 6]), of(&[2, 3, 2, 3])], [0, 0, 1, 2]);
    }
}
