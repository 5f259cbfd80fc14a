//! Who watches a conversation is told of every write that may have changed its receipts.

use std::time::Duration;

use seenby::{
    domain::Timestamp,
    store::{
        Changes, Store,
        embedded::{EmbeddedStore, Options},
    },
};
use tokio::time::timeout;

use crate::store::{
    END, NOW, conversation, group, mark, message, read_messages, register, registration, user,
};

contract! {
    every_write_that_may_change_receipts_is_told
    what_changed_before_somebody_looked_is_told_once
    a_conversation_that_is_not_there_yet_can_be_watched
}

/// Longer than anything takes here, so that a test fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(20);

async fn told(changes: &mut Changes, what: &str) {
    timeout(PATIENCE, changes.next()).await.unwrap_or_else(|_| panic!("{what} is not told"));
}

async fn every_write_that_may_change_receipts_is_told(store: &dyn Store) {
    group(store, "c", &["alice", "bob", "carol"], &["m1", "m2"]).await;
    let mut changes = store.changes(&conversation("c"));
    mark(store, "c", "bob", read_messages(&["m1"])).await;
    told(&mut changes, "a mark").await;
    store.set_hidden(user("bob"), true).await.unwrap();
    told(&mut changes, "a user who is hidden").await;
    store.set_hidden(user("bob"), false).await.unwrap();
    told(&mut changes, "a user who is shown").await;
    store.reset_message(conversation("c"), message("m1"), NOW).await.unwrap();
    told(&mut changes, "a reset").await;
    store.forget_message(conversation("c"), message("m1"), NOW).await.unwrap();
    told(&mut changes, "a deletion").await;
    register(store, "c", registration("m1", "bob")).await;
    told(&mut changes, "a registration").await;
    store.forget_user(user("bob")).await.unwrap();
    told(&mut changes, "a user who is deleted").await;
    store.sweep(Timestamp { unix_ms: END.unix_s * 1_000 }).await.unwrap();
    told(&mut changes, "a sweep").await;
    store.forget_conversation(conversation("c")).await.unwrap();
    told(&mut changes, "a conversation's end").await;
}

async fn what_changed_before_somebody_looked_is_told_once(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2"]).await;
    let mut changes = store.changes(&conversation("c"));
    mark(store, "c", "bob", read_messages(&["m1"])).await;
    mark(store, "c", "bob", read_messages(&["m2"])).await;
    told(&mut changes, "a mark").await;
    let again = timeout(Duration::from_millis(20), changes.next()).await;
    assert!(again.is_err(), "both are told by then");
}

async fn a_conversation_that_is_not_there_yet_can_be_watched(store: &dyn Store) {
    let mut changes = store.changes(&conversation("c"));
    group(store, "c", &["alice", "bob"], &["m1"]).await;
    told(&mut changes, "its beginning").await;
}

/// Of the embedded engine alone: others may tell of more. Who is woken can tell the time of it.
#[tokio::test]
async fn marks_that_change_nothing_wake_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
    group(&store, "c", &["alice", "bob", "carol"], &["m1"]).await;
    mark(&store, "c", "bob", read_messages(&["m1"])).await;
    store.set_hidden(user("carol"), true).await.unwrap();
    let mut changes = store.changes(&conversation("c"));
    mark(&store, "c", "bob", read_messages(&["m1", "none"])).await;
    mark(&store, "c", "carol", read_messages(&["m1"])).await;
    let woken = timeout(Duration::from_millis(20), changes.next()).await;
    assert!(woken.is_err(), "a mark of before, and one that is not kept");
}
