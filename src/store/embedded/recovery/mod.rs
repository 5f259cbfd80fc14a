//! Recovery: from what is on disk to a store that can commit.
//!
//! The base gives each object as some checkpoint left it; the journal's records are then applied on top, each
//! object skipping those it has. At the end the state is that of the last answered write, or of a write that was
//! on its way when the process died.

mod found;
mod probe;

use std::{
    fmt,
    fs::{File, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
    thread::sleep,
    time::Duration,
};

pub use self::probe::probe;
use crate::domain::ConversationId;
use crate::store::dump::Export;
use crate::store::embedded::{
    OpenError,
    base::Base,
    commit::Tracker,
    export::Exported,
    hot::Hot,
    journal::{self, Journal, Replayed, sync_directory},
    pages::{self, Book},
    record::FORMAT,
    recovery::found::Found,
};

pub(super) const LOCK: &str = "LOCK";
pub(super) const FORMAT_FILE: &str = "FORMAT";
const FORMAT_NEW: &str = "FORMAT.new";
pub(super) const JOURNAL: &str = "journal";
pub(super) const PAGES: &str = "pages";

/// A store that was recovered, in its parts.
pub(super) struct Recovered {
    pub(super) lock: File,
    pub(super) base: Base,
    pub(super) book: Book,
    pub(super) journal: Journal,
    pub(super) hot: Hot,
    pub(super) tracker: Tracker,
    pub(super) next_sequence: u64,
}

/// Opens the data directory, and makes one where there is none.
pub(super) fn recover(path: &Path, hot_bytes_max: u64) -> Result<Recovered, OpenError> {
    create_directory(path).map_err(OpenError::at(path))?;
    let is_fresh = check_format(path)?;
    let lock = lock(path)?;
    if is_fresh {
        write_format(path).map_err(OpenError::at(path))?;
    }
    let (journal_path, pages_path) = (path.join(JOURNAL), path.join(PAGES));
    for directory in [&journal_path, &pages_path] {
        std::fs::create_dir_all(directory).map_err(OpenError::at(directory))?;
    }
    sync_directory(path).map_err(OpenError::at(path))?;

    let (mut found, mut book) = (Found::default(), Book::new(&pages_path));
    let (base, covered) = Base::open(path, &mut |object, bytes| found.object(object, bytes, &mut book))?;
    let read = read(path, covered, &mut found, &mut book);
    let hot = Hot::new(pages_path, hot_bytes_max);
    let whole = read.and_then(|replayed| {
        let tracker =
            found.finish(&hot).map_err(|what| OpenError::damaged(&Base::file_path(path), 0, what))?;
        Ok((replayed, tracker))
    });
    // Up to here nothing has changed that counts; from here on a start has all that it needs.
    let (replayed, tracker) = match whole {
        Ok(whole) => whole,
        Err(error) => {
            base.discard(path);
            return Err(error);
        }
    };
    let (base, journal, next_sequence) = keep(path, base, &book, replayed)?;
    Ok(Recovered { lock, base, book, journal, hot, tracker, next_sequence })
}

/// Makes what was read the state to go on from, and removes what nothing needs.
fn keep(
    path: &Path,
    mut base: Base,
    book: &Book,
    replayed: Replayed,
) -> Result<(Base, Journal, u64), OpenError> {
    let journal_path = path.join(JOURNAL);
    let kept = base.move_in().map_err(OpenError::at(path));
    let kept = kept.and_then(|()| pages::remove_others(book)).and_then(|()| journal::keep(&replayed));
    let next_sequence = replayed.next_sequence;
    let begin = || Journal::begin(&journal_path, replayed.segments, next_sequence);
    match kept.and_then(|()| begin().map_err(OpenError::at(&journal_path))) {
        Ok(journal) => Ok((base, journal, next_sequence)),
        Err(error) => {
            base.discard(path);
            Err(error)
        }
    }
}

/// What a data directory holds, by [`check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Conversations with a roster or a message.
    pub conversations: u64,
    /// Messages, expired ones among them.
    pub messages: u64,
    /// Pages in the page files, each read and checked.
    pub pages: u64,
    /// Records in the journal, whether or not a checkpoint has them.
    pub records: u64,
    /// Bytes at the journal's end of a write that was never answered; the next start cuts them off.
    pub torn_bytes: u64,
}

/// A data directory that no server uses, as a start would find it. No server can open it as long as this lives.
pub struct Offline {
    hot: Arc<Hot>,
    next_sequence: u64,
    checked: Checked,
    _lock: Option<File>,
}

impl fmt::Debug for Offline {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Offline").field("checked", &self.checked).finish_non_exhaustive()
    }
}

impl Offline {
    /// Reads all of a data directory as a start would, and changes nothing in it; what must be copied for that goes to
    /// `scratch`, an empty directory. Fails as [`EmbeddedStore::open`](super::EmbeddedStore::open) would.
    pub fn open(path: &Path, scratch: &Path) -> Result<Self, OpenError> {
        if check_format(path)? {
            return Err(OpenError::Empty { path: path.to_owned() });
        }
        let lock = lock_if_there(path)?;
        let pages_path = path.join(PAGES);
        let (mut found, mut book) = (Found::default(), Book::new(&pages_path));
        let covered = Base::look(path, scratch, &mut |object, bytes| found.object(object, bytes, &mut book))?;
        let replayed = read(path, covered, &mut found, &mut book)?;
        let hot = Hot::new(pages_path, u64::MAX);
        found.finish(&hot).map_err(|what| OpenError::damaged(&Base::file_path(path), 0, what))?;
        let checked = Checked {
            conversations: hot.conversations(),
            messages: hot.messages(),
            pages: book.by_file().values().map(|extents| extents.len() as u64).sum(),
            records: replayed.next_sequence - replayed.first_sequence,
            torn_bytes: replayed.torn_bytes,
        };
        Ok(Self { hot: Arc::new(hot), next_sequence: replayed.next_sequence, checked, _lock: lock })
    }

