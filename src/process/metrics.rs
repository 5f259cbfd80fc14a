//! What operators see: counters of requests and pulls, and the store's vitals at the moment of a scrape.
//!
//! Labels come from small closed sets (route templates, statuses), never from ids. Who counts what is for the
//! floors above to say.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::load::Load;
use crate::{domain::Timestamp, receipts::Vitals};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: &'static str,
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Part {
    of: &'static str,
}

/// The metrics of one process. Counting is cheap and may be done from anywhere.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_seconds: Family<Route, Histogram, fn() -> Histogram>,
    pulls_changed: Counter,
    pulls_unchanged: Counter,
    connections: Gauge,
    connections_refused: Counter,
    streams: Gauge,
    streams_refused: Counter,
    poll_every: Gauge<f64, AtomicU64>,
    load: Gauge<f64, AtomicU64>,
    load_parts: Family<Part, Gauge<f64, AtomicU64>>,
    last_backup: Gauge<f64, AtomicU64>,
    last_checkpoint: Gauge<f64, AtomicU64>,
    checkpoints_seen: AtomicU64,
    store: Store,
}

#[derive(Debug, Default)]
struct Store {
    can_commit: Gauge,
    conversations: Gauge<u64, AtomicU64>,
    messages: Gauge<u64, AtomicU64>,
    journal_bytes: Gauge<u64, AtomicU64>,
    hot_bytes: Gauge<u64, AtomicU64>,
    page_bytes: Gauge<u64, AtomicU64>,
    commits: Counter,
    writes: Counter,
    checkpoints: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics of which nothing has been counted yet.
    #[must_use]
    pub fn new() -> Self {
        // 250 microseconds to 8 seconds.
        let histogram: fn() -> Histogram =
            || Histogram::new([0.000_25, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0, 8.0]);
        let mut metrics = Self {
            registry: Registry::with_prefix("seenby"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            pulls_changed: Counter::default(),
            pulls_unchanged: Counter::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            streams: Gauge::default(),
            streams_refused: Counter::default(),
            poll_every: Gauge::default(),
            load: Gauge::default(),
            load_parts: Family::default(),
            last_backup: Gauge::default(),
            last_checkpoint: Gauge::default(),
            checkpoints_seen: AtomicU64::new(0),
            store: Store::default(),
        };
        metrics.register_http();
        metrics.register_pace();
        metrics.register_times();
        metrics.register_store();
        metrics
    }

    fn register_http(&mut self) {
        let registry = &mut self.registry;
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register(
            "http_request_seconds",
            "From the end of a request's head to its answer",
            self.request_seconds.clone(),
        );
        registry.register("pulls_changed", "Pulls answered with receipts", self.pulls_changed.clone());
        registry.register("pulls_unchanged", "Pulls with nothing new", self.pulls_unchanged.clone());
        registry.register("http_connections", "Connections open", self.connections.clone());
        let refused = self.connections_refused.clone();
        registry.register("http_connections_refused", "Connections over the limit", refused);
        registry.register("streams", "Streams of receipts open", self.streams.clone());
        registry.register("streams_refused", "Streams over a limit", self.streams_refused.clone());
    }

    fn register_pace(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "poll_every_seconds",
            "How often clients are told to pull",
            self.poll_every.clone(),
        );
        let load = "What pulls are stretched by: 1 is as much as there should be";
        registry.register("load", load, self.load.clone());
        registry.register("load_part", "What that load is the most of", self.load_parts.clone());
    }

    fn register_times(&mut self) {
        let registry = &mut self.registry;
        let backup = "When the last backup was taken that was kept whole; 0 if none was since the start";
        registry.register("last_backup_timestamp_seconds", backup, self.last_backup.clone());
        let checkpoint = "When the last checkpoint was seen to be complete; 0 if none was since the start";
        registry.register("last_checkpoint_timestamp_seconds", checkpoint, self.last_checkpoint.clone());
    }

    fn register_store(&mut self) {
        let (registry, store) = (self.registry.sub_registry_with_prefix("store"), &self.store);
        registry.register("can_commit", "1 while writes are accepted", store.can_commit.clone());
        let conversations = store.conversations.clone();
        registry.register("conversations", "Conversations with a roster or a message", conversations);
        registry.register("messages", "Messages held", store.messages.clone());
        registry.register("journal_bytes", "Bytes of journal on disk", store.journal_bytes.clone());
        let hot_bytes = store.hot_bytes.clone();
        registry.register("hot_bytes", "Bytes of memory that hold conversations, as counted", hot_bytes);
        registry.register("page_bytes", "Bytes of page files on disk", store.page_bytes.clone());
        registry.register("commits", "Commits made durable", store.commits.clone());
        registry.register("writes", "Writes that those commits carried", store.writes.clone());
        registry.register("checkpoints", "Checkpoints completed", store.checkpoints.clone());
    }

