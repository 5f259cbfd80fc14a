//! `seenby bench footprint`: what messages and their receipts take on disk and in memory.
//!
//! Each shape of chats is measured in three lives of a server on one directory, each ended in good order, so that
//! between them there is exactly what a checkpoint leaves. In the first the rosters come, in the second the messages
//! and marks; in the third, which begins with nothing in memory, every message is pulled, and then marked again and
//! pulled. What the pulls say is compared with what the marks came to.

use std::{path::PathBuf, time::Instant};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;

use super::{
    BenchError, Common,
    chats::{CONVERSATION, Chats, MEMBERS, Reads},
    disk::Size,
    float,
    load::{Load, count},
    report::{Report, number, size},
    server::{Start, Watch},
    traces, up_to,
};

/// Members of the one large conversation.
const LARGE_MEMBERS: usize = 10_000;
/// Messages of a small conversation.
const SMALL_CONVERSATION: usize = 10;

/// What `footprint` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,

    /// Messages, over all conversations; 100,000 if left out, and 1,000,000 of small conversations
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(20..=100_000_000))]
    messages: Option<u64>,

    /// Members of each conversation; 2,000 if left out, 10,000 of the large one, 2 of small ones
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(2..=100_000))]
    members: Option<u64>,

    /// Which chats; in-order and random if left out
    #[arg(long, value_name = "SHAPE")]
    shape: Vec<Shape>,

    /// Recorded chats for the shape traces: files as for `seenby replay`, or directories of .tsv files
    #[arg(long, value_name = "PATH")]
    trace: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Shape {
    /// 1,000 messages a conversation; 65 % of the members read all, in 5 to 20 visits, others stop for good
    InOrder,
    /// 1,000 messages a conversation; each member has read each message with 65 % chance
    Random,
    /// One conversation, read in order
    Large,
    /// Conversations of 10 messages, read in order
    Small,
    /// The chats that --trace names
    Traces,
    /// All of these; traces only with --trace
    All,
}

impl Shape {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn chats(self, args: &Args) -> Chats {
        let usual =
            |count: Option<u64>, usual| count.and_then(|count| count.try_into().ok()).unwrap_or(usual);
        let (messages, members) = match self {
            Self::Large => (100_000, LARGE_MEMBERS),
            Self::Small => (1_000_000, 2),
            _ => (100_000, MEMBERS),
        };
        let (messages, members) = (usual(args.messages, messages), usual(args.members, members));
        let conversations = match self {
            Self::Large => 1,
            Self::Small => messages / SMALL_CONVERSATION,
            _ => messages.div_ceil(CONVERSATION),
        };
        let reads = if self == Self::Random { Reads::Random } else { Reads::InOrder };
        let each = messages / conversations;
        Chats { seed: args.common.seed, conversations, members, messages: each, period: each, reads }
    }
}

/// What one shape came to. Sizes are in bytes.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) conversations: u64,
    /// Of each conversation; of traces, all users that there are.
    pub(super) members: u64,
    pub(super) messages: u64,
    pub(super) marks: u64,
    /// The directory with nothing but rosters.
    pub(super) rosters: Size,
    /// What messages and marks add to it, after the last checkpoint.
    pub(super) disk: Size,
    pub(super) disk_a_message: f64,
    /// The whole directory at its largest, while messages and marks came, rosters included.
    pub(super) disk_most: u64,
    /// What the system was made to write meanwhile.
    pub(super) written: u64,
    pub(super) load_s: f64,
    /// Memory at its most while messages and marks came.
    pub(super) resident_load: u64,
    /// From the spawn of the server to its first line, on all of this.
    pub(super) ready_s: f64,
    /// Memory at its most while marks and pulls went over all of this.
    pub(super) resident_touch: u64,
    /// What an `up_to` costs with much behind it, against one with little; of the large conversation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) up_to: Option<up_to::Figures>,
}

