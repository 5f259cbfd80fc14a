//! A histogram that the store has counted, as the format has it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use crate::receipts::{BOUNDS, Spread};

/// The last one that was set. Clones show the same.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    last: Arc<Mutex<Spread>>,
    /// How many of what is counted are one of what is shown.
    per_unit: f64,
}

impl Shown {
    pub(super) fn per_unit(per_unit: f64) -> Self {
        Self { last: Arc::default(), per_unit }
    }

    pub(super) fn set(&self, spread: Spread) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = spread;
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure to be shown")]
    fn unit(&self, count: u64) -> f64 {
        count as f64 / self.per_unit
    }
}

impl EncodeMetric for Shown {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let spread = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let count = spread.counts.iter().sum();
        let bounds = spread.bounds.iter().map(|bound| self.unit(*bound)).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(spread.counts).collect();
        // One that nobody has set has all its bounds at 0, and a bound may stand there once only.
        let from = if spread.bounds == [0; BOUNDS] { BOUNDS } else { 0 };
        encoder.encode_histogram::<NoLabelSet>(self.unit(spread.sum), count, &buckets[from..], None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
