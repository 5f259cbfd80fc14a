//! Receipts that expire on a real clock: unknown from the very instant on, given up, and never back.

use std::time::{Duration, SystemTime};

use seenby::{
    client::{Client, ClientError},
    wire::{Code, RegisterRequest},
};

use super::{chat, client, connection, metric, metric_is, read, start};

const MESSAGES: &str = "seenby_store_messages";

/// What lives for a second by the server's settings, for a second by its own word, and for an hour.
async fn register_all(client: &Client) -> SystemTime {
    chat(client, "c", &["alice", "bob"], &[]).await;
    let for_seconds = |s| RegisterRequest { expires_in_s: Some(s), ..RegisterRequest::from("alice") };
    let mut last = SystemTime::UNIX_EPOCH;
    for (message, request) in [("hour", for_seconds(3_600)), ("own", for_seconds(1)), ("set", "alice".into())]
    {
        let answer = client.register("c", message, &request).await.unwrap();
        last = humantime::parse_rfc3339(&answer.expires_at).unwrap();
    }
    client.mark_messages("c", "bob", &["hour", "own", "set"]).await.unwrap();
    last
}

/// Pulls until the message is unknown: not before `expires_at`, and from then on for good.
async fn pull_until_unknown(client: &Client, message: &str, expires_at: SystemTime) {
    let mut seen = 0;
    loop {
        let asked = SystemTime::now();
        let read = read(client, "c", message).await;
        let answered = SystemTime::now();
        assert!(answered >= expires_at || read == Some(1), "{message} is unknown too early: {read:?}");
        assert!(asked < expires_at || read.is_none(), "{message} is known for too long: {read:?}");
        if read.is_none() {
            break;
        }
        seen += 1;
    }
    assert!(seen > 0, "{message} was known at first");
}

async fn is_unknown(client: &Client, message: &str) {
    assert_eq!(read(client, "c", message).await, None);
    let refused = client.mark_messages("c", "bob", &[message]).await.unwrap().refused;
    assert_eq!(refused.iter().map(|refused| refused.code).collect::<Vec<_>>(), [Code::UnknownMessage]);
    let got = client.message("c", message).await;
    assert!(
        matches!(&got, Err(ClientError::Problem { problem, .. }) if problem.code == Code::UnknownMessage),
        "{got:?}"
    );
}

async fn only_the_hour_is_left(client: &Client) {
    is_unknown(client, "own").await;
    is_unknown(client, "set").await;
    assert_eq!(client.readers("c", "hour").await.unwrap(), ["bob"]);
    assert_eq!(client.messages("c").await.unwrap().len(), 1);
    assert_eq!(client.badge("c", "bob").await.unwrap().unread, 0);
}

#[tokio::test]
async fn what_expires_is_unknown_from_then_on_and_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path(), &["--retention", "1s", "--sweep-every", "100ms"]);
    let one = client(&server);
    let expires_at = register_all(&one).await;
    pull_until_unknown(&one, "set", expires_at).await;
    only_the_hour_is_left(&one).await;
    metric_is(&mut connection(&server).await, MESSAGES, 1).await;

    let server = server.restart();
    only_the_hour_is_left(&client(&server)).await;
    metric_is(&mut connection(&server).await, MESSAGES, 1).await;
    client(&server).delete_message("c", "hour").await.unwrap();
    assert_eq!(metric(&mut connection(&server).await, MESSAGES).await, 0);
}

#[tokio::test]
async fn what_expires_while_no_server_runs_is_unknown_to_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let seldom = ["--retention", "1s", "--sweep-every", "1h"];
    let server = start(directory.path(), &seldom);
    let expires_at = register_all(&client(&server)).await;
    server.kill();
    while let Ok(left) = expires_at.duration_since(SystemTime::now()) {
        tokio::time::sleep(left + Duration::from_millis(1)).await;
    }
    let server = start(directory.path(), &seldom);
    only_the_hour_is_left(&client(&server)).await;
    // It sweeps at its start.
    metric_is(&mut connection(&server).await, MESSAGES, 1).await;
}
