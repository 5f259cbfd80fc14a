//! Tests that have a store, a socket or a process.
