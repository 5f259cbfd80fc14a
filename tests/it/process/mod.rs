//! The real binary over its whole life: under load, killed, ended, started again, and watched at its system calls.
//!
//! `backups` is about what is taken of it and restored elsewhere, `undone` about commands that end half-way, `access` about its keys, `users` about theirs; `group`, `streams`, `expiry` and `pace` are a server that goes on; `lives`, `ends`, `kills` and `checkpoints` are one that does not; `supervised` is one that a service manager has; `order` and
//! `pending` watch the disk, `calls` reads what strace saw.

mod access;
mod backups;
pub(crate) mod calls;
mod checkpoints;
mod ends;
mod endurance;
mod expiry;
mod group;
pub(crate) mod kills;
mod lives;
mod order;
mod pace;
mod pending;
mod streams;
mod supervised;
mod undone;
mod users;

use std::{net::SocketAddr, path::Path};

use seenby::client::Client;

use crate::{
    api::wire::Client as Wire,
    harness::{PATIENCE, Running},
};

/// Bytes of a journal that holds nothing: the head of its one segment.
pub(crate) const JOURNAL_EMPTY_BYTES: u64 = 20;

/// A server on `data`, with more arguments.
fn start(data: &Path, args: &[&str]) -> Running {
    start_under(&[], data, args)
}

/// The same, under another command.
fn start_under(under: &[&str], data: &Path, args: &[&str]) -> Running {
    let data = ["--data", data.to_str().unwrap(), "--log", "warn"];
    Running::start_under(under, &[&data, args].concat())
}

/// A client that has nothing from an earlier life of the server, and as much patience as the tests.
pub(crate) fn client(server: &Running) -> Client {
    Client::new(server.url()).unwrap().with_attempt_max(PATIENCE)
}

/// A connection of its own, to say exactly what a test wants said.
pub(crate) async fn connection(server: &Running) -> Wire {
    Wire::connect(address(server)).await
}

fn address(server: &Running) -> SocketAddr {
    server.url().strip_prefix("http://").unwrap().parse().unwrap()
}

/// The roster `members` and the messages, all of which the first member sent.
pub(crate) async fn chat(client: &Client, conversation: &str, members: &[&str], messages: &[&str]) {
    client.replace_roster(conversation, members).await.unwrap();
    for message in messages {
        client.register(conversation, message, &members[0].into()).await.unwrap();
    }
}

/// How many have read the message; none if it is unknown.
pub(crate) async fn read(client: &Client, conversation: &str, message: &str) -> Option<u32> {
    client.pull(conversation, &[message]).await.unwrap().receipts[0].read
}

/// A metric without labels, as `/metrics` shows it now.
pub(crate) async fn metric(wire: &mut Wire, name: &str) -> u64 {
    let text = String::from_utf8(wire.get("/metrics").await.body).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
}

/// Waits until a metric without labels has a value.
async fn metric_is(wire: &mut Wire, name: &str, expected: u64) {
    let wait = async { while metric(wire, name).await != expected {} };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {name} {expected}"));
}

/// Waits until a checkpoint has all that was answered. Needs a server that makes them often.
async fn checkpointed(wire: &mut Wire) {
    metric_is(wire, "seenby_store_journal_bytes", JOURNAL_EMPTY_BYTES).await;
}
