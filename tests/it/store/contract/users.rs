//! Users: receipts off and on, deletions, and what each may see.

use seenby::{
    domain::{
        Audience, MessageId, Order, Receipts, Refusal, RegisterOutcome, Registration, Role, Viewer,
        Visibility,
    },
    store::{Half, Mark, Marked, Read, ReadersWanted, Store},
};

use crate::store::{
    NOW, conversation, counts, group, mark, message, new, read_messages, register, registration, user, users,
    walk,
};

contract! {
    who_is_hidden_counts_in_nothing_and_stands_in_no_list
    marks_of_who_is_hidden_are_decided_and_not_kept
    what_was_read_before_shows_again_and_what_was_read_meanwhile_does_not
    who_is_hidden_already_is_hidden_in_what_comes
    a_state_has_a_name_that_no_other_state_has
    a_deleted_user_is_nowhere
    a_deleted_name_is_a_new_user_later
    a_deleted_users_messages_go_however_many_they_are
    a_user_sees_what_it_sent_and_if_wanted_what_it_was_sent
    to_a_user_what_it_was_not_sent_is_unknown
}

async fn known(store: &dyn Store, id: &str) -> Receipts {
    store.receipts(&conversation("c"), &[message(id).borrowed()], &Viewer::App, NOW).await.unwrap()[0]
        .unwrap()
}

async fn hide(store: &dyn Store, name: &str, is_hidden: bool) {
    store.set_hidden(user(name), is_hidden).await.unwrap();
    assert_eq!(store.is_hidden(&user(name)).await.unwrap(), is_hidden);
}

fn marked(marked: usize, already: usize) -> Marked {
    Marked { marked, already, refused: Vec::new() }
}

async fn who_is_hidden_counts_in_nothing_and_stands_in_no_list(store: &dyn Store) {
    group(store, "c", &["alice", "bob", "carol", "dave"], &["m1", "m2"]).await;
    for reader in ["bob", "carol"] {
        mark(store, "c", reader, Read::UpToOrder(Order(2))).await;
    }
    assert!(!store.is_hidden(&user("nobody")).await.unwrap());
    hide(store, "bob", true).await;
    hide(store, "dave", true).await;
    assert_eq!(counts(store, "c", &["m1", "m2"]).await, [Some((1, 1)), Some((1, 1))]);
    assert_eq!(walk(store, "c", "m1", Half::Read, 1).await, users(&["carol"]));
    assert_eq!(walk(store, "c", "m1", Half::Unread, 1).await, users(&[]));
    let listed = store.messages(&conversation("c"), None, 9, NOW).await.unwrap().0;
    assert_eq!((listed[0].receipts.read, listed[0].receipts.of), (1, 1));
    let roster = store.roster(&conversation("c"), None, 9).await.unwrap().unwrap();
    assert_eq!((roster.members.len(), roster.version), (4, 1), "a member is a member");
    let unread = store.unread(&conversation("c"), &user("dave"), NOW).await.unwrap();
    assert_eq!(unread.unread, 2, "their own badge is their own");
}

async fn marks_of_who_is_hidden_are_decided_and_not_kept(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1", "m2", "m3"]).await;
    mark(store, "c", "bob", read_messages(&["m1"])).await;
    hide(store, "bob", true).await;
    for _ in 0..2 {
        assert_eq!(mark(store, "c", "bob", read_messages(&["m1", "m2", "m2"])).await, marked(1, 2));
        assert_eq!(mark(store, "c", "bob", Read::UpTo(message("m3"))).await, marked(2, 1));
    }
    let refused = mark(store, "c", "bob", read_messages(&["m9"])).await.refused;
    assert_eq!(refused, [(message("m9"), Refusal::UnknownMessage)]);
    assert_eq!(counts(store, "c", &["m1", "m2"]).await, [Some((0, 0)), Some((0, 0))]);
}

