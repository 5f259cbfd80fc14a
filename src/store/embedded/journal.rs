//! The journal: our own append-only file in front of the base. Knows bytes and sequence numbers, not what records
//! mean.
//!
//! ```text
//! journal/00000000000000000042.journal      named by the first sequence number in it
//!
//!   head    "seenbyJ" format:1   first_sequence:8   crc32:4 of the 16 before it
//!   frame   length:4   crc32:4 of all that follows   first_sequence:8   records, one after the other
//!   frame   ...
//! ```
//!
//! Numbers are little-endian; `length` counts the bytes of the records. One frame is what one commit made durable.
//! Sequence numbers have no gaps, within a segment and from one to the next.
//!
//! The open segment is longer than its frames: room is made ahead, which reads as zeros, and a sync has no new length
//! to write beside the frame, which would take as long again. No frame's length is 0, and a segment that is complete
//! has no room behind it.
//!
//! A frame that was being written when the power went is *torn*: it stands at the very end of the last segment, before
//! nothing but zeros, nothing in it was answered, and it is cut off. Anything else that does not read is damage, and
//! refused.
//!
//! ```text
//! journal/answered      sequence:8   crc32:4
//! ```
//!
//! tells the two apart where they look alike. It names the last record that may have been answered, and is written,
//! but not synced, behind each `fdatasync` of the journal: what it names is always on disk, so if the journal ends
//! before that, answered records are missing. It alone tells a frame that a disk lost as a whole from room.

mod frame;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    ops::RangeInclusive,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, fallocate},
    io::{Errno, retry_on_intr},
};

pub(super) use frame::Frame;

use crate::store::embedded::{
    OpenError,
    record::{FORMAT, Record, STORED_BYTES_MAX, decode},
};

const MAGIC: &[u8; 7] = b"seenbyJ";
const HEAD_BYTES: usize = 7 + 1 + 8 + 4;
const FRAME_HEAD_BYTES: usize = 4 + 4 + 8;
/// A frame that has so many bytes takes no more records. The largest record is that of a roster or an audience of
/// 100,000 new names: 100,000 x 130 bytes.
const FRAME_BYTES: usize = 32 << 20;
const _: () = assert!(FRAME_BYTES + 100_000 * 130 < STORED_BYTES_MAX);
/// Room that is made at a time: enough for thousands of commits.
const ROOM_BYTES: u64 = 256 << 10;
const ANSWERED: &str = "answered";
const ANSWERED_BYTES: usize = 8 + 4;

/// The open journal: one segment that is appended to, and older ones that a checkpoint has yet to cover.
pub(super) struct Journal {
    directory: PathBuf,
    segment: File,
    /// Where the room ends that was asked for in the open segment.
    room_end: u64,
    answered: File,
    /// Every segment on disk with where its frames end, oldest first; the last one is open.
    segments: Vec<(PathBuf, u64)>,
}

impl Journal {
    /// Opens the segment whose first record will have the number `sequence`, after those in `segments`. It is begun,
    /// unless it is the last of them and nothing has been written to it yet.
    pub(super) fn begin(
        directory: &Path,
        mut segments: Vec<(PathBuf, u64)>,
        sequence: u64,
    ) -> io::Result<Self> {
        let path = segment_path(directory, sequence);
        if segments.last().is_none_or(|(last, _)| *last != path) {
            create_segment(&path, sequence)?;
            segments.push((path.clone(), HEAD_BYTES as u64));
        }
        let segment = OpenOptions::new().write(true).open(&path)?;
        let answered =
            OpenOptions::new().write(true).create(true).truncate(false).open(directory.join(ANSWERED))?;
        sync_directory(directory)?;
        Ok(Self { directory: directory.to_owned(), segment, room_end: 0, answered, segments })
    }

    /// Writes a commit's frame and waits until it would survive a power cut. After an error the journal must not be
    /// used again: what a failed `fdatasync` leaves behind is unknown.
    pub(super) fn append(&mut self, frame: &Frame) -> io::Result<()> {
        let bytes = frame.bytes();
        self.make_room(bytes.len() as u64)?;
        self.segment.write_all_at(bytes, self.end())?;
        self.segment.sync_data()?;
        let (_, end) = self.segments.last_mut().expect("invariant: one segment is open");
        *end += bytes.len() as u64;
        self.answered.write_all_at(&answered_bytes(frame.next - 1), 0)
    }

