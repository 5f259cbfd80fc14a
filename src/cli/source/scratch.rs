//! A directory for what is read of a data directory that must not change; gone in the end.

use std::{fs, os::unix::fs::DirBuilderExt, path::PathBuf};

use crate::store::embedded::OpenError;

/// A directory among the temporary ones, for this user alone: the names of users go there.
#[derive(Debug)]
pub(in crate::cli) struct Scratch(pub(in crate::cli) PathBuf);

impl Scratch {
    pub(in crate::cli) fn make() -> Result<Self, OpenError> {
        let path = std::env::temp_dir().join(format!("seenby-{}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(OpenError::Io { path, source }),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is for the system to remove.
        let _ = fs::remove_dir_all(&self.0);
    }
}
