//! Where a backup goes: a file that has its name only once it is whole and on disk, or a pipe.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, OFlags, RenameFlags, renameat_with},
    io::Errno,
    process::geteuid,
};

use crate::cli::interrupt::{self, Undo};

/// Why a backup has nowhere to go.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// There is a file already.
    #[error("{}: is there already; name another file, or replace this one with --force", .0.display())]
    Exists(PathBuf),
    /// Somebody is writing to it.
    #[error("{}: another backup is being written to it; wait for it, or name another file", .0.display())]
    Taken(PathBuf),
    /// What is to become it is not ours.
    #[error("{}: is no file of this user's alone; remove it, or name another file", .0.display())]
    Foreign(PathBuf),
    /// It is no name of a file.
    #[error("{}: is not the name of a file", .0.display())]
    NoFile(PathBuf),
    /// The file system says no.
    #[error("{}: cannot be written", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

/// Takes a backup. Dropped before [`Output::end`] it leaves nothing.
pub(super) enum Output {
    /// A file in the making.
    File { file: PathBuf, part: PathBuf, out: File, is_kept: bool },
    /// Whatever takes bytes as they come.
    Pipe(PathBuf, Box<dyn Write>),
}

fn at(file: &Path) -> impl FnOnce(io::Error) -> OutputError {
    let file = file.to_owned();
    move |source| OutputError::Write { file, source }
}

impl Output {
    /// Begins to write to `file`, which must not be there unless `may_replace`.
    pub(super) fn begin(file: &Path, may_replace: bool) -> Result<Self, OutputError> {
        if file == Path::new("-") {
            return Ok(Self::Pipe("standard output".into(), Box::new(io::stdout().lock())));
        }
        if let Ok(there) = fs::metadata(file) {
            let kind = there.file_type();
            if kind.is_fifo() || kind.is_char_device() {
                let pipe = OpenOptions::new().write(true).open(file).map_err(at(file))?;
                return Ok(Self::Pipe(file.to_owned(), Box::new(pipe)));
            }
            if !kind.is_file() {
                return Err(OutputError::NoFile(file.to_owned()));
            }
        }
        refuse_if_there(file, may_replace)?;
        let mut part = file.file_name().ok_or_else(|| OutputError::NoFile(file.to_owned()))?.to_owned();
        part.push(".part");
        let part = file.with_file_name(part);
        // Once it is open it is ours, also where an earlier backup was killed and left it.
        let out = interrupt::undone(|| {
            let (out, doomed) = (open_part(&part)?, part.clone());
            Ok((out, Box::new(move || drop(fs::remove_file(doomed))) as Undo))
        });
        let out = out.map_err(at(&part))??;
        let output = Self::File { file: file.to_owned(), part: part.clone(), out, is_kept: false };
        if let Self::File { out, .. } = &output {
            out.set_len(0).map_err(at(&part))?;
            out.set_permissions(fs::Permissions::from_mode(0o600)).map_err(at(&part))?;
        }
        Ok(output)
    }

    /// Makes what was written durable, and gives it its name.
    pub(super) fn end(mut self, may_replace: bool) -> Result<(), OutputError> {
        match &mut self {
            Self::Pipe(name, pipe) => pipe.flush().map_err(at(name)),
            Self::File { file, part, out, is_kept } => {
                out.sync_all().map_err(at(part))?;
                give_name(part, file, may_replace)?;
                *is_kept = true;
                let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
                let directory = directory.unwrap_or(Path::new("."));
                File::open(directory).and_then(|directory| directory.sync_all()).map_err(at(directory))
            }
        }
    }
}

/// Opens the file in the making, or one that a backup which was killed has left. It is ours alone from then on.
fn open_part(part: &Path) -> Result<File, OutputError> {
    loop {
        // Not through a link, since whoever made it says where it leads; and nobody is waited for, as a pipe's reader is.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).expect("invariant: flags of open(2) are an int");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let out = options.open(part).map_err(at(part))?;
        let opened = out.metadata().map_err(at(part))?;
        let is_elsewhere_too = opened.nlink() > 1;
        if !opened.is_file() || is_elsewhere_too || opened.uid() != geteuid().as_raw() {
            return Err(OutputError::Foreign(part.to_owned()));
        }
        match out.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OutputError::Taken(part.to_owned())),
            Err(TryLockError::Error(error)) => return Err(at(part)(error)),
        }
        // Whoever had it until now may have given it its name: then it is a whole backup, and no longer this one.
        let same = |there: fs::Metadata| (there.dev(), there.ino()) == (opened.dev(), opened.ino());
        if fs::symlink_metadata(part).is_ok_and(same) {
            return Ok(out);
        }
    }
}

