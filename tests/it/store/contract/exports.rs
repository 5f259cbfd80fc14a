//! Exports: the state of one instant, however much changes while it is handed over.

use seenby::{
    domain::UserId,
    store::{
        Half, Store,
        dump::{self, Export, Head, Item},
        model::ModelStore,
    },
};

use crate::store::{
    conversation, counts, crash::Disk, dumps::LABEL, dumps::restored, group, mark, message, read_messages,
    register, registration, user, users, walk,
};

contract! { of one instant:
    an_export_is_of_the_instant_when_it_was_asked_for
    an_export_says_at_its_beginning_how_much_there_will_be
    who_was_deleted_before_is_in_no_export_and_who_is_deleted_since_is_in_it
    an_empty_store_is_exported_as_one
}

async fn three(store: &dyn Store) {
    for c in ["a", "b", "c"] {
        group(store, c, &["alice", "bob", "carol"], &["m1", "m2"]).await;
        mark(store, c, "bob", read_messages(&["m1"])).await;
    }
    store.set_hidden(user("carol"), true).await.unwrap();
}

/// What is left of an export, restored to both engines.
fn restore(mut export: Box<dyn Export>) -> (ModelStore, Disk) {
    let dump = dump::write(Vec::new(), LABEL, &mut *export, |_| {}).unwrap();
    (restored(&dump), Disk::restored(&dump))
}

async fn an_export_is_of_the_instant_when_it_was_asked_for(store: &dyn Store) {
    three(store).await;
    let export = store.export(None).await.unwrap();
    mark(store, "a", "bob", read_messages(&["m2"])).await;
    mark(store, "b", "carol", read_messages(&["m1"])).await;
    register(store, "b", registration("m3", "alice")).await;
    store.reset_message(conversation("b"), message("m1"), super::super::NOW).await.unwrap();
    store.forget_conversation(conversation("c")).await.unwrap();
    group(store, "c", &["zoe", "bob"], &["other"]).await;
    group(store, "d", &["zoe", "bob"], &["other"]).await;
    store.set_hidden(user("carol"), false).await.unwrap();
    let (model, disk) = restore(export);
    for store in [&model as &dyn Store, disk.store()] {
        let (ids, more) = store.conversations(None, 9, super::super::NOW).await.unwrap();
        assert_eq!((ids, more), (["a", "b", "c"].map(conversation).to_vec(), false));
        for c in ["a", "b", "c"] {
            assert_eq!(
                counts(store, c, &["m1", "m2", "m3"]).await,
                [Some((1, 1)), Some((0, 1)), None],
                "{c}"
            );
        }
        assert!(store.is_hidden(&user("carol")).await.unwrap());
    }
}

async fn an_export_says_at_its_beginning_how_much_there_will_be(store: &dyn Store) {
    three(store).await;
    let mut export = store.export(None).await.unwrap();
    let Head { conversations, messages, .. } = export.head();
    assert_eq!((conversations, messages), (3, 6));
    let (mut found, mut messages) = (0, 0);
    while let Some(item) = export.next().unwrap() {
        found += u64::from(matches!(item, Item::Conversation { .. }));
        messages += item.messages();
    }
    assert_eq!((found, messages), (3, 6));
}

async fn who_was_deleted_before_is_in_no_export_and_who_is_deleted_since_is_in_it(store: &dyn Store) {
    three(store).await;
    store.forget_user(user("bob")).await.unwrap();
    let mut export = store.export(None).await.unwrap();
    store.forget_user(user("carol")).await.unwrap();
    let mut names: Vec<UserId> = Vec::new();
    while let Some(item) = export.next().unwrap() {
        names.extend(if let Item::Names(names) = item { names } else { Vec::new() }.into_iter().flatten());
    }
    assert_eq!(names, users(&["alice", "carol", "alice", "carol", "alice", "carol"]));
}

async fn an_empty_store_is_exported_as_one(store: &dyn Store) {
    let export = store.export(None).await.unwrap();
    let (model, disk) = restore(export);
    for store in [&model as &dyn Store, disk.store()] {
        assert_eq!(store.vitals().conversations, 0);
        group(store, "c", &["alice", "bob"], &["m1"]).await;
        assert_eq!(walk(store, "c", "m1", Half::Unread, 9).await, users(&["bob"]));
    }
}
