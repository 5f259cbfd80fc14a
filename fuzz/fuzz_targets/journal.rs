//! The journal's frames, whole, torn and damaged.

#![no_main]

use std::{path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use seenby::store::embedded::fuzzing::journal;

/// In memory, where there is such a place. Stays behind, empty but for one segment: libFuzzer ends by leaving.
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    tempfile::tempdir_in(place).expect("a temporary directory").keep()
});

fuzz_target!(|bytes: &[u8]| journal(&DIRECTORY, bytes));
