//! What surrounds the server as a process: configuration, clock, load, logs, metrics, listening, shutdown, and
//! what the service manager is told.
//!
//! Knows nothing of HTTP. Read `config` first.

pub mod clock;
pub mod config;
mod durable;
pub mod etag_key;
pub mod last_backup;
pub mod listen;
pub mod load;
pub mod metrics;
pub mod open_files;
pub mod shutdown;
pub mod systemd;
pub mod telemetry;
