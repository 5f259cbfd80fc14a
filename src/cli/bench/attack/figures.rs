//! What the attacks came to, and the bound that memory is held against.

use std::time::Duration;

use serde_json::json;

use super::{
    super::{
        float, median,
        open_loop::Latencies,
        report::{Report, number, size},
    },
    front::{Sizes, Tally},
    kinds::Kind,
    newcomers::Came,
    witness::Marks,
};

/// The server's defaults: see `hot_bytes_max` and `bodies_bytes_max`.
const HOT_BYTES_MAX: u64 = 256 << 20;
const BODIES_BYTES_MAX: u64 = 128 << 20;
/// What a connection may hold that is in no budget: 64 KiB each of a head, of a body, of an answer and of what is on
/// its way into the socket, and as much again for whatever keeps them.
const CONNECTION_BYTES: u64 = 512 << 10;
/// The same over HTTP/2: for each of 100 requests 2 KiB each of a head, of a body and of an answer, and 16 KiB that are on
/// their way; 1 MiB of bodies that nobody has taken yet; and as much again as the rest for whatever keeps them.
const CONNECTION_BYTES_HTTP2: u64 = 5 << 20;
/// The binary, its threads, the journal's and the base's buffers, and what the allocator keeps back.
const CONSTANT_BYTES: u64 = 128 << 20;
/// The server is well right after if it has answered within so long.
const WELL_WITHIN: Duration = Duration::from_secs(1);

/// Bytes resident, before an attack, at most during it, and after it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Memory {
    pub(super) before: u64,
    pub(super) most: u64,
    pub(super) after: u64,
}

/// An attack, made once.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) undisturbed: Latencies,
    pub(super) attacked: Latencies,
    pub(super) tally: Tally,
    /// How long the tally was taken, the opening of its connections included.
    pub(super) took: Duration,
    pub(super) newcomers: Came,
    pub(super) memory: Memory,
    /// None if there was an error.
    pub(super) well_after: Option<Duration>,
}

/// An attack, made several times.
#[derive(Debug)]
pub(super) struct Figures {
    kind: Kind,
    connections: u64,
    rounds: Vec<Round>,
    pub(super) marks: Marks,
    pub(super) marks_lost: usize,
}

impl Figures {
    pub(super) fn of(kind: Kind, sizes: &Sizes) -> Self {
        let connections = kind.connections(sizes);
        Self { kind, connections, rounds: Vec::new(), marks: Marks::default(), marks_lost: 0 }
    }

    pub(super) fn add(&mut self, round: Round) {
        self.rounds.push(round);
    }

    fn middle(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }

    fn sum(&self, of: impl Fn(&Round) -> u64) -> u64 {
        self.rounds.iter().map(of).sum()
    }

    fn most(&self, of: impl Fn(&Round) -> u64) -> u64 {
        self.rounds.iter().map(of).max().unwrap_or_default()
    }

    fn ratio(&self) -> f64 {
        self.middle(|round| round.attacked.p99_ms / round.undisturbed.p99_ms)
    }

    fn a_second(&self) -> f64 {
        self.middle(|round| float(round.tally.sent) / round.took.as_secs_f64())
    }

    /// What resident memory may come to: all that has a budget, and so much for each connection.
    fn memory_bound(&self) -> u64 {
        let each = if self.kind.is_http2() { CONNECTION_BYTES_HTTP2 } else { CONNECTION_BYTES };
        HOT_BYTES_MAX + BODIES_BYTES_MAX + self.connections * each + CONSTANT_BYTES
    }

    fn well_after(&self) -> Option<Duration> {
        let times = self.rounds.iter().map(|round| round.well_after);
        times.collect::<Option<Vec<_>>>().and_then(|times| times.into_iter().max())
    }

