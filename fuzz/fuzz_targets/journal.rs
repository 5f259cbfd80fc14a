//! The journal's frames, whole, torn and damaged.

#![no_main]

use std::{path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use seenby::store::embedded::fuzzing::journal;

/// In `TMPDIR`, which had better be in memory, and be removed afterwards: libFuzzer ends by leaving.
static DIRECTORY: LazyLock<PathBuf> =
    LazyLock::new(|| tempfile::tempdir().expect("a temporary directory").keep());

fuzz_target!(|bytes: &[u8]| journal(&DIRECTORY, bytes));
