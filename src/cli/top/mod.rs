//! `seenby top`: the main figures of a server that runs, live.
//!
//! Asks for `/metrics` every so often; rates are the differences of two answers. `figures` makes of them what people
//! look at, `terminal` is where it is drawn. A server that does not answer is asked again.

mod figures;
mod terminal;

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep_until},
};

use self::{
    figures::{Figures, Look},
    terminal::Terminal,
};
use super::{
    EXIT_USAGE,
    caller::{self, CallerError},
    complain,
    exposition::Exposition,
    print_line,
};
use crate::{
    client::{Client, ClientError},
    process::clock::Clock,
};

const NOTES: &str = "\
On a terminal it draws in place, and ends with q or Ctrl-C. Elsewhere, and with --once, it
prints lines. A rate is that of the time between two looks.

/metrics needs an API key where the server has keys, unless it is asked at the address
that metrics_listen names.

Examples:
  seenby top
  seenby top --server http://127.0.0.1:7401
  seenby top --server http://10.0.0.7:7400 --api-key-file api.key --every 5s
  seenby top --once

Exit codes:
  0   it was told to end, or --once has its figures
  1   --once, and the server did not answer
  64  bad flags";

/// What `top` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(super) struct Args {
    /// The server's URL
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7400")]
    server: String,

    /// A file with an API key, on its first line
    #[arg(long, value_name = "FILE", alias = "key-file")]
    api_key_file: Option<PathBuf>,

    /// How often to look
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = every)]
    every: Duration,

    /// Look twice, print the figures, and end
    #[arg(long)]
    once: bool,
}

/// More often than this shows nothing that anybody could read.
const EVERY_MIN: Duration = Duration::from_millis(100);

fn every(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if every < EVERY_MIN { Err("is less than 100ms, the least allowed".to_owned()) } else { Ok(every) }
}

#[derive(Debug, thiserror::Error)]
enum TopError {
    #[error(transparent)]
    Caller(#[from] CallerError),
    #[error("cannot look")]
    Call(#[from] ClientError),
    #[error("cannot go on")]
    System(#[from] io::Error),
}

impl TopError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Caller(_) => EXIT_USAGE,
            Self::Call(_) | Self::System(_) => 1,
        }
    }
}

pub(super) fn run(args: &Args) -> ExitCode {
    match top(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn top(args: &Args) -> Result<(), TopError> {
    // A look that takes longer than the next one is due tells nothing any more.
    let key = args.api_key_file.as_deref().map(|file| ("--api-key-file", file));
    let client = caller::client(&args.server, key)?.with_attempt_max(args.every.max(ATTEMPT_MIN));
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    if args.once {
        return runtime.block_on(once(args, &client));
    }
    let mut out = Out::open()?;
    let watched = runtime.block_on(watch(args, &client, &mut out));
    drop(out);
    watched
}

/// How long a server has for its answer at least.
const ATTEMPT_MIN: Duration = Duration::from_secs(2);

async fn look(client: &Client) -> Result<Look, ClientError> {
    let text = client.metrics().await?;
    Ok(Look { at: Instant::now(), now: Clock::System.now(), shown: Exposition::read(&text) })
}

async fn once(args: &Args, client: &Client) -> Result<(), TopError> {
    let first = look(client).await?;
    sleep_until(first.at + args.every).await;
    let second = look(client).await?;
    Figures::between(Some(&first), &second).rows().iter().for_each(|row| print_line(row));
    Ok(())
}

/// Where it is shown.
enum Out {
    Terminal(Terminal),
    Lines,
}

impl Out {
    fn open() -> io::Result<Self> {
        Ok(Terminal::open()?.map_or(Self::Lines, Self::Terminal))
    }

    /// Whoever is to quit has said so.
    async fn quit(&mut self) {
        match self {
            Self::Terminal(terminal) => terminal.quit().await,
            Self::Lines => std::future::pending().await,
        }
    }
}

/// Looks and shows until it is told to end.
async fn watch(args: &Args, client: &Client, out: &mut Out) -> Result<(), TopError> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut before: Option<Look> = None;
    let mut due = Instant::now();
    loop {
        let looked = async {
            sleep_until(due).await;
            look(client).await
        };
        let looked = tokio::select! {
            looked = looked => looked,
            () = out.quit() => return Ok(()),
            _ = interrupted.recv() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
        };
        due = (due + args.every).max(Instant::now());
        let figures = looked.as_ref().map(|look| Figures::between(before.as_ref(), look));
        show(args, out, figures)?;
        // A server that was away may have begun anew: the first look after that has nothing to be compared with.
        before = looked.ok();
    }
}

fn show(args: &Args, out: &mut Out, figures: Result<Figures, &ClientError>) -> io::Result<()> {
    match (out, figures) {
        (Out::Lines, Ok(figures)) => super::write_line(&figures.line()),
        (Out::Lines, Err(error)) => {
            complain(error);
            Ok(())
        }
        (Out::Terminal(terminal), figures) => {
            let every = humantime::format_duration(args.every);
            let mut rows = vec![format!("{}, every {every}; q quits", args.server), String::new()];
            match figures {
                Ok(figures) => rows.extend(figures.rows()),
                Err(error) => rows.extend([format!("{error}"), "trying again".to_owned()]),
            }
            terminal.draw(&rows)
        }
    }
}
