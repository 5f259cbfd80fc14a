//! Tests that have a store, a socket or a process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod store;