    fn cells(&self) -> [String; COLUMNS.len()] {
        let lost = self.sum(|round| round.attacked.lost as u64);
        let well = match self.well_after() {
            Some(after) if after <= WELL_WITHIN => format!("yes, {} ms", after.as_millis()),
            Some(after) => format!("no, {} ms", after.as_millis()),
            None => "no".to_owned(),
        };
        [
            self.kind.name(),
            number(self.connections),
            format!("{:.0} {}/s", self.a_second(), self.kind.counts()),
            format!("{:.2} ms", self.middle(|round| round.undisturbed.p99_ms)),
            format!("{:.2} ms", self.middle(|round| round.attacked.p99_ms)),
            format!("{:.2}", self.ratio()),
            format!("{:.2} ms", self.middle(|round| round.attacked.own_delay_p99_ms)),
            number(lost),
            number(self.sum(|round| round.tally.ended)),
            size(self.most(|round| round.memory.before)),
            size(self.most(|round| round.memory.most)),
            size(self.memory_bound()),
            size(self.most(|round| round.memory.after)),
            format!("{} of {}", self.marks_lost, number(self.marks.answered as u64)),
            number(self.marks.failed as u64),
            well,
        ]
    }

    /// A line as soon as it is known.
    pub(super) fn line(&self) -> String {
        self.cells().join("  ")
    }

    fn json(&self) -> serde_json::Value {
        let round = |round: &Round| {
            json!({
                "undisturbed": round.undisturbed,
                "attacked": round.attacked,
                "sent": round.tally.sent,
                "connections_ended": round.tally.ended,
                "connections_refused": round.tally.refused,
                "took_s": round.took.as_secs_f64(),
                "newcomers_answered": round.newcomers.answered.len(),
                "newcomers_refused": round.newcomers.refused,
                "memory": {
                    "before": round.memory.before, "most": round.memory.most, "after": round.memory.after,
                },
                "well_after_s": round.well_after.map(|after| after.as_secs_f64()),
            })
        };
        json!({
            "connections": self.connections,
            "counts": self.kind.counts(),
            "rounds": self.rounds.iter().map(round).collect::<Vec<_>>(),
            "ratio": self.ratio(),
            "sent_a_second": self.a_second(),
            "memory_bound": self.memory_bound(),
            "marks_answered": self.marks.answered,
            "marks_failed": self.marks.failed,
            "marks_longest_s": self.marks.longest.as_secs_f64(),
            "marks_lost": self.marks_lost,
        })
    }

    /// What became of those that came during the attack, if any did.
    fn newcomers(&self) -> Option<String> {
        let mut took: Vec<_> =
            self.rounds.iter().flat_map(|round| &round.newcomers.answered).copied().collect();
        let refused = self.sum(|round| round.newcomers.refused as u64);
        took.sort_unstable();
        let p99 = took.get(took.len().saturating_sub(1) * 99 / 100)?;
        Some(format!(
            "{}: {} new connections of others were answered, p99 {:.2} ms, and {refused} were refused",
            self.kind.name(),
            took.len(),
            p99.as_secs_f64() * 1e3
        ))
    }
}

const COLUMNS: [&str; 16] = [
    "attack",
    "connections",
    "rate",
    "p99 before",
    "p99 under it",
    "ratio",
    "load's own delay",
    "pulls lost",
    "closed on it",
    "memory before",
    "most",
    "bound",
    "after",
    "marks lost",
    "failed",
    "well after",
];

/// All attacks, one a row.
pub(super) fn report(seed: u64, (rate, rounds, length): (f64, u16, Duration), attacks: &[Figures]) -> Report {
    let mut report = Report::new("attack", seed, &COLUMNS);
    attacks.iter().for_each(|figures| report.row(figures.cells()));
    report.note(format!(
        "{rate:.0} pulls a second, half of what the server can answer on one processor; medians of {rounds} rounds of \
         {} each, and the ratio of the two within a round",
        humantime::format_duration(length)
    ));
    report.note(
        "attackers share the load's processor, at the lowest priority; the load's own delay is the p99 of how much \
         later than it wanted it came to send"
            .to_owned(),
    );
    report.note(format!(
        "bound: hot_bytes_max + bodies_bytes_max + connections x {} (HTTP/2: {}) + {}",
        size(CONNECTION_BYTES),
        size(CONNECTION_BYTES_HTTP2),
        size(CONSTANT_BYTES)
    ));
    attacks.iter().filter_map(Figures::newcomers).for_each(|line| report.note(line));
    let all: serde_json::Map<_, _> =
        attacks.iter().map(|figures| (figures.kind.name(), figures.json())).collect();
    report.figure("rate", json!(rate));
    report.figure("attacks", all.into());
    report
}
