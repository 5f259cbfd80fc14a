//! seenby beside what else one would take: a bitmap in Valkey, a table in PostgreSQL; and beside the floor, a bare hyper
//! server that answers a constant.
//!
//! `benches/compare/run` gets the others and runs this; `cargo bench --bench compare -- --help` has what can be chosen. All
//! servers are real, each a process of its own, on one disk; the same generator drives them over 64 connections, one request
//! in flight on each. In each round each work is done by one after the other, and what counts is the ratio within a
//! round: machines and minutes differ. Who comes first changes from round to round.
//!
//! `work` has the works and what is to be reached, `marks` and `pulls` the requests, `setup` what they are about, `protocol`
//! the three protocols, `load` the generator, `server` the servers, `bare` the floor; `growth` and `instructions` have what is measured once, `curves` and `storm`
//! how cost grows and pulls wait; `cluster`, `nodes` and `memory` the engine on a Valkey Cluster;
//! `report`, `picture` and `chart` show it.

mod bare;
mod chart;
mod cluster;
mod curves;
mod growth;
mod instructions;
mod load;
mod marks;
mod memory;
mod nodes;
mod picture;
mod protocol;
mod pulls;
mod report;
mod server;
mod setup;
mod storm;
mod work;

use std::{error::Error, fs, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;

use self::{
    load::Measured,
    report::{Once, Report},
    work::{Part, Servers, Work},
};

/// Who is compared with, besides the floor.
#[derive(Debug, Clone, Default, clap::Args)]
struct Others {
    /// Where valkey-server is; Valkey is left out if this is
    #[arg(long, value_name = "DIR")]
    valkey: Option<PathBuf>,

    /// Where initdb and postgres are; PostgreSQL is left out if this is
    #[arg(long, value_name = "DIR")]
    postgres: Option<PathBuf>,
}

/// seenby beside Valkey, PostgreSQL and a bare hyper server
#[derive(Debug, Clone, Parser)]
struct Options {
    #[command(flatten)]
    others: Others,

    /// How often all of it is done
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// How long each does each work in each round
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    seconds: f64,

    /// What to measure; everything if left out
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,

    /// Fail if a request takes other than the known count of instructions; needs them measured
    #[arg(long)]
    hold: bool,

    /// Live messages that curves go up to; ten million take a quarter of an hour
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    live_max: usize,

    /// Where compare.json, compare.svg and curves.svg go
    #[arg(long, value_name = "DIR", overrides_with = "out")]
    out: Option<PathBuf>,

    /// Where the servers' data are, all on one disk; the system's directory for temporary files if left out
    #[arg(long, value_name = "DIR")]
    within: Option<PathBuf>,

    /// What cargo bench adds
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.first().map(String::as_str) {
        Some(bare::FLAG) => bare::serve(args.get(1).map_or("", String::as_str)),
        _ if args.iter().any(|arg| arg == "--bench") => {
            let options = Options::parse();
            compare(&options).and_then(|report| {
                report.print();
                if options.hold { Ok(report.hold()?) } else { Ok(()) }
            })
        }
        None => smoke(),
        // Whoever lists or runs tests by name wants none of this.
        Some(_) => Ok(()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What `cargo test` runs: every step once, as small as can be, beside the floor alone. Nothing is judged by its figures.
fn smoke() -> Result<(), Box<dyn Error>> {
    let out = tempfile::tempdir()?;
    let options = Options {
        others: Others::default(),
        rounds: 1,
        seconds: 0.1,
        only: vec![Part::Pulls, Part::Marks],
        hold: false,
        out: Some(out.path().to_owned()),
        within: None,
        live_max: 0,
        bench: false,
    };
    let report = compare(&options)?;
    let svg = fs::read_to_string(out.path().join("compare.svg"))?;
    let json: serde_json::Value = serde_json::from_slice(&fs::read(out.path().join("compare.json"))?)?;
    let lines = json["comparisons"].as_array().map_or(0, Vec::len);
    if !svg.starts_with("<svg") || lines != report.comparisons() || lines != 6 {
        return Err(format!("{lines} comparisons, and a picture of {} bytes", svg.len()).into());
    }
    println!("compare: ran with the floor alone; `benches/compare/run` measures");
    Ok(())
}

fn compare(options: &Options) -> Result<Report, Box<dyn Error>> {
    // One thread: the generator takes one core at most and leaves the other to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = server::folder(options.within.as_ref())?;
    if let Some(out) = &options.out {
        fs::create_dir_all(out)?;
    }
    let (mut works, mut rounds) = (Vec::new(), Vec::new());
    if options.has(Part::Pulls) || options.has(Part::Marks) {
        let servers = Servers::start(&options.others, folder.path(), Vec::new(), &[])?;
        eprintln!("setting up");
        works = runtime.block_on(work::prepare(&servers, options))?;
        for round in 0..usize::from(options.rounds) {
            eprintln!("round {} of {}", round + 1, options.rounds);
            rounds.push(runtime.block_on(one_round(&works, round, options.seconds))?);
        }
    }
    let growth = options.has(Part::Growth).then(|| growth::measure(&options.others, folder.path()));
    let instructions = if options.has(Part::Instructions) {
        runtime.block_on(instructions::measure(options, folder.path()))?
    } else {
        Vec::new()
    };
    let curves = if options.has(Part::Curves) {
        runtime.block_on(curves::measure(options, folder.path()))?
    } else {
        Vec::new()
    };
    let storm = if options.has(Part::Storm) {
        runtime.block_on(storm::measure(options, folder.path()))?
    } else {
        None
    };
    let cluster =
        if options.has(Part::Cluster) { cluster::measure(&runtime, options, folder.path())? } else { None };
    let once = Once { growth: growth.transpose()?, instructions, curves, storm, cluster };
    let report = Report::new(works, rounds, once);
    if let Some(out) = &options.out {
        fs::write(out.join("compare.json"), report.json())?;
        fs::write(out.join("compare.svg"), picture::drawn(&report)?)?;
        if !report.curves().is_empty() {
            fs::write(out.join("curves.svg"), chart::drawn(report.curves())?)?;
        }
    }
    Ok(report)
}

/// What each side of each work came to.
async fn one_round(works: &[Work], round: usize, seconds: f64) -> Result<Vec<Vec<Measured>>, Box<dyn Error>> {
    let mut measured = Vec::new();
    for work in works {
        let count = work.sides.len();
        let mut sides = vec![None; count];
        for at in (0..count).map(|at| (at + round) % count) {
            let side = &work.sides[at];
            let driven = load::drive(side, Duration::from_secs_f64(seconds)).await;
            let driven =
                driven.map_err(|error| format!("{} by {}: {error}", work.name, side.subject.name()))?;
            sides[at] = Some(driven);
        }
        measured.push(sides.into_iter().flatten().collect());
    }
    Ok(measured)
}