async fn what_was_read_before_shows_again_and_what_was_read_meanwhile_does_not(store: &dyn Store) {
    group(store, "c", &["alice", "bob", "carol"], &["m1", "m2"]).await;
    mark(store, "c", "bob", read_messages(&["m1"])).await;
    hide(store, "bob", true).await;
    mark(store, "c", "bob", read_messages(&["m2"])).await;
    register(store, "c", registration("m3", "alice")).await;
    hide(store, "bob", false).await;
    assert_eq!(
        counts(store, "c", &["m1", "m2", "m3"]).await,
        [Some((1, 2)), Some((0, 2)), Some((0, 2))],
        "also in what was registered meanwhile"
    );
    assert_eq!(mark(store, "c", "bob", Read::UpToOrder(Order(9))).await, marked(2, 1));
    hide(store, "bob", true).await;
    store.reset_message(conversation("c"), message("m1"), NOW).await.unwrap();
    hide(store, "bob", false).await;
    assert_eq!(counts(store, "c", &["m1", "m2"]).await, [Some((0, 2)), Some((1, 2))], "a reset is for all");
}

async fn who_is_hidden_already_is_hidden_in_what_comes(store: &dyn Store) {
    hide(store, "bob", true).await;
    group(store, "c", &["alice", "bob", "carol"], &[]).await;
    assert_eq!(register(store, "c", registration("m1", "alice")).await, new(1, 1));
    let own =
        Registration { audience: Audience::Users(users(&["bob", "eve"])), ..registration("m2", "alice") };
    assert_eq!(register(store, "c", own.clone()).await, new(1, 2));
    assert_eq!(register(store, "c", registration("m3", "bob")).await, new(2, 3), "a sender may be hidden");
    assert_eq!(counts(store, "c", &["m1", "m2", "m3"]).await, [Some((0, 1)), Some((0, 1)), Some((0, 2))]);
    hide(store, "bob", false).await;
    assert_eq!(counts(store, "c", &["m1", "m2", "m3"]).await, [Some((0, 2)), Some((0, 2)), Some((0, 2))]);
    let RegisterOutcome::Same(same) = register(store, "c", own).await else { panic!("it is the same") };
    assert_eq!(same.of, 2);
}

async fn a_state_has_a_name_that_no_other_state_has(store: &dyn Store) {
    group(store, "c", &["alice", "bob", "carol", "dave"], &["m1"]).await;
    let own = Registration { audience: Audience::Users(users(&["dave"])), ..registration("m2", "carol") };
    register(store, "c", own).await;
    let name = async |id| {
        let Receipts { generation, marks, hidden, .. } = known(store, id).await;
        (generation, marks, hidden)
    };
    let (before, other) = (name("m1").await, name("m2").await);
    mark(store, "c", "bob", read_messages(&["m1"])).await;
    let bob_read = name("m1").await;
    hide(store, "bob", true).await;
    mark(store, "c", "carol", read_messages(&["m1"])).await;
    let (carol_read, bob_hidden) =
        ((known(store, "m1").await.read, known(store, "m1").await.of), name("m1").await);
    hide(store, "bob", false).await;
    hide(store, "carol", true).await;
    let (bob_again, carol_hidden) =
        ((known(store, "m1").await.read, known(store, "m1").await.of), name("m1").await);
    assert_eq!((carol_read, bob_again), ((1, 2), (1, 2)), "the counts are the same");
    let names = [before, bob_read, bob_hidden, carol_hidden];
    for (at, one) in names.iter().enumerate() {
        assert!(names[at + 1..].iter().all(|other| one != other), "{names:?}");
    }
    assert_eq!(name("m2").await, other, "who was not asked, and the sender, change nothing");
    hide(store, "carol", false).await;
    hide(store, "bob", true).await;
    assert_eq!(name("m1").await, bob_hidden, "the same again is the same");
}

