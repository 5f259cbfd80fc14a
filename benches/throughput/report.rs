//! The table, and the same as JSON.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{CONNECTIONS, floor_of, load::Measured, median, workload::Workload};

/// The medians of one workload over the rounds.
struct Row {
    requests_per_s: f64,
    units_per_s: f64,
    /// Requests against those of the bare server in the same round.
    requests_ratio: f64,
    /// Units against the bare server's requests in the same round.
    units_ratio: f64,
    latency_p50_ms: f64,
    latency_p99_ms: f64,
    server_cpus: f64,
    generator_cpus: f64,
}

fn row(at: usize, workloads: &[Arc<Workload>], rounds: &[Vec<Measured>]) -> Row {
    let floor = floor_of(&workloads[at], workloads);
    let of = |what: fn(&Measured) -> f64| median(rounds.iter().map(|round| what(&round[at])));
    let ratio = |what: fn(&Measured) -> f64| {
        median(rounds.iter().map(|round| what(&round[at]) / round[floor].requests_per_s))
    };
    Row {
        requests_per_s: of(|measured| measured.requests_per_s),
        units_per_s: of(|measured| measured.units_per_s),
        requests_ratio: ratio(|measured| measured.requests_per_s),
        units_ratio: ratio(|measured| measured.units_per_s),
        latency_p50_ms: of(|measured| measured.latency_p50_ms),
        latency_p99_ms: of(|measured| measured.latency_p99_ms),
        server_cpus: of(|measured| measured.server_cpus),
        generator_cpus: of(|measured| measured.generator_cpus),
    }
}

/// Prints the medians over the rounds.
pub(crate) fn print(workloads: &[Arc<Workload>], rounds: &[Vec<Measured>]) {
    println!("medians of {} rounds over {CONNECTIONS} connections; CPUs are processors used", rounds.len());
    println!(
        "{:<20} {:>10} {:>8} {:>19} {:>8} {:>8} {:>8} {:>7} {:>7}",
        "", "requests/s", "of bare", "units/s", "of bare", "p50 ms", "p99 ms", "server", "load"
    );
    for (at, workload) in workloads.iter().enumerate() {
        let is = row(at, workloads, rounds);
        println!(
            "{:<20} {:>10.0} {:>8.2} {:>10.0} {:<8} {:>8.2} {:>8.2} {:>8.2} {:>7.2} {:>7.2}",
            workload.name,
            is.requests_per_s,
            is.requests_ratio,
            is.units_per_s,
            workload.unit,
            is.units_ratio,
            is.latency_p50_ms,
            is.latency_p99_ms,
            is.server_cpus,
            is.generator_cpus,
        );
    }
}

/// The medians, and every round.
pub(crate) fn json(workloads: &[Arc<Workload>], rounds: &[Vec<Measured>]) -> String {
    let workload = |(at, workload): (usize, &Arc<Workload>)| {
        let is = row(at, workloads, rounds);
        let each: Vec<Value> = rounds.iter().map(|round| measured(&round[at])).collect();
        json!({
            "name": workload.name,
            "unit": workload.unit,
            "requests_per_s": is.requests_per_s,
            "units_per_s": is.units_per_s,
            "requests_of_bare": is.requests_ratio,
            "units_of_bare": is.units_ratio,
            "latency_p50_ms": is.latency_p50_ms,
            "latency_p99_ms": is.latency_p99_ms,
            "server_cpus": is.server_cpus,
            "generator_cpus": is.generator_cpus,
            "rounds": each,
        })
    };
    let workloads: Vec<Value> = workloads.iter().enumerate().map(workload).collect();
    format!("{:#}\n", json!({ "connections": CONNECTIONS, "workloads": workloads }))
}

fn measured(is: &Measured) -> Value {
    json!({
        "requests_per_s": is.requests_per_s,
        "units_per_s": is.units_per_s,
        "latency_p50_ms": is.latency_p50_ms,
        "latency_p99_ms": is.latency_p99_ms,
        "server_cpus": is.server_cpus,
        "generator_cpus": is.generator_cpus,
        "resident_bytes": is.resident_bytes,
    })
}
