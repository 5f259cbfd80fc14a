//! The use-cases: register, mark, pull, forget, sweep, users, and export. The one place where domain meets store.
//!
//! A [`Ledger`] is what the wire talks to. It knows the retention and the pace, fills in what a call left out, and
//! turns what an engine answers into what a client is told. It knows no HTTP and reads no clock.

mod export;
mod forget;
mod mark;
mod pull;
mod register;
mod stream;
mod user;

pub use mark::{BulkMarked, EntryRefused};
pub use pull::{Asked, Screen};
pub use register::BulkRegistered;
pub use stream::{Change, Stream};

// What a cluster is called, so that the configuration names no store.
pub use crate::store::cluster::{ReplicasMissing, Url as ClusterUrl, UrlError as ClusterUrlError};
// What calls take and answer, so that the wire names no store.
pub use crate::store::{
    BOUNDS, Half, Mark, Marked, MessageReceipts, Read, ReadersPart, ReadersWanted, RosterPart, Spread,
    StoreError, Unread, Vitals,
};

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    domain::{EtagKey, Limits, Pace, Retention},
    store::AnyStore,
};

/// The use-cases over one store. Clones share the store and the pace.
#[derive(Clone)]
pub struct Ledger {
    store: AnyStore,
    retention: Retention,
    pace: Pace,
    /// What `pace.every_ms` is at present.
    every_ms: Arc<AtomicU64>,
    limits: Limits,
    etag_key: EtagKey,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ledger").field("retention", &self.retention).finish_non_exhaustive()
    }
}

impl Ledger {
    /// The use-cases over `store`; messages that say nothing of their own life live for `retention`, and pulls
    /// are asked to come at `pace`.
    #[must_use]
    pub fn new(store: AnyStore, retention: Retention, pace: Pace, limits: Limits) -> Self {
        let every_ms = Arc::new(AtomicU64::new(pace.every_ms));
        Self { store, retention, pace, every_ms, limits, etag_key: EtagKey::default() }
    }

    /// The same, with a secret that names of receipts are made with.
    #[must_use]
    pub fn with_etag_key(self, etag_key: EtagKey) -> Self {
        Self { etag_key, ..self }
    }

    /// Bounds on what one call may carry or ask for.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How pulls are asked to come at present.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace { every_ms: self.every_ms.load(Ordering::Relaxed), ..self.pace }
    }

    /// Asks pulls to come every so many milliseconds from now on. Clients learn of it when they next pull.
    pub fn set_pace(&self, every_ms: u64) {
        self.every_ms.store(every_ms, Ordering::Relaxed);
    }

    /// What the store can say of itself.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        self.store.vitals()
    }

    /// Ends all writes and leaves the store ready for the next start.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}
