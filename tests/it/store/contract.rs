//! What every engine does. Each test runs on the model and on the embedded engine.

use seenby::{
    domain::{Audience, ExpiresAt, ORDER_MAX, Order, Refusal, RegisterOutcome, RosterChange, Timestamp},
    store::{Half, Mark, Marked, Read, Store, StoreError, Unread},
};

use super::{
    NOW, conversation, counts, group, mark, message, new, read_messages, register, registration, same, user,
    users, walk,
};

macro_rules! contract {
    ($($test:ident)*) => {
        mod model {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&seenby::store::model::ModelStore::default()).await;
            })*
        }

        mod embedded {
            use seenby::store::embedded::{EmbeddedStore, Options};

            $(#[tokio::test]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
                super::$test(&store).await;
            })*
        }
    };
}

contract! {
    a_roster_is_a_set_whose_version_rises_with_each_real_change
    a_roster_is_listed_in_slot_order_and_who_comes_back_has_the_slot_of_before
    a_roster_never_grows_past_its_limit
    an_audience_is_fixed_when_the_message_is_registered
    an_audience_of_its_own_stands_in_place_of_the_roster
    the_same_registration_gets_the_first_answer_and_another_one_is_refused
    an_order_rises_and_the_highest_is_remembered
    without_roster_or_audience_nobody_is_asked
    a_mark_counts_once
    a_mark_of_what_cannot_be_marked_is_refused_and_stops_nothing
    a_mark_up_to_a_place_takes_what_the_reader_was_sent
    marks_of_one_write_take_effect_in_their_order
    both_halves_of_an_audience_are_walked_in_parts
    a_reader_sees_what_is_left_to_read
    a_reset_message_was_read_by_nobody
    a_deleted_message_is_unknown_and_its_id_may_come_again
    an_expired_message_is_unknown_from_its_end_on
    a_sweep_changes_no_answer
    a_forgotten_conversation_leaves_nothing_behind
    conversations_are_listed_in_byte_order
    messages_are_listed_in_their_order
    more_messages_than_a_page_holds_are_no_different
    generations_are_never_used_twice
    a_closed_store_takes_no_writes
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
    let with = |id: &str, audience: &[&str]| seenby::domain::Registration {
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
    let full = |order, expires_in_s| seenby::domain::Registration {
        order: Some(Order(order)),
        expires_in_s: Some(expires_in_s),
        ..registration("m2", "bob")
    };
    assert_eq!(register(store, "c", full(7, 60)).await, new(1, 7));
    store.replace_roster(conversation("c"), users(&["alice", "bob", "carol"])).await.unwrap();
    assert_eq!(register(store, "c", registration("m1", "alice")).await, same(1, 1));
    let later = seenby::domain::Registration { expires_at: ExpiresAt { unix_s: 9_999 }, ..full(7, 60) };
    assert_eq!(register(store, "c", later).await, same(1, 7), "the first answer, with its end");
    let asked =
        |order| seenby::domain::Registration { order: Some(Order(order)), ..registration("m1", "alice") };
    let differs = RegisterOutcome::Refused(Refusal::MessageDiffers);
    for other in [full(8, 60), full(7, 61), asked(1), registration("m1", "bob"), registration("m2", "bob")] {
        assert_eq!(register(store, "c", other.clone()).await, differs, "{other:?}");
    }
    let own = Audience::Users(users(&["bob"]));
    let other = seenby::domain::Registration { audience: own, ..registration("m1", "alice") };
    assert_eq!(
        register(store, "c", other).await,
        differs,
        "sent is not left out, though the set is the same"
    );
}

async fn an_order_rises_and_the_highest_is_remembered(store: &dyn Store) {
    group(store, "c", &["alice"], &[]).await;
    let at =
        |id: &str, order| seenby::domain::Registration { order: Some(Order(order)), ..registration(id, "a") };
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
    let own = seenby::domain::Registration {
        audience: Audience::Users(users(&["bob"])),
        ..registration("m2", "alice")
    };
    assert_eq!(register(store, "c", own).await, new(1, 1));
    assert_eq!(register(store, "c", registration("m1", "alice")).await, refused);
    store.replace_roster(conversation("c"), vec![]).await.unwrap();
    assert_eq!(register(store, "c", registration("m1", "alice")).await, new(0, 2));
}

async fn a_mark_counts_once(store: &dyn Store) {
    group(store, "c", &["alice", "bob", "carol"], &["m1", "m2"]).await;
    let marked = |marked, already| Marked { marked, already, refused: vec![] };
    assert_eq!(mark(store, "c", "bob", read_messages(&["m1"])).await, marked(1, 0));
    assert_eq!(mark(store, "c", "bob", read_messages(&["m1", "m2", "m2"])).await, marked(1, 2));
    assert_eq!(counts(store, "c", &["m1", "m2"]).await, [Some((1, 2)), Some((1, 2))]);
    assert_eq!(walk(store, "c", "m2", Half::Read, 9).await, users(&["bob"]));
}

async fn a_mark_of_what_cannot_be_marked_is_refused_and_stops_nothing(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2"]).await;
    let unknown = |id: &str| (message(id), Refusal::UnknownMessage);
    let outside = |id: &str| (message(id), Refusal::NotInAudience);
    let bob = mark(store, "c", "bob", read_messages(&["x", "m2", "x"])).await;
    assert_eq!(bob, Marked { marked: 1, already: 0, refused: vec![unknown("x"), unknown("x")] });
    let sender = mark(store, "c", "alice", read_messages(&["m1"])).await;
    assert_eq!(sender.refused, [outside("m1")], "a sender is never among the readers");
    let stranger = mark(store, "c", "stranger", read_messages(&["m1", "x"])).await;
    assert_eq!(stranger.refused, [outside("m1"), unknown("x")]);
    let nowhere = mark(store, "nowhere", "bob", read_messages(&["m1"])).await;
    assert_eq!(nowhere.refused, [unknown("m1")]);
    assert_eq!(mark(store, "nowhere", "bob", Read::UpTo(message("m1"))).await.refused, [unknown("m1")]);
    assert_eq!(mark(store, "nowhere", "bob", Read::UpToOrder(Order(3))).await, Marked::default());
    assert_eq!(counts(store, "c", &["m1", "m2"]).await, [Some((0, 1)), Some((1, 1))]);
}

async fn a_mark_up_to_a_place_takes_what_the_reader_was_sent(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2"]).await;
    store.change_roster(conversation("c"), users(&["carol"]), vec![], 99).await.unwrap();
    register(store, "c", registration("m3", "bob")).await;
    register(
        store,
        "c",
        seenby::domain::Registration { order: Some(Order(9)), ..registration("m9", "alice") },
    )
    .await;
    let marked = |marked, already| Marked { marked, already, refused: vec![] };
    assert_eq!(
        mark(store, "c", "carol", Read::UpTo(message("m2"))).await,
        marked(0, 0),
        "not asked, not refused"
    );
    assert_eq!(
        mark(store, "c", "bob", Read::UpTo(message("m3"))).await,
        marked(2, 0),
        "up to one's own message"
    );
    assert_eq!(mark(store, "c", "bob", Read::UpToOrder(Order(8))).await, marked(0, 2));
    assert_eq!(mark(store, "c", "bob", Read::UpToOrder(Order(99))).await, marked(1, 2));
    assert_eq!(mark(store, "c", "carol", Read::UpTo(message("m9"))).await, marked(2, 0));
    let unknown = mark(store, "c", "carol", Read::UpTo(message("m8"))).await;
    assert_eq!(unknown, Marked { refused: vec![(message("m8"), Refusal::UnknownMessage)], ..marked(0, 0) });
    assert_eq!(mark(store, "c", "stranger", Read::UpTo(message("m9"))).await, marked(0, 0));
    let all = counts(store, "c", &["m1", "m2", "m3", "m9"]).await;
    assert_eq!(all, [Some((1, 1)), Some((1, 1)), Some((1, 2)), Some((2, 2))]);
}

async fn marks_of_one_write_take_effect_in_their_order(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2"]).await;
    group(store, "d", &["alice", "bob"], &["m1"]).await;
    let entry = |c: &str, read| Mark { conversation: conversation(c), reader: user("bob"), read };
    let marks = vec![
        entry("c", read_messages(&["m2"])),
        entry("nowhere", read_messages(&["m1"])),
        entry("c", Read::UpTo(message("m2"))),
        entry("d", Read::UpToOrder(Order(1))),
    ];
    let answers = store.mark(marks, NOW).await.unwrap();
    let tallies: Vec<_> =
        answers.iter().map(|marked| (marked.marked, marked.already, marked.refused.len())).collect();
    assert_eq!(tallies, [(1, 0, 0), (0, 0, 1), (1, 1, 0), (1, 0, 0)]);
}

async fn both_halves_of_an_audience_are_walked_in_parts(store: &dyn Store) {
    let members: Vec<_> = (0..150).map(|n| format!("u{n:03}")).collect();
    let members: Vec<_> = members.iter().map(String::as_str).collect();
    group(store, "c", &members, &["m1"]).await;
    let readers: Vec<_> = members.iter().skip(1).step_by(3).copied().collect();
    for reader in readers.iter().rev() {
        mark(store, "c", reader, read_messages(&["m1"])).await;
    }
    let unread: Vec<_> = members[1..].iter().filter(|member| !readers.contains(member)).copied().collect();
    for limit in [1, 7, 50, 149, 200] {
        assert_eq!(walk(store, "c", "m1", Half::Read, limit).await, users(&readers), "{limit}");
        assert_eq!(walk(store, "c", "m1", Half::Unread, limit).await, users(&unread), "{limit}");
    }
    assert_eq!(
        store.readers(&conversation("c"), &message("x"), Half::Read, None, 1, NOW).await.unwrap(),
        None
    );
}

async fn a_reader_sees_what_is_left_to_read(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2", "m3"]).await;
    register(store, "c", registration("m4", "bob")).await;
    let unread = async |reader: &str| store.unread(&conversation("c"), &user(reader), NOW).await.unwrap();
    assert_eq!(unread("bob").await, Unread { unread: 3, first: Some(message("m1")) });
    mark(store, "c", "bob", read_messages(&["m1", "m3"])).await;
    assert_eq!(unread("bob").await, Unread { unread: 1, first: Some(message("m2")) });
    assert_eq!(unread("alice").await, Unread { unread: 1, first: Some(message("m4")) });
    assert_eq!(unread("stranger").await, Unread::default());
    assert_eq!(store.unread(&conversation("x"), &user("bob"), NOW).await.unwrap(), Unread::default());
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
    let brief = |id: &str| seenby::domain::Registration {
        expires_at: ExpiresAt { unix_s: 1_001 },
        ..registration(id, "alice")
    };
    group(store, "c", &["alice", "bob"], &[]).await;
    register(store, "c", brief("m1")).await;
    register(store, "c", registration("m2", "alice")).await;
    mark(store, "c", "bob", read_messages(&["m1"])).await;
    let (before, end) = (Timestamp { unix_ms: 1_000_999 }, Timestamp { unix_ms: 1_001_000 });
    let (c, m1) = (conversation("c"), message("m1"));
    let known = async |now| store.receipts(&c, std::slice::from_ref(&m1), now).await.unwrap()[0].is_some();
    assert_eq!((known(before).await, known(end).await), (true, false));
    assert_eq!(store.message(&c, &m1, end).await.unwrap(), None);
    assert_eq!(store.messages(&c, None, 9, end).await.unwrap().0.len(), 1);
    assert_eq!(store.readers(&c, &m1, Half::Read, None, 9, end).await.unwrap(), None);
    assert_eq!(store.unread(&c, &user("bob"), end).await.unwrap().first, Some(message("m2")));
    assert!(!store.reset_message(c.clone(), m1.clone(), end).await.unwrap());
    let late = Mark { conversation: c.clone(), reader: user("bob"), read: Read::UpToOrder(Order(9)) };
    assert_eq!(store.mark(vec![late], end).await.unwrap()[0], Marked { marked: 1, ..Marked::default() });
    let again = store.register(c.clone(), vec![registration("m1", "alice")], end).await.unwrap();
    assert_eq!(again, [new(1, 3)], "a new message, at the end of the order");
    assert_eq!(counts(store, "c", &["m1"]).await, [Some((0, 1))], "and nobody has read it");
}

async fn a_sweep_changes_no_answer(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m0"]).await;
    for n in 1..200 {
        let end = ExpiresAt { unix_s: if n % 3 == 0 { 1_500 } else { 1_001 } };
        let one = seenby::domain::Registration { expires_at: end, ..registration(&format!("m{n}"), "alice") };
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
    assert_eq!(store.sweep(Timestamp { unix_ms: 2_000_000 }).await.unwrap(), 67);
    assert_eq!(store.vitals().messages, 0);
    assert_eq!(register(store, "c", registration("m0", "alice")).await, new(1, 201));
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
    let brief = seenby::domain::Registration {
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

async fn more_messages_than_a_page_holds_are_no_different(store: &dyn Store) {
    let ids: Vec<_> = (1..=300).map(|n| format!("m{n}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    group(store, "c", &["alice", "bob"], &ids).await;
    let bob = mark(store, "c", "bob", Read::UpTo(message("m200"))).await;
    assert_eq!((bob.marked, bob.already), (200, 0));
    let scattered = mark(store, "c", "bob", read_messages(&["m300", "m1", "m250", "m64", "m65"])).await;
    assert_eq!((scattered.marked, scattered.already), (2, 3));
    let all = mark(store, "c", "bob", Read::UpToOrder(ORDER_MAX)).await;
    assert_eq!((all.marked, all.already), (98, 202));
    assert_eq!(counts(store, "c", &ids).await, vec![Some((1, 1)); 300]);
}

async fn generations_are_never_used_twice(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2"]).await;
    group(store, "d", &["alice", "bob"], &["m1"]).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        for (c, m) in [("c", "m1"), ("c", "m2"), ("d", "m1")] {
            let receipts = store.receipts(&conversation(c), &[message(m)], NOW).await.unwrap();
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
