//! Doors for the fuzzers in `fuzz/`, and for the test that runs their corpus. Not for use.
//!
//! Each function takes whatever bytes, and panics if something holds that must not.

use std::{fs::OpenOptions, io, os::unix::fs::FileExt, path::Path};

use crate::store::embedded::{
    journal::{self, Journal, Replayed},
    record::{Record, StoredAudience, StoredPage, StoredSlots, decode, encode},
    stored::rows::StoredRows,
    stored::{page_bytes, read_page},
};

/// What the journal's one segment is called, the number of its first record, and where the records begin.
const SEGMENT: &str = "00000000000000000001.journal";
const FIRST: u64 = 1;
const HEAD_BYTES: u64 = 20;

/// The bytes as records, one after the other: each that reads is read back as it was once it is written again, which
/// takes no more bytes than it had.
pub fn records(bytes: &[u8]) {
    let mut rest = bytes;
    while let Some((record, taken)) = decode::<Record>(rest) {
        assert!(taken > 0 && taken <= rest.len(), "a record of {taken} bytes, of {}", rest.len());
        let mut again = Vec::new();
        encode(&record, &mut again);
        assert!(again.len() <= taken, "{taken} bytes became {}: {record:?}", again.len());
        let read = decode::<Record>(&again);
        assert_eq!(read.as_ref(), Some(&(record.clone(), again.len())));
        for slots in slots_of(&record) {
            look_at(slots);
        }
        rest = &rest[taken..];
    }
}

fn slots_of(record: &Record) -> Vec<&StoredSlots> {
    match record {
        Record::Roster { joined, left, .. } => vec![joined, left],
        Record::Registered { audience: StoredAudience::Slots(slots), .. } => vec![slots],
        _ => Vec::new(),
    }
}

/// More slots than a conversation is likely to have. The last slot of a set says how much memory it takes.
const SLOTS_MAX: u64 = 1 << 20;

fn is_small(stored: &StoredSlots) -> bool {
    let slots: u64 = match stored {
        StoredSlots::Words(words) => words.len() as u64 * 64,
        StoredSlots::Runs(runs) => {
            runs.iter().map(|(gap, length)| u64::from(*gap) + u64::from(*length)).sum()
        }
    };
    slots <= SLOTS_MAX
}

/// A set that reads is the same set once it is stored again.
fn look_at(stored: &StoredSlots) {
    if let Some(slots) = is_small(stored).then(|| stored.slots()).flatten() {
        assert_eq!(StoredSlots::of(&slots).slots(), Some(slots));
    }
}

/// The bytes as a page of a page file: what is read is read again as it was once it is written.
pub fn page(bytes: &[u8]) {
    let Some((stored, _)) = decode::<StoredPage>(bytes) else { return };
    let caught_up = match &stored.rows {
        StoredRows::Sparse { caught_up, .. } => Some(caught_up),
        StoredRows::Dense(_) => None,
    };
    if !stored.audiences.iter().map(|(_, slots)| slots).chain(caught_up).all(is_small) {
        return;
    }
    if let Ok(hot) = read_page(bytes, []) {
        let written = page_bytes(&hot);
        let again = read_page(&written, []).expect("what was written reads");
        assert_eq!(page_bytes(&again), written);
        assert!(again.page.messages().eq(hot.page.messages()), "messages");
        assert!(again.page.rows().eq(hot.page.rows()), "rows");
    }
}

/// The bytes as a journal of one segment, in `directory`, which is for this alone. What is read of it once is read of
/// it twice: a torn end that was cut off took nothing else along.
///
/// The first byte says how the others are meant. Odd: as they are. Even: as parts, each behind a byte with its length.
/// A part becomes a whole frame with the right sum, which no search would find; one with a length of 128 and more
/// stays as it is.
pub fn journal(directory: &Path, bytes: &[u8]) {
    let Some((how, rest)) = bytes.split_first() else { return };
    let path = directory.join(SEGMENT);
    if !path.exists() {
        Journal::begin(directory, Vec::new(), FIRST).expect("the directory can be written to");
    }
    let body = if how % 2 == 1 { rest.to_vec() } else { framed(rest) };
    write(&path, &body).expect("the segment can be written to");
    if let Some((first, replayed)) = read(directory) {
        journal::keep(&replayed).expect("the segment can be written to");
        let (second, replayed) = read(directory).expect("what was kept reads");
        assert_eq!(second, first, "read a second time");
        assert_eq!(replayed.torn_bytes, 0, "the torn end is cut off");
    }
}

/// Puts `body` behind the head of the segment, in place of what was there.
fn write(path: &Path, body: &[u8]) -> io::Result<()> {
    let segment = OpenOptions::new().write(true).open(path)?;
    segment.set_len(HEAD_BYTES)?;
    segment.write_all_at(body, HEAD_BYTES)
}

/// Everything that the journal has; none if it is refused.
fn read(directory: &Path) -> Option<(Vec<(u64, Record)>, Replayed)> {
    let mut found = Vec::new();
    let replayed = journal::replay(directory, |sequence, record| {
        found.push((sequence, record));
        Ok(())
    });
    let replayed = replayed.ok()?;
    assert_eq!(replayed.next_sequence, FIRST + found.len() as u64, "numbers have no gaps");
    Some((found, replayed))
}

fn framed(mut parts: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sequence = FIRST;
    while let Some((length, rest)) = parts.split_first() {
        let (part, after) = rest.split_at(rest.len().min(usize::from(length % 128)));
        if *length < 128 {
            bytes.extend_from_slice(&frame(sequence, part));
            sequence += count(part);
        } else {
            bytes.extend_from_slice(part);
        }
        parts = after;
    }
    bytes
}

/// A frame as the journal has it, whatever its records are.
fn frame(sequence: u64, records: &[u8]) -> Vec<u8> {
    let checked = [&sequence.to_le_bytes(), records].concat();
    let length = u32::try_from(records.len()).expect("invariant: a part is short");
    [&length.to_le_bytes()[..], &crc32fast::hash(&checked).to_le_bytes(), &checked].concat()
}

fn count(records: &[u8]) -> u64 {
    let (mut rest, mut count) = (records, 0);
    while let Some((_, taken)) = decode::<Record>(rest) {
        rest = &rest[taken..];
        count += 1;
    }
    count
}
