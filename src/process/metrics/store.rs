//! What the store says of itself, at the moment of a scrape.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::spread::Shown;
use crate::{domain::Timestamp, receipts::Vitals};

/// Microseconds of a second.
const US_PER_S: f64 = 1e6;

#[derive(Debug)]
pub(super) struct StoreGauges {
    can_commit: Gauge,
    conversations: Gauge<u64, AtomicU64>,
    messages: Gauge<u64, AtomicU64>,
    journal_bytes: Gauge<u64, AtomicU64>,
    hot_bytes: Gauge<u64, AtomicU64>,
    page_bytes: Gauge<u64, AtomicU64>,
    commits: Counter,
    writes: Counter,
    writes_waiting: Gauge<u64, AtomicU64>,
    commit_seconds: Shown,
    commit_writes: Shown,
    sweep_lag: Gauge<f64, AtomicU64>,
    checkpoints: Counter,
    last_checkpoint: Gauge<f64, AtomicU64>,
    replicas_short: Counter,
}

impl Default for StoreGauges {
    fn default() -> Self {
        Self {
            can_commit: Gauge::default(),
            conversations: Gauge::default(),
            messages: Gauge::default(),
            journal_bytes: Gauge::default(),
            hot_bytes: Gauge::default(),
            page_bytes: Gauge::default(),
            commits: Counter::default(),
            writes: Counter::default(),
            writes_waiting: Gauge::default(),
            commit_seconds: Shown::per_unit(US_PER_S),
            commit_writes: Shown::per_unit(1.0),
            sweep_lag: Gauge::default(),
            checkpoints: Counter::default(),
            last_checkpoint: Gauge::default(),
            replicas_short: Counter::default(),
        }
    }
}

impl StoreGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "When a checkpoint last had all that there was, in Unix time, or the server began";
        registry.register("last_checkpoint_timestamp_seconds", help, self.last_checkpoint.clone());
        let registry = registry.sub_registry_with_prefix("store");
        registry.register("can_commit", "1 while writes are accepted", self.can_commit.clone());
        let conversations = self.conversations.clone();
        registry.register("conversations", "Conversations with a roster or a message", conversations);
        registry.register("messages", "Messages held", self.messages.clone());
        registry.register("journal_bytes", "Bytes of records in the journal", self.journal_bytes.clone());
        let hot_bytes = self.hot_bytes.clone();
        registry.register("hot_bytes", "Bytes of memory that hold conversations, as counted", hot_bytes);
        registry.register("page_bytes", "Bytes of page files on disk", self.page_bytes.clone());
        registry.register("commits", "Commits made durable", self.commits.clone());
        registry.register("writes", "Writes that those commits carried", self.writes.clone());
        let waiting = self.writes_waiting.clone();
        registry.register("writes_waiting", "Writes that are not answered yet", waiting);
        let took = "From when a commit's writes are decided to when all of them are durable and can be seen";
        registry.register("commit_seconds", took, self.commit_seconds.clone());
        registry.register("commit_writes", "Writes that were answered together", self.commit_writes.clone());
        let lag = "How long the first expired message has been expired that is still held";
        registry.register("sweep_lag_seconds", lag, self.sweep_lag.clone());
        registry.register("checkpoints", "Checkpoints completed", self.checkpoints.clone());
        let short = "Writes answered although fewer replicas than asked for had them";
        registry.register("replicas_short", short, self.replicas_short.clone());
    }

    pub(super) fn set(&self, vitals: &Vitals, now: Timestamp) {
        self.can_commit.set(vitals.can_commit.into());
        self.conversations.set(vitals.conversations);
        self.messages.set(vitals.messages);
        self.journal_bytes.set(vitals.journal_bytes);
        self.hot_bytes.set(vitals.hot_bytes);
        self.page_bytes.set(vitals.page_bytes);
        // The store counts these itself: here they are only shown.
        self.commits.inner().store(vitals.commits, Ordering::Relaxed);
        self.writes.inner().store(vitals.writes, Ordering::Relaxed);
        self.checkpoints.inner().store(vitals.checkpoints, Ordering::Relaxed);
        self.replicas_short.inner().store(vitals.replicas_short, Ordering::Relaxed);
        self.writes_waiting.set(vitals.writes_waiting);
        self.commit_seconds.set(vitals.commit_us);
        self.commit_writes.set(vitals.commit_writes);
        let expired_ms = vitals
            .expires_first
            .map_or(0, |first| now.unix_ms.saturating_sub(first.unix_s.saturating_mul(1_000)));
        self.sweep_lag.set(seconds(expired_ms));
        let since_ms =
            vitals.since_checkpoint.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        self.last_checkpoint
            .set(seconds(since_ms.map_or(0, |since_ms| now.unix_ms.saturating_sub(since_ms))));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to be shown")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}
