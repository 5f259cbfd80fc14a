//! `seenby bench sweep`: how long pulls take while a sweep gives up many expired messages, against before.
//!
//! The server has one processor and the load another, and pulls are timed at half of what the server can answer, as
//! `open_loop` does. Of both stretches the worst second counts as well, since a sweep may be short.

use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::time::sleep;

use super::{
    BenchError, Common,
    chats::Chats,
    load::{Load, SCREEN},
    open_loop::{seek_rate, time_pulls},
    report::{Report, number},
    server::Start,
};

/// What `sweep` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,

    /// Messages that expire at once, in conversations of 1,000 messages and 2,000 members, read in order
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(20..))]
    messages: u32,

    /// Messages that stay, alike, and are pulled
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(20..))]
    live: u32,

    /// When they expire, from the start on; all has to be loaded by then
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = humantime::parse_duration)]
    expire_after: Duration,

    /// How long pulls are timed, before and from the moment on when the messages expire
    #[arg(long = "for", value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    length: Duration,
}

/// Loads, times pulls, waits for the end of the messages, and times pulls again.
pub(super) async fn measure(args: &Args) -> Result<Report, BenchError> {
    let end = SystemTime::now() + args.expire_after;
    let folder = args.common.folder()?;
    let start =
        Start::on(folder.join("sweep"), &args.common.serve).with("SEENBY_SWEEP_EVERY", "100ms").apart();
    let server = start.start().await?;
    let load = |seed, messages| Load::new(Chats::usual(seed, messages), &server.client, args.common.pace());
    let live = load(args.common.seed, args.live);
    let doomed = load(!args.common.seed, args.messages).until(end);
    for load in [&live, &doomed] {
        load.rosters().await?;
        load.messages_and_marks().await?;
    }
    let rate = seek_rate(&live).await? / 2.0;
    let before = time_pulls(&live, rate, args.length).await?.without_loss()?;
    let left = end.duration_since(SystemTime::now()).map_err(|_| {
        BenchError::Wrong(
            "the messages expired before all was ready; take a longer --expire-after".to_owned(),
        )
    })?;
    sleep(left).await;
    let during = time_pulls(&live, rate, args.length).await?.without_loss()?;
    server.stop().await?;

    let columns = ["", "pulls", "p50", "p99", "p99 of the worst second", "most"];
    let mut report = Report::new("sweep", args.common.seed, &columns);
    for (what, seen) in [("before", &before), ("sweeping", &during)] {
        let times = [seen.p50_ms, seen.p99_ms, seen.worst_second_p99_ms, seen.max_ms];
        let times = times.map(|time| format!("{time:.2} ms"));
        report.row([what.to_owned(), number(seen.pulls as u64)].into_iter().chain(times));
    }
    report.note(format!(
        "pulls of {SCREEN}, {rate:.0} a second, half of what the server can answer on one processor; \
         {} messages expired",
        number(args.messages.into())
    ));
    for (name, value) in [("before", json!(before)), ("sweeping", json!(during)), ("rate", json!(rate))] {
        report.figure(name, value);
    }
    report.figure("expired", json!(args.messages));
    Ok(report)
}