    /// Makes the open segment longer ahead of its next frames, one of which has so many bytes. Without room, for want of
    /// it or on a filesystem that makes none, the segment grows with each frame.
    fn make_room(&mut self, frame_bytes: u64) -> io::Result<()> {
        let end = self.end();
        if end + frame_bytes <= self.room_end {
            return Ok(());
        }
        let bytes = frame_bytes + ROOM_BYTES;
        self.room_end = end + bytes;
        match retry_on_intr(|| fallocate(&self.segment, FallocateFlags::empty(), end, bytes)) {
            Err(error @ Errno::IO) => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Takes away the room behind the last frame: nothing more is written to the open segment.
    fn complete(&mut self) -> io::Result<()> {
        if self.segment.metadata()?.len() > self.end() {
            self.segment.set_len(self.end())?;
            self.segment.sync_data()?;
        }
        Ok(())
    }

    /// Where the frames of the open segment end.
    fn end(&self) -> u64 {
        self.segments.last().expect("invariant: one segment is open").1
    }

    /// Begins a new segment, if anything was written to the last. Those before it hold the records below
    /// `sequence`.
    pub(super) fn rotate(&mut self, sequence: u64) -> io::Result<()> {
        self.complete()?;
        *self = Self::begin(&self.directory, std::mem::take(&mut self.segments), sequence)?;
        Ok(())
    }

    /// Removes all segments but the open one, oldest first: a checkpoint has what they held.
    pub(super) fn drop_older(&mut self) -> io::Result<()> {
        let open = self.segments.pop().expect("invariant: one segment is open");
        for (path, _) in std::mem::take(&mut self.segments) {
            std::fs::remove_file(path)?;
            // One after the other on disk as well: a gap between two segments is damage.
            sync_directory(&self.directory)?;
        }
        self.segments.push(open);
        Ok(())
    }

    /// Whether it holds no record.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.iter().all(|(_, length)| *length == HEAD_BYTES as u64)
    }

    /// Bytes of all segments, without the room ahead.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|(_, length)| length).sum()
    }
}

fn answered_bytes(sequence: u64) -> [u8; ANSWERED_BYTES] {
    let mut bytes = [0; ANSWERED_BYTES];
    bytes[..8].copy_from_slice(&sequence.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..8]);
    bytes[8..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The last record that may have been answered; 0 if nothing says.
fn read_answered(directory: &Path, has_segments: bool) -> Result<u64, OpenError> {
    let path = directory.join(ANSWERED);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if has_segments {
                tracing::warn!(file = %path.display(), "is missing: whether the journal is whole is known from itself alone");
            }
            return Ok(0);
        }
        Err(error) => return Err(OpenError::at(&path)(error)),
    };
    let sequence = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if bytes == answered_bytes(sequence) {
        return Ok(sequence);
    }
    if !bytes.is_empty() {
        tracing::warn!(file = %path.display(), "does not read: whether the journal is whole is known from itself alone");
    }
    Ok(0)
}

fn segment_path(directory: &Path, sequence: u64) -> PathBuf {
    directory.join(format!("{sequence:020}.journal"))
}

/// Makes a segment with its head. Only when all of it is on disk does it get its name.
fn create_segment(path: &Path, sequence: u64) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut segment = File::create(&unfinished)?;
    segment.write_all(&segment_head(sequence))?;
    segment.sync_all()?;
    std::fs::rename(unfinished, path)
}

fn segment_head(sequence: u64) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.push(FORMAT);
    head.extend_from_slice(&sequence.to_le_bytes());
    let crc = crc32fast::hash(&head);
    head.extend_from_slice(&crc.to_le_bytes());
    head
}

/// Makes the names in a directory survive a power cut.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// What reading the journal left.
pub(super) struct Replayed {
    /// Every segment with where its frames end, oldest first.
    pub(super) segments: Vec<(PathBuf, u64)>,
    /// The number of the first record that it has or could have.
    pub(super) first_sequence: u64,
    /// The number that comes next.
    pub(super) next_sequence: u64,
    /// Bytes behind the last record that were never answered.
    pub(super) torn_bytes: u64,
}

/// Reads every record of the journal in order up to a torn end, and refuses damage by the file's name. Changes nothing.
pub(super) fn replay(
    directory: &Path,
    mut each: impl FnMut(u64, Record) -> Result<(), &'static str>,
) -> Result<Replayed, OpenError> {
    let paths = segment_paths(directory).map_err(OpenError::at(directory))?;
    let answered = read_answered(directory, !paths.is_empty())?;
    // First of all: behind a file that is none, the last segment would be blamed for the room it has.
    let firsts = paths.iter().map(|path| first_sequence(path)).collect::<Result<Vec<_>, _>>()?;
    let mut replayed = Replayed { segments: Vec::new(), first_sequence: 1, next_sequence: 1, torn_bytes: 0 };
    for (at, (path, first)) in paths.iter().zip(firsts).enumerate() {
        let is_last = at + 1 == paths.len();
        let bytes = std::fs::read(path).map_err(OpenError::at(path))?;
        if at == 0 {
            replayed.first_sequence = first;
            replayed.next_sequence = first;
        } else if first != replayed.next_sequence {
            return Err(OpenError::damaged(path, 0, "records are missing before it"));
        }
        let end = replay_segment(path, &bytes, is_last, &mut replayed.next_sequence, &mut each)?;
        replayed.segments.push((path.clone(), end as u64));
        if is_last {
            check_answered(path, end as u64, replayed.next_sequence, answered)?;
            let torn = bytes[end..].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            replayed.torn_bytes = torn as u64;
        }
    }
    check_answered(directory, 0, replayed.next_sequence, answered)?;
    Ok(replayed)
}

