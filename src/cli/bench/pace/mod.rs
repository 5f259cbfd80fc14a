//! `seenby bench pace`: what the pace does when more is asked of a server than it can answer, and when that is over.
//!
//! The server has one processor and the load another. How many pulls a second it can answer is found first. Then come
//! senders who obey the pace, so many that they would ask for so many times of that if they pulled as often as the
//! server's base pace says; beside them, marks at a steady rate. In the end the senders go, and the pace has to come
//! back.
//!
//! `senders` pull, over `connection`; `marks` marks; `observer` watches the pace; `figures` says what came of it.

mod connection;
mod figures;
mod marks;
mod observer;
mod senders;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::{
    figures::{Figures, report},
    marks::marks,
    observer::Observer,
    senders::{Senders, screens},
};
use super::{
    BenchError, Common,
    chats::Chats,
    float,
    load::{Bar, Load},
    report::Report,
    server::{Process, Server, Start},
};
use crate::{client::Retry, process::open_files};

/// What `pace` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,

    /// How many times of what the server can answer is asked for at its base pace; several by giving it again
    #[arg(long = "factor", value_name = "TIMES", default_values_t = [1.0, 2.0, 5.0], value_parser = factor)]
    factors: Vec<f64>,

    /// How long it is asked for
    #[arg(long = "for", value_name = "DURATION", default_value = "40s", value_parser = humantime::parse_duration)]
    length: Duration,

    /// For how long the server's limit is sought
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    seek: Duration,

    /// Marks a second
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    marks: u32,

    /// Connections that the senders share, as behind a gateway
    #[arg(long, value_name = "COUNT", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=800))]
    gateway: u16,

    /// Messages that there are, in conversations of 1,000 messages and 2,000 members, read in order
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(20..))]
    messages: u32,
}

/// Files beside those of the gateway's connections: the marks' connections, and what a process has.
const FILES_BESIDE: usize = 400;
/// How long a call may take before it counts as lost.
const CALL_MAX: Duration = Duration::from_secs(10);
/// The longest that is waited for the pace to come back.
const BACK_MAX: Duration = Duration::from_mins(3);

fn factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (0.01..=100.0).contains(&factor) => Ok(factor),
        _ => Err("is not a number from 0.01 to 100".to_owned()),
    }
}

/// Finds the server's limit, asks for parts and times of it, and watches the pace.
pub(super) async fn measure(args: &Args) -> Result<Report, BenchError> {
    open_files::allow(usize::from(args.gateway) + FILES_BESIDE)
        .map_err(|error| BenchError::Usage(error.to_string()))?;
    let folder = args.common.folder()?;
    let start = Start::on(folder.join("pace"), &args.common.serve).apart();
    let chats = Chats::usual(args.common.seed, args.messages);
    let server = start.start().await?;
    let load = Load::new(chats, &server.client, args.common.pace());
    load.rosters().await?;
    load.messages_and_marks().await?;
    let capacity = seek(args, &server, chats).await?;
    server.stop().await?;

    // Seeking the limit has stretched the pace: a new process begins at its base.
    let server = start.start().await?;
    let client = server.client.clone().with_attempt_max(CALL_MAX);
    let load = Load { client, retry: Retry::new(Duration::ZERO), ..load };
    let base = Observer::begin(&load).await?.base();
    let mut all = Vec::new();
    for factor in &args.factors {
        let figures = ask(args, &server, &load, (capacity * factor, base)).await?;
        let figures = Figures { factor: *factor, ..figures };
        eprintln!("{}", figures.line());
        all.push(figures);
    }
    server.stop().await?;
    Ok(report(args.common.seed, capacity, args.marks, &all))
}

/// Pulls a second of the server's processor time, with so many under way that it is never without one. Where others take
/// part of the processor, less are answered, and as many could be when they are gone.
async fn seek(args: &Args, server: &Server, chats: Chats) -> Result<f64, BenchError> {
    let bar = Bar::new("seeking the limit", 1);
    let gateway = usize::from(args.gateway);
    let senders = Senders::begin(&server.url, screens(&chats), gateway, 2 * gateway, None).await?;
    let before = server.process().cpu_ns();
    sleep(args.seek).await;
    let used = server.process().cpu_ns().saturating_sub(before);
    let pulled = senders.end()?;
    bar.add(1);
    if pulled.errors > 0 {
        return Err(BenchError::Wrong(format!("{} pulls failed while the limit was sought", pulled.errors)));
    }
    Ok(float(pulled.answered()) * 1e9 / float(used.max(1)))
}

/// Has as many senders pull as would ask for `rate` pulls a second at the base pace, for as long as is asked.
async fn ask(
    args: &Args,
    server: &Server,
    load: &Load,
    (rate, base): (f64, Duration),
) -> Result<Figures, BenchError> {
    let observer = Observer::begin(load).await?;
    if observer.base() != base {
        return Err(BenchError::Wrong(format!("the pace has not come back to {base:?} within {BACK_MAX:?}")));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundred thousands")]
    let clients = (rate * base.as_secs_f64()).ceil() as usize;
    let (own, process) = (Process::own(), server.process());
    let before = (own.cpu_ns(), process.cpu_ns(), Instant::now());
    let requests = screens(&load.chats);
    let senders = Senders::begin(&server.url, requests, args.gateway.into(), clients, Some(base)).await?;
    let marks = marks(load, args.marks, args.length).await?;
    let pulls = senders.end()?;
    let asked = observer.elapsed();
    let took = before.2.elapsed().as_secs_f64();
    // What threads had that have ended is not counted any more.
    let part = |now: u64, before: u64| float(now.saturating_sub(before)) / 1e9 / took;
    let (own_share, server_share) = (part(own.cpu_ns(), before.0), part(process.cpu_ns(), before.1));

    let bar = Bar::new("waiting for the base pace", 1);
    observer.wait_for_base(BACK_MAX).await;
    bar.add(1);
    let watched = observer.end();
    Ok(Figures { rate, base, clients, pulls, marks, watched, asked, own_share, server_share, factor: 0.0 })
}
