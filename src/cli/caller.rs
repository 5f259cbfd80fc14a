//! The client of a command that calls a server: where that is, and the key that a file holds.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::client::{BadServerUrl, Client, ClientError};

/// Why there is no client: bad usage, whichever it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallerError {
    #[error(transparent)]
    Server(#[from] BadServerUrl),
    #[error("cannot read the key in {}", path.display())]
    KeyFile { path: PathBuf, source: io::Error },
    #[error("{}: the first line of this file is empty, and should be an API key", .0.display())]
    NoKey(PathBuf),
    #[error("{flag} has no key")]
    Key { flag: &'static str, source: ClientError },
}

/// A client of the server at `server`. `key` is the flag that names a file whose first line is an API key, and the file.
pub(super) fn client(server: &str, key: Option<(&'static str, &Path)>) -> Result<Client, CallerError> {
    let client = Client::new(server)?;
    let Some((flag, path)) = key else { return Ok(client) };
    let file = |source| CallerError::KeyFile { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(file)?;
    let key = text.lines().next().unwrap_or_default().trim();
    if key.is_empty() {
        return Err(CallerError::NoKey(path.to_owned()));
    }
    client.with_token(key).map_err(|source| CallerError::Key { flag, source })
}