async fn a_deleted_user_is_nowhere(store: &dyn Store) {
    group(store, "c", &["alice", "bob", "carol"], &["m1"]).await;
    group(store, "d", &["bob", "alice"], &["from-bob"]).await;
    group(store, "e", &["alice"], &["m1"]).await;
    register(store, "c", registration("m2", "bob")).await;
    let own =
        Registration { audience: Audience::Users(users(&["bob", "alice"])), ..registration("m3", "carol") };
    register(store, "c", own).await;
    mark(store, "c", "bob", Read::UpToOrder(Order(9))).await;
    mark(store, "c", "carol", read_messages(&["m1"])).await;
    let named = known(store, "m1").await;
    hide(store, "bob", true).await;
    for _ in 0..2 {
        store.forget_user(user("bob")).await.unwrap();
        assert_eq!(counts(store, "c", &["m1", "m2", "m3"]).await, [Some((1, 1)), None, Some((0, 1))]);
        assert_eq!(counts(store, "d", &["from-bob"]).await, [None]);
        assert_eq!(walk(store, "c", "m1", Half::Read, 9).await, users(&["carol"]));
        assert_eq!(walk(store, "c", "m3", Half::Unread, 9).await, users(&["alice"]));
        let roster = store.roster(&conversation("c"), None, 9).await.unwrap().unwrap();
        assert_eq!((roster.members, roster.version), (users(&["alice", "carol"]), 2));
        let roster = store.roster(&conversation("e"), None, 9).await.unwrap().unwrap();
        assert_eq!(roster.version, 1, "where the user was not, nothing changed");
        assert!(!store.is_hidden(&user("bob")).await.unwrap());
        let marked = mark(store, "c", "bob", read_messages(&["m1"])).await;
        assert_eq!(marked.refused, [(message("m1"), Refusal::NotInAudience)]);
    }
    assert_ne!(known(store, "m1").await, named);
}

async fn a_deleted_name_is_a_new_user_later(store: &dyn Store) {
    group(store, "c", &["alice", "bob", "carol"], &["m1"]).await;
    let own = |id: &str| Registration {
        audience: Audience::Users(users(&["bob", "carol"])),
        ..registration(id, "alice")
    };
    register(store, "c", own("m2")).await;
    mark(store, "c", "bob", Read::UpToOrder(Order(9))).await;
    store.forget_user(user("bob")).await.unwrap();
    store.change_roster(conversation("c"), users(&["bob"]), vec![], 9).await.unwrap();
    register(store, "c", registration("m3", "alice")).await;
    assert_eq!(counts(store, "c", &["m1", "m2", "m3"]).await, [Some((0, 1)), Some((0, 1)), Some((0, 2))]);
    let marked = mark(store, "c", "bob", Read::UpToOrder(Order(9))).await;
    assert_eq!((marked.marked, marked.already), (1, 0));
    assert_eq!(walk(store, "c", "m3", Half::Read, 9).await, users(&["bob"]));
    assert_eq!(
        register(store, "c", own("m2")).await,
        RegisterOutcome::Refused(Refusal::MessageDiffers),
        "it was for another bob"
    );
    let left = Registration { audience: Audience::Users(users(&["carol"])), ..registration("m2", "alice") };
    assert!(
        matches!(register(store, "c", left).await, RegisterOutcome::Same(_)),
        "this is what is left of it"
    );
    let roster = store.roster(&conversation("c"), None, 9).await.unwrap().unwrap();
    assert_eq!(roster.members, users(&["alice", "carol", "bob"]), "in the order of slots");
}

async fn a_deleted_users_messages_go_however_many_they_are(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &[]).await;
    for first in (0..6_000).step_by(1_000) {
        let sent = (first..first + 1_000).map(|number| {
            let sender = if number % 100 == 7 { "alice" } else { "bob" };
            registration(&format!("m{number}"), sender)
        });
        store.register(conversation("c"), sent.collect(), NOW).await.unwrap();
    }
    store.forget_user(user("bob")).await.unwrap();
    let (left, _) = store.messages(&conversation("c"), None, 99, NOW).await.unwrap();
    assert_eq!(left.len(), 60);
    assert!(left.iter().all(|known| known.sender == user("alice") && known.receipts.of == 0));
    // An engine may count when it sweeps.
    assert_eq!(store.sweep(NOW).await.unwrap(), 0);
    assert_eq!(store.vitals().messages, 60);
    assert_eq!(counts(store, "c", &["m7", "m8"]).await, [Some((0, 0)), None]);
}

