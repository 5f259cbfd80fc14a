//! The reader of dumps.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seenby::store::dump::fuzzing::dump;

fuzz_target!(|bytes: &[u8]| dump(bytes));
