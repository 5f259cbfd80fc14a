//! The clock: the system's, or one that a test sets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::domain::Timestamp;

/// Where the time comes from. Clones of a manual clock show the same time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock, in UTC.
    System,
    /// Milliseconds since the Unix epoch, moved by hand: for tests.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `unix_ms` until it is set.
    #[must_use]
    pub fn manual(unix_ms: u64) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(unix_ms)))
    }

    /// The time now. A machine whose clock stands before 1970 is in 1970.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let unix_ms = match self {
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| {
                u64::try_from(since.as_millis()).expect("invariant: u64 milliseconds last 500 million years")
            }),
            Self::Manual(unix_ms) => unix_ms.load(Ordering::SeqCst),
        };
        Timestamp { unix_ms }
    }
}
