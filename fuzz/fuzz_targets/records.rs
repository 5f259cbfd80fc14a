//! The codec of the journal's records.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seenby::store::embedded::fuzzing::records;

fuzz_target!(|bytes: &[u8]| records(bytes));
