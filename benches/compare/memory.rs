//! What a message takes that 65 of 100 of 2,000 members have read in order: memory of the primaries, and of the embedded
//! engine memory and disk.

use std::{error::Error, path::Path, sync::Arc};

use serde::Serialize;

use crate::{
    growth::{footprint, growth},
    load::float,
    marks::MEMBERS,
    nodes::Nodes,
    server::Server,
    setup,
};

/// Messages that the cluster gets, in conversations of 1,000.
const MESSAGES: usize = 10_000;
const CONVERSATION: usize = 1_000;
/// Messages in the embedded engine, before and after as many more.
const EMBEDDED: [usize; 2] = [CONVERSATION, CONVERSATION + MESSAGES];

/// In bytes, each a message or a member.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    messages: usize,
    members: usize,
    /// A place in the roster of one conversation.
    primaries_a_member: f64,
    /// A message that nobody has read…
    primaries_a_message_unread: f64,
    /// …and one that has been.
    primaries_a_message: f64,
    /// Of one process on the cluster, which keeps nothing of this; in all.
    process_resident: u64,
    /// At its most while marks and pulls go over everything, rosters included.
    embedded_memory_a_message: f64,
    embedded_disk_a_message: f64,
}

/// Measures both, one after the other; `process` is on the cluster.
pub(crate) async fn measure(
    nodes: &Nodes,
    process: &Arc<Server>,
    folder: &Path,
) -> Result<Memory, Box<dyn Error>> {
    const NAME: &str = "kept";
    let count = MESSAGES / CONVERSATION;
    let mut kept = vec![nodes.kept()?];
    setup::rosters(process, NAME, count).await?;
    kept.push(nodes.kept()?);
    setup::messages(process, NAME, count, CONVERSATION).await?;
    kept.push(nodes.kept()?);
    setup::mark_all(process, NAME, count, CONVERSATION).await?;
    kept.push(nodes.kept()?);
    let process_resident = process.resident();

    let (mut memory, mut disk) = ([0; 2], [0; 2]);
    for (at, messages) in EMBEDDED.into_iter().enumerate() {
        [memory[at], disk[at]] = footprint(messages, folder, &[])?;
    }
    let a = |bytes: [u64; 2], count: usize| float(growth(bytes)) / float(count as u64);
    Ok(Memory {
        messages: MESSAGES,
        members: MEMBERS,
        primaries_a_member: a([kept[0], kept[1]], count * MEMBERS),
        primaries_a_message_unread: a([kept[1], kept[2]], MESSAGES),
        primaries_a_message: a([kept[1], kept[3]], MESSAGES),
        process_resident,
        embedded_memory_a_message: a(memory, MESSAGES),
        embedded_disk_a_message: a(disk, MESSAGES),
    })
}

impl Memory {
    pub(crate) fn print(&self) {
        println!(
            "\nBytes, over {} messages to {} members each, read by 65 of 100 in order:\n",
            self.messages, self.members
        );
        for (name, bytes) in [
            ("primaries: a message, unread", self.primaries_a_message_unread),
            ("primaries: a message, read", self.primaries_a_message),
            ("primaries: a member in a roster", self.primaries_a_member),
            ("embedded: a message, memory", self.embedded_memory_a_message),
            ("embedded: a message, disk", self.embedded_disk_a_message),
        ] {
            println!("{name:<36} {bytes:>10.1}");
        }
        println!("Each replica holds the same again as its primary.");
        println!("The process on the cluster has {} MiB in all.", self.process_resident >> 20);
    }
}
