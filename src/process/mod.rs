//! What surrounds the server as a process: clock, configuration, logs, metrics, shutdown.
//!
//! Knows nothing of HTTP. Read `config` first.

pub mod clock;
pub mod metrics;
