//! What it costs the server that a reader comes back and marks everything up to the newest message: with many
//! messages behind, all read, against few.

use std::fmt;

use serde::Serialize;

use super::{
    BenchError,
    chats::Chats,
    float,
    load::{Load, count, up_to},
    median,
    server::Process,
};
use crate::wire::{BulkMarkEntry, RegisterEntry};

/// How often both are measured, by turns.
const ROUNDS: usize = 9;
/// Messages that are new each time.
const NEW: usize = 10;
/// Read messages of the conversation that the large one is compared with.
const FEW: usize = 1_000;
/// Marks in one request.
const ENTRIES: usize = 500;

/// Processor time of the server for one reader's mark up to the newest of 10 new messages, the others read.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    many_messages: usize,
    few_messages: usize,
    readers: usize,
    many_us: f64,
    few_us: f64,
    /// The median of the rounds' ratios.
    ratio: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { many_messages, few_messages, readers, many_us, few_us, ratio } = self;
        write!(
            out,
            "up_to over {NEW} new and {many_messages} read messages: {many_us:.1} us of processor time, \
             {ratio:.2} times that over {NEW} new and {few_messages} read ({few_us:.1} us); \
             medians of {ROUNDS} rounds of {readers} readers"
        )
    }
}

/// On the conversation of `load`, and on another of the same roster.
pub(super) async fn measure(load: &Load, server: Process) -> Result<Figures, BenchError> {
    let few = Load {
        chats: Chats { seed: !load.chats.seed, messages: FEW, period: FEW, ..load.chats },
        ..load.clone()
    };
    few.rosters().await?;
    for first in (0..FEW).step_by(500) {
        few.clone().register(0, first..first + 500).await?;
    }
    for load in [load, &few] {
        mark_all(load, &load.chats.message(0, load.chats.messages - 1)).await?;
    }
    let (mut many_us, mut few_us, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let many = of_round(load, server, round).await?;
        let few = of_round(&few, server, round).await?;
        many_us.push(many);
        few_us.push(few);
        ratios.push(many / few);
    }
    Ok(Figures {
        many_messages: load.chats.messages,
        few_messages: FEW,
        readers: load.chats.members,
        many_us: median(many_us),
        few_us: median(few_us),
        ratio: median(ratios),
    })
}

/// Sends new messages and lets every member read them; microseconds for each.
async fn of_round(load: &Load, server: Process, round: usize) -> Result<f64, BenchError> {
    let chats = load.chats;
    let id = |new: usize| format!("{:019}-{new}", chats.messages + round);
    let entry = |new| RegisterEntry {
        id: id(new),
        sender: chats.member(0, 0),
        audience: None,
        expires_in_s: None,
        order: None,
    };
    let sent = load.client.register_bulk(&chats.name(0), (0..NEW).map(entry).collect()).await;
    sent.map_err(BenchError::call("register new messages"))?;
    let before = server.cpu_ns();
    let marked = mark_all(load, &id(NEW - 1)).await?;
    let used = server.cpu_ns().saturating_sub(before);
    count("new marks", marked as u64, ((chats.members - 1) * NEW) as u64)?;
    Ok(float(used) / float(chats.members as u64) / 1e3)
}

/// Every member reads up to `message`. How many marks were new.
async fn mark_all(load: &Load, message: &str) -> Result<usize, BenchError> {
    let chats = load.chats;
    let mut marked = 0;
    for first in (0..chats.members).step_by(ENTRIES) {
        let members = first..(first + ENTRIES).min(chats.members);
        let entry = |member| {
            let entry = BulkMarkEntry {
                conversation: chats.name(0),
                reader: chats.member(0, member),
                ..BulkMarkEntry::default()
            };
            up_to(&entry, message.to_owned())
        };
        marked += load.mark(&members.map(entry).collect::<Vec<_>>()).await?.marked;
    }
    Ok(marked)
}
