//! The text format of `/metrics`, as far as the server's own use of it goes: a name, labels without quotes in them, a value.

/// All that one answer showed.
#[derive(Debug, Default)]
pub(in crate::cli) struct Exposition(Vec<Sample>);

#[derive(Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Exposition {
    /// Reads an answer. What is no sample is passed over.
    pub(in crate::cli) fn read(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
    }

    /// The one sample of this name, or the first.
    pub(in crate::cli) fn value(&self, name: &str) -> Option<f64> {
        self.named(name).map(|sample| sample.value).next()
    }

    /// All samples of this name together, of whose labels `wanted` is true; none if there is none of that name.
    pub(in crate::cli) fn sum(&self, name: &str, wanted: impl Fn(&str, &str) -> bool) -> Option<f64> {
        self.named(name).next()?;
        let fits = |sample: &&Sample| sample.labels.iter().any(|(label, value)| wanted(label, value));
        Some(self.named(name).filter(fits).map(|sample| sample.value).sum())
    }

    /// A label's values and what each has, in the order shown.
    pub(in crate::cli) fn by(&self, name: &str, label: &str) -> Vec<(&str, f64)> {
        let of = |sample: &'_ Sample| sample.labels.iter().position(|(known, _)| known == label);
        self.named(name)
            .filter_map(|sample| Some((sample.labels[of(sample)?].1.as_str(), sample.value)))
            .collect()
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }
}

/// `name{label="value",…} 1.5`
fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}')?.split("\",").filter(|label| !label.is_empty());
    let labels = labels.map(|label| {
        let (name, value) = label.split_once("=\"")?;
        Some((name.to_owned(), value.strip_suffix('"').unwrap_or(value).to_owned()))
    });
    Some(Sample { name: name.to_owned(), labels: labels.collect::<Option<_>>()?, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Timestamp, process::metrics::Metrics, receipts::Vitals};

    #[test]
    fn what_the_server_writes_is_read() {
        let metrics = Metrics::new();
        metrics.answered("/v1/users/{user}", 200, std::time::Duration::from_millis(3));
        metrics.answered("/v1/users/{user}", 503, std::time::Duration::from_millis(3));
        metrics.marked(5, 2, 0);
        let vitals = Vitals { messages: 7, ..Vitals::default() };
        let text = metrics.scrape(&vitals, Timestamp { unix_ms: 0 }).unwrap();
        let shown = Exposition::read(&text);
        assert_eq!(shown.value("seenby_store_messages"), Some(7.0));
        assert_eq!(shown.value("seenby_nothing"), None);
        let bad = shown
            .sum("seenby_http_requests_total", |label, value| label == "status" && value.starts_with('5'));
        assert_eq!(bad, Some(1.0));
        let route = |label: &str, value: &str| label == "route" && value == "/v1/users/{user}";
        assert_eq!(shown.sum("seenby_http_requests_total", route), Some(2.0));
        let marks: f64 = shown.by("seenby_marks_total", "outcome").iter().map(|(_, count)| count).sum();
        assert!((marks - 7.0).abs() < 1e-9);
        assert!(shown.by("seenby_http_request_seconds_bucket", "le").contains(&("+Inf", 2.0)));
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(shown.0.len(), lines, "no line is passed over");
    }
}
