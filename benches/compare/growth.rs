//! What 100,000 messages more take: memory and disk of seenby, memory of Valkey, for the same chats.
//!
//! seenby is measured by `seenby bench footprint`, once with few messages and once with many, and that twice: with as much
//! memory for pages as is the default, which that many messages do not fill, so that all that was looked at stays; and with
//! the least that may be set, which shows what must be in memory. Valkey gets the reader sets
//! of as many messages with as many readers: of each message first those SETBIT that make its string longer, in an
//! order in which readers could come, and the rest at once with one SETRANGE, which leaves the string as long as the
//! single SETBIT would.

use std::{error::Error, fs, path::Path, process::Command, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use crate::{
    Others,
    load::{Connection, float},
    marks::MEMBERS,
    protocol::{Protocol, push_command, push_number},
    server::Server,
};

/// How many messages there are at first, and then.
const MESSAGES: [usize; 2] = [10_000, 110_000];
/// Of seenby's growth of memory against Valkey's, at most.
const MEMORY_RATIO_MAX: f64 = 0.25;
/// The least that `hot_bytes_max` may be.
const HOT_BYTES_MAX_LEAST: &str = "16MiB";
/// Messages that Valkey gets at a time.
const BATCH: usize = 500;
/// Share of the members who read a message: what `seenby bench footprint` has.
const READS_SHARE: f64 = 0.65;

/// Bytes, by how many messages there are.
#[derive(Debug, Serialize)]
pub(crate) struct Growth {
    pub(crate) messages: [usize; 2],
    pub(crate) members: usize,
    /// seenby's memory, at its most while marks and pulls go over everything.
    pub(crate) seenby_resident: [u64; 2],
    /// The same with [`HOT_BYTES_MAX_LEAST`].
    pub(crate) seenby_resident_least: [u64; 2],
    /// What messages and marks take on seenby's disk.
    pub(crate) seenby_disk: [u64; 2],
    /// Valkey's memory, at rest.
    pub(crate) valkey_resident: Option<[u64; 2]>,
    /// seenby's growth of memory against Valkey's.
    pub(crate) memory_ratio: Option<f64>,
    /// The same with [`HOT_BYTES_MAX_LEAST`].
    pub(crate) memory_ratio_least: Option<f64>,
    /// seenby's growth of disk against Valkey's of memory.
    pub(crate) disk_ratio: Option<f64>,
}

/// Measures both, one after the other.
pub(crate) fn measure(others: &Others, folder: &Path) -> Result<Growth, Box<dyn Error>> {
    let (mut seenby_resident, mut seenby_resident_least, mut seenby_disk) = ([0; 2], [0; 2], [0; 2]);
    for (at, messages) in MESSAGES.into_iter().enumerate() {
        eprintln!("growth: seenby with {messages} messages");
        [seenby_resident[at], seenby_disk[at]] = footprint(messages, folder, &[])?;
        let least = ["--", "--hot-bytes-max", HOT_BYTES_MAX_LEAST];
        [seenby_resident_least[at], _] = footprint(messages, folder, &least)?;
    }
    let valkey_resident = others.valkey.as_ref().map(|programs| valkey(programs, folder)).transpose()?;
    let ratio = |of: [u64; 2]| valkey_resident.map(|valkey| float(growth(of)) / float(growth(valkey)));
    Ok(Growth {
        messages: MESSAGES,
        members: MEMBERS,
        memory_ratio: ratio(seenby_resident),
        memory_ratio_least: ratio(seenby_resident_least),
        disk_ratio: ratio(seenby_disk),
        seenby_resident,
        seenby_resident_least,
        seenby_disk,
        valkey_resident,
    })
}

pub(crate) fn growth([before, after]: [u64; 2]) -> u64 {
    after.saturating_sub(before)
}

/// Memory at its most, and disk, of a server with these flags.
pub(crate) fn footprint(messages: usize, folder: &Path, flags: &[&str]) -> Result<[u64; 2], Box<dyn Error>> {
    let json = folder.join("footprint.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_seenby"));
    command.args(["bench", "footprint", "--shape", "in-order", "--messages", &messages.to_string()]);
    command
        .args(["--members", &MEMBERS.to_string()])
        .arg("--within")
        .arg(folder)
        .arg("--json")
        .arg(&json)
        .args(flags);
    let run = command.output()?;
    if !run.status.success() {
        return Err(format!("seenby bench footprint: {}", String::from_utf8_lossy(&run.stderr)).into());
    }
    let figures: Value = serde_json::from_slice(&fs::read(json)?)?;
    let of = |pointer: &str| figures.pointer(pointer).and_then(Value::as_u64).ok_or("no such figure");
    Ok([of("/shapes/in-order/resident_touch")?, of("/shapes/in-order/disk/bytes")?])
}

