//! Messages: registered, reset, deleted, expired.

use seenby::{
    domain::{
        Audience, ExpiresAt, ORDER_MAX, Order, Refusal, RegisterOutcome, Registration, Role, Timestamp,
        Viewer,
    },
    store::{Half, Mark, Marked, Read, ReadersWanted, Store, StoreError},
};

use crate::store::{
    NOW, conversation, counts, group, mark, message, new, read_messages, register, registration, same, user,
    users, walk,
};

contract! {
    an_audience_is_fixed_when_the_message_is_registered
    an_audience_of_its_own_stands_in_place_of_the_roster
    the_same_registration_gets_the_first_answer_and_another_one_is_refused
    an_order_rises_and_the_highest_is_remembered
    without_roster_or_audience_nobody_is_asked
    a_reset_message_was_read_by_nobody
    a_deleted_message_is_unknown_and_its_id_may_come_again
    an_expired_message_is_unknown_from_its_end_on
    a_sweep_changes_no_answer
    messages_are_listed_in_their_order
    generations_are_never_used_twice
    a_closed_store_takes_no_writes
}

async fn an_audience_is_fixed_when_the_message_is_registered(store: &dyn Store) {
    group(store, "c", &["alice", "bob", "carol"], &["m1"]).await;
    store.replace_roster(conversation("c"), users(&["alice", "dave"])).await.unwrap();
    assert_eq!(register(store, "c", registration("m2", "alice")).await, new(1, 2));
    assert_eq!(counts(store, "c", &["m1", "m2"]).await, [Some((0, 2)), Some((0, 1))]);
    assert_eq!(mark(store, "c", "bob", read_messages(&["m1"])).await.marked, 1, "left, but was asked");
    let late = mark(store, "c", "dave", read_messages(&["m1"])).await;
    assert_eq!(late.refused, [(message("m1"), Refusal::NotInAudience)]);
    assert_eq!(walk(store, "c", "m1", Half::Unread, 9).await, users(&["carol"]));
}

async fn an_audience_of_its_own_stands_in_place_of_the_roster(store: &dyn Store) {
    let with = |id: &str, audience: &[&str]| Registration {
        audience: Audience::Users(users(audience)),
        ..registration(id, "alice")
    };
    assert_eq!(register(store, "c", with("m1", &["bob", "alice", "bob", "eve"])).await, new(2, 1));
    assert_eq!(register(store, "c", with("m1", &["eve", "bob"])).await, same(2, 1), "the same set");
    let other = register(store, "c", with("m1", &["bob"])).await;
    assert_eq!(other, RegisterOutcome::Refused(Refusal::MessageDiffers));
    let stranger = register(store, "c", with("m1", &["bob", "stranger"])).await;
    assert_eq!(stranger, RegisterOutcome::Refused(Refusal::MessageDiffers));
    assert_eq!(register(store, "c", with("m2", &[])).await, new(0, 2), "alone in the room");
    assert_eq!(mark(store, "c", "eve", read_messages(&["m1"])).await.marked, 1);
    assert_eq!(store.roster(&conversation("c"), None, 9).await.unwrap(), None, "no roster comes of it");
}

async fn the_same_registration_gets_the_first_answer_and_another_one_is_refused(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1"]).await;
    let full = |order, expires_in_s| Registration {
        order: Some(Order(order)),
        expires_in_s: Some(expires_in_s),
        ..registration("m2", "bob")
    };
    assert_eq!(register(store, "c", full(7, 60)).await, new(1, 7));
    store.replace_roster(conversation("c"), users(&["alice", "bob", "carol"])).await.unwrap();
    assert_eq!(register(store, "c", registration("m1", "alice")).await, same(1, 1));
    let later = Registration { expires_at: ExpiresAt { unix_s: 9_999 }, ..full(7, 60) };
    assert_eq!(register(store, "c", later).await, same(1, 7), "the first answer, with its end");
    let asked = |order| Registration { order: Some(Order(order)), ..registration("m1", "alice") };
    let differs = RegisterOutcome::Refused(Refusal::MessageDiffers);
    for other in [full(8, 60), full(7, 61), asked(1), registration("m1", "bob"), registration("m2", "bob")] {
        assert_eq!(register(store, "c", other.clone()).await, differs, "{other:?}");
    }
    let own = Audience::Users(users(&["bob"]));
    let other = Registration { audience: own, ..registration("m1", "alice") };
    assert_eq!(
        register(store, "c", other).await,
        differs,
        "sent is not left out, though the set is the same"
    );
}

