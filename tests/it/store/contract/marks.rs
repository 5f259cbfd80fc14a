//! Marks, and what comes of them.

use seenby::{
    domain::{ExpiresAt, ORDER_MAX, Order, Refusal, RegisterOutcome, Registration, Role, Timestamp, Viewer},
    store::{Half, Mark, Marked, Read, ReadersWanted, Store, Unread},
};

use crate::store::{
    NOW, conversation, counts, group, mark, message, read_messages, register, registration, user, users, walk,
};

contract! {
    a_mark_counts_once
    a_mark_of_what_cannot_be_marked_is_refused_and_stops_nothing
    a_mark_up_to_a_place_takes_what_the_reader_was_sent
    marks_of_one_write_take_effect_in_their_order
    both_halves_of_an_audience_are_walked_in_parts
    a_reader_sees_what_is_left_to_read
    more_messages_than_a_page_holds_are_no_different
    what_was_read_before_is_counted_anew_when_messages_go
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
    register(store, "c", Registration { order: Some(Order(9)), ..registration("m9", "alice") }).await;
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
    let entry =
        |c: &str, read| Mark { conversation: conversation(c), reader: user("bob"), read, by: Role::App };
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
        store
            .readers(
                &conversation("c"),
                &message("x"),
                &Viewer::App,
                ReadersWanted { half: Half::Read, after: None, limit: 1 },
                NOW
            )
            .await
            .unwrap(),
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

async fn what_was_read_before_is_counted_anew_when_messages_go(store: &dyn Store) {
    let ids: Vec<_> = (1..=300).map(|n| format!("m{n}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    group(store, "c", &["alice", "bob"], &ids).await;
    let marked = |marked, already| Marked { marked, already, refused: vec![] };
    let up_to = |id: &str| mark(store, "c", "bob", Read::UpTo(message(id)));
    assert_eq!(up_to("m250").await, marked(250, 0));
    assert_eq!(up_to("m300").await, marked(50, 250));
    assert_eq!(up_to("m300").await, marked(0, 300));
    store.forget_message(conversation("c"), message("m7"), NOW).await.unwrap();
    assert_eq!(up_to("m300").await, marked(0, 299));
    store.forget_message(conversation("c"), message("m8"), NOW).await.unwrap();
    store.reset_message(conversation("c"), message("m90"), NOW).await.unwrap();
    assert_eq!(up_to("m50").await, marked(0, 48), "up to a place before the last one");
    assert_eq!(up_to("m300").await, marked(1, 297));
    assert_eq!(up_to("m300").await, marked(0, 298));
    let short = Registration { expires_at: ExpiresAt { unix_s: 1_500 }, ..registration("m301", "alice") };
    assert!(matches!(register(store, "c", short).await, RegisterOutcome::New(_)));
    assert_eq!(up_to("m301").await, marked(1, 298));
    let later = Timestamp { unix_ms: 1_500_000 };
    let bob = Mark {
        conversation: conversation("c"),
        reader: user("bob"),
        read: Read::UpToOrder(ORDER_MAX),
        by: Role::App,
    };
    assert_eq!(
        store.mark(vec![bob.clone()], later).await.unwrap(),
        [marked(0, 298)],
        "expired, and not yet swept"
    );
    assert_eq!(store.sweep(later).await.unwrap(), 1);
    assert_eq!(store.mark(vec![bob], later).await.unwrap(), [marked(0, 298)]);
}
