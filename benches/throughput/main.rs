//! Throughput of the real server over loopback, beside that of a bare hyper server in the same run.
//!
//! `cargo bench --bench throughput -- [--quick] [--json FILE]`. Starts `seenby serve` on a temporary directory
//! and a hyper server that answers a constant, each as a process of its own, and drives both over 64 connections
//! with one request in flight on each. Machines and minutes differ: what counts is the ratio to the bare server
//! in the same round. `workload` has the requests, `load` sends them, `peer` has the two servers.

mod load;
mod peer;
mod report;
mod workload;

use std::{error::Error, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use self::{load::Measured, peer::Peer, workload::Workload};

/// Connections, each with one request in flight.
const CONNECTIONS: usize = 64;

/// How much is measured.
struct Options {
    rounds: usize,
    /// How long each workload is driven in each round.
    each: Duration,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.first().map(String::as_str) {
        Some(peer::BARE) => peer::serve_bare(),
        _ if args.iter().any(|arg| arg == "--bench") => options(args).and_then(|options| bench(&options)),
        _ => {
            println!("left out: `cargo bench` runs it");
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("throughput: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(args: Vec<String>) -> Result<Options, Box<dyn Error>> {
    // Seven measurements a round: 74 seconds, or 9; and a few to set up.
    let mut options = Options { rounds: 5, each: Duration::from_millis(2_100), json: None };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--quick" => (options.rounds, options.each) = (3, Duration::from_millis(420)),
            "--json" => options.json = Some(args.next().ok_or("--json takes a file")?.into()),
            other => return Err(format!("'{other}' is neither --quick nor --json FILE").into()),
        }
    }
    Ok(options)
}

fn bench(options: &Options) -> Result<(), Box<dyn Error>> {
    // One thread: the generator takes one core at most and leaves the other to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let (bare, seenby) = (Peer::bare()?, Peer::seenby(folder.path())?);
    let workloads = runtime.block_on(workload::prepare(&seenby))?;
    let mut rounds: Vec<Vec<Measured>> = Vec::new();
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        let mut measured = Vec::new();
        for workload in &workloads {
            let peer = if workload.is_floor() { &bare } else { &seenby };
            measured.push(runtime.block_on(load::drive(peer, workload, options.each))?);
        }
        rounds.push(measured);
    }
    report::print(&workloads, &rounds);
    if let Some(path) = &options.json {
        std::fs::write(path, report::json(&workloads, &rounds))?;
    }
    Ok(())
}

/// The middle of `values`, which are not none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Where the workload that `workload` is compared with stands among `workloads`.
fn floor_of(workload: &Workload, workloads: &[Arc<Workload>]) -> usize {
    let floor = workloads.iter().position(|floor| floor.is_floor() && floor.posts == workload.posts);
    floor.expect("invariant: a floor for each method is always measured")
}