fn segment_paths(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "journal") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The first number of a segment, as its head has it.
fn first_sequence(path: &Path) -> Result<u64, OpenError> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(OpenError::at(path))?;
    file.take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(OpenError::at(path))?;
    read_head(&head).ok_or_else(|| bad_head(path, &head))
}

/// Cuts off a torn end and room made ahead, and makes what stands before it durable. A process that was killed may have
/// left it to the system's cache alone, and whatever is built on it now must not outlive it.
pub(super) fn keep(replayed: &Replayed) -> Result<(), OpenError> {
    let Some((path, end)) = replayed.segments.last() else { return Ok(()) };
    let file = OpenOptions::new().write(true).open(path).map_err(OpenError::at(path))?;
    if replayed.torn_bytes > 0 {
        tracing::warn!(file = %path.display(), at = end, bytes = replayed.torn_bytes, "cut off a torn end that was never answered");
    }
    file.set_len(*end).map_err(OpenError::at(path))?;
    file.sync_all().map_err(OpenError::at(path))
}

fn bad_head(path: &Path, bytes: &[u8]) -> OpenError {
    match bytes.get(7) {
        Some(&format) if bytes.starts_with(MAGIC) && format > FORMAT => {
            OpenError::Newer { path: path.to_owned(), format: u32::from(format) }
        }
        _ => OpenError::damaged(path, 0, "its head is not that of a journal segment"),
    }
}

fn check_answered(path: &Path, at: u64, next_sequence: u64, answered: u64) -> Result<(), OpenError> {
    if answered < next_sequence {
        return Ok(());
    }
    Err(OpenError::damaged(path, at, "records that were answered are missing from here on"))
}

/// Hands over the records of one segment, and returns where they end: before a torn end, if it has one.
fn replay_segment(
    path: &Path,
    bytes: &[u8],
    is_last: bool,
    sequence: &mut u64,
    each: &mut impl FnMut(u64, Record) -> Result<(), &'static str>,
) -> Result<usize, OpenError> {
    let mut at = HEAD_BYTES;
    while at < bytes.len() {
        let Some(records) = read_frame(bytes, at, *sequence) else {
            if !is_last || (at + 1..bytes.len()).any(|later| holds_frame(bytes, later, *sequence)) {
                return Err(OpenError::damaged(
                    path,
                    at as u64,
                    "a frame does not read, and records follow it",
                ));
            }
            return Ok(at);
        };
        let length = records.len();
        let mut rest = records;
        while !rest.is_empty() {
            let (record, taken) = decode::<Record>(rest)
                .ok_or_else(|| OpenError::damaged(path, at as u64, "a record does not read"))?;
            each(*sequence, record).map_err(|what| OpenError::damaged(path, at as u64, what))?;
            *sequence += 1;
            rest = &rest[taken..];
        }
        at += FRAME_HEAD_BYTES + length;
    }
    Ok(at)
}

fn read_head(bytes: &[u8]) -> Option<u64> {
    let head = bytes.get(..HEAD_BYTES)?;
    let sequence = u64::from_le_bytes(head[8..16].try_into().ok()?);
    (head == segment_head(sequence)).then_some(sequence)
}

/// The records of the frame at `at`, if there is one whose first record is `sequence`.
fn read_frame(bytes: &[u8], at: usize, sequence: u64) -> Option<&[u8]> {
    frame_at(bytes, at, sequence..=sequence)
}

/// Whether a frame with later records begins at `at`: proof that what stands before it is not a torn end.
fn holds_frame(bytes: &[u8], at: usize, sequence: u64) -> bool {
    // A record takes at least a byte, so no number behind this one is higher than the bytes there are.
    frame_at(bytes, at, sequence + 1..=sequence + bytes.len() as u64).is_some()
}

/// The records of the frame at `at`, if one is there whose first number is as `expected`: checked before the
/// checksum, which costs as much as the frame is long.
fn frame_at(bytes: &[u8], at: usize, expected: RangeInclusive<u64>) -> Option<&[u8]> {
    let head = bytes.get(at..at + FRAME_HEAD_BYTES)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let crc = u32::from_le_bytes(head[4..8].try_into().ok()?);
    let first = u64::from_le_bytes(head[8..16].try_into().ok()?);
    // An empty frame is never written.
    if length == 0 || length > STORED_BYTES_MAX || !expected.contains(&first) {
        return None;
    }
    let end = at + FRAME_HEAD_BYTES + length;
    let checked = bytes.get(at + 8..end)?;
    (crc32fast::hash(checked) == crc).then_some(&bytes[at + FRAME_HEAD_BYTES..end])
}

#[cfg(test)]
mod tests;
