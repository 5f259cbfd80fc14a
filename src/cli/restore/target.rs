//! The directory that is restored to: all is made inside it, in one of its own, and moved up in the end.
//!
//! ```text
//!   DIR/LOCK                      held, so that no server begins there
//!   DIR/restore.new/…             what is made; moved up file by file, `FORMAT` last
//! ```
//!
//! Inside, and not beside, since the directory may be where a file system is mounted, or the only place that this user may
//! write to. Without `FORMAT` no server opens it, so that whatever ends this leaves nothing that is taken for whole.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const MAKING: &str = "restore.new";
const LOCK: &str = "LOCK";
const FORMAT: &str = "FORMAT";

/// What stands in a data directory; where it has no `FORMAT`, a restore that was killed while it moved left it.
const OURS: [&str; 6] = [MAKING, LOCK, "journal", "pages", "base.1", "etag.key"];

/// Why a directory cannot be restored to.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    /// There is something in it.
    #[error("{}: this directory is not empty ({what}); give an empty or a new one with --data", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// Something that is in it.
        what: String,
    },
    /// A server or another restore has it.
    #[error("{}: a server or another restore is using this directory; give another one with --data", .0.display())]
    Locked(PathBuf),
    /// The file system says no.
    #[error("{}: cannot be written", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> TargetError {
    let path = path.to_owned();
    move |source| TargetError::Io { path, source }
}

/// A directory in the making. Dropped before [`Target::end`], all is as it was.
#[derive(Debug)]
pub(super) struct Target {
    data: PathBuf,
    making: PathBuf,
    _lock: File,
    /// Directories that were not there before, the outermost first.
    made: Vec<PathBuf>,
    had_lock: bool,
    is_done: bool,
}

impl Target {
    /// Takes `data`, if it is empty, or makes it.
    pub(super) fn begin(data: &Path) -> Result<Self, TargetError> {
        refuse_if_not_empty(data)?;
        let made = make(data).map_err(at(data))?;
        let path = data.join(LOCK);
        let had_lock = path.exists();
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(&path).map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(TargetError::Locked(data.to_owned())),
            Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
        }
        let making = data.join(MAKING);
        let target = Self { data: data.to_owned(), making, _lock: lock, made, had_lock, is_done: false };
        // Once more, now that nobody else can begin. What an earlier restore left goes.
        refuse_if_not_empty(data)?;
        target.clear().map_err(at(data))?;
        Ok(target)
    }

    /// Where to make it.
    pub(super) fn making(&self) -> &Path {
        &self.making
    }

    /// Moves what was made to its place, for good.
    pub(super) fn end(mut self) -> Result<(), TargetError> {
        self.move_up().map_err(at(&self.data))?;
        self.is_done = true;
        Ok(())
    }

    fn move_up(&self) -> io::Result<()> {
        let sync = || File::open(&self.data)?.sync_all();
        for entry in fs::read_dir(&self.making)? {
            let name = entry?.file_name();
            if name != LOCK && name != FORMAT {
                fs::rename(self.making.join(&name), self.data.join(&name))?;
            }
        }
        // The names are on disk before the one that makes them count.
        sync()?;
        fs::rename(self.making.join(FORMAT), self.data.join(FORMAT))?;
        sync()?;
        fs::remove_dir_all(&self.making)
    }

    /// Removes all that a restore makes.
    fn clear(&self) -> io::Result<()> {
        for name in OURS.iter().filter(|name| **name != LOCK) {
            let path = self.data.join(name);
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.is_done || self.data.join(FORMAT).exists() {
            return;
        }
        let undo = || {
            self.clear()?;
            if !self.had_lock {
                fs::remove_file(self.data.join(LOCK))?;
            }
            self.made.iter().rev().try_for_each(fs::remove_dir)
        };
        if let Err(error) = undo() {
            eprintln!("seenby: {}: something stays behind: {error}", self.data.display());
        }
    }
}

/// Refuses a directory with anything in it but what is nobody's, or of a restore that was killed.
fn refuse_if_not_empty(data: &Path) -> Result<(), TargetError> {
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(data)(error)),
    };
    let names: io::Result<Vec<_>> =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect();
    let names = names.map_err(at(data))?;
    // A file system that is mounted there brings one of its own.
    let is_empty = |name: &str| name == LOCK || name == "lost+found";
    let was_restored = names.iter().any(|name| name == MAKING);
    let is_left = |name: &str| was_restored && OURS.contains(&name);
    match names.iter().find(|name| !is_empty(name) && !is_left(name)) {
        Some(what) => Err(TargetError::NotEmpty { path: data.to_owned(), what: what.clone() }),
        None => Ok(()),
    }
}

/// Makes the directory and those above it; returns those that were not there.
fn make(data: &Path) -> io::Result<Vec<PathBuf>> {
    let missing: Vec<_> =
        data.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists()).collect();
    let mut made = Vec::new();
    for directory in missing.into_iter().rev() {
        fs::DirBuilder::new().mode(0o700).create(directory)?;
        made.push(directory.to_owned());
        let above =
            directory.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(above)?.sync_all()?;
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::embedded::{EmbeddedStore, OpenError, Options};

    /// Something made as a restore would.
    fn fill(target: &Target) {
        drop(EmbeddedStore::open(target.making(), Options::default()).unwrap());
    }

    #[test]
    fn what_is_given_up_leaves_all_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("a/b");
        let target = Target::begin(&data).unwrap();
        assert!(matches!(Target::begin(&data), Err(TargetError::Locked(_))));
        fill(&target);
        drop(target);
        assert!(!directory.path().join("a").exists());
        fs::create_dir_all(data.join("lost+found")).unwrap();
        drop(Target::begin(&data).unwrap());
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    }

    #[test]
    fn what_is_moved_up_opens_and_no_step_before_that_does() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        let refused =
            || matches!(EmbeddedStore::open(data, Options::default()), Err(OpenError::NotOurs { .. }));
        // As kill -9 leaves it: half made, then half moved.
        for moved in [&[][..], &["journal"], &["journal", "pages", "base.1"]] {
            let target = Target::begin(data).unwrap();
            fill(&target);
            moved.iter().for_each(|name| fs::rename(data.join(MAKING).join(name), data.join(name)).unwrap());
            // The lock of a process that was killed goes with it; this one stays, so the file makes way.
            std::mem::forget(target);
            fs::remove_file(data.join(LOCK)).unwrap();
            assert!(refused(), "{moved:?}");
        }
        let target = Target::begin(data).unwrap();
        fill(&target);
        target.end().unwrap();
        assert!(!data.join(MAKING).exists());
        drop(EmbeddedStore::open(data, Options::default()).unwrap());
        let full = Target::begin(data).unwrap_err();
        assert!(matches!(full, TargetError::NotEmpty { .. }), "{full}");
    }
}
