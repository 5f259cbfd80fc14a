//! What people look at, made of two looks: rates, shares, a quantile, and how things stand.

use tokio::time::Instant;

use crate::{cli::exposition::Exposition, domain::Timestamp};

/// What the server showed, and when.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) at: Instant,
    pub(super) now: Timestamp,
    pub(super) shown: Exposition,
}

/// How a server is. What needs two looks, or is not shown by this server, is missing.
#[derive(Debug)]
pub(super) struct Figures<'a> {
    before: Option<&'a Look>,
    look: &'a Look,
}

const NOTHING: &str = "-";

impl<'a> Figures<'a> {
    pub(super) fn between(before: Option<&'a Look>, look: &'a Look) -> Self {
        Self { before, look }
    }

    /// All of them, a row each with its heading.
    pub(super) fn rows(&self) -> Vec<String> {
        let row = |heading: &str, text: String| format!("{heading:<12} {text}");
        vec![
            row("server", self.server()),
            row("pulls", format!("{}, {} unchanged", rate(self.pulls()), percent(self.unchanged()))),
            row("marks", self.marks()),
            row(
                "requests",
                format!("{}, {} answered 5xx", rate(self.requests("")), rate(self.requests("5"))),
            ),
            row("refused", format!("{}, {} so far", rate(self.refused()), count(self.refused_so_far()))),
            row("connections", count(self.value("seenby_http_connections"))),
            row("streams", self.streams()),
            row("pace", self.pace()),
            row("commits", self.commits()),
            row("holds", self.holds()),
            row("on disk", self.on_disk()),
            row("memory", self.memory()),
            row("upkeep", self.upkeep()),
        ]
    }

    /// The main ones, in one line.
    pub(super) fn line(&self) -> String {
        [
            format!("pulls {}", rate(self.pulls())),
            format!("unchanged {}", percent(self.unchanged())),
            format!("marks {}", rate(self.marked("new"))),
            format!("commit p99 {}", within(self.commit_p99())),
            format!("streams {}", count(self.value("seenby_streams"))),
            format!("messages {}", count(self.value("seenby_store_messages"))),
            format!("journal {}", bytes(self.value("seenby_store_journal_bytes"))),
            format!("pages {}", bytes(self.value("seenby_store_page_bytes"))),
            format!("hot {}", bytes(self.value("seenby_store_hot_bytes"))),
            format!("pace {}", seconds(self.value("seenby_poll_every_seconds"))),
            format!("refused {}", rate(self.refused())),
            format!("free {}", bytes(self.value("seenby_disk_free_bytes"))),
        ]
        .join("  ")
    }

    fn server(&self) -> String {
        let build = self.look.shown.by("seenby_build_info", "version");
        let version = build.first().map_or(NOTHING, |(version, _)| *version);
        let state = match self.value("seenby_store_can_commit") {
            Some(1.0) => "takes writes",
            Some(_) => "TAKES NO WRITES",
            None => NOTHING,
        };
        format!("seenby {version}, {state}")
    }

    fn marks(&self) -> String {
        let [new, already, refused] = ["new", "already", "refused"].map(|outcome| rate(self.marked(outcome)));
        format!("{new} new, {already} already, {refused} refused")
    }

    fn streams(&self) -> String {
        let open = count(self.value("seenby_streams"));
        let events = rate(self.risen("seenby_stream_events_total"));
        format!(
            "{open} open, {events} events, {} cut off so far",
            count(self.value("seenby_streams_cut_total"))
        )
    }

    fn pace(&self) -> String {
        let load = self.value("seenby_load").map_or(NOTHING.to_owned(), |load| format!("{load:.2}"));
        format!("{}, load {load}", seconds(self.value("seenby_poll_every_seconds")))
    }

    fn commits(&self) -> String {
        let commits = self.risen("seenby_store_commits_total");
        let writes = self.risen("seenby_store_writes_total");
        let batch = commits.zip(writes).filter(|(commits, _)| *commits > 0.0);
        let batch = batch.map_or(NOTHING.to_owned(), |(commits, writes)| format!("{:.1}", writes / commits));
        let waiting = count(self.value("seenby_store_writes_waiting"));
        let p99 = within(self.commit_p99());
        format!("{} of {batch} writes, p99 {p99}, {waiting} writes waiting", rate(commits))
    }

