//! The `seenby` command.

fn main() {}
