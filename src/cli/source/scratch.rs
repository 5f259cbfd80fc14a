//! A directory for what is read of a data directory that must not change; gone in the end, whichever that is.

use std::{
    env,
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
};

use crate::cli::interrupt::{self, Undo};

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[error("{}: no directory for temporary files can be made here; name another place with TMPDIR", .above.display())]
pub(in crate::cli) struct ScratchError {
    above: PathBuf,
    source: io::Error,
}

/// A directory among the temporary ones (in TMPDIR, or /tmp), for this user alone: the names of users go there. Nobody can
/// guess its name, and make it first.
#[derive(Debug)]
pub(in crate::cli) struct Scratch {
    path: PathBuf,
    /// The directory by what it is and not by its name: once it is removed, nobody makes it anew by opening something in it,
    /// as sled would.
    inside: PathBuf,
    _held: File,
}

impl Scratch {
    pub(in crate::cli) fn make() -> Result<Self, ScratchError> {
        Self::make_in(&env::temp_dir())
    }

    fn make_in(above: &Path) -> Result<Self, ScratchError> {
        let made = interrupt::undone(|| {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes)?;
            let path = above.join(format!("seenby-{:016x}", u64::from_le_bytes(bytes)));
            fs::DirBuilder::new().mode(0o700).create(&path)?;
            let doomed = path.clone();
            io::Result::Ok((path, Box::new(move || remove(&doomed)) as Undo))
        });
        let held = made.flatten().and_then(|path| Ok((File::open(&path)?, path)));
        let (held, path) = held.map_err(|source| ScratchError { above: above.to_owned(), source })?;
        let inside = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        let inside = if inside.exists() { inside } else { path.clone() };
        Ok(Self { path, inside, _held: held })
    }

    /// Where to put files.
    pub(in crate::cli) fn inside(&self) -> &Path {
        &self.inside
    }
}

/// Removes it while somebody may still be making files in it.
fn remove(path: &Path) {
    while let Err(error) = fs::remove_dir_all(path) {
        let is_going = matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound);
        if !is_going || !path.exists() {
            break;
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whose files have gone under it has failed by that, and has nothing to say.
        interrupt::let_end();
        // What stays behind is for the system to remove.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_and_is_its_users_alone() {
        let above = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Scratch::make_in(above.path()).unwrap());
        assert_ne!(one.path, other.path);
        assert_eq!(fs::metadata(&one.path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(one.inside().join("a"), "").unwrap();
        remove(&other.path);
        assert!(fs::create_dir_all(other.inside().join("b")).is_err(), "nobody makes it anew");
        drop((one, other));
        assert_eq!(fs::read_dir(above.path()).unwrap().count(), 0);
    }

    #[test]
    fn where_none_can_be_made_is_told() {
        let above = tempfile::tempdir().unwrap().path().join("gone");
        let said = Scratch::make_in(&above).unwrap_err().to_string();
        assert!(said.starts_with(above.to_str().unwrap()) && said.contains("TMPDIR"), "{said}");
    }
}
