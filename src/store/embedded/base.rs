//! The base: objects of bytes in sled, each replaced as a whole or not at all. The one file that names sled.
//!
//! What sled 0.34.7 needs to be trusted with this, and gets here:
//!
//! - `flush` is no `fsync` on Linux, so each round of writes ends with `flush` and then `fdatasync` on a second
//!   descriptor of sled's file, and a round is so small that sled's log cannot reuse a segment in between.
//! - `flush_async`, batches and transactions are never used, and only the checkpoint thread calls sled.
//! - Its background flusher is off: an idle server writes nothing.
//! - A snapshot that was being written when the process died stops the next open; it is removed first.
//! - Values stay under 4 KiB: a leaf of 16 large ones would go to a file of its own, which sled never syncs.
//!
//! ```text
//!   key     kind:1  conversation:8  number:4  version:8  part:2      big-endian, so that they sort
//!   value   parts:2  up to 4 KiB of the object
//!   object  format:1  bincode  crc32:4
//! ```
//!
//! An object that is written again gets a new version beside the old one, which goes only after the new one is
//! durable. Of several versions the newest whole one counts.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use super::{OpenError, conversation::Key, journal::sync_directory, record::FORMAT};

const PART_BYTES: usize = 4 << 10;

/// Bytes of values in a round. sled writes up to ten times as much log, since it rewrites the leaves around them;
/// that has to stay near the 512 KiB of one of its segments.
const ROUND_BYTES: usize = 64 << 10;

/// sled takes about ten times what it is told.
const CACHE_BYTES: u64 = 8 << 20;

/// How long sled's file lock may outlive the process that held it.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The head of a conversation.
    Head = 1,
    /// A block of its slots.
    Slots = 2,
    /// A page of its messages.
    Page = 3,
}

/// Names an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) conversation: Key,
    /// 0 for the head, else the number of the block or page.
    pub(super) number: u32,
}

impl Object {
    const PREFIX_BYTES: usize = 1 + 8 + 4;
    const KEY_BYTES: usize = Self::PREFIX_BYTES + 8 + 2;

    fn prefix(self) -> [u8; Self::PREFIX_BYTES] {
        let mut prefix = [0; Self::PREFIX_BYTES];
        prefix[0] = self.kind as u8;
        prefix[1..9].copy_from_slice(&self.conversation.0.to_be_bytes());
        prefix[9..].copy_from_slice(&self.number.to_be_bytes());
        prefix
    }

    fn key(self, version: u64, part: u16) -> Vec<u8> {
        [&self.prefix()[..], &version.to_be_bytes(), &part.to_be_bytes()].concat()
    }

    fn parse(key: &[u8]) -> Option<(Self, u64, u16)> {
        let key: &[u8; Self::KEY_BYTES] = key.try_into().ok()?;
        let kind = match key[0] {
            1 => Kind::Head,
            2 => Kind::Slots,
            3 => Kind::Page,
            _ => return None,
        };
        let conversation = Key(u64::from_be_bytes(key[1..9].try_into().ok()?));
        let number = u32::from_be_bytes(key[9..13].try_into().ok()?);
        let version = u64::from_be_bytes(key[13..21].try_into().ok()?);
        let part = u16::from_be_bytes(key[21..].try_into().ok()?);
        Some((Self { kind, conversation, number }, version, part))
    }
}

/// The open base.
pub(super) struct Base {
    db: sled::Db,
    /// sled's own file, opened a second time, to sync it.
    file: File,
    path: PathBuf,
    /// The version that this checkpoint writes.
    version: u64,
    round_bytes: usize,
    /// Keys of versions that something newer has replaced.
    stale: Vec<sled::IVec>,
}

impl Base {
    /// Opens the base in `path`, and hands every object in it to `each`, by kind, conversation and number.
    pub(super) fn open(
        path: &Path,
        mut each: impl FnMut(Object, &[u8]) -> Result<(), &'static str>,
    ) -> Result<Self, OpenError> {
        remove_unfinished_snapshots(path).map_err(OpenError::at(path))?;
        let db = open_sled(path)?;
        let file = File::open(path.join("db")).map_err(OpenError::at(path))?;
        let mut base =
            Self { db, file, path: path.to_owned(), version: 0, round_bytes: 0, stale: Vec::new() };
        base.sync_new().map_err(OpenError::at(path))?;
        base.load(&mut each)?;
        base.version += 1;
        Ok(base)
    }

    /// A fresh base's files and their names survive a power cut from here on.
    fn sync_new(&mut self) -> io::Result<()> {
        self.sync()?;
        for name in ["conf", "db"] {
            File::open(self.path.join(name))?.sync_all()?;
        }
        sync_directory(&self.path)
    }

    fn load(
        &mut self,
        each: &mut impl FnMut(Object, &[u8]) -> Result<(), &'static str>,
    ) -> Result<(), OpenError> {
        let mut gathered: Option<Gathered> = None;
        let tree: sled::Tree = (*self.db).clone();
        for entry in &tree {
            let (key, value) = entry.map_err(|error| OpenError::base(&self.path, &error))?;
            let (object, version, part) =
                Object::parse(&key).ok_or_else(|| self.damaged("a key does not read"))?;
            self.version = self.version.max(version);
            if gathered.as_ref().is_some_and(|gathered| gathered.object != object) {
                self.hand_over(gathered.take(), each)?;
            }
            gathered.get_or_insert_with(|| Gathered::new(object)).add(version, part, key, &value);
        }
        self.hand_over(gathered, each)
    }

