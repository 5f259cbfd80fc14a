//! The embedded engine: one machine, one directory.
