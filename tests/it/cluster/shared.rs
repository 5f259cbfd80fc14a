//! One cluster that tests share which do not hurt it. Each has a prefix of its own, so a store of its own.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

use seenby::{
    domain::Timestamp,
    store::{
        cluster::{ClusterStore, Options, restore},
        dump::Reader,
    },
};

use super::harness::Cluster;

/// What begins the URLs of all stores on it.
static URL: LazyLock<String> = LazyLock::new(|| {
    let cluster = Cluster::shared();
    let url = cluster.url("t");
    // It is there for as long as the tests are, and the harness ends it with them.
    std::mem::forget(cluster);
    url
});

/// Where there is nothing yet.
pub(crate) fn fresh_url() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}{}", *URL, NEXT.fetch_add(1, Ordering::Relaxed))
}

fn options(url: &str) -> Options {
    Options::new(url.parse().unwrap())
}

/// An empty store, apart from all others, for the runtime of this test.
pub(crate) async fn fresh_store() -> ClusterStore {
    Deployment::new().await.store
}

/// A store, and where it is.
pub(crate) struct Deployment {
    url: String,
    pub(crate) store: ClusterStore,
}

impl Deployment {
    pub(crate) async fn new() -> Self {
        let url = fresh_url();
        let store = ClusterStore::open(&options(&url)).await.unwrap();
        Self { url, store }
    }

    /// One that a dump was restored to.
    pub(crate) async fn restored(dump: &[u8], now: Timestamp) -> Self {
        let url = fresh_url();
        restore(&options(&url), &mut Reader::begin(dump).unwrap(), now, |_| {}).await.unwrap();
        let store = ClusterStore::open(&options(&url)).await.unwrap();
        Self { url, store }
    }

    /// Goes on with what another process would find.
    pub(crate) async fn open_again(&mut self) {
        self.store = ClusterStore::open(&options(&self.url)).await.unwrap();
    }
}
