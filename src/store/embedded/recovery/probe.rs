//! A look at a directory before a start: could a server use it?

use std::{fs, io, path::Path};

use rustix::fs::{Access, access};

use super::check_format;
use crate::store::embedded::OpenError;

/// Whether a start could use the data directory at `path`, or make it, as far as can be seen without reading what it holds.
/// Makes nothing and takes no lock, so also of a directory that a server uses. Fails as
/// [`EmbeddedStore::open`](crate::store::embedded::EmbeddedStore::open) would.
pub fn probe(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(_) => {
            may_write(path)?;
            check_format(path).map(drop)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => may_write(above(path)),
        Err(error) => Err(OpenError::at(path)(error)),
    }
}

/// The closest directory above that is there. A link that leads nowhere is in the way of one.
fn above(path: &Path) -> &Path {
    let is_there = |above: &Path| above.exists() || above.is_symlink();
    let above = path.ancestors().find(|above| above.as_os_str().is_empty() || is_there(above));
    above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether files can be made in a directory.
fn may_write(directory: &Path) -> Result<(), OpenError> {
    // What is no directory has nothing below it.
    let inside = fs::metadata(directory.join("."));
    let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    inside.and_then(|_| Ok(access(directory, all)?)).map_err(OpenError::at(directory))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::embedded::{EmbeddedStore, Options};

    #[test]
    fn what_a_start_would_refuse_is_told_and_nothing_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let (data, file) = (directory.path().join("a/b"), directory.path().join("file"));
        probe(&data).unwrap();
        assert!(!directory.path().join("a").exists());
        let store = EmbeddedStore::open(&data, Options::default()).unwrap();
        probe(&data).unwrap();
        drop(store);
        fs::write(data.join("FORMAT"), "seenby 9999").unwrap();
        assert!(matches!(probe(&data), Err(OpenError::Newer { .. })));
        fs::remove_file(data.join("FORMAT")).unwrap();
        assert!(matches!(probe(&data), Err(OpenError::NotOurs { .. })));
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        for path in [&link, &link.join("below")] {
            assert!(matches!(probe(path), Err(OpenError::Io { path, .. }) if path == link));
        }
        fs::write(&file, "").unwrap();
        for path in [&file, &file.join("below")] {
            let Err(OpenError::Io { path: told, source }) = probe(path) else { panic!("{}", path.display()) };
            assert_eq!((told, source.kind()), (path.clone(), io::ErrorKind::NotADirectory));
        }
    }

    #[test]
    fn where_nothing_can_be_made_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let closed = directory.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
        // Nothing is closed to root.
        let is_closed = fs::create_dir(closed.join("tried")).is_err();
        for path in [&closed, &closed.join("below/it")] {
            if is_closed {
                assert!(matches!(probe(path), Err(OpenError::Io { path, .. }) if path == closed));
            } else {
                fs::remove_dir(closed.join("tried")).ok();
                probe(path).unwrap();
            }
        }
    }
}
