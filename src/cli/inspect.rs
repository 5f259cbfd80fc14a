//! `seenby inspect`: a look into a store or a backup: how much there is, a conversation, a message.

mod found;

use std::{
    error::Error,
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;

use self::found::{ConversationFound, OneMessage, Pieces, Wanted, find};
use super::{
    backup::bar,
    complain, hand_over,
    measure::{
        disk::Size,
        report::{number, size},
    },
    source::{BadDump, Coming, Place, Source},
};
use crate::{
    domain::{ConversationId, MessageId},
    process::clock::Clock,
    store::dump::{DumpError, Item, Reader, VERSION},
};

const EXAMPLES: &str = "\
Examples:
  seenby inspect
  seenby inspect --data /var/lib/seenby hikers
  seenby inspect --data /var/lib/seenby hikers m1 --json | jq .unread
  seenby inspect --dump chat.seenby
  zstd -dc chat.seenby.zst | seenby inspect --dump - hikers m1

A running server goes on meanwhile, as for `seenby backup`: run this on its machine and as
its user. If none is running, the directory is read and not changed. Messages that have
expired and that no sweep has met yet are among what is counted, and are told as expired.

Exit codes:
  0   it is there
  1   there is no such conversation or message, or nothing could be read
  64  bad flags";

/// Look into a store or a backup: sizes, a conversation, a message.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,

    /// A backup to look into instead; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "store"])]
    dump: Option<PathBuf>,

    /// As JSON
    #[arg(long)]
    json: bool,

    /// A conversation to look at; how much there is of all if left out
    #[arg(value_parser = conversation)]
    conversation: Option<ConversationId>,

    /// A message of it to look at
    #[arg(value_parser = message)]
    message: Option<MessageId>,
}

fn conversation(text: &str) -> Result<ConversationId, String> {
    ConversationId::new(text).map_err(|error| error.to_string())
}

fn message(text: &str) -> Result<MessageId, String> {
    MessageId::new(text).map_err(|error| error.to_string())
}

/// What was asked for and is not there.
#[derive(Debug, thiserror::Error)]
#[error("there is no {0} here")]
struct Unknown(String);

pub(super) fn run(args: &Args) -> ExitCode {
    let told = match &args.conversation {
        None => all(args).and_then(|all| tell(args, &all, All::text)),
        Some(id) => one(args, id),
    };
    match told {
        Ok(text) => hand_over(&text),
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn tell<T: Serialize>(
    args: &Args,
    told: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<String, Box<dyn Error>> {
    if args.json { Ok(serde_json::to_string_pretty(told)?) } else { Ok(text(told)) }
}

/// How much there is.
#[derive(Debug, Serialize)]
struct All {
    conversations: u64,
    messages: u64,
    #[serde(flatten)]
    of: Of,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Of {
    Store { is_running: bool, bytes: Bytes },
    Cluster { cluster: String },
    Dump { version: u8, taken_at: String, hidden_users: usize, users: u64, bytes: u64 },
}

/// Bytes on disk.
#[derive(Debug, Serialize)]
struct Bytes {
    journal: u64,
    pages: u64,
    base: u64,
    all: u64,
}

impl Bytes {
    fn of(data: &Path) -> Self {
        let of = |path: PathBuf| Size::of(&path).bytes;
        let entries = std::fs::read_dir(data).into_iter().flatten().flatten();
        let bases = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("base."));
        Self {
            journal: of(data.join("journal")),
            pages: of(data.join("pages")),
            base: bases.map(|entry| of(entry.path())).sum(),
            all: Size::of(data).bytes,
        }
    }
}

impl All {
    fn text(&self) -> String {
        let mut rows =
            vec![("conversations", number(self.conversations)), ("messages", number(self.messages))];
        match &self.of {
            Of::Store { is_running, bytes } => {
                rows.push(("server", if *is_running { "running" } else { "not running" }.to_owned()));
                rows.push(("journal", size(bytes.journal)));
                rows.push(("pages", size(bytes.pages)));
                rows.push(("base", size(bytes.base)));
                rows.push(("on disk, all", size(bytes.all)));
            }
            Of::Cluster { cluster } => rows.push(("cluster", cluster.clone())),
            Of::Dump { version, taken_at, hidden_users, users, bytes } => {
                rows.push(("members of them, ever", number(*users)));
                rows.push(("receipts off", number(*hidden_users as u64)));
                rows.push(("taken at", taken_at.clone()));
                rows.push(("format", version.to_string()));
                rows.push(("size", size(*bytes)));
            }
        }
        table(&rows)
    }
}

/// Rows of a name and a value.
fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<_> = rows.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect();
    lines.join("\n")
}

fn rfc3339(unix_s: u64) -> String {
    let at = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(unix_s));
    // Those that no calendar knows are past its end.
    at.filter(|_| unix_s < 253_402_300_800)
        .map_or_else(|| format!("@{unix_s}"), |at| humantime::format_rfc3339_seconds(at).to_string())
}

fn all(args: &Args) -> Result<All, Box<dyn Error>> {
    let Some(file) = &args.dump else {
        let mut source = Source::open(&args.place)?;
        let summary = source.summary()?;
        let of = match &args.place.store {
            Some(url) => Of::Cluster { cluster: url.to_string() },
            None => Of::Store { is_running: source.is_running(), bytes: Bytes::of(&args.place.data) },
        };
        return Ok(All { conversations: summary.conversations, messages: summary.messages, of });
    };
    Ok(open_dump(file).and_then(all_of_dump).map_err(|source| BadDump::of(file, source))?)
}

fn all_of_dump(mut reader: Reader<impl Read>) -> Result<All, DumpError> {
    let (head, label) = (reader.head(), reader.label());
    let bar = bar("inspect", head);
    let (mut hidden_users, mut users) = (0, 0);
    while let Some(item) = reader.next()? {
        bar.add(item.messages());
        match item {
            Item::Hidden(hidden) => hidden_users += hidden.len(),
            Item::Names(names) => users += names.iter().flatten().count() as u64,
            _ => {}
        }
    }
    let (bytes, taken_at) = (reader.at(), rfc3339(label.taken_at_unix_ms / 1_000));
    let of = Of::Dump { version: VERSION, taken_at, hidden_users, users, bytes };
    Ok(All { conversations: head.conversations, messages: head.messages, of })
}

fn open_dump(file: &Path) -> Result<Reader<Box<dyn Read>>, DumpError> {
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::with_capacity(256 << 10, File::open(file)?))
    };
    Reader::begin(input)
}

fn one(args: &Args, id: &ConversationId) -> Result<String, Box<dyn Error>> {
    let now = Clock::System.now();
    let wanted = Wanted { conversation: id, message: args.message.as_ref() };
    let found = if let Some(file) = &args.dump {
        let found = open_dump(file).and_then(|reader| find(Pieces::Reader(Box::new(reader)), &wanted, now));
        found.map_err(|source| BadDump::of(file, source))?
    } else {
        let mut source = Source::open(&args.place)?;
        match source.export(Some(id.clone()))? {
            Coming::Bytes(bytes) => find(Pieces::Reader(Box::new(Reader::begin(bytes)?)), &wanted, now)?,
            Coming::Pieces(export, _) => find(Pieces::Export(export), &wanted, now)?,
        }
    };
    let found = found.ok_or_else(|| Unknown(format!("conversation {id}")))?;
    match &args.message {
        None => tell(args, &found, ConversationFound::text),
        Some(message) => {
            let known = found.into_message().ok_or_else(|| Unknown(format!("message {message} in {id}")))?;
            tell(args, &known, OneMessage::text)
        }
    }
}
