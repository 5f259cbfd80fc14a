//! How many files the process may have open: each connection is one.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Open files beside the connections: the store's, the listener, and connections that are being refused.
const OTHERS: u64 = 124;

/// The system allows too few open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "connections_max = {connections} needs {needed} open files, and the system allows {allowed}; \
     raise that (ulimit -n, LimitNOFILE=), or lower connections_max"
)]
pub struct TooFewFiles {
    connections: usize,
    needed: u64,
    allowed: u64,
}

/// Has the system allow as many open files as so many connections need, where it may be asked to.
pub fn allow(connections: usize) -> Result<(), TooFewFiles> {
    allow_beside(connections, None)
}

/// The same where there is a listener for figures, which may have so many more.
pub fn allow_beside(connections: usize, figures: Option<usize>) -> Result<(), TooFewFiles> {
    let all = connections.saturating_add(figures.unwrap_or_default());
    let needed = u64::try_from(all).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    limit.current = Some(needed);
    if allowed < needed || setrlimit(Resource::Nofile, limit).is_err() {
        return Err(TooFewFiles { connections, needed, allowed });
    }
    Ok(())
}
