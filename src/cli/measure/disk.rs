//! Directories: one that goes when it is done with, and how much of the disk one takes.

use std::{
    fs, io, iter,
    ops::Sub,
    os::unix::fs::FileTypeExt,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// A new directory, removed with all that is in it when dropped.
#[derive(Debug)]
pub(in crate::cli) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// Makes one in `within`, under a name that no other bench of this machine has at the same time.
    pub(in crate::cli) fn make(within: &Path, keep: bool) -> io::Result<Self> {
        let path = within.join(format!("seenby-bench-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self { path, keep })
    }

    /// A directory in it, which need not be there yet.
    pub(in crate::cli) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("kept: {}", self.path.display());
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// What a directory takes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(in crate::cli) struct Size {
    /// What counts: the larger of the other two, file by file.
    pub(in crate::cli) bytes: u64,
    /// The blocks that are allocated.
    pub(in crate::cli) allocated: u64,
    /// The lengths that the files say.
    pub(in crate::cli) apparent: u64,
}

impl Size {
    /// Of everything in and below `path`. What goes while it is being looked at does not count.
    pub(in crate::cli) fn of(path: &Path) -> Self {
        files(path).iter().filter_map(|file| fs::metadata(file).ok()).fold(Self::default(), |sum, file| {
            let (allocated, apparent) = (file.blocks() * 512, file.len());
            Self {
                bytes: sum.bytes + allocated.max(apparent),
                allocated: sum.allocated + allocated,
                apparent: sum.apparent + apparent,
            }
        })
    }
}

impl Sub for Size {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(less.bytes),
            allocated: self.allocated.saturating_sub(less.allocated),
            apparent: self.apparent.saturating_sub(less.apparent),
        }
    }
}

/// Every file in and below `path`.
pub(in crate::cli) fn files(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    entries
        .flat_map(|entry| {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder { files(&entry.path()) } else { iter::once(entry.path()).collect() }
        })
        .collect()
}

/// Copies all files of `from` to the new directory `to`; a socket that a killed server left is none.
pub(in crate::cli) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if !kind.is_socket() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_with_its_blocks_or_its_length() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/short"), b"x").unwrap();
        let hollow = fs::File::create(dir.path().join("hollow")).unwrap();
        hollow.set_len(1 << 20).unwrap();
        hollow.sync_all().unwrap();
        let size = Size::of(dir.path());
        assert_eq!(size.apparent, (1 << 20) + 1);
        assert!(size.bytes >= size.apparent && size.bytes >= size.allocated, "{size:?}");
        assert!(size.allocated < 1 << 20, "the hollow file has no blocks: {size:?}");

        let copied = tempfile::tempdir().unwrap();
        copy(dir.path(), &copied.path().join("b")).unwrap();
        assert_eq!(Size::of(copied.path()).apparent, size.apparent);
        assert_eq!((size - Size::of(copied.path())).apparent, 0);
    }

    #[test]
    fn a_folder_is_gone_when_it_is_done_with() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(dir.path(), false).unwrap();
        fs::create_dir_all(folder.join("data/more")).unwrap();
        drop(folder);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