    fn hand_over(
        &mut self,
        gathered: Option<Gathered>,
        each: &mut impl FnMut(Object, &[u8]) -> Result<(), &'static str>,
    ) -> Result<(), OpenError> {
        let Some(gathered) = gathered else { return Ok(()) };
        let object = gathered.object;
        let (bytes, stale) = gathered.newest().ok_or_else(|| self.damaged("an object is not whole"))?;
        self.stale.extend(stale);
        let body = checked(&bytes).ok_or_else(|| self.damaged("an object has a wrong checksum"))?;
        each(object, body).map_err(|what| self.damaged(what))
    }

    fn damaged(&self, what: &'static str) -> OpenError {
        OpenError::damaged(&self.path.join("db"), 0, what)
    }

    /// Writes an object, in place of the one before once [`Base::finish`] is done.
    pub(super) fn put(&mut self, object: Object, mut bytes: Vec<u8>) -> io::Result<()> {
        bytes.insert(0, FORMAT);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        self.forget(&object.prefix())?;
        let parts: Vec<_> = bytes.chunks(PART_BYTES).collect();
        let count = u16::try_from(parts.len()).map_err(|_| io::Error::other("an object is too large"))?;
        for (at, part) in (0..).zip(parts) {
            let value = [&count.to_le_bytes()[..], part].concat();
            self.round_bytes += value.len();
            self.db.insert(object.key(self.version, at), value)?;
            self.end_round()?;
        }
        Ok(())
    }

    /// Removes an object once [`Base::finish`] is done.
    pub(super) fn remove(&mut self, object: Object) -> io::Result<()> {
        self.forget(&object.prefix())
    }

    /// Removes all of a conversation once [`Base::finish`] is done.
    pub(super) fn remove_conversation(&mut self, conversation: Key) -> io::Result<()> {
        for kind in [Kind::Head, Kind::Slots, Kind::Page] {
            let prefix = Object { kind, conversation, number: 0 }.prefix();
            self.forget(&prefix[..9])?;
        }
        Ok(())
    }

    fn forget(&mut self, prefix: &[u8]) -> io::Result<()> {
        for key in self.db.scan_prefix(prefix).keys() {
            self.stale.push(key?);
        }
        Ok(())
    }

    /// Makes all that was put durable, and then removes what it replaces.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.sync()?;
        for key in std::mem::take(&mut self.stale) {
            self.round_bytes += PART_BYTES / 8;
            self.db.remove(key)?;
            self.end_round()?;
        }
        self.version += 1;
        self.sync()
    }

    fn end_round(&mut self) -> io::Result<()> {
        if self.round_bytes >= ROUND_BYTES { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.round_bytes = 0;
        self.db.flush()?;
        self.file.sync_data()
    }
}

/// Versions of one object, on the way in.
struct Gathered {
    object: Object,
    /// Oldest first.
    versions: Vec<Version>,
}

struct Version {
    number: u64,
    keys: Vec<sled::IVec>,
    bytes: Vec<u8>,
    /// Parts seen, in order and without a gap; none once one was missing.
    seen: Option<u16>,
    parts: u16,
}

impl Gathered {
    fn new(object: Object) -> Self {
        Self { object, versions: Vec::new() }
    }

    fn add(&mut self, version: u64, part: u16, key: sled::IVec, value: &[u8]) {
        if self.versions.last().is_none_or(|last| last.number != version) {
            self.versions.push(Version {
                number: version,
                keys: vec![],
                bytes: vec![],
                seen: Some(0),
                parts: 0,
            });
        }
        let last = self.versions.last_mut().expect("invariant: one was just put there");
        last.keys.push(key);
        last.seen = match (last.seen, value.split_first_chunk()) {
            (Some(seen), Some((parts, bytes))) if seen == part => {
                last.parts = u16::from_le_bytes(*parts);
                last.bytes.extend_from_slice(bytes);
                Some(seen + 1)
            }
            _ => None,
        };
    }

    /// The newest whole version, and the keys of the others.
    fn newest(mut self) -> Option<(Vec<u8>, Vec<sled::IVec>)> {
        let newest = self.versions.iter().rposition(|version| version.seen == Some(version.parts))?;
        let bytes = self.versions.swap_remove(newest).bytes;
        Some((bytes, self.versions.into_iter().flat_map(|version| version.keys).collect()))
    }
}

/// The body of an object, if its format and checksum are right.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (rest, crc) = bytes.split_last_chunk()?;
    let (format, body) = rest.split_first()?;
    (*format == FORMAT && crc32fast::hash(rest) == u32::from_le_bytes(*crc)).then_some(body)
}

fn remove_unfinished_snapshots(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::warn!(file = %path.display(), "removed a snapshot that sled had not finished");
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn open_sled(path: &Path) -> Result<sled::Db, OpenError> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let mut tries = 0;
    loop {
        match config.open() {
            Err(sled::Error::Io(error)) if is_lock(&error) && tries < LOCK_TRIES => {
                tries += 1;
                sleep(LOCK_PAUSE);
            }
            opened => return opened.map_err(|error| OpenError::base(path, &error)),
        }
    }
}

/// sled wraps the lock's error into one of its own, with the kind `Other`.
fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}
