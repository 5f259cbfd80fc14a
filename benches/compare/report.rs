//! The figures: medians over the rounds, ratios within them, and whether these are what they have to be.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    curves::{self, Curve},
    growth::Growth,
    instructions::{self, Instructions},
    load::{CONNECTIONS, Measured},
    storm::Storm,
    work::{Bar, Side, Work},
};

/// From this share of a processor on, the generator is what limits.
const GENERATOR_CPUS_MAX: f64 = 0.95;

/// All that was measured.
pub(crate) struct Report {
    works: Vec<Work>,
    /// By round, work and side.
    rounds: Vec<Vec<Vec<Measured>>>,
    once: Once,
}

/// What is not measured in rounds beside the others.
#[derive(Serialize)]
pub(crate) struct Once {
    pub(crate) growth: Option<Growth>,
    pub(crate) instructions: Vec<Instructions>,
    pub(crate) curves: Vec<Curve>,
    pub(crate) storm: Option<Storm>,
    pub(crate) cluster: Option<Cluster>,
}

/// The median of some rounds, and how far they lie apart.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (values[0], values[values.len() - 1]);
        Self { median: f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]), min, max }
    }
}

/// seenby against another, at one work.
pub(crate) struct Comparison<'a> {
    pub(crate) work: &'a Work,
    pub(crate) other: &'a Side,
    /// Units a second against the other's.
    pub(crate) ratio: Spread,
    /// Processor time of the server a unit against the other's.
    pub(crate) cpu_ratio: Spread,
}

impl Comparison<'_> {
    /// Whether it is what it has to be; none where nothing has to be.
    pub(crate) fn holds(&self) -> Option<bool> {
        let Bar { ratio_min, cpu_ratio_max } = self.other.bar?;
        Some(self.ratio.median >= ratio_min && cpu_ratio_max.is_none_or(|max| self.cpu_ratio.median <= max))
    }

    fn wanted(&self) -> String {
        let Some(Bar { ratio_min, cpu_ratio_max }) = self.other.bar else { return String::new() };
        let cpu = cpu_ratio_max.map_or_else(String::new, |max| format!(", CPU {max:.1} at most"));
        format!("{ratio_min:.2}{cpu}")
    }
}

impl Report {
    pub(crate) fn new(works: Vec<Work>, rounds: Vec<Vec<Vec<Measured>>>, once: Once) -> Self {
        Self { works, rounds, once }
    }