    fn holds(&self) -> String {
        let [messages, conversations] =
            ["seenby_store_messages", "seenby_store_conversations"].map(|name| count(self.value(name)));
        format!("{messages} messages in {conversations} conversations")
    }

    fn on_disk(&self) -> String {
        let [journal, pages, free, disk] = [
            "seenby_store_journal_bytes",
            "seenby_store_page_bytes",
            "seenby_disk_free_bytes",
            "seenby_disk_bytes",
        ]
        .map(|name| bytes(self.value(name)));
        format!("journal {journal}, pages {pages}, {free} of {disk} free")
    }

    fn memory(&self) -> String {
        let [hot, resident] = ["seenby_store_hot_bytes", "seenby_process_resident_memory_bytes"]
            .map(|name| bytes(self.value(name)));
        format!("hot state {hot}, process {resident}")
    }

    fn upkeep(&self) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a figure to be shown")]
        let now_s = self.look.now.unix_ms as f64 / 1e3;
        let since =
            |name| seconds(self.value(name).filter(|at| *at > 0.0).map(|at| (now_s - at).max(0.0).round()));
        let lag = seconds(self.value("seenby_store_sweep_lag_seconds").map(f64::round));
        format!(
            "sweep {lag} behind, last checkpoint {} ago",
            since("seenby_last_checkpoint_timestamp_seconds")
        )
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.look.shown.value(name)
    }

    /// How much a counter rose a second.
    fn risen(&self, name: &str) -> Option<f64> {
        self.a_second(|shown| shown.value(name))
    }

    /// The same of whatever is made of counters; none if it fell, as with a server that has begun anew.
    fn a_second(&self, of: impl Fn(&Exposition) -> Option<f64>) -> Option<f64> {
        let before = self.before?;
        let to = of(&self.look.shown)?;
        // What had not happened yet may not have been shown.
        let from = of(&before.shown).unwrap_or_default();
        let took = self.look.at.duration_since(before.at).as_secs_f64();
        (to >= from && took > 0.0).then(|| (to - from) / took)
    }

    fn pulls(&self) -> Option<f64> {
        Some(self.risen("seenby_pulls_changed_total")? + self.risen("seenby_pulls_unchanged_total")?)
    }

    fn unchanged(&self) -> Option<f64> {
        let pulls = self.pulls().filter(|pulls| *pulls > 0.0)?;
        Some(self.risen("seenby_pulls_unchanged_total")? / pulls)
    }

    fn marked(&self, outcome: &str) -> Option<f64> {
        self.a_second(|shown| shown.sum("seenby_marks_total", |_, value| value == outcome))
    }

    /// Requests whose status begins so.
    fn requests(&self, status: &str) -> Option<f64> {
        let is_wanted = |label: &str, value: &str| label == "status" && value.starts_with(status);
        self.a_second(|shown| shown.sum("seenby_http_requests_total", is_wanted))
    }

    fn refused(&self) -> Option<f64> {
        self.a_second(refused)
    }

    fn refused_so_far(&self) -> Option<f64> {
        refused(&self.look.shown)
    }

    /// The bound in seconds within which 99 of 100 commits between the looks were done; infinite past the last.
    fn commit_p99(&self) -> Option<f64> {
        const BUCKETS: &str = "seenby_store_commit_seconds_bucket";
        let before = self.before?.shown.by(BUCKETS, "le");
        let now = self.look.shown.by(BUCKETS, "le");
        let risen: Vec<(f64, f64)> = now
            .iter()
            .zip(&before)
            .map(|((bound, now), (_, before))| (bound.parse().unwrap_or(f64::INFINITY), now - before))
            .collect();
        let all = risen.last().map(|(_, count)| *count).filter(|all| *all > 0.0)?;
        risen.iter().find(|(_, count)| *count >= 0.99 * all).map(|(bound, _)| *bound)
    }
}

