//! When the last backup was taken that was kept whole: a time in a file of its own in the data directory, so that whoever
//! watches for old backups goes on watching over a restart.

use std::{fs, io, path::Path};

use super::durable;
use crate::domain::Timestamp;

const FILE: &str = "backup.last";

/// When that was, as the data directory `data` has it; none if there was none yet. Fails if the file cannot be read, or has
/// no time in it.
pub fn load(data: &Path) -> io::Result<Option<Timestamp>> {
    match fs::read_to_string(data.join(FILE)) {
        Ok(text) => match text.trim_end().parse() {
            Ok(unix_ms) => Ok(Some(Timestamp { unix_ms })),
            Err(_) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "it is no time; the next backup mends it"))
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps that it was at `at`, in milliseconds since 1970 as text, durably.
pub fn keep(data: &Path, at: Timestamp) -> io::Result<()> {
    durable::replace(data, FILE, format!("{}\n", at.unix_ms).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_kept_and_what_is_no_time_is_told() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(load(data.path()).unwrap(), None);
        for unix_ms in [1_793_000_000_123, 1_793_000_060_000] {
            keep(data.path(), Timestamp { unix_ms }).unwrap();
            assert_eq!(load(data.path()).unwrap(), Some(Timestamp { unix_ms }));
        }
        fs::write(data.path().join(FILE), "yesterday").unwrap();
        assert_eq!(load(data.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
