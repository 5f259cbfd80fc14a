//! The directory that is restored to: all is made inside it, in one of its own, and moved up in the end.
//!
//! ```text
//!   DIR/LOCK                      held, so that no server begins there
//!   DIR/restore.new/…             what is made
//!   DIR/restore.moving/…          the same once it is whole; moved up file by file, `FORMAT` last
//! ```
//!
//! Inside, and not beside, since the directory may be where a file system is mounted, or the only place that this user may
//! write to. Without `FORMAT` no server opens it, so that whatever ends this leaves nothing that is taken for whole.
//!
//! Nothing is removed but what a restore made: of what stands beside `restore.moving`, that is what is no longer in it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Once},
};

use super::gate::Gate;
use crate::cli::interrupt;

const MAKING: &str = "restore.new";
const MOVING: &str = "restore.moving";
const LOCK: &str = "LOCK";
const FORMAT: &str = "FORMAT";

/// What is moved up before `FORMAT`, in this order. The last may not be there.
const MOVED: [&str; 4] = ["journal", "pages", "base.1", "etag.key"];

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

/// A directory in the making. Dropped before [`Target::end`], or ended by a signal before that, all is as it was.
#[derive(Debug)]
pub(super) struct Target {
    making: PathBuf,
    _lock: File,
    before: Before,
}

/// How a directory was.
#[derive(Debug, Clone)]
struct Before {
    data: PathBuf,
    /// Directories that were not there, the outermost first.
    made: Vec<PathBuf>,
    had_lock: bool,
    /// What fails and is ended by a signal at once is not undone twice, when somebody else may have begun there.
    restored: Arc<Once>,
}

impl Target {
    /// Takes `data`, if it is empty, or makes it. Whoever uses it stays inside `gate` while it does.
    pub(super) fn begin(data: &Path, gate: &Arc<Gate>) -> Result<Self, TargetError> {
        refuse_if_not_empty(data)?;
        let begun = interrupt::undone(|| {
            let target = Self::take(data)?;
            let (before, gate) = (target.before.clone(), gate.clone());
            let undo: interrupt::Undo = Box::new(move || {
                gate.shut();
                before.restore();
            });
            Ok((target, undo))
        });
        begun.map_err(at(data))?
    }

    fn take(data: &Path) -> Result<Self, TargetError> {
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
        // Once more, now that nobody else can begin. What an earlier restore left goes.
        refuse_if_not_empty(data)?;
        let before = Before { data: data.to_owned(), made, had_lock, restored: Arc::new(Once::new()) };
        let target = Self { making: data.join(MAKING), _lock: lock, before };
        clear(data).map_err(at(data))?;
        Ok(target)
    }

    /// Where to make it.
    pub(super) fn making(&self) -> &Path {
        &self.making
    }

    /// Moves what was made to its place, for good.
    pub(super) fn end(self) -> Result<(), TargetError> {
        self.move_up().map_err(at(&self.before.data))
    }

    fn move_up(&self) -> io::Result<()> {
        let data = &self.before.data;
        let (moving, sync) = (data.join(MOVING), || File::open(data)?.sync_all());
        fs::rename(&self.making, &moving)?;
        sync()?;
        for name in MOVED.iter().filter(|name| moving.join(name).exists()) {
            move_to_free(&moving.join(name), &data.join(name))?;
        }
        // The names are on disk before the one that makes them count.
        sync()?;
        fs::rename(moving.join(FORMAT), data.join(FORMAT))?;
        sync()?;
        fs::remove_dir_all(moving)
    }
}

/// Renames to a name that nobody has taken meanwhile.
fn move_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("somebody else has made {}", to.display()),
        )),
        Err(_) => fs::rename(from, to),
    }
}

impl Before {
    /// Makes it so again, if the restore was not done.
    fn restore(&self) {
        self.restored.call_once(|| {
            if let Err(error) = self.undo() {
                eprintln!("seenby: {}: something stays behind: {error}", self.data.display());
            }
        });
    }

    fn undo(&self) -> io::Result<()> {
        if self.data.join(FORMAT).exists() {
            return Ok(());
        }
        clear(&self.data)?;
        if !self.had_lock {
            fs::remove_file(self.data.join(LOCK))?;
        }
        self.made.iter().rev().try_for_each(fs::remove_dir)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.before.restore();
    }
}