async fn a_user_sees_what_it_sent_and_if_wanted_what_it_was_sent(store: &dyn Store) {
    group(store, "c", &["alice", "bob", "carol"], &["m1"]).await;
    let own = Registration { audience: Audience::Users(users(&["alice"])), ..registration("m2", "carol") };
    register(store, "c", own).await;
    let ids = ["m1", "m2", "m3"].map(message);
    let asked = ids.each_ref().map(MessageId::borrowed);
    let wanted = ReadersWanted { half: Half::Unread, after: None, limit: 9 };
    for (name, sees, seen) in [
        ("alice", Visibility::Sender, [true, false]),
        ("bob", Visibility::Sender, [false, false]),
        ("carol", Visibility::Sender, [false, true]),
        ("eve", Visibility::Sender, [false, false]),
        ("alice", Visibility::Audience, [true, true]),
        ("bob", Visibility::Audience, [true, false]),
        ("carol", Visibility::Audience, [true, true]),
        ("eve", Visibility::Audience, [false, false]),
    ] {
        let viewer = Viewer::User { user: user(name), sees };
        let c = conversation("c");
        let receipts = store.receipts(&c, &asked, &viewer, NOW).await.unwrap();
        let shown: Vec<_> = receipts.iter().map(Option::is_some).collect();
        assert_eq!(shown, [seen[0], seen[1], false], "{name} {sees:?}");
        for (id, seen) in ids.iter().zip(seen) {
            let part = store.readers(&c, id, &viewer, wanted, NOW).await.unwrap();
            assert_eq!(part.is_some(), seen, "{name} {sees:?} {id}");
        }
    }
    hide(store, "bob", true).await;
    let bob = Viewer::User { user: user("bob"), sees: Visibility::Audience };
    let receipts = store.receipts(&conversation("c"), &asked, &bob, NOW).await.unwrap();
    assert!(receipts[0].is_some(), "who is hidden still sees what they were sent");
}

async fn to_a_user_what_it_was_not_sent_is_unknown(store: &dyn Store) {
    group(store, "c", &["alice", "bob"], &["m1"]).await;
    let own = Registration { audience: Audience::Users(users(&["alice"])), ..registration("m2", "carol") };
    register(store, "c", own).await;
    register(store, "c", registration("m3", "alice")).await;
    let by_user = async |name: &str, read| {
        let mark = Mark { conversation: conversation("c"), reader: user(name), read, by: Role::User };
        store.mark(vec![mark], NOW).await.unwrap().remove(0)
    };
    let unknown =
        |ids: &[&str]| ids.iter().map(|id| (message(id), Refusal::UnknownMessage)).collect::<Vec<_>>();
    let marked = by_user("bob", read_messages(&["m2", "m9", "m1"])).await;
    assert_eq!((marked.marked, marked.refused), (1, unknown(&["m2", "m9"])));
    let marked = by_user("alice", read_messages(&["m1"])).await;
    assert_eq!(marked.refused, unknown(&["m1"]), "nor is the sender in its audience");
    for id in ["m2", "m9"] {
        let marked = by_user("bob", Read::UpTo(message(id))).await;
        assert_eq!((marked.marked, marked.already, marked.refused), (0, 0, unknown(&[id])));
    }
    let marked = by_user("alice", Read::UpTo(message("m3"))).await;
    assert_eq!((marked.marked, marked.refused), (1, vec![]), "up to what the user sent");
    let marked = by_user("stranger", Read::UpTo(message("m1"))).await;
    assert_eq!(marked.refused, unknown(&["m1"]));
    let marked = by_user("bob", Read::UpToOrder(Order(2))).await;
    assert_eq!((marked.marked, marked.already, marked.refused), (0, 1, vec![]), "a place tells nothing");
}