    pub(crate) fn each_comparison(&self) -> Vec<Comparison<'_>> {
        let mut all = Vec::new();
        for (at, work) in self.works.iter().enumerate() {
            for (side, other) in work.sides.iter().enumerate().skip(1) {
                let ratio = |what: fn(&Measured) -> f64| {
                    Spread::of(self.rounds.iter().map(|round| what(&round[at][0]) / what(&round[at][side])))
                };
                // Requests need not be of one size on both sides.
                let cpu_ratio = ratio(|measured| measured.server_cpus / measured.units_per_s);
                all.push(Comparison { work, other, ratio: ratio(|of| of.units_per_s), cpu_ratio });
            }
        }
        all
    }

    pub(crate) fn comparisons(&self) -> usize {
        self.each_comparison().len()
    }

    pub(crate) fn curves(&self) -> &[Curve] {
        &self.once.curves
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// Prints the tables.
    pub(crate) fn print(&self) {
        if !self.works.is_empty() {
            self.print_sides();
            self.print_comparisons();
        }
        let Once { growth, instructions, curves, storm, cluster } = &self.once;
        growth.iter().for_each(Growth::print);
        if !instructions.is_empty() {
            instructions::print(instructions);
        }
        if !curves.is_empty() {
            curves::print(curves);
        }
        storm.iter().for_each(Storm::print);
        cluster.iter().for_each(Cluster::print);
    }

    /// Holds the counts of instructions to what is known.
    pub(crate) fn hold(&self) -> Result<(), String> {
        instructions::check(&self.once.instructions)
    }

    fn print_sides(&self) {
        println!(
            "Medians of {} rounds, {CONNECTIONS} connections, one request in flight on each.",
            self.rounds()
        );
        println!("CPUs are processors used; CPU us and bytes written are a request's and a unit's.\n");
        println!(
            "{:<32} {:<12} {:>10} {:>19} {:>7} {:>7} {:>6} {:>7} {:>7} {:>7} {:>8}",
            "",
            "",
            "requests/s",
            "units/s",
            "p50 ms",
            "p99 ms",
            "server",
            "load",
            "CPU us",
            "load us",
            "written"
        );
        let (mut is_limited, mut said) = (false, "");
        for (at, work) in self.works.iter().enumerate() {
            for (place, side) in work.sides.iter().enumerate() {
                let of = |what| self.median(at, place, what);
                let generator_cpus = of(|measured| measured.generator_cpus);
                let is_full = generator_cpus > GENERATOR_CPUS_MAX;
                is_limited |= is_full;
                println!(
                    "{:<32} {:<12} {:>10.0} {:>12.0} {:<6} {:>7.2} {:>7.2} {:>6.2} {:>6.2}{} {:>7.1} {:>7.1} {:>8.1}",
                    if said == work.name { "" } else { work.name },
                    side.subject.name(),
                    of(|measured| measured.requests_per_s),
                    of(|measured| measured.units_per_s),
                    work.unit,
                    of(|measured| measured.latency_p50_ms),
                    of(|measured| measured.latency_p99_ms),
                    of(|measured| measured.server_cpus),
                    generator_cpus,
                    if is_full { "!" } else { " " },
                    of(|measured| measured.server_us_per_request),
                    of(|measured| measured.generator_us_per_request),
                    of(|measured| measured.written_bytes_per_unit),
                );
                said = work.name;
            }
        }
        if is_limited {
            println!(
                "! the generator had a processor to itself and no more to give: the server may be faster."
            );
        }
    }

    fn print_comparisons(&self) {
        println!(
            "\nseenby against the others: units a second within a round, and processor time of the server a unit.\n"
        );
        println!("{:<32} {:<38} {:>6} {:>15} {:>6}  wanted", "", "against", "ratio", "from .. to", "CPU");
        for line in self.each_comparison() {
            let verdict = line.holds().map_or("", |holds| if holds { "  holds" } else { "  MISSED" });
            let what =
                if line.other.what.is_empty() { String::new() } else { format!(", {}", line.other.what) };
            let range = format!("{:.2} .. {:.2}", line.ratio.min, line.ratio.max);
            println!(
                "{:<32} {:<38} {:>6.2} {range:>15} {:>6.2}  {}{verdict}",
                line.work.name,
                format!("{}{what}", line.other.subject.name()),
                line.ratio.median,
                line.cpu_ratio.median,
                line.wanted(),
            );
        }
        println!("\nDurable, when a mark is answered:");
        for (name, durability) in self.durabilities() {
            println!("  {name}: {durability}");
        }
    }

    fn durabilities(&self) -> Vec<(&'static str, &'static str)> {
        let mut all = Vec::new();
        for side in self.works.iter().flat_map(|work| &work.sides) {
            let line = (side.subject.name(), side.subject.durability());
            if !all.contains(&line) {
                all.push(line);
            }
        }
        all
    }

    fn median(&self, work: usize, side: usize, what: fn(&Measured) -> f64) -> f64 {
        Spread::of(self.rounds.iter().map(|round| what(&round[work][side]))).median
    }

    /// All of it, and every round.
    pub(crate) fn json(&self) -> String {
        let comparison = |line: &Comparison| {
            let bar = line.other.bar;
            json!({
                "work": line.work.name,
                "against": line.other.subject.name(),
                "what": line.other.what,
                "ratio": line.ratio,
                "cpu_ratio": line.cpu_ratio,
                "ratio_min": bar.map(|bar| bar.ratio_min),
                "cpu_ratio_max": bar.and_then(|bar| bar.cpu_ratio_max),
                "holds": line.holds(),
            })
        };
        let comparisons: Vec<Value> = self.each_comparison().iter().map(comparison).collect();
        let mut sides = Vec::new();
        for (at, work) in self.works.iter().enumerate() {
            for (place, side) in work.sides.iter().enumerate() {
                let rounds: Vec<&Measured> = self.rounds.iter().map(|round| &round[at][place]).collect();
                sides.push(json!({
                    "work": work.name,
                    "unit": work.unit,
                    "by": side.subject.name(),
                    "what": side.what,
                    "requests_per_s": self.median(at, place, |measured| measured.requests_per_s),
                    "units_per_s": self.median(at, place, |measured| measured.units_per_s),
                    "rounds": rounds,
                }));
            }
        }
        let durabilities: serde_json::Map<_, _> =
            self.durabilities().into_iter().map(|(name, text)| (name.to_owned(), json!(text))).collect();
        let all = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "connections": CONNECTIONS,
            "processors": std::thread::available_parallelism().map_or(0, usize::from),
            "durability": durabilities,
            "comparisons": comparisons,
            "sides": sides,
            "once": self.once,
        });
        format!("{all:#}\n")
    }
}