async fn an_order_rises_and_the_highest_is_remembered(store: &dyn Store) {
    group(store, "c", &["alice"], &[]).await;
    let at = |id: &str, order| Registration { order: Some(Order(order)), ..registration(id, "a") };
    let passed = RegisterOutcome::Refused(Refusal::OrderPassed);
    assert_eq!(register(store, "c", at("m0", 0)).await, new(1, 0), "a chat may count from 0");
    assert_eq!(register(store, "c", registration("m1", "a")).await, new(1, 1));
    assert_eq!(register(store, "c", at("m5", 5)).await, new(1, 5));
    assert_eq!(register(store, "c", at("m6", 5)).await, passed);
    store.forget_message(conversation("c"), message("m5"), NOW).await.unwrap();
    assert_eq!(register(store, "c", at("m6", 5)).await, passed);
    assert_eq!(register(store, "c", registration("m6", "a")).await, new(1, 6));
    assert_eq!(register(store, "c", at("last", ORDER_MAX.0)).await, new(1, ORDER_MAX.0));
    assert_eq!(register(store, "c", registration("m7", "a")).await, passed);
    store.forget_conversation(conversation("c")).await.unwrap();
    group(store, "c", &["alice"], &[]).await;
    assert_eq!(register(store, "c", registration("m7", "a")).await, new(1, 1));
}

async fn without_roster_or_audience_nobody_is_asked(store: &dyn Store) {
    let refused = RegisterOutcome::Refused(Refusal::NoAudience);
    assert_eq!(register(store, "c", registration("m1", "alice")).await, refused);
    let own = Registration { audience: Audience::Users(users(&["bob"])), ..registration("m2", "alice") };
    assert_eq!(register(store, "c", own).await, new(1, 1));
    assert_eq!(register(store, "c", registration("m1", "alice")).await, refused);
    store.replace_roster(conversation("c"), vec![]).await.unwrap();
    assert_eq!(register(store, "c", registration("m1", "alice")).await, new(0, 2));
}

async fn a_reset_message_was_read_by_nobody(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2"]).await;
    mark(store, "c", "bob", read_messages(&["m1", "m2"])).await;
    assert!(store.reset_message(conversation("c"), message("m1"), NOW).await.unwrap());
    assert!(!store.reset_message(conversation("c"), message("x"), NOW).await.unwrap());
    assert!(!store.reset_message(conversation("x"), message("m1"), NOW).await.unwrap());
    assert_eq!(counts(store, "c", &["m1", "m2"]).await, [Some((0, 1)), Some((1, 1))]);
    assert_eq!(mark(store, "c", "bob", read_messages(&["m1"])).await.marked, 1);
}

async fn a_deleted_message_is_unknown_and_its_id_may_come_again(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2"]).await;
    mark(store, "c", "bob", read_messages(&["m1"])).await;
    for _ in 0..2 {
        store.forget_message(conversation("c"), message("m1"), NOW).await.unwrap();
    }
    store.forget_message(conversation("x"), message("m1"), NOW).await.unwrap();
    assert_eq!(counts(store, "c", &["m1", "m2"]).await, [None, Some((0, 1))]);
    assert_eq!(store.message(&conversation("c"), &message("m1"), NOW).await.unwrap(), None);
    let again = mark(store, "c", "bob", read_messages(&["m1"])).await;
    assert_eq!(again.refused, [(message("m1"), Refusal::UnknownMessage)]);
    assert_eq!(register(store, "c", registration("m1", "bob")).await, new(1, 3), "a new one, at the end");
    assert_eq!(counts(store, "c", &["m1"]).await, [Some((0, 1))]);
}

async fn an_expired_message_is_unknown_from_its_end_on(store: &dyn Store) {
    let brief =
        |id: &str| Registration { expires_at: ExpiresAt { unix_s: 1_001 }, ..registration(id, "alice") };
    group(store, "c", &["alice", "bob"], &[]).await;
    register(store, "c", brief("m1")).await;
    register(store, "c", registration("m2", "alice")).await;
    mark(store, "c", "bob", read_messages(&["m1"])).await;
    let (before, end) = (Timestamp { unix_ms: 1_000_999 }, Timestamp { unix_ms: 1_001_000 });
    let (c, m1) = (conversation("c"), message("m1"));
    let known =
        async |now| store.receipts(&c, &[m1.borrowed()], &Viewer::App, now).await.unwrap()[0].is_some();
    assert_eq!((known(before).await, known(end).await), (true, false));
    assert_eq!(store.message(&c, &m1, end).await.unwrap(), None);
    assert_eq!(store.messages(&c, None, 9, end).await.unwrap().0.len(), 1);
    assert_eq!(
        store
            .readers(&c, &m1, &Viewer::App, ReadersWanted { half: Half::Read, after: None, limit: 9 }, end)
            .await
            .unwrap(),
        None
    );
    assert_eq!(store.unread(&c, &user("bob"), end).await.unwrap().first, Some(message("m2")));
    assert!(!store.reset_message(c.clone(), m1.clone(), end).await.unwrap());
    let late =
        Mark { conversation: c.clone(), reader: user("bob"), read: Read::UpToOrder(Order(9)), by: Role::App };
    assert_eq!(store.mark(vec![late], end).await.unwrap()[0], Marked { marked: 1, ..Marked::default() });
    let again = store.register(c.clone(), vec![registration("m1", "alice")], end).await.unwrap();
    assert_eq!(again, [new(1, 3)], "a new message, at the end of the order");
    assert_eq!(counts(store, "c", &["m1"]).await, [Some((0, 1))], "and nobody has read it");
}

