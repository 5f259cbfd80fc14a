//! `seenby bench`: what a server takes of its machine, measured on a server that the bench itself starts.
//!
//! The server is this very binary as a child, on a directory of its own, driven over HTTP by the crate's client and
//! watched through `/proc`: all that is in `cli/measure`. `chats` makes up who writes and reads what, from a seed alone;
//! `load` sends it. The other files are one measurement each.

mod attack;
mod chats;
mod days;
mod footprint;
mod idle;
mod load;
mod open_loop;
mod pace;
mod start;
mod streams;
mod sweep;
mod traces;
mod up_to;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::Subcommand;

use self::load::Pace;
// Each file here takes what it needs of these from `super`.
use super::{
    EXIT_USAGE, complain,
    measure::{MeasureError as BenchError, disk, float, processor, report, server},
};
use crate::process::shutdown;
use disk::Folder;
use report::Report;

const NOTES: &str = "\
Each measurement starts servers of its own, as children, on a new directory that is removed
in the end. They listen on a free port of 127.0.0.1. Memory, bytes written and processor time
are read from /proc, so it needs Linux.

A file counts with the blocks that are allocated for it, or with its length if that is more.

Examples:
  seenby bench footprint
  seenby bench footprint --messages 1000000 --shape in-order --json footprint.json
  seenby bench footprint --shape traces --trace chats/
  seenby bench footprint -- --checkpoint-every 5s
  seenby bench days --day 20s

Exit codes:
  0   measured; whether the figures are good is for the reader to say
  2   not carried through: the server did not start, refused a call, or counted otherwise
      than it must
  64  bad flags";

/// What `bench` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Disk and memory that messages and their receipts take
    Footprint(footprint::Args),
    /// How long a start takes after SIGKILL, with a full journal
    Start(start::Args),
    /// Disk and memory over simulated days, and after everything has expired
    Days(days::Args),
    /// What a server writes that nobody calls
    Idle(idle::Args),
    /// How long pulls take while a sweep gives up many expired messages
    Sweep(sweep::Args),
    /// How long pulls take while others attack the server, on this machine alone
    Attack(attack::Args),
    /// Memory that open streams take, and how soon marks come out of them
    Streams(streams::Args),
    /// Whether the pace follows the load, when more is asked of a server than it can answer
    Pace(pace::Args),
}

/// What every measurement takes.
#[derive(Debug, clap::Args)]
struct Common {
    /// What everything that is made up is made from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Also write the figures to a file, as JSON, with sizes in bytes
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Where to make the directory; the system's directory for temporary files if left out
    #[arg(long, value_name = "DIR")]
    within: Option<PathBuf>,

    /// Leave the directory there, and say where it is
    #[arg(long)]
    keep: bool,

    /// Requests under way at once
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=512))]
    connections: u16,

    /// Further flags for `seenby serve`
    #[arg(last = true, value_name = "SERVE FLAG")]
    serve: Vec<OsString>,
}

impl Common {
    fn folder(&self) -> Result<Folder, BenchError> {
        let within = self.within.clone().unwrap_or_else(std::env::temp_dir);
        Folder::make(&within, self.keep)
            .map_err(BenchError::io(format!("make a directory in {}", within.display())))
    }

    fn pace(&self) -> Pace {
        Pace { connections: self.connections.into() }
    }
}

/// Measures, prints, and writes the JSON file.
pub(super) fn run(args: &Args) -> ExitCode {
    match measure(&args.what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(if matches!(error, BenchError::Usage(_)) { EXIT_USAGE } else { 2 })
        }
    }
}

fn measure(what: &What) -> Result<(), BenchError> {
    if !cfg!(target_os = "linux") {
        return Err(BenchError::Usage("the bench reads /proc, which only Linux has".to_owned()));
    }
    let json = &what.common().json;
    if let Some(path) = json {
        report::try_file(path)?;
    }
    if matches!(what, What::Sweep(_) | What::Attack(_) | What::Pace(_)) {
        // Before the runtime begins its threads.
        processor::take_processor(processor::LOAD_PROCESSOR)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(BenchError::io("start the runtime"))?.block_on(async {
        let stopped = shutdown::requested().map_err(BenchError::io("listen for signals"))?;
        // What is dropped half-way kills its server and removes its directory.
        let report = tokio::select! {
            measured = what.measured() => measured?,
            () = stopped => return Err(BenchError::Stopped),
        };
        report.print();
        json.as_ref().map_or(Ok(()), |path| report.write(path))
    })
}

impl What {
    fn common(&self) -> &Common {
        match self {
            Self::Footprint(args) => &args.common,
            Self::Start(args) => &args.common,
            Self::Days(args) => &args.common,
            Self::Idle(args) => &args.common,
            Self::Sweep(args) => &args.common,
            Self::Attack(args) => &args.common,
            Self::Streams(args) => &args.common,
            Self::Pace(args) => &args.common,
        }
    }

    async fn measured(&self) -> Result<Report, BenchError> {
        match self {
            Self::Footprint(args) => footprint::measure(args).await,
            Self::Start(args) => start::measure(args).await,
            Self::Days(args) => days::measure(args).await,
            Self::Idle(args) => idle::measure(args).await,
            Self::Sweep(args) => sweep::measure(args).await,
            Self::Attack(args) => attack::measure(args).await,
            Self::Streams(args) => streams::measure(args).await,
            Self::Pace(args) => pace::measure(args).await,
        }
    }
}

/// The middle of `values`; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
