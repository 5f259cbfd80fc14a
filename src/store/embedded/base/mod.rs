//! The base: objects of bytes in sled, each replaced as a whole or not at all. `sled_db` opens and closes it.
//!
//! What sled 0.34.7 needs to be trusted with this, and gets here:
//!
//! - `flush` is no `fsync` on Linux, so each round of writes ends with `flush` and then `fdatasync` on a second
//!   descriptor of sled's file, and a round is so small that sled's log cannot reuse a segment in between.
//! - `flush_async`, batches and transactions are never used, and only the checkpoint thread calls sled.
//! - Its background flusher is off: an idle server writes nothing.
//! - While it opens its files it changes them, and syncs not all: so it opens a copy, and `home` makes that count.
//! - Its file never shrinks: when little of it lives, what lives is written into a fresh one.
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

mod gathered;
mod home;
mod load;
pub(super) mod object;
mod seal;
mod sled_db;

use std::{
    fs::File,
    io, mem,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::store::embedded::{
    BASE_STEP_TIMEOUT, OpenError,
    base::home::Home,
    base::object::{Kind, Object},
    base::seal::{Digest, Seal},
    hot::conversation::Key,
    record::FORMAT,
    watchdog::Work,
};

const PART_BYTES: usize = 4 << 10;

/// Bytes of sled's log in a round: well under the 512 KiB of one of its segments, which it may use again as soon
/// as it believes its successor to be on disk.
const ROUND_BYTES: usize = 256 << 10;

/// What a write costs in sled's log beside its value. A leaf of 16 values of 4 KiB is written anew at every tenth
/// change, and each such write moves another page: 2 x 64 KiB / 10.
const WRITE_BYTES: usize = 13 << 10;

/// A file that is no larger is left as it is; so is one of which more than a fourth is alive, and one that is less than
/// twice as long as a fresh one would be: sled takes about twice what it is given, and more of what is small.
const DEAD_BYTES: u64 = 1 << 20;
const DEAD_SHARE: u64 = 4;
const FRESH_SHARE: u64 = 2;

/// The open base.
pub(super) struct Base {
    db: sled::Db,
    /// sled's own file, opened a second time, to sync it.
    file: File,
    home: Home,
    /// The version that the next checkpoint writes.
    version: u64,
    round_bytes: usize,
    /// Every object there is, and its version.
    digest: Digest,
    /// Bytes of all keys and values.
    live_bytes: u64,
    /// How long sled's file was when it had only what lives, and how much that was; 0 if this process has never made it
    /// so.
    fresh_bytes: u64,
    fresh_live_bytes: u64,
    /// Keys that something newer has replaced.
    stale: Vec<sled::IVec>,
    /// Keys that say that an object is gone: to be removed behind what they are about.
    tombs: Vec<sled::IVec>,
    erasure: Erasure,
    renewed: Option<Instant>,
    /// Calls of sled, for the watchdog.
    work: Arc<Work>,
}

/// What is to be done about names of deleted users: sled leaves what was removed in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Erasure {
    /// There are none.
    None,
    /// There may be some, until the base moves into a fresh home.
    Due,
    /// It has, and the object that says so is still to go.
    Done,
}

/// Names of deleted users wait so long for the next fresh home, and for as long as a checkpoint may take to come: so
/// that it does not move for each of many. A start makes one at its first checkpoint.
const ERASURE_EVERY: Duration = Duration::from_hours(1);

/// Takes an object of the base; fails with what is wrong with it.
pub(super) type Each<'a> = dyn FnMut(Object, &[u8]) -> Result<(), &'static str> + Send + 'a;

impl Base {
    /// Opens a copy of the base in the data directory `data`, or a fresh one if there is none; hands every object in it
    /// to `each`, by kind, conversation and number, and returns the number of the first record that it does not cover;
    /// none if no checkpoint has ended yet. The copy counts once it has moved in; until then all is as it was.
    pub(super) fn open(data: &Path, each: &mut Each<'_>) -> Result<(Self, Option<u64>), OpenError> {
        let opened = sled_db::on_own_thread(|| Self::open_here(data, each))
            .unwrap_or_else(|error| Err(OpenError::base(&base_path(data), &error)));
        if opened.is_err() {
            Home::remove_unfinished(data);
        }
        opened
    }

    /// Makes its home the one that counts.
    pub(super) fn move_in(&mut self) -> io::Result<()> {
        self.work.step();
        // Remains of a checkpoint that did not end; the next one must not take them for its own.
        self.remove_replaced()?;
        self.sync()?;
        self.home.move_in()?;
        self.home.remove_others()?;
        self.work.rest();
        Ok(())
    }

    /// Gives up a copy that is not to count.
    pub(super) fn discard(self, data: &Path) {
        // What sled says at its end is of less interest than why it came to that.
        let _ = self.close(false);
        Home::remove_unfinished(data);
    }

    fn open_here(data: &Path, each: &mut Each<'_>) -> Result<(Self, Option<u64>), OpenError> {
        let (base, seal) = if let Some(old) = Home::newest(data).map_err(OpenError::at(data))? {
            Self::copy(&old, old.next(), each)?
        } else {
            let home = Home::first(data);
            let building = home.begin().map_err(OpenError::at(data))?;
            (Self::over(home, &building, &building)?, None)
        };
        base.work.rest();
        Ok((base, seal.map(|seal| seal.next_sequence)))
    }