/// What was turned away at any limit: connections, streams, requests.
fn refused(shown: &Exposition) -> Option<f64> {
    [
        "seenby_http_connections_refused_total",
        "seenby_streams_refused_total",
        "seenby_http_requests_refused_total",
    ]
    .into_iter()
    .map(|name| shown.sum(name, |label, _| label == "limit"))
    .sum()
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or(NOTHING.to_owned(), |rate| format!("{rate:.1}/s"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or(NOTHING.to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

fn count(count: Option<f64>) -> String {
    count.map_or(NOTHING.to_owned(), |count| format!("{count:.0}"))
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or(NOTHING.to_owned(), |seconds| format!("{seconds} s"))
}

fn within(bound: Option<f64>) -> String {
    match bound {
        None => NOTHING.to_owned(),
        Some(bound) if bound.is_finite() => format!("within {} ms", bound * 1e3),
        Some(_) => "past all bounds".to_owned(),
    }
}

fn bytes(bytes: Option<f64>) -> String {
    const UNITS: [(&str, f64); 3] = [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1_024.0)];
    let Some(bytes) = bytes else { return NOTHING.to_owned() };
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes / unit),
        None => format!("{bytes:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn look(at: Instant, text: &str) -> Look {
        Look { at, now: Timestamp { unix_ms: 100_000 }, shown: Exposition::read(text) }
    }

    const BEFORE: &str = "\
seenby_build_info{version=\"1.2.3\"} 1
seenby_pulls_changed_total 10
seenby_pulls_unchanged_total 10
seenby_marks_total{outcome=\"new\"} 5
seenby_http_connections_refused_total{limit=\"connections\"} 1
seenby_streams_refused_total{limit=\"streams\"} 0
seenby_http_requests_refused_total{limit=\"writes\"} 0
seenby_store_commit_seconds_bucket{le=\"0.001\"} 4
seenby_store_commit_seconds_bucket{le=\"0.005\"} 4
seenby_store_commit_seconds_bucket{le=\"+Inf\"} 9
seenby_store_can_commit 1
seenby_last_checkpoint_timestamp_seconds 88.0
";

    const AFTER: &str = "\
seenby_build_info{version=\"1.2.3\"} 1
seenby_pulls_changed_total 12
seenby_pulls_unchanged_total 16
seenby_marks_total{outcome=\"new\"} 9
seenby_http_connections_refused_total{limit=\"connections\"} 5
seenby_streams_refused_total{limit=\"streams\"} 0
seenby_http_requests_refused_total{limit=\"writes\"} 0
seenby_store_commit_seconds_bucket{le=\"0.001\"} 5
seenby_store_commit_seconds_bucket{le=\"0.005\"} 14
seenby_store_commit_seconds_bucket{le=\"+Inf\"} 19
seenby_store_can_commit 0
seenby_last_checkpoint_timestamp_seconds 88.0
";

    #[test]
    fn rates_are_the_difference_of_two_looks() {
        let at = Instant::now();
        let (before, after) = (look(at, BEFORE), look(at + Duration::from_secs(2), AFTER));
        let figures = Figures::between(Some(&before), &after);
        let rows = figures.rows().join("\n");
        for part in [
            "server       seenby 1.2.3, TAKES NO WRITES",
            "pulls        4.0/s, 75.0 % unchanged",
            "marks        2.0/s new",
            "refused      2.0/s, 5 so far",
            "p99 within 5 ms",
            "last checkpoint 12 s ago",
        ] {
            assert!(rows.contains(part), "{part} is not in\n{rows}");
        }
        assert!(
            figures.line().starts_with("pulls 4.0/s  unchanged 75.0 %  marks 2.0/s  commit p99 within 5 ms")
        );
    }

    #[test]
    fn one_look_and_a_server_that_began_anew_have_no_rates() {
        let at = Instant::now();
        let (before, after) = (look(at, AFTER), look(at + Duration::from_secs(2), BEFORE));
        for figures in [Figures::between(None, &after), Figures::between(Some(&before), &after)] {
            assert!(figures.rows()[1].ends_with("-, - unchanged"), "{:?}", figures.rows());
        }
    }
}