/// Removes all that restores have made. Ended half-way, what is left is still known as theirs.
fn clear(data: &Path) -> io::Result<()> {
    let (making, moving) = (data.join(MAKING), data.join(MOVING));
    remove(&making)?;
    for name in MOVED.iter().filter(|name| was_moved(data, name)) {
        remove(&data.join(name))?;
    }
    if moving.exists() {
        fs::rename(&moving, &making)?;
    }
    remove(&making)
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether what has this name is of a restore that ended while it moved: it and those before it are where they belong.
fn was_moved(data: &Path, name: &str) -> bool {
    let moving = data.join(MOVING);
    let at = MOVED.iter().position(|moved| *moved == name);
    moving.is_dir() && at.is_some_and(|at| MOVED[..=at].iter().all(|moved| !moving.join(moved).exists()))
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
    let is_left = |name: &str| {
        let is_making = [MAKING, MOVING].contains(&name) && data.join(name).is_dir();
        is_making || was_moved(data, name)
    };
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

    fn begin(data: &Path) -> Result<Target, TargetError> {
        // Not through `Target::begin`: the signals of the tests are nobody's.
        refuse_if_not_empty(data)?;
        Target::take(data)
    }

    /// Something made as a restore would.
    fn fill(target: &Target) {
        drop(EmbeddedStore::open(target.making(), Options::default()).unwrap());
    }

    #[test]
    fn what_is_given_up_leaves_all_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("a/b");
        let target = begin(&data).unwrap();
        assert!(matches!(begin(&data), Err(TargetError::Locked(_))));
        fill(&target);
        drop(target);
        assert!(!directory.path().join("a").exists());
        fs::create_dir_all(data.join("lost+found")).unwrap();
        drop(begin(&data).unwrap());
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    }

    /// As kill -9 leaves it, after so many were moved; none while it is being made.
    fn kill_after(data: &Path, moved: Option<usize>) {
        let target = begin(data).unwrap();
        fill(&target);
        if let Some(moved) = moved {
            fs::rename(data.join(MAKING), data.join(MOVING)).unwrap();
            for name in &MOVED[..moved] {
                fs::rename(data.join(MOVING).join(name), data.join(name)).unwrap();
            }
        }
        // The lock of a process that was killed goes with it; this one stays, so the file makes way.
        std::mem::forget(target);
        fs::remove_file(data.join(LOCK)).unwrap();
    }

    #[test]
    fn what_is_moved_up_opens_and_no_step_before_that_does() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path();
        for moved in [None, Some(0), Some(1), Some(3)] {
            kill_after(data, moved);
            let opened = EmbeddedStore::open(data, Options::default());
            assert!(matches!(opened, Err(OpenError::NotOurs { .. })), "{moved:?}");
        }
        let target = begin(data).unwrap();
        fill(&target);
        target.end().unwrap();
        assert!(!data.join(MAKING).exists() && !data.join(MOVING).exists());
        drop(EmbeddedStore::open(data, Options::default()).unwrap());
        let full = begin(data).unwrap_err();
        assert!(matches!(full, TargetError::NotEmpty { .. }), "{full}");
    }

    #[test]
    fn what_no_restore_has_made_is_never_removed() {
        for moved in [None, Some(0), Some(1)] {
            let directory = tempfile::tempdir().unwrap();
            let data = directory.path();
            kill_after(data, moved);
            let names = MOVED.iter().filter(|name| !data.join(name).exists());
            for name in names.chain(&["somebody's"]) {
                fs::write(data.join(name), "precious").unwrap();
                let refused = begin(data).unwrap_err();
                assert!(
                    matches!(&refused, TargetError::NotEmpty { what, .. } if what == name),
                    "{moved:?}: {refused}"
                );
                assert_eq!(fs::read_to_string(data.join(name)).unwrap(), "precious");
                fs::remove_file(data.join(name)).unwrap();
            }
            // Nor what somebody makes while a restore is under way.
            let target = begin(data).unwrap();
            fill(&target);
            fs::write(data.join("pages"), "precious").unwrap();
            assert!(target.end().unwrap_err().to_string().contains("cannot be written"));
            assert_eq!(fs::read_to_string(data.join("pages")).unwrap(), "precious");
            assert!(!data.join("journal").exists(), "what was moved before is gone");
        }
    }
}