fn valkey(programs: &Path, folder: &Path) -> Result<[u64; 2], Box<dyn Error>> {
    eprintln!("growth: Valkey");
    let data = folder.join("growth");
    fs::create_dir(&data)?;
    let server = Arc::new(Server::valkey(programs, &data, &[])?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::plain(&server).await?;
        let mut chance = fastrand::Rng::with_seed(1);
        let mut resident = [0; 2];
        for first in (0..MESSAGES[1]).step_by(BATCH) {
            if first == MESSAGES[0] {
                resident[0] = server.resident();
            }
            let (mut commands, mut replies) = (Vec::new(), 0);
            (first..first + BATCH).for_each(|message| replies += fill(message, &mut chance, &mut commands));
            connection.ask(&commands, Protocol::Resp { replies, has_marks: false }).await?;
        }
        resident[1] = server.resident();
        Ok(resident)
    })
}

/// Appends the commands that make the reader set of a message; how many they are.
fn fill(message: usize, chance: &mut fastrand::Rng, out: &mut Vec<u8>) -> usize {
    let mut readers: Vec<usize> = (0..MEMBERS).filter(|_| chance.f64() < READS_SHARE).collect();
    chance.shuffle(&mut readers);
    let key = format!("chat{}:m{}", message / 1_000, message % 1_000);
    let (mut bits, mut commands) = (vec![0_u8; MEMBERS / 8], 0);
    let mut longest = None;
    for reader in readers {
        bits[reader / 8] |= 128 >> (reader % 8);
        if longest < Some(reader / 8) {
            longest = Some(reader / 8);
            let mut bit = Vec::new();
            push_number(&mut bit, reader);
            push_command(out, &[b"SETBIT", key.as_bytes(), &bit, b"1"]);
            commands += 1;
        }
    }
    bits.truncate(longest.map_or(0, |byte| byte + 1));
    push_command(out, &[b"SETRANGE", key.as_bytes(), b"0", &bits]);
    commands + 1
}

impl Growth {
    /// Prints the table.
    pub(crate) fn print(&self) {
        let [few, many] = self.messages;
        println!(
            "\nFrom {few} to {many} messages to {} members each, read in order, in bytes:\n",
            self.members
        );
        println!(
            "{:<28} {:>13} {:>13} {:>13} {:>11}  of Valkey's memory",
            "", few, many, "growth", "a message"
        );
        let line = |name: &str, bytes: [u64; 2], ratio: Option<f64>| {
            let verdict = ratio.map_or_else(String::new, |ratio| {
                let holds = if ratio <= MEMORY_RATIO_MAX { "holds" } else { "MISSED" };
                format!("{ratio:.3}, {MEMORY_RATIO_MAX} at most  {holds}")
            });
            let a_message = float(growth(bytes)) / float((many - few) as u64);
            println!(
                "{name:<28} {:>13} {:>13} {:>13} {a_message:>11.1}  {verdict}",
                bytes[0],
                bytes[1],
                growth(bytes)
            );
        };
        line("seenby, resident at most", self.seenby_resident, self.memory_ratio);
        let least = format!("  of {HOT_BYTES_MAX_LEAST} for pages");
        line(&least, self.seenby_resident_least, self.memory_ratio_least);
        line("seenby, disk", self.seenby_disk, self.disk_ratio);
        if let Some(valkey) = self.valkey_resident {
            line("Valkey, resident", valkey, None);
        }
    }
}
