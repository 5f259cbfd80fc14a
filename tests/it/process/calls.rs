//! What strace saw: system calls in the order in which they began and ended, and whether each answer to a mark came
//! after its record was on disk.
//!
//! Lines stand in the order in which strace saw things happen, so a line's number is the time that counts. strace
//! stops a thread at each call's begin and end: what one call causes in another thread comes later in the file. Text
//! and paths are in hexadecimal (`-xx`), so nothing in them looks like the syntax around them.

use std::{collections::HashMap, path::Path};

/// What strace is started with, up to the file that it writes to. `-D`: the server is the child, strace is beside it.
pub(super) const TRACE: [&str; 10] = [
    "strace",
    "-D",
    "-f",
    "-y",
    "-xx",
    "-s",
    "65536",
    "-e",
    "trace=write,pwrite64,writev,sendto,sendmsg,fdatasync,fsync",
    "-o",
];

/// One system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    /// The path or socket behind its first argument, as text.
    pub(super) target: String,
    /// All bytes in its arguments.
    pub(super) bytes: Vec<u8>,
    /// The line where it began.
    pub(super) began: usize,
    /// The line where it ended, if it did with anything but an error.
    pub(super) succeeded: Option<usize>,
}

impl Call {
    fn is_write(&self) -> bool {
        ["write", "pwrite64", "writev", "sendto", "sendmsg"].contains(&self.name.as_str())
    }

    /// A write to a segment of the journal.
    pub(super) fn is_journal_write(&self) -> bool {
        self.is_write() && self.target.ends_with(".journal")
    }

    /// Makes what was written to `path` before survive a power cut.
    pub(super) fn is_sync_of(&self, path: &str) -> bool {
        ["fdatasync", "fsync"].contains(&self.name.as_str()) && self.target == path
    }

    /// Whether it says something to a client.
    fn is_answer(&self) -> bool {
        let socket = ["socket:", "TCP:"].iter().any(|kind| self.target.starts_with(kind));
        self.is_write() && socket && self.bytes.starts_with(b"HTTP/1.1 200 ")
    }
}

/// The text in strace's hexadecimal: `\x61\x62`.
fn plain(hexadecimal: &str) -> Vec<u8> {
    let bytes = hexadecimal.split("\\x").skip(1);
    bytes.map(|byte| u8::from_str_radix(&byte[..2], 16).unwrap()).collect()
}

/// What stands between quotes, one after the other.
fn quoted(arguments: &str) -> Vec<u8> {
    arguments.split('"').skip(1).step_by(2).flat_map(plain).collect()
}

/// Reads what strace wrote. Whatever is not a call (a signal, an end of a thread) is left aside.
pub(super) fn read(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: HashMap<&str, usize> = HashMap::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let succeeded = rest.rsplit_once(" = ").is_some_and(|(_, result)| !result.starts_with(['-', '?']));
        if rest.starts_with("<... ") {
            let call = open.remove(thread).expect("a call is resumed that was begun");
            calls[call].succeeded = succeeded.then_some(at);
            continue;
        }
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        if !name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') {
            continue;
        }
        let target = arguments
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'))
            .map_or("", |(target, _)| target);
        if rest.ends_with("<unfinished ...>") {
            open.insert(thread, calls.len());
        }
        calls.push(Call {
            name: name.to_owned(),
            target: String::from_utf8(plain(target)).unwrap(),
            bytes: quoted(arguments),
            began: at,
            succeeded: (succeeded && !rest.ends_with("<unfinished ...>")).then_some(at),
        });
    }
    calls
}

/// The reader of an answer to a mark that named the reader among its messages; none in any other answer.
fn reader_answered(answer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, rest) = text.split_once(r#"{"marked":1,"already":0,"refused":[{"message":""#)?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// The record of a mark of the one message there is in the first conversation of a directory: its kind, the key of the
/// conversation, the reader, one page, number 0, its first message. The golden test of the records guards this.
pub(super) fn record(slot: u8) -> [u8; 6] {
    [4, 1, slot, 1, 0, 1]
}

/// Readers whose marks were answered, and what is wrong with when. Right is: a write of the reader's record to the
/// journal, a sync of that file that began after the write had ended, and an answer that began after the sync had ended.
pub(super) fn check(calls: &[Call], slot: impl Fn(&str) -> u8) -> (Vec<String>, Vec<String>) {
    let (mut readers, mut violations) = (Vec::new(), Vec::new());
    for answer in calls.iter().filter(|call| call.is_answer()) {
        let Some(reader) = reader_answered(&answer.bytes) else { continue };
        let record = record(slot(&reader));
        let written = calls.iter().filter(|call| {
            call.is_journal_write() && call.bytes.windows(record.len()).any(|bytes| bytes == record)
        });
        let mut synced = written.flat_map(|write| {
            calls.iter().filter(move |call| {
                call.is_sync_of(&write.target) && write.succeeded.is_some_and(|end| call.began > end)
            })
        });
        if !synced.any(|sync| sync.succeeded.is_some_and(|end| end < answer.began)) {
            violations.push(format!(
                "line {}: {reader} is answered before the disk has the mark",
                answer.began + 1
            ));
        }
        readers.push(reader);
    }
    (readers, violations)
}

/// The whole trace in a file, once the server has ended and strace behind it.
pub(crate) fn whole(path: &Path, pid: u32) -> String {
    let end = format!("\n{pid} ");
    crate::harness::wait_for("strace to end", || {
        let trace = std::fs::read_to_string(path).ok()?;
        let (_, last) = trace.rsplit_once(&end)?;
        (last.contains("+++ exited") || last.contains("+++ killed")).then_some(trace)
    })
}
