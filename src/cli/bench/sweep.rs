//! `seenby bench sweep`: how long pulls take while a sweep gives up many expired messages, against before.
//!
//! The server has one processor and the load another. How many pulls a second the server can answer is found first;
//! then pulls are due at half of that rate, whether or not earlier ones were answered, and each is timed from when it
//! was due. Of both stretches the worst second counts as well, since a sweep may be short.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use serde_json::json;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    BenchError, Common,
    chats::Chats,
    float,
    load::{Load, Pace, SCREEN},
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

/// For how long the rate is sought.
const SEEK: Duration = Duration::from_secs(3);
/// Requests under way at most; pulls that are due beyond that wait, and their waits count.
const UNDER_WAY: usize = 128;
/// How often due pulls are sent.
const SEND_EVERY: Duration = Duration::from_millis(1);

/// Milliseconds from when pulls were due to their answers.
#[derive(Debug, Serialize)]
struct Latencies {
    pulls: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// The highest p99 of the pulls that were due in one second.
    worst_second_p99_ms: f64,
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
    let before = time_pulls(&live, rate, args.length).await?;
    let left = end.duration_since(SystemTime::now()).map_err(|_| {
        BenchError::Wrong(
            "the messages expired before all was ready; take a longer --expire-after".to_owned(),
        )
    })?;
    sleep(left).await;
    let during = time_pulls(&live, rate, args.length).await?;
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

/// Pulls a screen at random.
async fn pull(load: Load, at: u64) -> Result<u64, BenchError> {
    let chats = load.chats;
    let mut chance = chats.chance(&[10, usize::try_from(at).unwrap_or_default()]);
    let (conversation, screen) =
        (chance.usize(..chats.conversations), chance.usize(..chats.messages.div_ceil(SCREEN)));
    load.pull(conversation, screen * SCREEN).await
}

/// Pulls a second, with so many under way that the server is never without one.
async fn seek_rate(load: &Load) -> Result<f64, BenchError> {
    let Pace { connections } = load.pace;
    let (began, mut pulled, mut running) = (Instant::now(), 0, JoinSet::new());
    while began.elapsed() < SEEK {
        while running.len() < 2 * connections {
            running.spawn(pull(load.clone(), pulled));
            pulled += 1;
        }
        if let Some(done) = running.join_next().await {
            done??;
        }
    }
    Ok(float(pulled - running.len() as u64) / began.elapsed().as_secs_f64())
}

/// Pulls at `rate` for so long, and times each from when it was due.
async fn time_pulls(load: &Load, rate: f64, length: Duration) -> Result<Latencies, BenchError> {
    let (began, under_way) = (Instant::now(), Arc::new(Semaphore::new(UNDER_WAY)));
    let (mut running, mut timed, mut sent) = (JoinSet::new(), Vec::new(), 0);
    let every = Duration::from_secs_f64(1.0 / rate);
    let due = |pull: u32| every * pull;
    while due(sent) < length {
        while due(sent) <= began.elapsed() && due(sent) < length {
            let (load, under_way, at) = (load.clone(), under_way.clone(), due(sent));
            running.spawn(async move {
                let _turn = under_way.acquire_owned().await;
                pull(load, at.as_nanos().try_into().unwrap_or(u64::MAX)).await?;
                Ok::<_, BenchError>((at, began.elapsed().saturating_sub(at)))
            });
            sent += 1;
        }
        while let Some(done) = running.try_join_next() {
            timed.push(done??);
        }
        sleep_until(Instant::now() + SEND_EVERY).await;
    }
    while let Some(done) = running.join_next().await {
        timed.push(done??);
    }
    Ok(latencies(&timed))
}

/// Of pulls, each with when it was due and how long it took.
fn latencies(timed: &[(Duration, Duration)]) -> Latencies {
    let sorted = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times
    };
    let part = |times: &[Duration], per_cent: usize| {
        let at = times.len().saturating_sub(1) * per_cent / 100;
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    let all = sorted(timed.iter().map(|(_, took)| *took).collect());
    let seconds = timed.iter().map(|(due, _)| due.as_secs()).max().unwrap_or_default();
    let of_second = |second| {
        let due = timed.iter().filter(|(due, _)| due.as_secs() == second);
        part(&sorted(due.map(|(_, took)| *took).collect()), 99)
    };
    Latencies {
        pulls: all.len(),
        p50_ms: part(&all, 50),
        p99_ms: part(&all, 99),
        max_ms: part(&all, 100),
        worst_second_p99_ms: (0..=seconds).map(of_second).fold(0.0, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_second_stands_out() {
        let slow = |at: u64| if at / 100 == 2 { 50 } else { 1 };
        let timed: Vec<_> = (0..1_000_u64)
            .map(|at| (Duration::from_millis(at * 10), Duration::from_millis(slow(at))))
            .collect();
        let seen = latencies(&timed);
        assert_eq!(seen.pulls, 1_000);
        for (is, wanted) in [(seen.p50_ms, 1.0), (seen.p99_ms, 50.0), (seen.worst_second_p99_ms, 50.0)] {
            assert!((is - wanted).abs() < 1e-9, "{seen:?}");
        }
    }
}