    /// A request under a route's template was answered.
    pub fn answered(&self, route: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { route, status: status.into() }).inc();
        self.request_seconds.get_or_create(&Route { route }).observe(took.as_secs_f64());
    }

    /// A pull was answered, with something new or without.
    pub fn pulled(&self, unchanged: bool) {
        if unchanged { &self.pulls_unchanged } else { &self.pulls_changed }.inc();
    }

    /// Clients are told to pull this often, under this load.
    pub fn paced(&self, every: Duration, load: &Load) {
        self.poll_every.set(every.as_secs_f64());
        self.load.set(load.most());
        for (of, part) in load.parts() {
            self.load_parts.get_or_create(&Part { of }).set(part);
        }
    }

    /// A backup was taken at `at`, and is kept whole.
    pub fn backed_up(&self, at: Timestamp) {
        self.last_backup.set(seconds(at));
    }

    /// So many checkpoints have been completed at `now`; to be told often.
    pub fn checkpoints(&self, count: u64, now: Timestamp) {
        if self.checkpoints_seen.swap(count, Ordering::Relaxed) != count {
            self.last_checkpoint.set(seconds(now));
        }
    }

    /// A connection is open until the value is dropped.
    #[must_use]
    pub fn connection_opened(&self) -> Open {
        self.connections.inc();
        Open(self.connections.clone())
    }

    /// A connection was over the limit.
    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// A stream is open until the value is dropped.
    #[must_use]
    pub fn stream_opened(&self) -> Open {
        self.streams.inc();
        Open(self.streams.clone())
    }

    /// A stream was over a limit.
    pub fn stream_refused(&self) {
        self.streams_refused.inc();
    }

    /// Everything in the `OpenMetrics` text format, with these vitals.
    pub fn scrape(&self, vitals: &Vitals) -> Result<String, fmt::Error> {
        let store = &self.store;
        store.can_commit.set(vitals.can_commit.into());
        store.conversations.set(vitals.conversations);
        store.messages.set(vitals.messages);
        store.journal_bytes.set(vitals.journal_bytes);
        store.hot_bytes.set(vitals.hot_bytes);
        store.page_bytes.set(vitals.page_bytes);
        // The store counts these itself: here they are only shown.
        store.commits.inner().store(vitals.commits, Ordering::Relaxed);
        store.writes.inner().store(vitals.writes, Ordering::Relaxed);
        store.checkpoints.inner().store(vitals.checkpoints, Ordering::Relaxed);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// To the whole second.
fn seconds(at: Timestamp) -> f64 {
    Duration::from_secs(at.unix_ms / 1_000).as_secs_f64()
}

/// A connection or a stream that is counted as open.
#[derive(Debug)]
pub struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_shows_what_was_counted_and_the_vitals_of_the_moment() {
        let metrics = Metrics::new();
        metrics.answered("/v1/marks", 200, Duration::from_millis(3));
        metrics.pulled(true);
        metrics.paced(Duration::from_secs(5), &Load { processor: 0.5, waiting: 1.5, commit: 0.0 });
        metrics.backed_up(Timestamp { unix_ms: 7_900 });
        metrics.checkpoints(1, Timestamp { unix_ms: 5_000 });
        metrics.checkpoints(1, Timestamp { unix_ms: 6_000 });
        let open = metrics.connection_opened();
        let text = metrics.scrape(&Vitals { can_commit: true, commits: 7, ..Vitals::default() }).unwrap();
        for line in [
            "seenby_http_requests_total{route=\"/v1/marks\",status=\"200\"} 1",
            "seenby_http_request_seconds_count{route=\"/v1/marks\"} 1",
            "seenby_pulls_unchanged_total 1",
            "seenby_http_connections 1",
            "seenby_poll_every_seconds 5.0",
            "seenby_load 1.5",
            "seenby_load_part{of=\"processor\"} 0.5",
            "seenby_last_backup_timestamp_seconds 7.0",
            "seenby_last_checkpoint_timestamp_seconds 5.0",
            "seenby_store_can_commit 1",
            "seenby_store_commits_total 7",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
        }
        drop(open);
        assert!(metrics.scrape(&Vitals::default()).unwrap().contains("seenby_http_connections 0"));
    }
}
