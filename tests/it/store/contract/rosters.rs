//! Rosters and conversations.

use seenby::{
    domain::{Audience, ExpiresAt, Order, Registration, RosterChange, Timestamp},
    store::{Read, Store},
};

use crate::store::{NOW, conversation, counts, group, mark, read_messages, register, registration, users};

contract! {
    a_roster_is_a_set_whose_version_rises_with_each_real_change
    a_roster_is_listed_in_slot_order_and_who_comes_back_has_the_slot_of_before
    a_roster_never_grows_past_its_limit
    a_forgotten_conversation_leaves_nothing_behind
    conversations_are_listed_in_byte_order
}

fn now(members: usize, version: u64) -> RosterChange {
    RosterChange::Now { members, version }
}

async fn a_roster_is_a_set_whose_version_rises_with_each_real_change(store: &dyn Store) {
    let replace = async |ids: &[&str]| store.replace_roster(conversation("c"), users(ids)).await.unwrap();
    let change = async |add: &[&str], remove: &[&str]| {
        store.change_roster(conversation("c"), users(add), users(remove), 99).await.unwrap()
    };
    assert_eq!(replace(&["alice", "bob", "alice"]).await, now(2, 1));
    assert_eq!(replace(&["bob", "alice"]).await, now(2, 1));
    assert_eq!(replace(&["bob"]).await, now(1, 2));
    assert_eq!(change(&["bob"], &["nobody"]).await, now(1, 2));
    assert_eq!(change(&["carol"], &["bob"]).await, now(1, 3));
    assert_eq!(change(&[], &[]).await, now(1, 3));
    assert_eq!(replace(&[]).await, now(0, 4));
    let begun = store.change_roster(conversation("d"), users(&[]), users(&["x"]), 99).await.unwrap();
    assert_eq!(begun, now(0, 1), "a change makes a roster where there was none, empty or not");
    assert_eq!(store.roster(&conversation("e"), None, 10).await.unwrap(), None);
}

async fn a_roster_is_listed_in_slot_order_and_who_comes_back_has_the_slot_of_before(store: &dyn Store) {
    group(store, "c", &["zoe", "bob", "alice", "carol"], &[]).await;
    store.change_roster(conversation("c"), vec![], users(&["bob"]), 99).await.unwrap();
    store.change_roster(conversation("c"), users(&["dave", "bob"]), vec![], 99).await.unwrap();
    let all = store.roster(&conversation("c"), None, 100).await.unwrap().unwrap();
    assert_eq!(
        (all.version, all.members, all.next),
        (3, users(&["zoe", "bob", "alice", "carol", "dave"]), None)
    );
    let first = store.roster(&conversation("c"), None, 3).await.unwrap().unwrap();
    assert_eq!(first.members, users(&["zoe", "bob", "alice"]));
    let rest = store.roster(&conversation("c"), first.next, 2).await.unwrap().unwrap();
    assert_eq!((rest.members, rest.next), (users(&["carol", "dave"]), None));
}

async fn a_roster_never_grows_past_its_limit(store: &dyn Store) {
    let change = async |c: &str, add: &[&str], remove: &[&str]| {
        store.change_roster(conversation(c), users(add), users(remove), 2).await.unwrap()
    };
    assert_eq!(change("c", &["a", "b"], &[]).await, now(2, 1));
    assert_eq!(change("c", &["c"], &[]).await, RosterChange::TooManyMembers);
    assert_eq!(change("c", &["a", "b"], &[]).await, now(2, 1));
    assert_eq!(change("c", &["c"], &["a"]).await, now(2, 2));
    assert_eq!(change("d", &["a", "b", "c"], &[]).await, RosterChange::TooManyMembers);
    assert_eq!(store.roster(&conversation("d"), None, 9).await.unwrap(), None, "nothing was changed");
}

async fn a_forgotten_conversation_leaves_nothing_behind(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1"]).await;
    mark(store, "c", "bob", read_messages(&["m1"])).await;
    for _ in 0..2 {
        store.forget_conversation(conversation("c")).await.unwrap();
    }
    assert_eq!(counts(store, "c", &["m1"]).await, [None]);
    assert_eq!(store.roster(&conversation("c"), None, 9).await.unwrap(), None);
    assert_eq!(store.conversations(None, 9, NOW).await.unwrap(), (vec![], false));
    group(store, "c", &["bob", "alice"], &["m1"]).await;
    assert_eq!(counts(store, "c", &["m1"]).await, [Some((0, 1))]);
    let part = store.roster(&conversation("c"), None, 9).await.unwrap().unwrap();
    assert_eq!((part.version, part.members), (1, users(&["bob", "alice"])), "new slots, too");
}

async fn conversations_are_listed_in_byte_order(store: &dyn Store) {
    for id in ["b", "a", "B", "é", "a0"] {
        group(store, id, &["alice"], &[]).await;
    }
    let own = Audience::Users(users(&["x"]));
    let brief = Registration {
        audience: own,
        expires_at: ExpiresAt { unix_s: 1_001 },
        ..registration("m1", "alice")
    };
    register(store, "aa", brief).await;
    mark(store, "nowhere", "bob", Read::UpToOrder(Order(1))).await;
    let list = async |after: Option<&str>, limit, now| {
        let after = after.map(conversation);
        let (ids, more) = store.conversations(after.as_ref(), limit, now).await.unwrap();
        (ids.iter().map(ToString::to_string).collect::<Vec<_>>(), more)
    };
    assert_eq!(
        list(None, 9, NOW).await,
        (["B", "a", "a0", "aa", "b", "é"].map(String::from).to_vec(), false)
    );
    assert_eq!(list(Some("a"), 2, NOW).await, (["a0", "aa"].map(String::from).to_vec(), true));
    assert_eq!(list(Some("aa"), 2, NOW).await, (["b", "é"].map(String::from).to_vec(), false));
    let later = Timestamp { unix_ms: 1_001_000 };
    assert_eq!(
        list(Some("a"), 2, later).await,
        (["a0", "b"].map(String::from).to_vec(), true),
        "no live message"
    );
}
