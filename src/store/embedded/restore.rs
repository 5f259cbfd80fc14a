//! Restore: a data directory made of a dump, without a store: what it would come to after a last checkpoint.
//!
//! Pages are written as they come, and what stands in the base a conversation at a time, so that it takes no memory for
//! more than where pages stand. Only the seal in the end makes it count: a directory that this did not finish opens
//! empty.

use std::{fs, io, io::Read, path::Path};

use crate::domain::{ConversationId, UserId};
use crate::store::dump::{DumpError, Item, Reader};
use crate::store::embedded::{
    OpenError,
    base::Base,
    base::object::{Kind, Object},
    hot::conversation::{Head, HotPage, Key, PageNumber},
    journal::{Journal, sync_directory},
    pages::{Book, PageName},
    recovery::{JOURNAL, Recovered, recover},
    stored::{
        BLOCK_SLOTS, SHELF_PAGES, head_bytes, hidden_bucket, hidden_bytes, page_bytes, shelf_bytes,
        slots_bytes,
    },
};

/// How far the generations of a restored store are from those of the dump: further than the store that it was taken of
/// can have come since, so that an `ETag` of what was lost names nothing new.
const GENERATIONS_APART: u64 = 1 << 40;

/// All objects are of the one checkpoint there has been, and were changed by a record before the first.
const SEQUENCE: u64 = 1;

/// Why a dump cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is a store already, and it is not empty.
    #[error("{}: there is data in this directory already; give a new or an empty one", .0.display())]
    NotEmpty(std::path::PathBuf),
    /// The dump is of no use.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// The directory is of no use.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It could not be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes the data directory at `path`, which is empty or not there, hold what the dump does; calls `each` with the number of
/// messages in every piece. Whatever goes wrong leaves a directory that opens empty, or does not open.
pub fn restore(
    path: &Path,
    reader: &mut Reader<impl Read>,
    mut each: impl FnMut(usize),
) -> Result<(), RestoreError> {
    let recovered = recover(path, 0)?;
    if recovered.next_sequence != 1 {
        return Err(RestoreError::NotEmpty(path.to_owned()));
    }
    let Recovered { lock, base, book, journal, hot, .. } = recovered;
    drop((journal, hot));
    let mut restoring = Restoring { base, book, open: None, conversations: 0, hidden: Vec::new() };
    let written = restoring.take_all(reader, &mut each);
    let next_sequence = reader.head().generation_next.max(restoring.conversations + 2);
    let next_sequence = next_sequence.saturating_add(GENERATIONS_APART);
    let at = |source| RestoreError::Write { path: path.to_owned(), source };
    let sealed = written.and_then(|()| restoring.seal(next_sequence).map_err(at));
    let closed = restoring.base.close(sealed.is_err()).map_err(at);
    sealed.and(closed)?;
    begin_journal(&path.join(JOURNAL), next_sequence).map_err(at)?;
    drop(lock);
    Ok(())
}

/// Has the journal begin where the base ends.
fn begin_journal(directory: &Path, next_sequence: u64) -> io::Result<()> {
    fs::remove_dir_all(directory)?;
    fs::create_dir(directory)?;
    Journal::begin(directory, Vec::new(), next_sequence)?;
    directory.parent().map_or(Ok(()), sync_directory)
}

struct Restoring {
    base: Base,
    book: Book,
    open: Option<Open>,
    conversations: u64,
    hidden: Vec<UserId>,
}

/// The conversation that is being written.
struct Open {
    id: ConversationId,
    key: Key,
    head: Head,
    slots: u32,
    /// Names of a block that is not full yet.
    names: Vec<String>,
}

impl Open {
    fn object(&self, kind: Kind, number: u32) -> Object {
        Object { kind, conversation: self.key, number }
    }
}

impl Restoring {
    fn take_all(
        &mut self,
        reader: &mut Reader<impl Read>,
        each: &mut impl FnMut(usize),
    ) -> Result<(), RestoreError> {
        let path = self.book.directory().to_owned();
        while let Some(item) = reader.next()? {
            each(item.messages());
            self.take(item).map_err(|source| RestoreError::Write { path: path.clone(), source })?;
        }
        self.end_conversation().map_err(|source| RestoreError::Write { path, source })
    }

    fn take(&mut self, item: Item) -> io::Result<()> {
        match item {
            Item::Hidden(users) => self.hidden.extend(users),
            Item::Conversation { id, order_highest } => {
                self.end_conversation()?;
                self.conversations += 1;
                let head = Head { order_highest, sequence: SEQUENCE, ..Head::default() };
                let key = Key(self.conversations);
                self.open = Some(Open { id, key, head, slots: 0, names: Vec::new() });
            }
            Item::Names(names) => {
                for name in names {
                    let open = self.open();
                    open.names.push(name.map_or_else(String::new, |name| name.as_str().to_owned()));
                    open.slots += 1;
                    if open.slots.is_multiple_of(BLOCK_SLOTS) {
                        self.end_block()?;
                    }
                }
            }
            Item::Roster { version, members } => {
                self.open().head.members =
                    Some(crate::domain::Members { version, slots: std::sync::Arc::new(members) });
            }
            Item::Run(page) => {
                let open = self.open();
                let name = PageName { conversation: open.key, number: PageNumber(open.head.page_next) };
                open.head.page_next += 1;
                let (id, is_shelf_full) = (open.id.clone(), open.head.page_next.is_multiple_of(SHELF_PAGES));
                self.book.put(&id, name, &page_bytes(&HotPage { page, sequence: SEQUENCE }))?;
                if is_shelf_full {
                    self.end_shelf()?;
                }
            }
        }
        Ok(())
    }

    fn open(&mut self) -> &mut Open {
        self.open.as_mut().expect("invariant: a reader checks what follows what")
    }

    fn end_block(&mut self) -> io::Result<()> {
        let open = self.open();
        let names = std::mem::take(&mut open.names);
        let block = open.object(Kind::Slots, (open.slots - 1) / BLOCK_SLOTS);
        self.base.put(block, slots_bytes(&names))
    }

    fn end_shelf(&mut self) -> io::Result<()> {
        let open = self.open();
        let shelf = (open.head.page_next - 1) / SHELF_PAGES;
        let (key, object) = (open.key, open.object(Kind::Shelf, shelf));
        let first = shelf * SHELF_PAGES;
        let pages = self.book.pages(key, first..first + SHELF_PAGES);
        self.base.put(object, shelf_bytes(pages))
    }

    fn end_conversation(&mut self) -> io::Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        let (has_names, has_shelf) =
            (!open.names.is_empty(), !open.head.page_next.is_multiple_of(SHELF_PAGES));
        let (head, bytes) = (open.object(Kind::Head, 0), head_bytes(&open.id, &open.head, open.slots));
        if has_names {
            self.end_block()?;
        }
        if has_shelf {
            self.end_shelf()?;
        }
        self.open = None;
        self.base.put(head, bytes)
    }

    fn seal(&mut self, next_sequence: u64) -> io::Result<()> {
        let mut hidden = std::mem::take(&mut self.hidden);
        hidden.sort_by_key(|user| hidden_bucket(user.as_str()));
        for bucket in
            hidden.chunk_by(|one, other| hidden_bucket(one.as_str()) == hidden_bucket(other.as_str()))
        {
            let number = hidden_bucket(bucket[0].as_str());
            let users = bucket.iter().map(|user| user.as_str().to_owned()).collect();
            self.base
                .put(Object { kind: Kind::Hidden, conversation: Key(0), number }, hidden_bytes(users))?;
        }
        self.book.sync()?;
        self.base.finish(next_sequence)
    }
}
