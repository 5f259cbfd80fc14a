//! seenby: a read-receipt server.

pub mod cli;
pub mod client;
pub mod domain;
pub mod http;
pub mod process;
pub mod receipts;
pub mod store;
pub mod wire;