async fn a_sweep_changes_no_answer(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m0"]).await;
    for n in 1..200 {
        let end = ExpiresAt { unix_s: if n % 3 == 0 { 1_500 } else { 1_001 } };
        let one = Registration { expires_at: end, ..registration(&format!("m{n}"), "alice") };
        register(store, "c", one).await;
    }
    mark(store, "c", "bob", Read::UpToOrder(Order(150))).await;
    let later = Timestamp { unix_ms: 1_001_000 };
    let look = async || {
        let list = store.messages(&conversation("c"), None, 999, later).await.unwrap().0;
        (list, store.unread(&conversation("c"), &user("bob"), later).await.unwrap())
    };
    let before = look().await;
    assert_eq!(store.sweep(NOW).await.unwrap(), 0);
    assert_eq!(store.sweep(later).await.unwrap(), 133, "of 199, every third stays");
    assert_eq!(store.sweep(later).await.unwrap(), 0);
    assert_eq!(look().await, before);
    assert_eq!(store.vitals().messages, 67);
    assert_eq!(store.vitals().writes_waiting, 0, "all were answered");
    assert_eq!(store.sweep(Timestamp { unix_ms: 2_000_000 }).await.unwrap(), 67);
    assert_eq!(store.vitals().messages, 0);
    assert_eq!(register(store, "c", registration("m0", "alice")).await, new(1, 201));
}

async fn messages_are_listed_in_their_order(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2", "m3", "m4"]).await;
    store.forget_message(conversation("c"), message("m2"), NOW).await.unwrap();
    mark(store, "c", "bob", read_messages(&["m3"])).await;
    let (list, more) = store.messages(&conversation("c"), None, 2, NOW).await.unwrap();
    let shown: Vec<_> = list
        .iter()
        .map(|known| {
            (known.message.to_string(), known.sender.to_string(), known.order.0, known.receipts.read)
        })
        .collect();
    let expected =
        [("m1", 1, 0), ("m3", 3, 1)].map(|(id, order, read)| (id.into(), "alice".into(), order, read));
    assert_eq!((shown, more), (expected.to_vec(), true));
    let (rest, more) = store.messages(&conversation("c"), Some(Order(3)), 2, NOW).await.unwrap();
    assert_eq!((rest.len(), rest[0].message.clone(), more), (1, message("m4"), false));
    let one = store.message(&conversation("c"), &message("m3"), NOW).await.unwrap().unwrap();
    assert_eq!(one, list[1]);
}

async fn generations_are_never_used_twice(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2"]).await;
    group(store, "d", &["alice", "bob"], &["m1"]).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        for (c, m) in [("c", "m1"), ("c", "m2"), ("d", "m1")] {
            let receipts =
                store.receipts(&conversation(c), &[message(m).borrowed()], &Viewer::App, NOW).await.unwrap();
            seen.push(receipts[0].unwrap().generation);
        }
        store.reset_message(conversation("c"), message("m1"), NOW).await.unwrap();
        store.forget_message(conversation("c"), message("m2"), NOW).await.unwrap();
        register(store, "c", registration("m2", "alice")).await;
        store.forget_conversation(conversation("d")).await.unwrap();
        group(store, "d", &["alice", "bob"], &["m1"]).await;
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count);
}

async fn a_closed_store_takes_no_writes(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1"]).await;
    assert!(store.vitals().can_commit);
    store.close().await.unwrap();
    store.close().await.unwrap();
    let late = store.replace_roster(conversation("c"), vec![]).await;
    assert_eq!(late, Err(StoreError::Closed));
    assert!(!store.vitals().can_commit);
    assert_eq!(counts(store, "c", &["m1"]).await, [Some((0, 1))], "reads go on");
}
