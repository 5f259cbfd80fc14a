//! `seenby bench days`: disk and memory while messages come and expire, day after day, and when all is over.
//!
//! A day is some seconds; retention, sweeps and checkpoints are set to match. Every day is alike: as many messages, in
//! the same conversations, read in order within the day.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    BenchError, Common,
    chats::{Chats, Reads},
    disk::Size,
    load::{Bar, Load},
    report::{Report, size},
    server::{Server, Start, Watch},
};

/// What `days` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,

    /// How many days
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(3..=365))]
    days: u16,

    /// For how many days receipts live
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=365))]
    retention_days: u16,

    /// How long a day takes
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    day: Duration,

    /// Messages a day, over all conversations
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    messages: u32,

    /// Conversations
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    conversations: u16,

    /// Members of each conversation
    #[arg(long, value_name = "COUNT", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    members: u32,
}

/// A day is so many steps: in each, messages come and then their readers.
const STEPS: usize = 10;

/// One day. Sizes are in bytes.
#[derive(Debug, Serialize)]
struct Day {
    marks: u64,
    disk_mean: u64,
    disk_most: u64,
    resident_mean: u64,
    resident_most: u64,
}

impl Args {
    fn chats(&self) -> Chats {
        let small = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let conversations = usize::from(self.conversations);
        let a_day = (small(self.messages) / conversations).max(STEPS);
        Chats {
            seed: self.common.seed,
            conversations,
            members: small(self.members),
            messages: a_day * usize::from(self.days),
            period: a_day,
            reads: Reads::InOrder,
        }
    }
}

/// Goes through the days, and waits until nothing is left of them.
pub(super) async fn measure(args: &Args) -> Result<Report, BenchError> {
    let folder = args.common.folder()?;
    let retention = args.day * u32::from(args.retention_days);
    let often = (args.day / 10).max(Duration::from_millis(100));
    let written = |duration: Duration| humantime::format_duration(duration).to_string();
    let start = Start::on(folder.join("days"), &args.common.serve)
        .with("SEENBY_RETENTION", written(retention))
        .with("SEENBY_SWEEP_EVERY", written(often))
        .with("SEENBY_CHECKPOINT_EVERY", written(often));
    let server = start.start().await?;
    let load = Load::new(args.chats(), &server.client, args.common.pace());
    load.rosters().await?;
    let mut days = Vec::new();
    let bar = Bar::new("days", args.days.into());
    for day in 0..args.days.into() {
        days.push(of_day(&load, &server, &start, day, args.day).await?);
        bar.add(1);
    }
    drop(bar);
    // Ends are rounded up to the second; then a sweep and a checkpoint.
    sleep(retention + Duration::from_secs(1) + often * 3).await;
    load.delete().await?;
    sleep(often * 3).await;
    let (after, resident_after) = (Size::of(start.data()), server.process().resident());
    server.stop().await?;
    let stopped = Size::of(start.data());

    let mut report = table(args, &days);
    report.note(format!(
        "all expired, conversations deleted: {} on disk, {} in memory",
        size(after.bytes),
        size(resident_after)
    ));
    report.figure("after", json!(after));
    report.figure("resident_after", json!(resident_after));
    report.figure("stopped", json!(stopped));
    Ok(report)
}

async fn of_day(
    load: &Load,
    server: &Server,
    start: &Start,
    day: usize,
    length: Duration,
) -> Result<Day, BenchError> {
    let (chats, began) = (load.chats, Instant::now());
    let watch = Watch::begin(server.process(), start.data());
    let mut marks = 0;
    for step in 0..STEPS {
        let place = |step| day * chats.period + chats.period * step / STEPS;
        marks += load.step(place(step)..place(step + 1), &Bar::none()).await?;
        let part = u32::try_from(step + 1).expect("invariant: a small constant");
        sleep_until(began + length * part / u32::try_from(STEPS).expect("invariant: a small constant")).await;
    }
    if began.elapsed() > length * 5 / 4 {
        return Err(BenchError::Wrong(format!(
            "day {} takes {:?}: too long to be one; take fewer --messages or a longer --day",
            day + 1,
            began.elapsed()
        )));
    }
    let seen = watch.end();
    Ok(Day {
        marks,
        disk_mean: seen.disk_mean,
        disk_most: seen.disk,
        resident_mean: seen.resident_mean,
        resident_most: seen.resident,
    })
}

fn table(args: &Args, days: &[Day]) -> Report {
    let columns = ["day", "marks", "disk: mean", "disk: most", "memory: mean", "memory: most"];
    let mut report = Report::new("days", args.common.seed, &columns);
    for (at, day) in days.iter().enumerate() {
        let sizes = [day.disk_mean, day.disk_most, day.resident_mean, day.resident_most].map(size);
        report.row([(at + 1).to_string(), super::report::number(day.marks)].into_iter().chain(sizes));
    }
    let disk = spread(days.iter().map(|day| day.disk_mean));
    let resident = spread(days.iter().map(|day| day.resident_mean));
    report.note(format!(
        "from day 3 on the means rise and fall by {:.0} % on disk, {:.0} % in memory",
        disk * 100.0,
        resident * 100.0
    ));
    report.figure("days", json!(days));
    report.figure("disk_spread", json!(disk));
    report.figure("resident_spread", json!(resident));
    report
}

/// By which part the largest is above the smallest, from the third on.
fn spread(values: impl Iterator<Item = u64>) -> f64 {
    let values: Vec<_> = values.skip(2).collect();
    let (least, most) = (values.iter().min(), values.iter().max());
    super::float(most.copied().unwrap_or_default()) / super::float(least.copied().unwrap_or_default().max(1))
        - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_days_do_not_count() {
        assert!((spread([9, 9, 10, 12, 11].into_iter()) - 0.2).abs() < 1e-9);
        assert!(spread([1, 2, 3].into_iter()).abs() < 1e-9);
    }
}