impl Figures {
    /// What stands in the table, from top to bottom, as in [`ROWS`].
    fn cells(&self) -> [String; ROWS.len()] {
        [
            number(self.conversations),
            number(self.members),
            number(self.messages),
            number(self.marks),
            size(self.rosters.bytes),
            size(self.disk.bytes),
            format!("{:.1} B", self.disk_a_message),
            size(self.disk_most),
            size(self.written),
            format!("{:.1} s", self.load_s),
            size(self.resident_load),
            format!("{:.2} s", self.ready_s),
            size(self.resident_touch),
        ]
    }
}

const ROWS: [&str; 13] = [
    "conversations",
    "members",
    "messages",
    "marks",
    "disk: rosters alone",
    "disk: messages and marks",
    "  a message",
    "disk: most, before the checkpoint",
    "written meanwhile",
    "time for that",
    "memory: most meanwhile",
    "ready again after",
    "memory: most, all marked and pulled",
];

/// Measures the shapes one after the other.
pub(super) async fn measure(args: &Args) -> Result<Report, BenchError> {
    let mut report = Report::new("footprint", args.common.seed, &[""]);
    ROWS.iter().for_each(|row| report.row([(*row).to_owned()]));
    let mut shapes = args.shape.clone();
    if shapes.is_empty() {
        shapes = vec![Shape::InOrder, Shape::Random];
    }
    if shapes.contains(&Shape::All) {
        shapes = vec![Shape::InOrder, Shape::Random, Shape::Large, Shape::Small];
        shapes.extend((!args.trace.is_empty()).then_some(Shape::Traces));
    }
    if shapes.contains(&Shape::Traces) == args.trace.is_empty() {
        return Err(BenchError::Usage("--shape traces and --trace PATH go together".to_owned()));
    }
    let folder = args.common.folder()?;
    let mut all = serde_json::Map::new();
    for shape in shapes {
        let start = Start::on(folder.join(&shape.name()), &args.common.serve);
        let figures = match shape {
            Shape::Traces => traces::measure(&args.trace, &start, args.common.pace()).await?,
            _ => of_chats(shape, shape.chats(args), &start, &args.common).await?,
        };
        report.column(&shape.name(), figures.cells());
        if let Some(up_to) = &figures.up_to {
            report.note(up_to.to_string());
        }
        all.insert(shape.name(), json!(figures));
    }
    report.figure("shapes", all.into());
    Ok(report)
}

async fn of_chats(shape: Shape, chats: Chats, start: &Start, common: &Common) -> Result<Figures, BenchError> {
    let pace = common.pace();
    let server = start.start().await?;
    Load::new(chats, &server.client, pace).rosters().await?;
    server.stop().await?;
    let rosters = Size::of(start.data());

    let server = start.start().await?;
    let (watch, began) = (Watch::begin(server.process(), start.data()), Instant::now());
    let marks = Load::new(chats, &server.client, pace).messages_and_marks().await?;
    let (load_s, written, most) = (began.elapsed().as_secs_f64(), server.process().written(), watch.end());
    server.stop().await?;
    let disk = Size::of(start.data()) - rosters;

    let server = start.start().await?;
    let ready_s = server.ready_in.as_secs_f64();
    let load = Load::new(chats, &server.client, pace);
    count("receipts", load.pull_all().await?, marks)?;
    load.mark_and_pull_all().await?;
    let resident_touch = server.process().resident_most();
    let up_to = match shape {
        Shape::Large => Some(up_to::measure(&load, server.process()).await?),
        _ => None,
    };
    server.stop().await?;
    let messages = (chats.conversations * chats.messages) as u64;
    Ok(Figures {
        conversations: chats.conversations as u64,
        members: chats.members as u64,
        messages,
        marks,
        rosters,
        disk,
        disk_a_message: float(disk.bytes) / float(messages),
        disk_most: most.disk,
        written,
        load_s,
        resident_load: most.resident,
        ready_s,
        resident_touch,
        up_to,
    })
}
