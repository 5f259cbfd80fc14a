//! `seenby bench start`: how long a server takes to be ready after SIGKILL, with as much journal as there can be.
//!
//! Messages and marks are loaded and the server is ended in good order; then single marks fill the journal up to
//! where a checkpoint would begin, and the server is killed. Each round starts a copy of that directory, and reads the
//! same bytes with `cat`, so that machines can be compared.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::json;

use super::{
    BenchError, Common,
    chats::Chats,
    disk::{Size, copy, files},
    load::{Bar, Load},
    median,
    report::{Report, number, size},
    server::Start,
};
use crate::{cli::exposition::Exposition, wire::BulkMarkEntry};

/// Marks in one request that fills the journal.
const ENTRIES: usize = 1_000;

/// What `start` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,

    /// Messages that there are, in conversations of 1,000 messages and 2,000 members, read in order
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(20..))]
    messages: u32,

    /// How large the journal may grow, in MiB: `journal_bytes_max`
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    journal: u32,

    /// How many starts
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
}

/// Prepares a directory, and starts copies of it.
pub(super) async fn measure(args: &Args) -> Result<Report, BenchError> {
    let chats = Chats::usual(args.common.seed, args.messages);
    let folder = args.common.folder()?;
    let on = |name: &str| {
        Start::on(folder.join(name), &args.common.serve)
            .with("SEENBY_JOURNAL_BYTES_MAX", format!("{}MiB", args.journal))
            .with("SEENBY_CHECKPOINT_EVERY", "12h")
    };
    let whole = on("whole");
    let server = whole.start().await?;
    let load = Load::new(chats, &server.client, args.common.pace());
    load.rosters().await?;
    load.messages_and_marks().await?;
    server.stop().await?;

    let server = whole.start().await?;
    let load = Load::new(chats, &server.client, args.common.pace());
    let journal = fill(&load, u64::from(args.journal) << 20).await?;
    server.kill();
    let all = Size::of(whole.data());

    let (mut ready_s, mut cat_s) = (Vec::new(), Vec::new());
    let bar = Bar::new("starts", args.rounds.into());
    for round in 0..args.rounds {
        let copied = on(&format!("round{round}"));
        copy(whole.data(), copied.data()).map_err(BenchError::io("copy the data directory"))?;
        cat_s.push(cat(copied.data())?);
        let server = copied.start().await?;
        ready_s.push(server.ready_in.as_secs_f64());
        server.kill();
        std::fs::remove_dir_all(copied.data()).map_err(BenchError::io("remove a copy"))?;
        bar.add(1);
    }
    let ratio = median(ready_s.iter().zip(&cat_s).map(|(ready, cat)| ready / cat).collect());

    let columns = ["messages", "journal", "all files", "ready after", "cat takes", "ratio"];
    let mut report = Report::new("start", args.common.seed, &columns);
    report.row([
        number((chats.conversations * chats.messages) as u64),
        size(journal),
        size(all.apparent),
        format!("{:.3} s", median(ready_s.clone())),
        format!("{:.3} s", median(cat_s.clone())),
        format!("{ratio:.1}"),
    ]);
    report.note(format!("medians of {} rounds", args.rounds));
    report.figure("journal", json!(journal));
    report.figure("all", json!(all));
    report.figure("ready_s", json!(ready_s));
    report.figure("cat_s", json!(cat_s));
    report.figure("ratio", json!(ratio));
    Ok(report)
}

/// Marks messages that their readers have left unread, one mark each, over all conversations by turns, until the next
/// request could reach a journal of `cap` bytes. How many it has then.
async fn fill(load: &Load, cap: u64) -> Result<u64, BenchError> {
    let chats = load.chats;
    let mut unread: Vec<(usize, usize, usize)> = Vec::new();
    for at in 0..chats.conversations {
        let next = |member| chats.visits(at, member, 0).last().map_or(0, |last| last + 1);
        unread.extend((0..chats.members).map(|member| (at, member, next(member))));
    }
    let bar = Bar::new("journal, in MiB", usize::try_from(cap >> 20).unwrap_or(usize::MAX));
    let (mut before, mut entries) = (journal_bytes(load).await?, Vec::new());
    let rounds = 0..chats.messages;
    for (at, member, message) in
        rounds.flat_map(|round| unread.iter().map(move |&(at, m, next)| (at, m, next + round)))
    {
        if message >= chats.messages || chats.sender(at, message) == member {
            continue;
        }
        entries.push(BulkMarkEntry {
            conversation: chats.name(at),
            reader: chats.member(at, member),
            messages: Some(vec![chats.message(at, message)]),
            ..BulkMarkEntry::default()
        });
        if entries.len() == ENTRIES {
            load.mark(&entries).await?;
            entries.clear();
            let now = journal_bytes(load).await?;
            bar.add(usize::try_from((now >> 20).saturating_sub(before >> 20)).unwrap_or_default());
            if now + 2 * now.saturating_sub(before) >= cap {
                return Ok(now);
            }
            before = now;
        }
    }
    Err(BenchError::Wrong(format!(
        "the journal has {before} bytes of {cap} and all is read; take more --messages"
    )))
}

/// Bytes of records in the journal. Its files are longer: room is made ahead in them.
async fn journal_bytes(load: &Load) -> Result<u64, BenchError> {
    let shown = load.client.metrics().await.map_err(BenchError::call("ask for the metrics"))?;
    let bytes = Exposition::read(&shown).value("seenby_store_journal_bytes");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes")]
    bytes.map(|bytes| bytes as u64).ok_or_else(|| BenchError::Wrong("the metrics show no journal".to_owned()))
}

/// How long `cat` takes to read all files, in seconds.
fn cat(data: &Path) -> Result<f64, BenchError> {
    let began = Instant::now();
    let status = Command::new("cat").args(files(data)).stdin(Stdio::null()).stdout(Stdio::null()).status();
    match status.map_err(BenchError::io("run cat"))? {
        status if status.success() => Ok(began.elapsed().as_secs_f64()),
        status => Err(BenchError::Wrong(format!("cat ended with {status}"))),
    }
}
