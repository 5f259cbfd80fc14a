//! User tokens and the files of their keys, as they come from outside.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seenby::access::fuzzing::credentials;

fuzz_target!(|bytes: &[u8]| credentials(bytes));
