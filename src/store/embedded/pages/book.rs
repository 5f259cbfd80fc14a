//! The book of the page files: what stands where, what is garbage, and where the next page goes.
//!
//! Pages are only ever appended. The extent that a page leaves is garbage from the next seal on. A file without
//! anything else is removed; so expiry gives disk back, since messages that were written together mostly expire
//! together. When garbage is more than an eighth of what is live, the files with most of it are emptied: what lives in
//! them is appended anew.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{Extent, HEAD_BYTES, PageName, at, extent_bytes, file_head, file_path};
use crate::{
    domain::ConversationId,
    store::embedded::{
        hot::conversation::{Key, PageNumber},
        journal::sync_directory,
    },
};

/// A file that has so many bytes takes no more pages.
const FILE_BYTES: u64 = 32 << 20;

/// How many bytes may wait for their sync: a large checkpoint must not hold up the journal's syncs.
const UNSYNCED_BYTES: u64 = 4 << 20;

/// Garbage that is left alone, and the share of live bytes beyond that.
const GARBAGE_BYTES: u64 = 256 << 10;
const GARBAGE_SHARE: u64 = 8;

/// When a checkpoint has moved so much, the rest is left to the next.
const MOVED_BYTES: u64 = 64 << 20;

/// The pages of one conversation.
#[derive(Debug)]
struct Filed {
    id: ConversationId,
    /// By number.
    pages: Vec<(PageNumber, Extent)>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Use {
    bytes: u64,
    live: u64,
}

/// A page that was appended anew, as it was.
#[derive(Debug)]
pub(in crate::store::embedded) struct Moved {
    pub(in crate::store::embedded) id: ConversationId,
    pub(in crate::store::embedded) name: PageName,
    pub(in crate::store::embedded) from: Extent,
    pub(in crate::store::embedded) to: Extent,
}

/// The book. What it says counts once the shelves that say so are sealed.
#[derive(Debug)]
pub(in crate::store::embedded) struct Book {
    directory: PathBuf,
    conversations: HashMap<Key, Filed>,
    files: BTreeMap<u32, Use>,
    open: Option<(u32, File)>,
    /// Files up to this one take no more pages.
    closed: u32,
    unsynced: u64,
    /// Whether a file was made whose name is not durable yet.
    has_new_file: bool,
}

impl Book {
    /// The book over `directory`, which is there, with nothing in it yet.
    pub(in crate::store::embedded) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            conversations: HashMap::new(),
            files: BTreeMap::new(),
            open: None,
            closed: 0,
            unsynced: 0,
            has_new_file: false,
        }
    }

    pub(in crate::store::embedded) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Enters a page that a sealed shelf names.
    pub(in crate::store::embedded) fn enter(&mut self, id: &ConversationId, name: PageName, extent: Extent) {
        self.release(name);
        let of = self.conversations.entry(name.conversation);
        let filed = of.or_insert_with(|| Filed { id: id.clone(), pages: Vec::new() });
        let at = filed.pages.partition_point(|(number, _)| *number < name.number);
        filed.pages.insert(at, (name.number, extent));
        self.files.entry(extent.file).or_default().live += u64::from(extent.length);
    }

    /// Takes note of the length of a file that was found.
    pub(super) fn measured(&mut self, file: u32, bytes: u64) {
        self.files.entry(file).or_default().bytes = bytes;
    }

    /// Every page and where it stands, file by file.
    pub(in crate::store::embedded) fn by_file(&self) -> BTreeMap<u32, Vec<(Extent, PageName)>> {
        let mut files: BTreeMap<u32, Vec<(Extent, PageName)>> = BTreeMap::new();
        for (&conversation, filed) in &self.conversations {
            for &(number, extent) in &filed.pages {
                files.entry(extent.file).or_default().push((extent, PageName { conversation, number }));
            }
        }
        files.values_mut().for_each(|extents| extents.sort_unstable());
        files
    }

    /// Where the pages `numbers` of a conversation stand.
    pub(in crate::store::embedded) fn pages(
        &self,
        conversation: Key,
        numbers: std::ops::Range<u32>,
    ) -> &[(PageNumber, Extent)] {
        let Some(filed) = self.conversations.get(&conversation) else { return &[] };
        let below = |end: u32| filed.pages.partition_point(|(number, _)| number.0 < end);
        &filed.pages[below(numbers.start)..below(numbers.end)]
    }

    /// Appends a page, and returns where it stands.
    pub(in crate::store::embedded) fn put(
        &mut self,
        id: &ConversationId,
        name: PageName,
        page: &[u8],
    ) -> io::Result<Extent> {
        let extent = self.append(&extent_bytes(name, page)?)?;
        self.enter(id, name, extent);
        Ok(extent)
    }

    /// Forgets a page, if it is there.
    pub(in crate::store::embedded) fn remove(&mut self, name: PageName) {
        self.release(name);
        if self.conversations.get(&name.conversation).is_some_and(|filed| filed.pages.is_empty()) {
            self.conversations.remove(&name.conversation);
        }
    }

    /// Forgets all pages of a conversation.
    pub(in crate::store::embedded) fn remove_conversation(&mut self, conversation: Key) {
        let Some(filed) = self.conversations.remove(&conversation) else { return };
        for (_, extent) in filed.pages {
            self.free(extent);
        }
    }

    fn release(&mut self, name: PageName) {
        let Some(filed) = self.conversations.get_mut(&name.conversation) else { return };
        if let Ok(at) = filed.pages.binary_search_by_key(&name.number, |(number, _)| *number) {
            let (_, extent) = filed.pages.remove(at);
            self.free(extent);
        }
    }

    fn free(&mut self, extent: Extent) {
        if let Some(used) = self.files.get_mut(&extent.file) {
            used.live -= u64::from(extent.length);
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<Extent> {
        let number = self.make_writable()?;
        let (Some((_, file)), Some(used)) = (&self.open, self.files.get_mut(&number)) else {
            unreachable!("invariant: a file is open and in the book");
        };
        let offset = u32::try_from(used.bytes).map_err(|_| io::Error::other("a page file is too large"))?;
        file.write_all_at(bytes, used.bytes).map_err(|error| at(&self.directory, &error))?;
        used.bytes += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= UNSYNCED_BYTES {
            self.sync_file()?;
        }
        let length = u32::try_from(bytes.len()).map_err(|_| io::Error::other("a page is too large"))?;
        Ok(Extent { file: number, offset, length })
    }

    /// Opens the file that takes the next page: the last one, until it is full. Returns its number.
    fn make_writable(&mut self) -> io::Result<u32> {
        let last = self.files.last_key_value().map(|(number, used)| (*number, used.bytes));
        let (number, is_new) = match last {
            Some((number, bytes)) if number > self.closed && bytes < FILE_BYTES => (number, false),
            Some((number, _)) => (number.max(self.closed) + 1, true),
            None => (self.closed + 1, true),
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            self.sync_file()?;
            self.open = Some((number, self.open_file(number, is_new)?));
        }
        Ok(number)
    }

    fn open_file(&mut self, number: u32, is_new: bool) -> io::Result<File> {
        let path = file_path(&self.directory, number);
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(is_new).open(&path).map_err(|error| at(&path, &error))?;
        if is_new {
            file.write_all(&file_head(number)).map_err(|error| at(&path, &error))?;
            self.has_new_file = true;
            self.files.insert(number, Use { bytes: HEAD_BYTES as u64, live: 0 });
        }
        Ok(file)
    }

    /// Empties files until little is garbage, or much was moved: what lives in them is appended anew. Calls `step` with
    /// each page.
    pub(in crate::store::embedded) fn clean(&mut self, step: impl Fn()) -> io::Result<Vec<Moved>> {
        let emptied = self.to_be_emptied();
        let Some(last) = emptied.last() else { return Ok(Vec::new()) };
        self.closed = self.closed.max(*last);
        let mut moved = Vec::new();
        let mut found = Vec::new();
        for (&conversation, filed) in &self.conversations {
            for &(number, from) in filed.pages.iter().filter(|(_, extent)| emptied.contains(&extent.file)) {
                found.push((from, PageName { conversation, number }, filed.id.clone()));
            }
        }
        found.sort_unstable_by_key(|(from, ..)| *from);
        for (from, name, id) in found {
            step();
            let page = super::read(&self.directory, from, name)?;
            let to = self.put(&id, name, &page)?;
            moved.push(Moved { id, name, from, to });
        }
        Ok(moved)
    }

    fn to_be_emptied(&self) -> BTreeSet<u32> {
        let live: u64 = self.files.values().map(|used| used.live).sum();
        // Files of which nothing lives go by themselves.
        let in_use = self.files.values().filter(|used| used.live > 0);
        let mut garbage: u64 = in_use.map(|used| used.bytes - used.live).sum();
        let mut candidates: Vec<_> = self.files.iter().filter(|(_, used)| used.live > 0).collect();
        candidates.sort_by_key(|(_, used)| used.live * 1_000 / used.bytes.max(1));
        let mut emptied = BTreeSet::new();
        let mut moved = 0;
        for (number, used) in candidates {
            if moved > MOVED_BYTES
                || garbage <= GARBAGE_BYTES + live / GARBAGE_SHARE
                || used.live * 100 > used.bytes * 97
            {
                break;
            }
            garbage -= used.bytes - used.live;
            moved += used.live;
            emptied.insert(*number);
        }
        emptied
    }

    /// Makes all that was put durable.
    pub(in crate::store::embedded) fn sync(&mut self) -> io::Result<()> {
        self.sync_file()?;
        if std::mem::take(&mut self.has_new_file) {
            sync_directory(&self.directory)?;
        }
        Ok(())
    }

    fn sync_file(&mut self) -> io::Result<()> {
        self.unsynced = 0;
        match &self.open {
            Some((_, file)) => file.sync_data().map_err(|error| at(&self.directory, &error)),
            None => Ok(()),
        }
    }

    /// Removes the files that nothing needs any more. Only after a seal: the one before may need them.
    pub(in crate::store::embedded) fn remove_empty(&mut self) -> io::Result<()> {
        let empty: Vec<_> =
            self.files.iter().filter(|(_, used)| used.live == 0).map(|(number, _)| *number).collect();
        for number in &empty {
            if self.open.as_ref().is_some_and(|(open, _)| open == number) {
                self.open = None;
            }
            let path = file_path(&self.directory, *number);
            std::fs::remove_file(&path).map_err(|error| at(&path, &error))?;
            self.files.remove(number);
            // Its number is not used again while somebody may still look for it.
            self.closed = self.closed.max(*number);
        }
        if empty.is_empty() { Ok(()) } else { sync_directory(&self.directory) }
    }

    /// Bytes on disk.
    pub(in crate::store::embedded) fn bytes(&self) -> u64 {
        self.files.values().map(|used| used.bytes).sum()
    }
}
