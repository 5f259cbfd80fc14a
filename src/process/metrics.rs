//! What operators see: counters of requests, marks, pulls and streams, and the store's vitals at the moment of a scrape.
//!
//! Labels come from small closed sets (route templates, statuses, limits), never from ids. Who counts what is for the
//! floors above to say; `limit` has the limits, `machine` what is seen of the machine, `store` what the
//! store says of itself.

mod limit;
mod machine;
mod spread;
mod store;

pub use limit::Limit;
pub use machine::Machine;

use std::{
    fmt,
    sync::{PoisonError, RwLock, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use self::{limit::Turned, machine::MachineGauges, store::StoreGauges};
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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct At {
    limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Came {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// What counts the answers of one route with one status.
#[derive(Debug)]
struct Answers {
    route: &'static str,
    status: u16,
    count: Counter,
    seconds: Histogram,
}

/// The metrics of one process. Counting is cheap and may be done from anywhere.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_seconds: Family<Route, Histogram, fn() -> Histogram>,
    /// Those of each route and status that was answered, at hand: to look them up takes as long as many an answer.
    answers: RwLock<Vec<Answers>>,
    pulls_changed: Counter,
    pulls_unchanged: Counter,
    connections: Gauge,
    connections_refused: Family<At, Counter>,
    requests_refused: Family<At, Counter>,
    marks: Family<Came, Counter>,
    /// Those of each outcome, at hand.
    marked: [Counter; OUTCOMES.len()],
    streams: Gauge,
    streams_refused: Family<At, Counter>,
    stream_events: Counter,
    streams_cut: Counter,
    poll_every: Gauge<f64, AtomicU64>,
    poll_every_base: Gauge<f64, AtomicU64>,
    load: Gauge<f64, AtomicU64>,
    load_parts: Family<Part, Gauge<f64, AtomicU64>>,
    last_backup: Gauge<f64, AtomicU64>,
    machine: MachineGauges,
    store: StoreGauges,
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
        let marks = Family::<Came, Counter>::default();
        let mut metrics = Self {
            registry: Registry::with_prefix("seenby"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            answers: RwLock::default(),
            pulls_changed: Counter::default(),
            pulls_unchanged: Counter::default(),
            connections: Gauge::default(),
            connections_refused: Family::default(),
            requests_refused: Family::default(),
            marked: OUTCOMES.map(|outcome| marks.get_or_create(&Came { outcome }).clone()),
            marks,
            streams: Gauge::default(),
            streams_refused: Family::default(),
            stream_events: Counter::default(),
            streams_cut: Counter::default(),
            poll_every: Gauge::default(),
            poll_every_base: Gauge::default(),
            load: Gauge::default(),
            load_parts: Family::default(),
            last_backup: Gauge::default(),
            machine: MachineGauges::default(),
            store: StoreGauges::default(),
        };
        metrics.show_labels();
        metrics.register_process();
        metrics.register_http();
        metrics.register_streams();
        metrics.register_pace();
        metrics.register_backup();
        metrics.store.register(&mut metrics.registry);
        metrics
    }

    /// What has not happened yet is 0, and not missing.
    fn show_labels(&self) {
        for limit in Limit::ALL {
            drop(self.refusals(limit));
        }
    }

    fn register_process(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new(Build { version: env!("BUILT_VERSION") });
        registry.register(
            "build",
            "The server's version, with the commit where the build knew of one",
            build,
        );
        self.machine.register(registry);
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
        registry.register("http_connections_refused", "Connections over a limit", refused);
        let refused = self.requests_refused.clone();
        registry.register("http_requests_refused", "Requests over a limit, which were answered so", refused);
        registry.register("marks", "Messages that marks named or meant", self.marks.clone());
    }

    fn register_streams(&mut self) {
        let registry = &mut self.registry;
        registry.register("streams", "Streams of receipts open", self.streams.clone());
        registry.register("streams_refused", "Streams over a limit", self.streams_refused.clone());
        let events = self.stream_events.clone();
        registry.register("stream_events", "Events with receipts that streams were given to send", events);
        let cut = self.streams_cut.clone();
        registry.register("streams_cut", "Streams that ended since their client took nothing", cut);
    }

    fn register_pace(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "poll_every_seconds",
            "How often clients are told to pull",
            self.poll_every.clone(),
        );
        let base = self.poll_every_base.clone();
        registry.register("poll_every_base_seconds", "The same where there is no load", base);
        let load = "What pulls are stretched by: 1 is as much as there should be";
        registry.register("load", load, self.load.clone());
        registry.register("load_part", "What that load is the most of", self.load_parts.clone());
    }

    fn register_backup(&mut self) {
        let backup = "When the last backup was taken that was kept whole; 0 if none was yet";
        self.registry.register("last_backup_timestamp_seconds", backup, self.last_backup.clone());
    }

    /// A request under a route's template was answered.
    pub fn answered(&self, route: &'static str, status: u16, took: Duration) {
        // Of one place in the program: a template that stands at two has two entries.
        let is_it = |known: &&Answers| std::ptr::eq(known.route, route) && known.status == status;
        if let Some(known) = self.answers.read().unwrap_or_else(PoisonError::into_inner).iter().find(is_it) {
            known.count(took);
            return;
        }
        let count = self.requests.get_or_create(&Request { route, status: status.into() }).clone();
        let seconds = self.request_seconds.get_or_create(&Route { route }).clone();
        let new = Answers { route, status, count, seconds };
        new.count(took);
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        if !answers.iter().any(|known| is_it(&known)) {
            answers.push(new);
        }
    }

    /// A pull was answered, with something new or without.
    pub fn pulled(&self, unchanged: bool) {
        if unchanged { &self.pulls_unchanged } else { &self.pulls_changed }.inc();
    }

    /// Without load, clients are told to pull this often.
    pub fn paced_from(&self, base: Duration) {
        self.poll_every_base.set(base.as_secs_f64());
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

    /// A connection is open until the value is dropped.
    #[must_use]
    pub fn connection_opened(&self) -> Open {
        self.connections.inc();
        Open(self.connections.clone())
    }

    /// Somebody was turned away at a limit.
    pub fn refused(&self, limit: Limit) {
        self.refusals(limit).inc();
    }

    fn refusals(&self, limit: Limit) -> impl std::ops::Deref<Target = Counter> + '_ {
        let refused = match limit.turned() {
            Turned::Connection => &self.connections_refused,
            Turned::Stream => &self.streams_refused,
            Turned::Request => &self.requests_refused,
        };
        refused.get_or_create(&At { limit: limit.as_str() })
    }

    /// Marks were taken: messages that their reader had not read before, had read before, and that were refused.
    pub fn marked(&self, new: usize, already: usize, refused: usize) {
        for (counter, count) in self.marked.iter().zip([new, already, refused]) {
            counter.inc_by(count as u64);
        }
    }

    /// A stream is open until the value is dropped.
    #[must_use]
    pub fn stream_opened(&self) -> Open {
        self.streams.inc();
        Open(self.streams.clone())
    }

    /// A stream has an event with receipts to send.
    pub fn stream_told(&self) {
        self.stream_events.inc();
    }

    /// So many streams end since their client takes nothing.
    pub fn streams_cut(&self, streams: usize) {
        self.streams_cut.inc_by(streams as u64);
    }

    /// The machine was looked at.
    pub fn looked(&self, found: &Machine) {
        self.machine.set(found);
    }

    /// Everything in the `OpenMetrics` text format, with these vitals.
    pub fn scrape(&self, vitals: &Vitals, now: Timestamp) -> Result<String, fmt::Error> {
        self.machine.refresh();
        self.store.set(vitals, now);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Answers {
    fn count(&self, took: Duration) {
        self.count.inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

/// To the whole second.
fn seconds(at: Timestamp) -> f64 {
    Duration::from_secs(at.unix_ms / 1_000).as_secs_f64()
}

/// What may become of a message that a mark names.
const OUTCOMES: [&str; 3] = ["new", "already", "refused"];

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
    use crate::{domain::ExpiresAt, receipts::Spread};

    #[test]
    fn a_scrape_shows_what_was_counted_and_the_vitals_of_the_moment() {
        let metrics = Metrics::new();
        metrics.answered("/v1/marks", 200, Duration::from_millis(3));
        metrics.pulled(true);
        metrics.paced(Duration::from_secs(5), &Load { processor: 0.5, waiting: 1.5, commit: 0.0 });
        metrics.backed_up(Timestamp { unix_ms: 7_900 });
        let open = metrics.connection_opened();
        metrics.marked(2, 0, 1);
        metrics.refused(Limit::Bodies);
        let vitals = Vitals {
            can_commit: true,
            commits: 7,
            commit_us: Spread { bounds: std::array::from_fn(|at| at as u64 * 500), counts: [1; 13], sum: 9 },
            expires_first: Some(ExpiresAt { unix_s: 70 }),
            since_checkpoint: Some(Duration::from_secs(5)),
            ..Vitals::default()
        };
        let text = metrics.scrape(&vitals, Timestamp { unix_ms: 100_000 }).unwrap();
        for line in [
            "seenby_http_requests_total{route=\"/v1/marks\",status=\"200\"} 1",
            "seenby_http_request_seconds_count{route=\"/v1/marks\"} 1",
            "seenby_pulls_unchanged_total 1",
            "seenby_http_connections 1",
            "seenby_poll_every_seconds 5.0",
            "seenby_load 1.5",
            "seenby_load_part{of=\"processor\"} 0.5",
            "seenby_last_backup_timestamp_seconds 7.0",
            "seenby_store_can_commit 1",
            "seenby_store_commits_total 7",
            "seenby_store_commit_seconds_bucket{le=\"0.0005\"} 2",
            "seenby_store_commit_seconds_count 13",
            "seenby_store_commit_writes_bucket{le=\"+Inf\"} 0",
            "seenby_store_sweep_lag_seconds 30.0",
            "seenby_last_checkpoint_timestamp_seconds 95.0",
            "seenby_marks_total{outcome=\"new\"} 2",
            "seenby_marks_total{outcome=\"already\"} 0",
            "seenby_http_requests_refused_total{limit=\"bodies_bytes\"} 1",
            "seenby_streams_refused_total{limit=\"user_streams\"} 0",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
        }
        drop(open);
        let text = metrics.scrape(&Vitals::default(), Timestamp { unix_ms: 0 }).unwrap();
        assert!(text.contains("seenby_http_connections 0"));
    }
}