/// Renames, in one step with looking whether the name is free, where the file system can.
fn give_name(part: &Path, file: &Path, may_replace: bool) -> Result<(), OutputError> {
    if !may_replace {
        match renameat_with(CWD, part, CWD, file, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => return Err(OutputError::Exists(file.to_owned())),
            // A file system that cannot.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => refuse_if_there(file, may_replace)?,
            Err(error) => return Err(at(file)(error.into())),
        }
    }
    fs::rename(part, file).map_err(at(file))
}

fn refuse_if_there(file: &Path, may_replace: bool) -> Result<(), OutputError> {
    match fs::symlink_metadata(file) {
        Ok(_) if !may_replace => Err(OutputError::Exists(file.to_owned())),
        _ => Ok(()),
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File { out, .. } => out.write(bytes),
            Self::Pipe(_, pipe) => pipe.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File { out, .. } => out.flush(),
            Self::Pipe(_, pipe) => pipe.flush(),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Self::File { part, is_kept: false, .. } = self
            && let Err(error) = fs::remove_file(&*part)
        {
            eprintln!("seenby: {}: stays behind: {error}", part.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_once_it_is_whole_and_one_that_fails_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a");
        fs::write(directory.path().join("a.part"), "left by one that was killed").unwrap();
        let mut output = Output::begin(&file, false).unwrap();
        output.write_all(b"one").unwrap();
        assert!(matches!(Output::begin(&file, false), Err(OutputError::Taken(_))));
        assert_eq!(names(directory.path()), ["a.part"]);
        output.end(false).unwrap();
        assert_eq!(
            (fs::read(&file).unwrap(), names(directory.path())),
            (b"one".to_vec(), vec!["a".to_owned()])
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Output::begin(&file, false), Err(OutputError::Exists(_))));
        drop(Output::begin(&file, true).unwrap());
        assert_eq!(
            (fs::read(&file).unwrap(), names(directory.path())),
            (b"one".to_vec(), vec!["a".to_owned()])
        );
        let mut output = Output::begin(&file, true).unwrap();
        output.write_all(b"two").unwrap();
        output.end(true).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
    }

    #[test]
    fn a_link_where_it_is_made_leads_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let (file, other) = (directory.path().join("a"), directory.path().join("other"));
        fs::write(&other, "precious").unwrap();
        std::os::unix::fs::symlink(&other, directory.path().join("a.part")).unwrap();
        assert!(matches!(Output::begin(&file, false), Err(OutputError::Write { .. })));
        assert_eq!(fs::read(&other).unwrap(), b"precious");
        fs::remove_file(directory.path().join("a.part")).unwrap();
        fs::hard_link(&other, directory.path().join("a.part")).unwrap();
        assert!(matches!(Output::begin(&file, false), Err(OutputError::Foreign(_))));
        assert_eq!(fs::read(&other).unwrap(), b"precious");
    }

    #[test]
    fn a_pipe_where_it_is_made_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (file, part) = (directory.path().join("a"), directory.path().join("a.part"));
        rustix::fs::mkfifoat(CWD, &part, rustix::fs::Mode::RWXU).unwrap();
        assert!(matches!(Output::begin(&file, false), Err(OutputError::Write { .. })));
        let _reader = OpenOptions::new().read(true).write(true).open(&part).unwrap();
        assert!(matches!(Output::begin(&file, false), Err(OutputError::Foreign(_))));
    }

    #[test]
    fn one_that_got_its_name_while_another_waited_for_it_stays_whole() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a");
        let mut output = Output::begin(&file, false).unwrap();
        output.write_all(b"one").unwrap();
        // What another has opened by then is this file, under its new name.
        let opened = OpenOptions::new().write(true).open(directory.path().join("a.part")).unwrap();
        output.end(false).unwrap();
        opened.try_lock().unwrap();
        let other = Output::begin(&file, true).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"one");
        drop((opened, other));
    }

    #[test]
    fn a_file_that_somebody_made_meanwhile_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a");
        let output = Output::begin(&file, false).unwrap();
        fs::write(&file, "precious").unwrap();
        assert!(matches!(output.end(false), Err(OutputError::Exists(_))));
        assert_eq!(
            (fs::read(&file).unwrap(), names(directory.path())),
            (b"precious".to_vec(), vec!["a".to_owned()])
        );
        assert!(matches!(Output::begin(directory.path(), true), Err(OutputError::NoFile(_))));
    }
}
