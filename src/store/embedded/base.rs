//! The base: objects of bytes in sled, each replaced as a whole or not at all. `sled_db` opens and closes it.
//!
//! What sled 0.34.7 needs to be trusted with this, and gets here:
//!
//! - `flush` is no `fsync` on Linux, so each round of writes ends with `flush` and then `fdatasync` on a second
//!   descriptor of sled's file, and a round is so small that sled's log cannot reuse a segment in between.
//! - `flush_async`, batches and transactions are never used, and only the checkpoint thread calls sled.
//! - Its background flusher is off: an idle server writes nothing.
//! - A snapshot that was being written when the process died stops the next open; it is removed first.
//! - What it reads from the log it takes to be durable; so the log is synced before it is opened.
//! - A power cut in its very first open leaves files that it cannot open; so that happens beside the base's place.
//! - Values stay under 4 KiB: a leaf of 16 large ones would go to a file of its own, which sled never syncs.
//! - It may panic on damaged files, and at its end: then it is on a thread of its own, whose panic is an error.
//!
//! ```text
//!   key     kind:1  conversation:8  number:4  version:8  part:2      big-endian, so that they sort
//!   value   parts:2  up to 4 KiB of the object;  parts 0: the object is gone
//!   object  format:1  bincode  crc32:4
//! ```
//!
//! A checkpoint writes versions of its own number beside the old ones, then its *seal*, and only then removes what
//! it replaced. Versions above the newest seal are of a checkpoint that did not end, and count for nothing; so do
//! remains of versions that are being removed. The seal says how far the journal is covered, and has a digest of
//! every object there is and its version: whatever sled may lose, it is not lost unnoticed.

use std::{
    fs::File,
    io, mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    BASE_STEP_TIMEOUT, OpenError,
    conversation::Key,
    gathered::{Gathered, Newest},
    journal::sync_directory,
    object::{Kind, Object},
    record::FORMAT,
    seal::{Digest, Seal},
    sled_db,
    watchdog::Work,
};

const PART_BYTES: usize = 4 << 10;

/// Bytes of sled's log in a round: well under the 512 KiB of one of its segments, which it may use again as soon
/// as it believes its successor to be on disk.
const ROUND_BYTES: usize = 256 << 10;

/// What a write costs in sled's log beside its value. A leaf of 16 values of 4 KiB is written anew at every tenth
/// change, and each such write moves another page: 2 x 64 KiB / 10.
const WRITE_BYTES: usize = 13 << 10;

/// The open base.
pub(super) struct Base {
    db: sled::Db,
    /// sled's own file, opened a second time, to sync it.
    file: File,
    path: PathBuf,
    /// The version that the next checkpoint writes.
    version: u64,
    round_bytes: usize,
    /// Every object there is, and its version.
    digest: Digest,
    /// Keys that something newer has replaced.
    stale: Vec<sled::IVec>,
    /// Keys that say that an object is gone: to be removed behind what they are about.
    tombs: Vec<sled::IVec>,
    /// Calls of sled, for the watchdog.
    work: Arc<Work>,
}

/// Takes an object of the base; fails with what is wrong with it.
pub(super) type Each<'a> = dyn FnMut(Object, &[u8]) -> Result<(), &'static str> + Send + 'a;

impl Base {
    /// Opens the base in `path`, made if it is not there, hands every object in it to `each`, by kind, conversation
    /// and number, and returns the number of the first record that it does not cover; none if no checkpoint has
    /// ended yet.
    pub(super) fn open(path: &Path, each: &mut Each<'_>) -> Result<(Self, Option<u64>), OpenError> {
        sled_db::on_own_thread(|| Self::open_here(path, each))
            .unwrap_or_else(|error| Err(OpenError::base(path, &error)))
    }

    fn open_here(path: &Path, each: &mut Each<'_>) -> Result<(Self, Option<u64>), OpenError> {
        if !path.try_exists().map_err(OpenError::at(path))? {
            Self::make(path)?;
        }
        let mut base = Self::over(path)?;
        let seal = base.load(each)?;
        // Remains of a checkpoint that did not end; the next one must not take them for its own.
        base.remove_replaced().map_err(OpenError::at(path))?;
        base.work.rest();
        Ok((base, seal.map(|seal| seal.next_sequence)))
    }

