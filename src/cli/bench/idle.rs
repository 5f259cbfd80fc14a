//! `seenby bench idle`: what a server writes that has messages, and that nobody calls.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{
    BenchError, Common,
    chats::Chats,
    load::Load,
    report::{Report, number, size},
    server::Start,
};

/// What `idle` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,

    /// Messages that there are, in conversations of 1,000 messages and 2,000 members, read in order
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(20..))]
    messages: u32,

    /// How long to look
    #[arg(long = "for", value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    length: Duration,

    /// How long to leave it alone before, for the last checkpoint to come to its end
    #[arg(long, value_name = "DURATION", default_value = "75s", value_parser = humantime::parse_duration)]
    settle: Duration,
}

/// Loads, waits, and looks.
pub(super) async fn measure(args: &Args) -> Result<Report, BenchError> {
    let chats = Chats::usual(args.common.seed, args.messages);
    let folder = args.common.folder()?;
    let server = Start::on(folder.join("idle"), &args.common.serve).start().await?;
    let load = Load::new(chats, &server.client, args.common.pace());
    load.rosters().await?;
    let marks = load.messages_and_marks().await?;
    sleep(args.settle).await;
    let (loaded, cpu_before) = (server.process().written(), server.process().cpu_ns());
    sleep(args.length).await;
    let written = server.process().written() - loaded;
    let cpu_ms = server.process().cpu_ns().saturating_sub(cpu_before) / 1_000_000;
    server.stop().await?;

    let mut report = Report::new(
        "idle",
        args.common.seed,
        &["messages", "marks", "written before", "idle for", "written", "processor"],
    );
    report.row([
        number((chats.conversations * chats.messages) as u64),
        number(marks),
        size(loaded),
        humantime::format_duration(args.length).to_string(),
        size(written),
        format!("{cpu_ms} ms"),
    ]);
    for (name, value) in
        [("marks", json!(marks)), ("written_before", json!(loaded)), ("written", json!(written))]
    {
        report.figure(name, value);
    }
    report.figure("idle_s", json!(args.length.as_secs_f64()));
    report.figure("cpu_ms", json!(cpu_ms));
    Ok(report)
}