    /// What there is.
    #[must_use]
    pub fn checked(&self) -> Checked {
        self.checked
    }

    /// All that it holds, or what it holds of one conversation.
    #[must_use]
    pub fn export(&self, only: Option<ConversationId>) -> Option<Box<dyn Export>> {
        let exported = Exported::begin(&self.hot, self.next_sequence, only)?;
        Some(Box::new(exported))
    }
}

/// Reads all of a data directory as a start would, and changes nothing in it; what must be copied for that goes to
/// `scratch`, an empty directory. Fails as [`EmbeddedStore::open`](super::EmbeddedStore::open) would.
pub fn check(path: &Path, scratch: &Path) -> Result<Checked, OpenError> {
    Ok(Offline::open(path, scratch)?.checked)
}

/// Reads pages and journal behind a base that covers the records before `covered`.
fn read(
    path: &Path,
    covered: Option<u64>,
    found: &mut Found,
    book: &mut Book,
) -> Result<Replayed, OpenError> {
    let (journal_path, pages_path) = (path.join(JOURNAL), path.join(PAGES));
    pages::scan(book, &mut |name, extent, bytes| found.page(name, extent, bytes))?;
    found.all_pages();
    let replayed =
        journal::replay(&journal_path, |sequence, record| found.replay(sequence, record, &pages_path));
    if let Some(error) = found.take_failure() {
        return Err(OpenError::at(&pages_path)(error));
    }
    let replayed = replayed?;
    check_covered(&Base::file_path(path), &journal_path, covered, &replayed, found.sequence_highest())?;
    Ok(replayed)
}

/// Checks that base and journal belong together. sled opens without what it cannot read, so that an old state of it is
/// far likelier than a lost segment.
fn check_covered(
    base_file: &Path,
    journal_path: &Path,
    covered: Option<u64>,
    replayed: &Replayed,
    sequence_highest: u64,
) -> Result<(), OpenError> {
    let (first, next) = (replayed.first_sequence, replayed.next_sequence);
    let what = match covered {
        None if first > 1 => "it is empty, and the journal does not begin at 1",
        Some(covered) if first > covered => {
            "it ends before the journal begins: it has lost its end, or the journal its first file"
        }
        Some(covered) if covered > next || sequence_highest >= next => {
            return Err(OpenError::damaged(journal_path, 0, "it ends before records that the base has"));
        }
        _ => return Ok(()),
    };
    Err(OpenError::damaged(base_file, 0, what))
}

/// Makes the directory and those above it, so that their names survive a power cut.
fn create_directory(path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut above = Some(path);
    while let Some(directory) = above.filter(|directory| !directory.exists()) {
        missing.push(directory);
        above = directory
            .parent()
            .map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    }
    // Names of users are in it, and the secret of the ETags beside them.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for directory in missing.into_iter().chain(above) {
        sync_directory(directory)?;
    }
    Ok(())
}

/// How long a lock may outlive its process: until the last copy of its descriptor is closed, which a child may have.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

fn lock(path: &Path) -> Result<File, OpenError> {
    let lock = path.join(LOCK);
    // Whoever may read the file may take the lock on it, and keep every server out.
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&lock);
    take_lock(path, file.map_err(OpenError::at(&lock))?)
}

/// For who only looks, and may not be allowed to write. Without the file nobody uses the directory.
fn lock_if_there(path: &Path) -> Result<Option<File>, OpenError> {
    let lock = path.join(LOCK);
    match File::open(&lock) {
        Ok(file) => take_lock(path, file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::at(&lock)(error)),
    }
}

fn take_lock(path: &Path, file: File) -> Result<File, OpenError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(OpenError::at(&path.join(LOCK))(error)),
        }
    }
    Err(OpenError::Locked { path: path.to_owned() })
}

/// Refuses a directory that is somebody else's, or of a newer version, and says whether it is fresh.
fn check_format(path: &Path) -> Result<bool, OpenError> {
    let format = path.join(FORMAT_FILE);
    match std::fs::read_to_string(&format) {
        Ok(text) => {
            let version = text.trim().strip_prefix("seenby ").and_then(|version| {
                version.parse::<u32>().ok().filter(|number| number.to_string() == version)
            });
            match version {
                Some(version) if version == u32::from(FORMAT) => Ok(false),
                Some(other) if other > u32::from(FORMAT) => {
                    Err(OpenError::Newer { path: format, format: other })
                }
                Some(older @ 1..) => Err(OpenError::Older { path: format, format: older }),
                _ => Err(OpenError::damaged(&format, 0, "it does not name a format of seenby")),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut names = std::fs::read_dir(path).map_err(OpenError::at(path))?;
            // A file system that is mounted there brings one of its own.
            let is_ours = |name: &std::ffi::OsStr| name == LOCK || name == FORMAT_NEW || name == "lost+found";
            if names.any(|entry| entry.is_ok_and(|entry| !is_ours(&entry.file_name()))) {
                return Err(OpenError::NotOurs { path: path.to_owned() });
            }
            Ok(true)
        }
        Err(error) => Err(OpenError::at(&format)(error)),
    }
}

fn write_format(path: &Path) -> io::Result<()> {
    let mut file = File::create(path.join(FORMAT_NEW))?;
    writeln!(file, "seenby {FORMAT}")?;
    file.sync_all()?;
    std::fs::rename(path.join(FORMAT_NEW), path.join(FORMAT_FILE))?;
    sync_directory(path)
}
