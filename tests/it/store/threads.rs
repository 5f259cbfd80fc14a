//! The contract from many threads at once, on both engines.

use std::sync::Arc;

use seenby::{
    domain::Order,
    store::{
        Half, Read, Store,
        embedded::{EmbeddedStore, Options},
        model::ModelStore,
    },
};

use super::{counts, group, mark, read_messages, register, registration, same, walk};

const READERS: usize = 200;
const TASKS: usize = 16;

/// All readers mark all messages, some twice, while others pull and register the same again.
async fn storm(store: Arc<dyn Store>) {
    let members: Vec<_> = (0..=READERS).map(|n| format!("u{n}")).collect();
    let ids: Vec<_> = (0..70).map(|n| format!("m{n}")).collect();
    let member_refs: Vec<_> = members.iter().map(String::as_str).collect();
    let id_refs: Vec<_> = ids.iter().map(String::as_str).collect();
    group(&*store, "c", &member_refs, &id_refs).await;

    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let (store, members) = (store.clone(), members.clone());
        tasks.push(tokio::spawn(async move {
            let mut marked = 0;
            for reader in members[1..].iter().skip(task % 8).step_by(8) {
                marked += mark(&*store, "c", reader, Read::UpToOrder(Order(35))).await.marked;
                marked += mark(&*store, "c", reader, read_messages(&["m35", "m69", "m0"])).await.marked;
                let before = counts(&*store, "c", &["m0", "m69"]).await;
                assert_eq!(register(&*store, "c", registration("m3", "u0")).await, same(200, 4));
                let after = counts(&*store, "c", &["m0", "m69"]).await;
                let kept = before.iter().zip(&after).all(|(before, after)| before <= after);
                assert!(kept, "{before:?} is followed by {after:?}: readers are only added");
                assert!(before.iter().all(|known| known.is_some_and(|(read, of)| read >= 1 && read <= of)));
            }
            marked
        }));
    }
    let mut marked = 0;
    for task in tasks {
        marked += task.await.unwrap();
    }
    assert_eq!(marked, READERS * 37, "each reader's 37 messages were new exactly once");
    let whole = Some((200, 200));
    assert_eq!(
        counts(&*store, "c", &["m0", "m34", "m35", "m36", "m69"]).await,
        [whole, whole, whole, Some((0, 200)), whole]
    );
    assert_eq!(walk(&*store, "c", "m0", Half::Read, 7).await.len(), READERS);
    assert!(walk(&*store, "c", "m0", Half::Unread, 7).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_on_the_model() {
    storm(Arc::new(ModelStore::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_on_the_embedded_engine_with_checkpoints_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { journal_bytes_max: 16 << 10, ..Options::default() };
    let store = Arc::new(EmbeddedStore::open(directory.path(), options).unwrap());
    storm(store.clone()).await;
    let before = counts(&*store, "c", &["m0", "m36"]).await;
    drop(store);
    let again = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
    assert_eq!(counts(&again, "c", &["m0", "m36"]).await, before);
}