    /// Makes an empty base beside its place, and moves it there once it is durable.
    fn make(path: &Path) -> Result<(), OpenError> {
        let new = path.with_extension("new");
        match std::fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(OpenError::at(&new)(error)),
            _ => std::fs::create_dir(&new).map_err(OpenError::at(&new))?,
        }
        let base = Self::over(&new)?;
        base.work.rest();
        drop(base);
        std::fs::rename(&new, path).map_err(OpenError::at(path))?;
        let above = path.parent().expect("invariant: the base stands in the data directory");
        sync_directory(above).map_err(OpenError::at(above))
    }

    /// sled on `path`, with all of its files and their names durable.
    fn over(path: &Path) -> Result<Self, OpenError> {
        let db = sled_db::open(path)?;
        let file = File::open(path.join("db")).map_err(OpenError::at(path))?;
        let mut base = Self {
            db,
            file,
            path: path.to_owned(),
            version: 1,
            round_bytes: 0,
            digest: Digest::default(),
            stale: Vec::new(),
            tombs: Vec::new(),
            work: Work::new("a write to the base", BASE_STEP_TIMEOUT),
        };
        base.sync_new().map_err(OpenError::at(path))?;
        Ok(base)
    }

    /// What it is busy with. Each call here begins steps of it, and none ends the last: that is for the caller.
    pub(super) fn work(&self) -> &Arc<Work> {
        &self.work
    }

    /// Gives up sled's file. After a failed write sled is left as it is: at its end it would write and sync once
    /// more.
    pub(super) fn close(self, has_failed: bool) -> io::Result<()> {
        self.work.step();
        let Self { db, work, .. } = self;
        let closed = if has_failed {
            mem::forget(db);
            Ok(())
        } else {
            sled_db::on_own_thread(|| drop(db))
        };
        work.rest();
        closed
    }

    /// A fresh base's files and their names survive a power cut from here on.
    fn sync_new(&mut self) -> io::Result<()> {
        self.sync()?;
        for name in ["conf", "db"] {
            File::open(self.path.join(name))?.sync_all()?;
        }
        sync_directory(&self.path)
    }

    fn load(&mut self, each: &mut Each<'_>) -> Result<Option<Seal>, OpenError> {
        let seal = self.newest_seal()?;
        let sealed = seal.as_ref().map_or(0, |seal| seal.version);
        let tree: sled::Tree = (*self.db).clone();
        let mut gathered: Option<Gathered> = None;
        for entry in tree.range(Object::SEAL.after()..) {
            let (key, value) = entry.map_err(|error| OpenError::base(&self.path, &error))?;
            let (object, version, part) =
                Object::parse(&key).ok_or_else(|| self.damaged("a key does not read"))?;
            self.version = self.version.max(version + 1);
            if gathered.as_ref().is_some_and(|gathered| gathered.object != object) {
                self.hand_over(gathered.take(), each)?;
            }
            gathered.get_or_insert_with(|| Gathered::new(object, sealed)).add(version, part, key, &value);
        }
        self.hand_over(gathered, each)?;
        if self.digest != seal.as_ref().map(|seal| seal.digest).unwrap_or_default() {
            return Err(self.damaged("objects are missing, or older than the last checkpoint left them"));
        }
        Ok(seal)
    }

    /// The seal that counts; those before it are stale.
    fn newest_seal(&mut self) -> Result<Option<Seal>, OpenError> {
        let mut newest = None;
        let mut last = None;
        for entry in &self.db.scan_prefix(Object::SEAL.prefix()).collect::<Vec<_>>() {
            let (key, value) = entry.as_ref().map_err(|error| OpenError::base(&self.path, error))?;
            let (_, version, _) = Object::parse(key).ok_or_else(|| self.damaged("a key does not read"))?;
            let seal = Seal::read(version, value).ok_or_else(|| self.damaged("a seal does not read"))?;
            newest = Some(seal);
            self.stale.extend(last.replace(key.clone()));
            self.version = version + 1;
        }
        Ok(newest)
    }

    fn hand_over(&mut self, gathered: Option<Gathered>, each: &mut Each<'_>) -> Result<(), OpenError> {
        let Some(gathered) = gathered else { return Ok(()) };
        let object = gathered.object;
        let newest =
            gathered.newest(&mut self.stale).ok_or_else(|| self.damaged("an object is not whole"))?;
        match newest {
            Newest::Nothing => Ok(()),
            Newest::Gone(tomb) => {
                self.tombs.push(tomb);
                Ok(())
            }
            Newest::Whole { version, bytes } => {
                self.digest.put(object, version);
                let body = checked(&bytes).ok_or_else(|| self.damaged("an object has a wrong checksum"))?;
                each(object, body).map_err(|what| self.damaged(what))
            }
        }
    }

    fn damaged(&self, what: &'static str) -> OpenError {
        OpenError::damaged(&self.path.join("db"), 0, what)
    }

    /// Writes an object, in place of the one before once [`Base::finish`] is done. Once a checkpoint each.
    pub(super) fn put(&mut self, object: Object, mut bytes: Vec<u8>) -> io::Result<()> {
        bytes.insert(0, FORMAT);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        self.replace(object)?;
        let parts: Vec<_> = bytes.chunks(PART_BYTES).collect();
        let count = u16::try_from(parts.len()).map_err(|_| io::Error::other("an object is too large"))?;
        for (at, part) in (0..).zip(parts) {
            self.insert(object.key(self.version, at), [&count.to_le_bytes()[..], part].concat())?;
        }
        self.digest.put(object, self.version);
        Ok(())
    }

    /// Removes an object once [`Base::finish`] is done.
    pub(super) fn remove(&mut self, object: Object) -> io::Result<()> {
        if self.replace(object)? {
            let tomb = object.key(self.version, 0);
            self.insert(tomb.clone(), vec![0, 0])?;
            self.tombs.push(tomb.into());
        }
        Ok(())
    }

    /// Removes all of a conversation once [`Base::finish`] is done.
    pub(super) fn remove_conversation(&mut self, conversation: Key) -> io::Result<()> {
        for kind in [Kind::Head, Kind::Slots, Kind::Page] {
            let prefix = Object { kind, conversation, number: 0 }.prefix();
            let mut objects = Vec::new();
            for key in self.db.scan_prefix(&prefix[..9]).keys() {
                objects.extend(Object::parse(&key?).map(|(object, ..)| object));
            }
            objects.dedup();
            for object in objects {
                self.remove(object)?;
            }
        }
        Ok(())
    }

    /// Notes that the versions of an object that are there have had their time; false if there is none.
    fn replace(&mut self, object: Object) -> io::Result<bool> {
        self.work.step();
        let mut last = None;
        for key in self.db.scan_prefix(object.prefix()).keys() {
            let key = key?;
            last = Object::parse(&key).map(|(_, version, _)| version);
            self.stale.push(key);
        }
        if let Some(version) = last {
            self.digest.remove(object, version);
        }
        Ok(last.is_some())
    }

    /// Makes all that was put durable and seals it, and then removes what it replaces. From here on the base
    /// covers the records before `next_sequence`.
    pub(super) fn finish(&mut self, next_sequence: u64) -> io::Result<()> {
        self.sync()?;
        let seal = Seal { version: self.version, next_sequence, digest: self.digest };
        for key in self.db.scan_prefix(Object::SEAL.prefix()).keys() {
            self.stale.push(key?);
        }
        self.insert(Object::SEAL.key(self.version, 0), seal.bytes())?;
        self.sync()?;
        self.version += 1;
        self.remove_replaced()
    }

    fn remove_replaced(&mut self) -> io::Result<()> {
        let (stale, tombs) = (mem::take(&mut self.stale), mem::take(&mut self.tombs));
        if stale.is_empty() && tombs.is_empty() {
            return Ok(());
        }
        for key in stale {
            self.db.remove(key)?;
            self.count(0)?;
        }
        self.sync()?;
        for key in tombs {
            self.db.remove(key)?;
            self.count(0)?;
        }
        self.sync()
    }

    fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) -> io::Result<()> {
        let bytes = value.len();
        self.db.insert(key, value)?;
        self.count(bytes)
    }

    /// Ends the round before it grows too large.
    fn count(&mut self, value_bytes: usize) -> io::Result<()> {
        self.work.step();
        self.round_bytes += value_bytes + WRITE_BYTES;
        if self.round_bytes >= ROUND_BYTES { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.work.step();
        self.round_bytes = 0;
        self.db.flush()?;
        self.file.sync_data()
    }
}

/// The body of an object, if its format and checksum are right.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (rest, crc) = bytes.split_last_chunk()?;
    let (format, body) = rest.split_first()?;
    (*format == FORMAT && crc32fast::hash(rest) == u32::from_le_bytes(*crc)).then_some(body)
}
