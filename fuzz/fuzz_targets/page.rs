//! The codec of the pages in page files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use seenby::store::embedded::fuzzing::page;

fuzz_target!(|bytes: &[u8]| page(bytes));
