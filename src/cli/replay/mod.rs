//! `seenby replay`: acts traces out against a server, then compares everything that it says with what it must.
//!
//! Each trace is a conversation of its own, and all run at once. `act` does what the chat's clients would do, in
//! the trace's order; `compare` then reads the server's whole state back through the API. What must be true is
//! worked out in [`trace`](super::trace), from the trace alone.

mod act;
mod compare;
mod report;

use std::{num::NonZero, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use tokio::task::JoinSet;

use self::report::{Counts, Difference, Progress};
use super::{
    EXIT_USAGE,
    caller::{self, CallerError},
    complain,
    trace::{Expected, Made, MemberCount, Trace, TraceError, expected},
};
use crate::client::{Client, ClientError, Retry};

const NOTES: &str = "\
Each trace becomes the conversation PREFIX and its file's name without the ending. That
conversation is DELETED first, so that a trace can be replayed again. Users come into the
roster and leave it, whoever posts first marks what came before as read, and then looks
at the own message: pulls at the server's pace until the window is over. In the end every
list of readers, badge, screen, message and the roster are compared with what the trace
says. The server may be killed and started again meanwhile.

Examples:
  seenby replay chats/monday.tsv --server http://127.0.0.1:7400
  seenby replay --generate 12 --members 2000 --faster 500
  seenby replay chats/*.tsv --compare-only

Exit codes:
  0   no difference
  1   differences; each is printed
  2   not carried through: a trace cannot be read, the server refused a call, or did
      not answer for longer than --give-up
  64  bad flags";

/// What `replay` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(super) struct Args {
    /// Files with traces: lines of 'seconds', 'join', 'leave' or 'post', 'user' and a post's number, between tabs
    #[arg(value_name = "TRACE")]
    traces: Vec<PathBuf>,

    /// The server's URL
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7400")]
    server: String,

    /// A file with an API key, on its first line
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// How many times faster than it happened; if left out, each trace takes about 15 seconds
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(1..))]
    faster: Option<u32>,

    /// How long to go on calling a server that does not answer
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    give_up: Duration,

    /// What the names of the conversations begin with
    #[arg(long, value_name = "PREFIX", default_value = "replay-")]
    conversation_prefix: String,

    /// Compare only, with what an earlier replay of the same traces left on the server: after a restore, say
    #[arg(long)]
    compare_only: bool,

    /// Also replay so many generated conversations
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    generate: u64,

    /// Users of each generated conversation
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    members: usize,

    /// Messages of each generated conversation
    #[arg(long, value_name = "COUNT", default_value_t = NonZero::new(200).expect("not zero"))]
    posts: NonZero<usize>,

    /// What the first generated conversation is made from; the others count on
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// How long a trace takes if nothing is said.
const LENGTH_DEFAULT_MS: u64 = 15_000;

/// Why a replay was not carried through.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error("there is nothing to replay: name a trace, or say --generate")]
    Nothing,
    #[error("two traces are called '{0}'")]
    Twice(String),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error(transparent)]
    Caller(#[from] CallerError),
    #[error("{conversation}: cannot {call}")]
    Call { conversation: String, call: String, source: ClientError },
    #[error("the runtime does not start")]
    Runtime(#[source] std::io::Error),
    #[error("part of the replay failed")]
    Panic(#[from] tokio::task::JoinError),
}

impl ReplayError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Nothing | Self::Twice(_) | Self::Caller(_) => EXIT_USAGE,
            Self::Trace(_) | Self::Call { .. } | Self::Runtime(_) | Self::Panic(_) => 2,
        }
    }
}

/// One conversation of a replay, and all that is needed to act it out and to judge it.
struct Play {
    conversation: String,
    trace: Trace,
    expected: Expected,
    faster: u32,
    client: Client,
    retry: Retry,
    counts: Arc<Counts>,
    progress: Progress,
}

impl Play {
    /// Names the call that failed for good.
    fn failed(&self, call: impl Into<String>) -> impl FnOnce(ClientError) -> ReplayError {
        let (conversation, call) = (self.conversation.clone(), call.into());
        move |source| ReplayError::Call { conversation, call, source }
    }

    fn differs(&self, what: impl Into<String>) -> Difference {
        Difference { conversation: self.conversation.clone(), what: what.into() }
    }
}

/// The id that the message of this number is registered under.
fn message_id(number: u64) -> String {
    format!("m{number}")
}

/// Acts the traces out, compares, and says what differs.
pub(super) fn run(args: &Args) -> ExitCode {
    match replay(args) {
        Ok(differences) if differences.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn replay(args: &Args) -> Result<Vec<Difference>, ReplayError> {
    let traces = traces(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(ReplayError::Runtime)?.block_on(play_all(args, traces))
}

fn traces(args: &Args) -> Result<Vec<Trace>, ReplayError> {
    let mut traces: Vec<Trace> =
        args.traces.iter().map(|path| Trace::read(path)).collect::<Result<_, _>>()?;
    let members = MemberCount(args.members);
    let seeds = args.seed..args.seed.saturating_add(args.generate);
    traces.extend(seeds.map(|seed| Trace::generate(Made { seed, members, posts: args.posts.get() })));
    if traces.is_empty() {
        return Err(ReplayError::Nothing);
    }
    let mut names: Vec<_> = traces.iter().map(|trace| &trace.name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ReplayError::Twice(pair[0].clone())),
        None => Ok(traces),
    }
}

async fn play_all(args: &Args, traces: Vec<Trace>) -> Result<Vec<Difference>, ReplayError> {
    let key = args.key_file.as_deref().map(|file| ("--key-file", file));
    let client = caller::client(&args.server, key)?;
    let (retry, counts) = (Retry::new(args.give_up), Arc::new(Counts::default()));
    let progress = Progress::new(traces.iter().map(|trace| trace.events.len() + trace.posts()).sum());
    let plays: Vec<_> = traces
        .into_iter()
        .map(|trace| {
            Arc::new(Play {
                conversation: format!("{}{}", args.conversation_prefix, trace.name),
                expected: expected(&trace),
                faster: args.faster.unwrap_or_else(|| in_default_time(&trace)),
                trace,
                client: client.clone(),
                retry: retry.clone(),
                counts: counts.clone(),
                progress: progress.clone(),
            })
        })
        .collect();
    let mut differences = Vec::new();
    if !args.compare_only {
        differences.append(&mut each(&plays, act::act).await?);
    }
    differences.append(&mut each(&plays, compare::compare).await?);
    progress.end();
    report::print(&plays, (!args.compare_only).then_some((&*counts, &retry)), &differences);
    Ok(differences)
}

/// How many times faster it must run to take no longer than a trace does if nothing is said.
fn in_default_time(trace: &Trace) -> u32 {
    u32::try_from(trace.length_ms().div_ceil(LENGTH_DEFAULT_MS)).unwrap_or(u32::MAX).max(1)
}

/// Runs all plays at once, up to the first that fails.
async fn each<F>(plays: &[Arc<Play>], step: impl Fn(Arc<Play>) -> F) -> Result<Vec<Difference>, ReplayError>
where
    F: Future<Output = Result<Vec<Difference>, ReplayError>> + Send + 'static,
{
    let mut running: JoinSet<_> = plays.iter().map(|play| step(play.clone())).collect();
    let mut differences = Vec::new();
    while let Some(done) = running.join_next().await {
        differences.append(&mut done??);
    }
    Ok(differences)
}
