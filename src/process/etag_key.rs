//! The secret that names of receipts are made with: 16 bytes in a file of their own in the data directory.
//!
//! Made by the first start. Nothing depends on it but `ETag`s: without it, or with another, every client is told all its
//! screen once more.

use std::{fs, io, path::Path};

use super::durable;
use crate::domain::EtagKey;

const FILE: &str = "etag.key";
const BYTES: usize = 16;

/// The secret in the data directory `data`, which is there; a fresh one if there is none. Fails if that cannot be read or
/// kept, or is not of 16 bytes.
pub fn load(data: &Path) -> io::Result<EtagKey> {
    match fs::read(data.join(FILE)) {
        Ok(bytes) => bytes.try_into().map(EtagKey::from_bytes).map_err(|_| damaged()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(data),
        Err(error) => Err(error),
    }
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it is not of {BYTES} bytes: remove it, and another is made"),
    )
}

/// The secret in the data directory `data`, if there is one; makes none.
pub fn look(data: &Path) -> io::Result<Option<[u8; BYTES]>> {
    match fs::read(data.join(FILE)) {
        Ok(bytes) => bytes.try_into().map(Some).map_err(|_| damaged()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes `bytes` the secret in the data directory `data`, which is there and has none.
pub fn keep(data: &Path, bytes: [u8; BYTES]) -> io::Result<()> {
    durable::replace(data, FILE, &bytes)
}

/// A secret that nobody else knows, for as long as this process lives.
pub fn fresh() -> io::Result<EtagKey> {
    random().map(EtagKey::from_bytes)
}

fn random() -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn make(data: &Path) -> io::Result<EtagKey> {
    let bytes = random()?;
    keep(data, bytes)?;
    Ok(EtagKey::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_a_damaged_one_is_told() {
        let data = tempfile::tempdir().unwrap();
        let made = load(data.path()).unwrap();
        assert_eq!(load(data.path()).unwrap(), made);
        assert_eq!(look(data.path()).unwrap(), Some(made.to_bytes()));
        let other = tempfile::tempdir().unwrap();
        assert_eq!(look(other.path()).unwrap(), None);
        keep(other.path(), made.to_bytes()).unwrap();
        assert_eq!(load(other.path()).unwrap(), made, "what was kept is the same secret elsewhere");
        assert_ne!(fresh().unwrap(), made);
        fs::write(data.path().join(FILE), [7; BYTES + 1]).unwrap();
        assert_eq!(load(data.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
