//! sled's beginning and end, where it does what it likes: it may be locked by a process that has just died, trip over
//! a snapshot of its own, and panic, on damaged files or on a disk that fails.

use std::{any::Any, fs::File, io, path::Path, thread, time::Duration};

use super::{BASE_THREAD, OpenError, journal::sync_directory};

/// sled takes about ten times what it is told.
const CACHE_BYTES: u64 = 8 << 20;

/// How long sled's file lock may outlive the process that held it.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Does what sled may panic in on a thread that the process survives; the panic becomes an error.
pub(super) fn on_own_thread<T: Send>(call: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let called = thread::Builder::new().name(BASE_THREAD.to_owned()).spawn_scoped(scope, call)?;
        called.join().map_err(|panic| io::Error::other(format!("sled panicked: {}", said(&*panic))))
    })
}

/// What a panic had to say.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it does not say why")
}

/// Opens the database in `path`, and makes one where there is none.
pub(super) fn open(path: &Path) -> Result<sled::Db, OpenError> {
    remove_unfinished_snapshots(path).map_err(OpenError::at(path))?;
    sync_log(path).map_err(OpenError::at(path))?;
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let mut tries = 0;
    loop {
        match config.open() {
            Err(sled::Error::Io(error)) if is_lock(&error) && tries < LOCK_TRIES => {
                tries += 1;
                thread::sleep(LOCK_PAUSE);
            }
            Err(sled::Error::Io(error)) => return Err(OpenError::at(path)(error)),
            opened => return opened.map_err(|error| OpenError::base(path, &error)),
        }
    }
}

/// A snapshot that sled was still writing when the process died stops its next open. Whole ones stay: without them
/// sled may take more of its log for a torn end than is torn.
fn remove_unfinished_snapshots(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            tracing::warn!(file = %path.display(), "removed a snapshot that sled had not finished");
            std::fs::remove_file(&path)?;
        }
    }
    sync_directory(path)
}

/// Makes durable what sled is about to read: a process that was killed may have left some of its log unsynced.
fn sync_log(path: &Path) -> io::Result<()> {
    match File::open(path.join("db")) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// sled wraps the lock's error into one of its own, with the kind `Other`.
fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(on_own_thread(|| 7).unwrap(), 7);
        let error = on_own_thread(|| panic!("page {} is not there", 3)).unwrap_err();
        assert_eq!(error.to_string(), "sled panicked: page 3 is not there");
    }
}
