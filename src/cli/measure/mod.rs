//! What every measurement is made of: a server of its own, what `/proc` and the disk say of it, a bar and a report.
//!
//! Knows nothing of what is measured. `server` starts this very binary as a child and watches it, `processor` keeps it
//! apart from its load, `disk` makes a directory for it and measures that; `bar` tells how far things are, and
//! `report` prints the figures. `bench` and `simulate` use them.

mod bar;
pub(in crate::cli) mod disk;
pub(in crate::cli) mod processor;
pub(in crate::cli) mod report;
pub(in crate::cli) mod server;

use std::io;

pub(in crate::cli) use bar::Bar;

use super::trace::TraceError;
use crate::client::{BadServerUrl, ClientError};

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum MeasureError {
    #[error("{0}")]
    Usage(String),
    #[error("cannot {what}")]
    Io { what: String, source: io::Error },
    #[error("the server: {0}")]
    Server(String),
    #[error("cannot {what}")]
    Call { what: String, source: ClientError },
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error(transparent)]
    Url(#[from] BadServerUrl),
    #[error("{0}")]
    Wrong(String),
    #[error("part of the measurement failed")]
    Panic(#[from] tokio::task::JoinError),
    #[error("stopped by a signal")]
    Stopped,
}

impl MeasureError {
    pub(in crate::cli) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io { what: what.into(), source }
    }

    pub(in crate::cli) fn call(what: impl Into<String>) -> impl FnOnce(ClientError) -> Self {
        |source| Self::Call { what: what.into(), source }
    }
}

/// As a number to divide by; what is counted is far below 2^53, where the two begin to differ.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
pub(in crate::cli) fn float(count: u64) -> f64 {
    count as f64
}
