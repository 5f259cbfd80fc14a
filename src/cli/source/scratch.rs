//! A directory for what is read of a data directory that must not change; gone in the end, whichever that is.

use std::{
    env, fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
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
pub(in crate::cli) struct Scratch(pub(in crate::cli) PathBuf);

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
        made.flatten().map(Self).map_err(|source| ScratchError { above: above.to_owned(), source })
    }
}

/// How often it is looked at once more when a signal came, and after how long: whoever was about to open it makes it anew.
const LOOKS: usize = 5;
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// Removes it while somebody may still be making files in it, who soon finds none to make them in.
fn remove(path: &Path) {
    for _ in 0..LOOKS {
        while let Err(error) = fs::remove_dir_all(path) {
            let is_going = matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound);
            if !is_going || !path.exists() {
                break;
            }
        }
        thread::sleep(LOOK_PAUSE);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whose files have gone under it has failed by that, and has nothing to say.
        interrupt::let_end();
        // What stays behind is for the system to remove.
        let _ = fs::remove_dir_all(&self.0);
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
        assert_ne!(one.0, other.0);
        assert_eq!(fs::metadata(&one.0).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(one.0.join("a"), "").unwrap();
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
