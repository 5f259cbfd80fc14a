//! `seenby bench attack`: how long a well-behaved client's pulls take while others attack the server, against before.
//!
//! All of it happens on this machine: the server is the bench's own child, and `front` refuses any address but a
//! loopback one. The server has one processor; the client, whose pulls `open_loop` times, and the attackers have
//! another, where the attackers have the lowest priority and a bound on their rate. A trickle of marks goes beside all
//! of it (`witness`); in the end the server is killed and started again, and each mark that was answered must be there.
//!
//! `kinds` lists the attacks, `http1`, `http2` and `json` carry them out.

mod figures;
mod front;
mod http1;
mod http2;
mod json;
mod kinds;
mod newcomers;
mod witness;

use std::time::Duration;

use clap::ValueEnum as _;
use tokio::time::{Instant, sleep};

use self::{
    figures::{Figures, Memory, Round},
    front::{Attacker, Front, Sizes},
    kinds::Kind,
    newcomers::Newcomers,
    witness::Witness,
};
use super::{
    BenchError, Common,
    chats::Chats,
    load::Load,
    open_loop::{open_connections, seek_rate, time_pulls},
    report::Report,
    server::{Server, Start},
};
use crate::{client::Retry, process::open_files};

/// What `attack` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,

    /// The attacks; all if left out
    #[arg(long, value_name = "ATTACK")]
    only: Vec<Kind>,

    /// How long pulls are timed, before each attack and during it
    #[arg(long = "for", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    length: Duration,

    /// How often each attack is made
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,

    /// Messages that are pulled, in conversations of 1,000 messages and 2,000 members, read in order
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(20..))]
    messages: u32,

    /// Connections that say nothing
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    idle_connections: u32,

    /// Connections that send a byte at a time, and those that a flood holds
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    slow_connections: u32,

    /// Connections of each other attack
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    busy_connections: u32,

    /// Bytes of a JSON bomb
    #[arg(long, value_name = "BYTES", default_value_t = 16_000_000, value_parser = clap::value_parser!(u32).range(1_000..=16_777_216))]
    bomb_bytes: u32,

    /// Connections, requests or frames, whatever an attack is made of, at most so many a second
    #[arg(long, value_name = "COUNT", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
}

/// Connections beside those of an attack: the client's, and newcomers.
const CONNECTIONS_BESIDE: u64 = 1_000;
/// How long one call of the well-behaved client may take before it counts as lost.
const CALL_MAX: Duration = Duration::from_secs(10);
/// How long an attack may take to open its connections.
const IN_PLACE_MAX: Duration = Duration::from_secs(15);
/// Of what the connections are up to only then, nothing is timed.
const SETTLE: Duration = Duration::from_millis(500);

impl Args {
    fn sizes(&self) -> Sizes {
        Sizes {
            idle: self.idle_connections.into(),
            slow: self.slow_connections.into(),
            busy: self.busy_connections.into(),
            bomb_bytes: usize::try_from(self.bomb_bytes).unwrap_or(usize::MAX),
            rate: self.rate.into(),
        }
    }

    fn kinds(&self) -> Vec<Kind> {
        if self.only.is_empty() { Kind::value_variants().to_vec() } else { self.only.clone() }
    }
}

/// Loads, makes the attacks, kills the server, and looks for what was answered.
pub(super) async fn measure(args: &Args) -> Result<Report, BenchError> {
    let (sizes, kinds) = (args.sizes(), args.kinds());
    let most = kinds.iter().map(|kind| kind.connections(&sizes)).max().unwrap_or_default();
    let connections = usize::try_from(most + CONNECTIONS_BESIDE).unwrap_or(usize::MAX);
    open_files::allow(connections).map_err(|error| BenchError::Usage(error.to_string()))?;
    let folder = args.common.folder()?;
    let start = Start::on(folder.join("attack"), &args.common.serve)
        .with("SEENBY_CONNECTIONS_MAX", connections.to_string())
        .apart();
    let server = start.start().await?;
    let chats = Chats::usual(args.common.seed, args.messages);
    let load = Load::new(chats, &server.client, args.common.pace());
    load.rosters().await?;
    load.messages_and_marks().await?;
    // No call is made twice: what fails is lost.
    let client = server.client.clone().with_attempt_max(CALL_MAX);
    let load = Load { client: client.clone(), retry: Retry::new(Duration::ZERO), ..load };
    let witness = Witness::begin(client).await?;
    let rate = seek_rate(&load).await? / 2.0;

    let mut attacks = Vec::new();
    for kind in kinds {
        witness.next();
        let mut figures = Figures::of(kind, &sizes);
        for _ in 0..args.rounds {
            figures.add(round(args, kind, (&server, &load), &witness, rate).await?);
        }
        figures.marks = witness.marks();
        eprintln!("{}", figures.line());
        attacks.push(figures);
    }
    let answered = witness.end();
    server.kill();
    let server = start.start().await?;
    let lost = witness::lost(&server.client, &answered).await?;
    server.stop().await?;
    // The first are from before any attack.
    for (figures, lost) in attacks.iter_mut().zip(&lost[1..]) {
        figures.marks_lost = *lost;
    }
    Ok(figures::report(args.common.seed, (rate, args.rounds, args.length), &attacks))
}

/// Times pulls without the attack and under it, and looks whether the server is well right after.
async fn round(
    args: &Args,
    kind: Kind,
    (server, load): (&Server, &Load),
    witness: &Witness,
    rate: f64,
) -> Result<Round, BenchError> {
    let (process, chats) = (server.process(), load.chats);
    open_connections(load).await?;
    let undisturbed = time_pulls(load, rate, args.length).await?;
    let before = process.resident();
    process.forget_most();
    let ids: Vec<_> = (0..100.min(chats.messages)).map(|at| chats.message(0, at)).collect();
    let screen = format!("/v1/conversations/{}/receipts?message={}", chats.name(0), ids.join("&message="));
    let members = format!("/v1/conversations/{}/members?limit=1000", chats.name(0));
    let front = Front::new(&server.url, args.sizes(), [members, screen])?;
    let (attacker, began) = (Attacker::begin(kind, front)?, Instant::now());
    attacker.in_place(IN_PLACE_MAX).await;
    sleep(SETTLE).await;
    let newcomers = (kind == Kind::ConnectFlood).then(|| Newcomers::begin(&server.url));
    let attacked = time_pulls(load, rate, args.length).await?;
    let newcomers = newcomers.map(Newcomers::end).unwrap_or_default();
    let (tally, took) = (attacker.tally(), began.elapsed());
    let most = process.resident_most();
    attacker.end()?;
    let well_after = witness.well_after().await.map_err(|error| eprintln!("not well after: {error}")).ok();
    sleep(SETTLE).await;
    let memory = Memory { before, most, after: process.resident() };
    Ok(Round { undisturbed, attacked, tally, took, newcomers, memory, well_after })
}
