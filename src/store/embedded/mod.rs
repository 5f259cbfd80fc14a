//! The embedded engine: one machine, one directory, nothing beside it.
//!
//! ```text
//!   writes ─► commit ─► journal      our append-only file: what makes a write durable
//!                │
//!                ▼ publishes
//!   reads ◄──── hot ◄── what is cold and asked for ──┐
//!                │      comes back from the pages    │
//!                ▼ checkpoint                        │
//!              pages                 append-only files: messages and who has read them
//!              base                  sled: heads, names, where each page stands; and the seal
//! ```
//!
//! Recovery starts from base and pages, and lets the journal's records take effect on top.
//!
//! What must hold:
//!
//! - A write is published only once the journal has it on disk, and answered only once it is published.
//! - One thread decides and publishes, another calls sled. No request waits for a write to a disk that is not its own;
//!   a read of what is cold waits for that page.
//! - A record is physical and numbered; whatever it changes remembers the last number, so replaying one twice, or
//!   on top of a newer checkpoint, changes nothing.
//! - A checkpoint counts once it is sealed. The journal before it goes only then.
//! - After the first failed write nothing is acknowledged any more; `fdatasync` is never tried again.
//! - Nobody waits for good: a disk that hangs ends the process, by the watchdog.
//!
//! A data directory:
//!
//! ```text
//!   LOCK  FORMAT  journal/00000000000000000001.journal …  journal/answered
//!   pages/0000000001.pages …  base.1/ (sled's own)
//! ```
//!
//! | module | what it is about |
//! |---|---|
//! | `engine` | the threads, and the calls of the contract |
//! | `commit` | deciding writes on drafts, making them durable, showing them |
//! | `hot` | what is in memory: conversations, what records do to them, which pages are there and how the others come back |
//! | `journal`, `record` | the append-only file, and what stands in it |
//! | `checkpoint` | from memory to disk |
//! | `pages`, `base`, `stored` | the page files, sled, and the bytes of what they hold |
//! | `recovery` | from disk to memory, the offline check, and a look at a directory that no server uses |
//! | `export`, `restore` | the state of one instant as a dump's pieces, and a directory made of a dump |
//! | `watchdog` | ends a process whose disk hangs |
//!
//! A slot is never given back while its conversation lives.

mod base;
mod checkpoint;
mod commit;
mod engine;
mod export;
#[doc(hidden)]
pub mod fuzzing;
mod hot;
mod journal;
mod pages;
mod record;
mod recovery;
mod restore;
mod stored;
mod watchdog;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

pub use engine::EmbeddedStore;
pub use recovery::{Checked, Offline, check, probe};
pub use restore::{RestoreError, restore};

/// The thread that sled opens and closes the base on. A panic there is an error: [`OpenError::Base`], or that the store
/// failed.
pub const BASE_THREAD: &str = "base";

/// How long one step of a checkpoint may take: a round of writes to sled and its sync. Nobody waits for it, so it
/// has longer than a commit.
pub const BASE_STEP_TIMEOUT: Duration = Duration::from_mins(1);

/// How the engine is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// A checkpoint begins when the journal has so many bytes. At four times as many, writes are refused with
    /// [`StoreError::Overloaded`](super::StoreError::Overloaded) until one is done.
    pub journal_bytes_max: u64,
    /// A checkpoint begins when the last one is so long ago, if anything has changed.
    pub checkpoint_every: Duration,
    /// How much memory may hold conversations, as near as it is counted. Pages that are not looked at make way and are
    /// read back when they are. At an eighth of it in changes a checkpoint begins; at half of it, writes are refused
    /// with [`StoreError::Overloaded`](super::StoreError::Overloaded) until that is done.
    pub hot_bytes_max: u64,
    /// A commit that takes longer ends the process: everybody would wait for it for good. So does a step of a
    /// checkpoint that takes longer than [`BASE_STEP_TIMEOUT`].
    pub commit_timeout: Duration,
}

impl Default for Options {
    /// 64 MiB of journal, 60 seconds, 256 MiB of memory, 10 seconds.
    fn default() -> Self {
        Self {
            journal_bytes_max: 64 << 20,
            checkpoint_every: Duration::from_mins(1),
            hot_bytes_max: 256 << 20,
            commit_timeout: Duration::from_secs(10),
        }
    }
}

/// Why a data directory cannot be opened. What was answered is still in it as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has it open.
    #[error(
        "{}: another server is using this data directory; stop it, or give this one another with --data",
        path.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// It has files in it, and they are not seenby's.
    #[error(
        "{}: this directory is not empty and is not seenby's; give an empty or a new one with --data",
        path.display()
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
    /// There is nothing of ours in it.
    #[error("{}: there is no data of seenby in this directory", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// A newer version wrote it.
    #[error(
        "{}: written in format {format}, and this version knows formats up to {}; use the newer version",
        path.display(), record::FORMAT
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// An older version wrote it, which nobody was to keep data in.
    #[error(
        "{}: written in format {format}, of before the first release; this version reads format {} alone: start with a \
         new directory, and have the chat register and mark anew",
        path.display(), record::FORMAT
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// A file does not say what we wrote.
    #[error("{}: damaged at byte {at}: {what}; restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file, as near as is known.
        at: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// sled cannot open the base, and does not tell which of its files is to blame.
    #[error("{}: {} cannot be opened: {what}; restore the data directory from a backup", path.display(), base_files(path))]
    Base {
        /// sled's directory.
        path: PathBuf,
        /// What sled says.
        what: String,
    },
    /// The file system said no.
    #[error("{}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// The names of sled's files: one of them is damaged.
fn base_files(path: &Path) -> String {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "blobs");
    names.sort();
    names.join(", ")
}

impl OpenError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    fn damaged(path: &Path, at: u64, what: &'static str) -> Self {
        Self::Damaged { path: path.to_owned(), at, what }
    }

    fn base(path: &Path, error: &dyn fmt::Display) -> Self {
        Self::Base { path: path.to_owned(), what: error.to_string() }
    }
}
