//! One processor for the server and another for the load, so that neither takes the other's time.

use std::{io, sync::OnceLock};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::MeasureError;

/// The server's, of those that this process may use.
pub(in crate::cli) const SERVER_PROCESSOR: usize = 0;
/// The load's.
pub(in crate::cli) const LOAD_PROCESSOR: usize = 1;

/// Gives the calling thread, and all that it begins from now on, this one of the processors alone.
pub(in crate::cli) fn take_processor(at: usize) -> Result<(), MeasureError> {
    // What this process may use is what its first call finds; later ones find what an earlier one has left.
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    let allowed = sched_getaffinity(None).map_err(bad)?;
    let allowed = ALLOWED.get_or_init(|| (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect());
    let Some(&cpu) = allowed.get(at) else {
        return Err(MeasureError::Usage("this needs two processors".to_owned()));
    };
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only).map_err(bad)
}

fn bad(error: rustix::io::Errno) -> MeasureError {
    MeasureError::io("choose a processor")(io::Error::from(error))
}
