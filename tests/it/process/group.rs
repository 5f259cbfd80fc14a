//! One message to a large group: everybody marks while the senders pull.

use std::{collections::BTreeSet, sync::Arc};

use seenby::client::{Client, Pulled};
use tokio::task::JoinSet;

use super::{client, connection};
use crate::harness::Running;

const MEMBERS: usize = 2_000;
const READERS: u32 = 1_999;
const CONNECTIONS: usize = 64;
const SENDERS: usize = 20;

/// The `n`-th of those who did not send the message.
fn reader(n: usize) -> String {
    format!("u{n:04}")
}

/// Pulls until everybody has read; returns how often there was something new.
async fn pull_to_the_end(client: Client) -> usize {
    let first = client.pull("c", &["m1"]).await.unwrap();
    let (mut etag, mut read, mut changes) = (first.etag, first.receipts[0].read.unwrap(), 0);
    assert_eq!(first.receipts[0].of, Some(READERS));
    while read < READERS {
        let Pulled::Receipts(changed) = client.pull_again("c", &["m1"], &etag).await.unwrap() else {
            continue;
        };
        let [entry] = &changed.receipts[..] else { panic!("{changed:?}") };
        let now = entry.read.unwrap();
        assert!(now > read && now <= READERS, "{now} after {read}: it changed, and upwards only");
        assert_eq!(entry.of, Some(READERS));
        assert_eq!(changed.poll.is_none(), now == READERS, "pulling ends with the last reader");
        assert_ne!(changed.etag, etag);
        (etag, read, changes) = (changed.etag, now, changes + 1);
    }
    assert!(matches!(client.pull_again("c", &["m1"], &etag).await.unwrap(), Pulled::Unchanged { .. }));
    changes
}

/// Everybody marks, over so many connections at once.
async fn everybody_marks(server: &Running) {
    let mut marking = JoinSet::new();
    let url: Arc<str> = server.url().into();
    for first in 0..CONNECTIONS {
        let url = url.clone();
        marking.spawn(async move {
            let client = Client::new(&url).unwrap();
            for n in (1..MEMBERS).skip(first).step_by(CONNECTIONS) {
                let answer = client.mark_messages("c", &reader(n), &["m1"]).await.unwrap();
                assert_eq!((answer.marked, answer.already), (1, 0), "{}", reader(n));
            }
        });
    }
    marking.join_all().await;
}

/// The users of a list, in parts of `limit`.
async fn walk(server: &Running, list: &str, limit: usize) -> Vec<String> {
    let mut wire = connection(server).await;
    let mut users = Vec::new();
    let mut after = String::new();
    loop {
        let target = format!("/v1/conversations/c/messages/m1/{list}?limit={limit}{after}");
        let part = wire.get(&target).await.expect(200);
        let names = part["users"].as_array().unwrap();
        assert!(names.len() <= limit);
        users.extend(names.iter().map(|name| name.as_str().unwrap().to_owned()));
        let Some(next) = part.get("next") else { return users };
        assert_eq!(names.len(), limit, "only the last part is shorter");
        after = format!("&after={}", next.as_str().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_read_one_message_while_twenty_pull() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::on(directory.path());
    let sender = client(&server);
    let readers: BTreeSet<_> = (1..MEMBERS).map(reader).collect();
    let mut members: Vec<_> = readers.iter().cloned().collect();
    members.push("sender".to_owned());
    sender.replace_roster("c", &members).await.unwrap();
    assert_eq!(sender.register("c", "m1", &"sender".into()).await.unwrap().of, READERS);

    let mut pulling = JoinSet::new();
    for _ in 0..SENDERS {
        pulling.spawn(pull_to_the_end(client(&server)));
    }
    everybody_marks(&server).await;
    let changes = pulling.join_all().await;
    assert!(changes.iter().all(|changes| *changes > 0), "all have seen it rise: {changes:?}");

    let last = sender.pull("c", &["m1"]).await.unwrap();
    assert_eq!((last.receipts[0].read, last.receipts[0].of, last.poll), (Some(READERS), Some(READERS), None));
    assert_eq!(walk(&server, "unread", 1_000).await, Vec::<String>::new());
    for limit in [1, 7, 200, 1_000] {
        let walked = walk(&server, "readers", limit).await;
        assert_eq!(walked.len(), readers.len(), "in parts of {limit}");
        assert_eq!(walked.into_iter().collect::<BTreeSet<_>>(), readers, "in parts of {limit}");
    }
}