    /// Reads the base in the data directory `data` by a copy in `scratch`, and leaves it as it is; the rest as
    /// [`Base::open`]. None if there is none.
    pub(super) fn look(data: &Path, scratch: &Path, each: &mut Each<'_>) -> Result<Option<u64>, OpenError> {
        let look = || {
            let Some(old) = Home::newest(data).map_err(OpenError::at(data))? else { return Ok(None) };
            let (base, seal) = Self::copy(&old, Home::first(scratch), each)?;
            base.work.rest();
            Ok(seal.map(|seal| seal.next_sequence))
        };
        sled_db::on_own_thread(look).unwrap_or_else(|error| Err(OpenError::base(&base_path(data), &error)))
    }

    /// What is in `old`, in the place where `home` is made.
    fn copy(old: &Home, home: Home, each: &mut Each<'_>) -> Result<(Self, Option<Seal>), OpenError> {
        let building = home.begin_as(old)?;
        let mut base = Self::over(home, &building, &old.path())?;
        let seal = base.load(each, &old.path())?;
        Ok((base, seal))
    }

    /// sled in the place `building` of its next home. Errors are about `named`.
    fn over(home: Home, building: &Path, named: &Path) -> Result<Self, OpenError> {
        let db = sled_db::open(building, named)?;
        let file = File::open(building.join("db")).map_err(OpenError::at(named))?;
        Ok(Self {
            db,
            file,
            home,
            version: 1,
            round_bytes: 0,
            digest: Digest::default(),
            live_bytes: 0,
            fresh_bytes: 0,
            fresh_live_bytes: 0,
            stale: Vec::new(),
            tombs: Vec::new(),
            erasure: Erasure::None,
            renewed: None,
            work: Work::new("a write to the base", BASE_STEP_TIMEOUT),
        })
    }

    /// sled's own file in the data directory `data`, for messages.
    pub(super) fn file_path(data: &Path) -> PathBuf {
        base_path(data).join("db")
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
        for kind in [Kind::Head, Kind::Slots, Kind::Shelf] {
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
        stale.into_iter().try_for_each(|key| self.delete(&key))?;
        self.sync()?;
        tombs.into_iter().try_for_each(|key| self.delete(&key))?;
        self.sync()
    }

    fn delete(&mut self, key: &sled::IVec) -> io::Result<()> {
        let removed = self.db.remove(key)?;
        self.live_bytes -= removed.map_or(0, |value| key.len() + value.len()) as u64;
        self.count(0)
    }

    /// Notes, as part of a checkpoint, whether a user was deleted whose name may be left in sled's file.
    pub(super) fn note_erasure(&mut self, is_new: bool) -> io::Result<()> {
        if is_new && self.erasure != Erasure::Due {
            self.put(Object::ERASURE, Vec::new())?;
            self.erasure = Erasure::Due;
        } else if self.erasure == Erasure::Done {
            self.remove(Object::ERASURE)?;
            self.erasure = Erasure::None;
        }
        Ok(())
    }

    fn must_erase(&self) -> bool {
        let is_rested = self.renewed.is_none_or(|renewed| renewed.elapsed() >= ERASURE_EVERY);
        self.erasure == Erasure::Due && is_rested
    }

    /// Moves into a fresh home, if little of sled's file is alive, or names must leave it. Right after [`Base::finish`].
    pub(super) fn renew_if_dead(&mut self) -> io::Result<()> {
        if self.must_erase() {
            return sled_db::on_own_thread(|| self.renew())?;
        }
        // As long as a fresh one would be, going by the last one.
        let fresh = self.fresh_bytes * self.live_bytes / self.fresh_live_bytes.max(1);
        let alive = (self.live_bytes * DEAD_SHARE).max(fresh * FRESH_SHARE).max(DEAD_BYTES);
        if self.file.metadata()?.len() <= alive {
            return Ok(());
        }
        sled_db::on_own_thread(|| self.renew())?
    }

    fn renew(&mut self) -> io::Result<()> {
        let home = self.home.next();
        let building = home.begin()?;
        let mut fresh = Self::over(home, &building, &building).map_err(io::Error::other)?;
        fresh.work = self.work.clone();
        for entry in &*self.db {
            let (key, value) = entry?;
            fresh.insert(key.to_vec(), value.to_vec())?;
        }
        fresh.version = self.version;
        fresh.digest = self.digest;
        fresh.move_in()?;
        fresh.renewed = Some(Instant::now());
        fresh.erasure = if self.erasure == Erasure::Due { Erasure::Done } else { self.erasure };
        fresh.fresh_bytes = fresh.file.metadata()?.len();
        fresh.fresh_live_bytes = fresh.live_bytes;
        *self = fresh;
        Ok(())
    }

    fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) -> io::Result<()> {
        let bytes = value.len();
        self.live_bytes += (key.len() + bytes) as u64;
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

/// What is there of a base in `data`, for messages.
fn base_path(data: &Path) -> PathBuf {
    let home = Home::newest(data).ok().flatten();
    home.unwrap_or_else(|| Home::first(data)).path()
}
