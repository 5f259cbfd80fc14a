//! Where a store is, as the flags of `backup`, `restore` and `inspect` say it: in a directory or in a cluster.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use crate::{receipts::ClusterUrl, store::cluster};

/// Flags that say where a store is.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Place {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = "./seenby-data")]
    pub(in crate::cli) data: PathBuf,

    /// A Valkey Cluster in place of a directory: valkey://HOST:PORT,HOST:PORT/PREFIX
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub(in crate::cli) store: Option<ClusterUrl>,

    /// Whom to be to the cluster's nodes; left out, their default user
    #[arg(long, value_name = "NAME", requires = "store")]
    store_user: Option<String>,

    /// A file with that user's password
    #[arg(long, value_name = "FILE", requires = "store")]
    store_password: Option<PathBuf>,
}

/// A password that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the password in {}", .0.display())]
pub(in crate::cli) struct ReadPassword(PathBuf, #[source] io::Error);

impl Place {
    /// The cluster, if it is one.
    pub(in crate::cli) fn cluster(&self) -> Result<Option<cluster::Options>, ReadPassword> {
        let Some(url) = &self.store else { return Ok(None) };
        let mut options = cluster::Options::new(url.clone());
        options.user.clone_from(&self.store_user);
        options.password = self.store_password.as_deref().map(read_password).transpose()?;
        Ok(Some(options))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.store {
            Some(url) => url.fmt(out),
            None => self.data.display().fmt(out),
        }
    }
}

/// The first line of the file: an editor ends it with a newline.
pub(in crate::cli) fn read_password(file: &Path) -> Result<String, ReadPassword> {
    let text = fs::read_to_string(file).map_err(|error| ReadPassword(file.to_owned(), error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
