//! Opens the store that the configuration names, and finds the secret of `ETag`s that goes with it.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    cli::source::{ReadPassword, read_password},
    domain::EtagKey,
    process::{config::Config, etag_key},
    receipts::ClusterUrl,
    store::{AnyStore, cluster, cluster::ClusterStore, embedded, embedded::EmbeddedStore},
};

/// A store that is open.
pub(super) struct Opened {
    pub(super) store: AnyStore,
    pub(super) etag_key: EtagKey,
    /// The directory that it has on this machine, if it has one.
    pub(super) data: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open the data directory {data}")]
struct OpenStore {
    data: String,
    source: embedded::OpenError,
}

impl OpenStore {
    fn of(data: &Path) -> impl FnOnce(embedded::OpenError) -> Self {
        let data = data.display().to_string();
        move |source| Self { data, source }
    }
}

/// Where the store is, for the log.
pub(super) fn place(config: &Config) -> String {
    config.store.as_ref().map_or_else(|| config.data.display().to_string(), ToString::to_string)
}

/// Whether that could be opened. Makes nothing, and takes no lock.
pub(super) fn check(config: &Config) -> Result<(), Box<dyn Error>> {
    let Some(url) = &config.store else {
        return Ok(embedded::probe(&config.data).map_err(OpenStore::of(&config.data))?);
    };
    let options = cluster_options(config, url.clone())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(cluster::probe(&options))?)
}

pub(super) async fn open(config: &Config) -> Result<Opened, Box<dyn Error>> {
    match &config.store {
        Some(url) => open_cluster(config, url.clone()).await,
        None => open_directory(config),
    }
}

fn open_directory(config: &Config) -> Result<Opened, Box<dyn Error>> {
    let data = config.data.clone();
    let store = EmbeddedStore::open(&data, embedded_options(config)).map_err(OpenStore::of(&data))?;
    Ok(Opened { store: Arc::new(store), etag_key: etag_key_of(&data)?, data: Some(data) })
}

async fn open_cluster(config: &Config, url: ClusterUrl) -> Result<Opened, Box<dyn Error>> {
    let store = ClusterStore::open(&cluster_options(config, url)?).await?;
    let etag_key = store.etag_key(etag_key::fresh()?.to_bytes()).await?;
    Ok(Opened { store: Arc::new(store), etag_key: EtagKey::from_bytes(etag_key), data: None })
}

/// Receipts are worth a start without a secret that lasts: what it costs is one full answer to each client.
fn etag_key_of(data: &Path) -> io::Result<EtagKey> {
    etag_key::load(data).or_else(|error| {
        tracing::warn!(%error, data = %data.display(), "no etag.key: entity tags do not outlast this process");
        etag_key::fresh()
    })
}

fn embedded_options(config: &Config) -> embedded::Options {
    embedded::Options {
        journal_bytes_max: u64::try_from(config.journal_bytes_max.count).unwrap_or(u64::MAX),
        checkpoint_every: config.checkpoint_every,
        hot_bytes_max: u64::try_from(config.hot_bytes_max.count).unwrap_or(u64::MAX),
        commit_timeout: config.commit_timeout,
    }
}

fn cluster_options(config: &Config, url: ClusterUrl) -> Result<cluster::Options, ReadPassword> {
    let password = config.store_password.as_deref().map(read_password).transpose()?;
    Ok(cluster::Options {
        url,
        user: config.store_user.as_ref().map(|user| user.0.clone()),
        password,
        min_replicas: config.min_replicas,
        replicas_missing: config.min_replicas_missing,
        timeout: config.store_timeout,
    })
}
