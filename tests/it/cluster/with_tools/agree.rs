//! Two servers on one cluster answer as one.

use std::{collections::BTreeSet, time::Duration};

use seenby::{
    client::{Client, Pulled, StreamEvent},
    wire::{QueryPull, ReceiptsEntry, Switch},
};

use crate::{
    cluster::{harness::Cluster, serve},
    harness::Running,
    process::{chat, client},
};

const SCREEN: [&str; 2] = ["m1", "m2"];

fn two(cluster: &Cluster) -> [Running; 2] {
    [serve(cluster, &["--stream-every", "500ms"]), serve(cluster, &["--stream-every", "500ms"])]
}

/// What each server says of the screen: always the same.
async fn agreed(clients: &[&Client]) -> (Vec<ReceiptsEntry>, String) {
    let mut pulls = Vec::new();
    for client in clients {
        let pulled = client.pull("c", &SCREEN).await.unwrap();
        pulls.push((pulled.receipts, pulled.etag));
    }
    assert!(pulls.iter().all(|pull| *pull == pulls[0]), "{pulls:?}");
    pulls.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn what_goes_in_through_one_comes_out_of_the_other_at_once_under_the_same_name() {
    let cluster = Cluster::start();
    let servers = two(&cluster);
    let (one, other) = (&client(&servers[0]), &client(&servers[1]));
    chat(one, "c", &["alice", "bob", "carol", "dave"], &SCREEN).await;
    let (_, nobody) = agreed(&[one, other]).await;
    other.mark_messages("c", "bob", &["m1"]).await.unwrap();
    let (receipts, etag) = agreed(&[one, other]).await;
    assert_eq!((receipts[0].read, receipts[1].read), (Some(1), Some(0)));
    for client in [one, other] {
        let again = client.pull_all_again("c", &SCREEN, &etag).await.unwrap();
        assert!(matches!(again, Pulled::Unchanged { .. }), "{again:?}");
        let Pulled::Receipts(changed) = client.pull_again("c", &SCREEN, &nobody).await.unwrap() else {
            panic!("a mark is a change");
        };
        assert_eq!((changed.receipts.len(), &changed.etag), (1, &etag));
        let pull = QueryPull { conversation: "c".to_owned(), messages: vec!["m1".to_owned()] };
        let query = client.query(vec![pull], None).await.unwrap();
        assert_eq!(query.receipts[0].read, Some(1));
    }
    // Nor does it depend on how long a server has been there.
    let fresh = serve(&cluster, &[]);
    assert_eq!(agreed(&[one, other, &client(&fresh)]).await.1, etag);

    one.set_receipts("bob", Switch::Off).await.unwrap();
    assert_eq!(agreed(&[other, one]).await.0[0].read, Some(0));
    other.set_receipts("bob", Switch::On).await.unwrap();
    assert_eq!(agreed(&[one, other]).await.0[0].read, Some(1));
    one.reset_message("c", "m1").await.unwrap();
    assert_eq!(agreed(&[other, one]).await.0[0].read, Some(0));
    // One that the other server registered, by the server that took its generations first.
    other.register("c", "later", &"alice".into()).await.unwrap();
    other.mark_messages("c", "bob", &["later"]).await.unwrap();
    one.reset_message("c", "later").await.unwrap();
    assert_eq!(other.readers("c", "later").await.unwrap(), [""; 0]);
    one.delete_message("c", "later").await.unwrap();
    other.mark_up_to("c", "carol", "m2").await.unwrap();
    assert_eq!(one.badge("c", "dave").await.unwrap().unread, 2);
    assert_eq!(one.badge("c", "carol").await.unwrap().unread, 0);
    one.delete_user("carol").await.unwrap();
    assert_eq!(other.readers("c", "m2").await.unwrap(), [""; 0]);
    assert_eq!(agreed(&[other, one]).await.0[1].read, Some(0));
    one.replace_roster("c", &["alice", "erin"]).await.unwrap();
    assert_eq!(other.register("c", "m3", &"alice".into()).await.unwrap().of, 1);
    assert_eq!(one.messages("c").await.unwrap(), other.messages("c").await.unwrap());
    other.delete_conversation("c").await.unwrap();
    assert_eq!(agreed(&[one, other]).await.0[0].read, None);
    assert!(one.conversations().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn a_stream_shows_what_came_in_through_the_other_server() {
    let cluster = Cluster::start();
    let servers = two(&cluster);
    let (one, other) = (client(&servers[0]), client(&servers[1]));
    let readers: Vec<_> = (0..10).map(|number| format!("r{number}")).collect();
    let members: Vec<_> = std::iter::once("alice").chain(readers.iter().map(String::as_str)).collect();
    chat(&one, "c", &members, &SCREEN).await;
    let mut stream = one.stream("c", &SCREEN, None, None).await.unwrap();
    let mut longest = Duration::ZERO;
    assert!(matches!(stream.next().await.unwrap(), Some(StreamEvent::Receipts(_))));
    for (number, reader) in readers.iter().enumerate() {
        other.mark_messages("c", reader, &["m2"]).await.unwrap();
        let began = std::time::Instant::now();
        let Some(StreamEvent::Receipts(told)) = stream.next().await.unwrap() else { panic!("an event") };
        longest = longest.max(began.elapsed());
        assert_eq!(told.receipts[0].read, Some(u32::try_from(number + 1).unwrap()));
        assert_eq!(told.etag, other.pull("c", &SCREEN).await.unwrap().etag);
    }
    println!("a mark through the other server is on the stream after {longest:?} at the most");
    assert!(longest < Duration::from_secs(10), "{longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn of_the_same_write_through_both_at_once_one_is_the_first() {
    const COUNT: usize = 60;
    let cluster = Cluster::start();
    let servers = two(&cluster);
    let (one, other) = (client(&servers[0]), client(&servers[1]));
    chat(&one, "c", &["alice", "bob", "carol"], &[]).await;
    let mut orders = BTreeSet::new();
    for number in 0..COUNT {
        let (same, own) = (format!("same{number}"), [format!("one{number}"), format!("other{number}")]);
        let alice = "alice".into();
        let (first, second, third, fourth) = tokio::join!(
            one.register("c", &same, &alice),
            other.register("c", &same, &alice),
            one.register("c", &own[0], &alice),
            other.register("c", &own[1], &alice),
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first, second, "one message");
        orders.extend([first.order, third.unwrap().order, fourth.unwrap().order]);
        let screen = [&same];
        let (first, second) =
            tokio::join!(one.mark_messages("c", "bob", &screen), other.mark_messages("c", "bob", &screen));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!((first.marked + second.marked, first.already + second.already), (1, 1));
    }
    assert_eq!(orders.len(), 3 * COUNT, "no order is given twice");
}
