//! Tests that have a store, a socket or a process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in what its functions share")]

mod api;
mod bench;
mod cli;
mod cluster;
mod corpus;
mod faults;
mod formats;
mod harness;
mod power;
mod process;
mod readme;
mod replay;
mod simulate;
mod store;
mod tidy;
