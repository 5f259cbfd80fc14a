//! How a server ends, how its clients do, and what the next server on the same directory finds.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use seenby::client::{Client, ClientError};
use tokio::task::JoinSet;

use super::{address, chat, client, connection, metric_is, read, start};
use crate::{
    api::wire::Client as Wire,
    harness::{Running, free_address, seenby, wait_for},
};

const MARKS: &str = "/v1/conversations/c/marks";

fn mark_of(reader: &str) -> String {
    format!(r#"{{"reader":"{reader}","messages":["m1","m2"]}}"#)
}

fn head_of(body: &str, more: &str) -> String {
    let length = body.len();
    format!(
        "POST {MARKS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{more}content-length: {length}\r\n\r\n"
    )
}

/// The head of a mark, which the server has when it says that it waits for the body; then all of that but the last byte.
async fn begin_mark(wire: &mut Wire, body: &str) {
    wire.write(head_of(body, "expect: 100-continue\r\n").as_bytes()).await;
    assert!(wire.line().await.starts_with("HTTP/1.1 100 "));
    assert_eq!(wire.line().await, "\r\n");
    wire.write(&body.as_bytes()[..body.len() - 1]).await;
}

#[tokio::test]
async fn a_data_directory_is_its_users_alone() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = start(&data, &[]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    // Also in a directory that others may look into.
    for file in ["LOCK", "etag.key"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    assert!(server.terminate().success());
}

/// SIGTERM, and waits until nobody listens any more.
fn begin_to_end(server: &Running) {
    server.begin_to_end();
    let address = address(server);
    wait_for("the listener to close", || TcpStream::connect(address).is_err().then_some(()));
}

#[tokio::test]
async fn a_mark_whose_last_byte_comes_after_sigterm_is_answered_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path(), &["--drain-timeout", "30s"]);
    chat(&client(&server), "c", &["alice", "bob"], &["m1", "m2"]).await;
    let mut wire = connection(&server).await;
    let body = mark_of("bob");
    begin_mark(&mut wire, &body).await;
    begin_to_end(&server);
    let began = Instant::now();
    wire.write(&body.as_bytes()[body.len() - 1..]).await;
    assert_eq!(wire.reply("POST").await.expect(200)["marked"], 2);
    wire.is_closed().await;
    assert_eq!(server.ended().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(30), "well within the time for draining");
    let server = start(directory.path(), &[]);
    assert_eq!(client(&server).readers("c", "m2").await.unwrap(), ["bob"]);
}

/// Registers one message after the other until the server is gone; returns those that were answered.
async fn register_to_the_end(client: Client, writer: usize) -> Vec<String> {
    let mut answered = Vec::new();
    loop {
        let message = format!("w{writer}-{}", answered.len());
        match client.register("c", &message, &"alice".into()).await {
            Ok(_) => answered.push(message),
            Err(error) => {
                assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
                return answered;
            }
        }
    }
}

#[tokio::test]
async fn what_was_answered_under_load_is_there_after_sigterm() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path(), &[]);
    let one = client(&server);
    chat(&one, "c", &["alice", "bob"], &[]).await;
    let mut writing = JoinSet::new();
    for writer in 0..8 {
        writing.spawn(register_to_the_end(client(&server), writer));
    }
    let mut wire = connection(&server).await;
    while super::metric(&mut wire, "seenby_store_writes_total").await < 200 {}
    server.begin_to_end();
    let answered: BTreeSet<_> = writing.join_all().await.into_iter().flatten().collect();
    assert_eq!(server.ended().code(), Some(0));
    let server = start(directory.path(), &[]);
    let found = client(&server).messages("c").await.unwrap();
    let found: BTreeSet<_> = found.into_iter().map(|message| message.message).collect();
    assert!(answered.len() > 100 && found.is_superset(&answered), "{:?}", &answered - &found);
    assert!(found.len() <= answered.len() + 8, "at most one of each was on its way");
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path(), &[]);
    let client = client(&server);
    chat(&client, "c", &["alice", "bob"], &["m1"]).await;
    for _ in 0..2 {
        let second =
            seenby(&["serve", "--data", directory.path().to_str().unwrap(), "--listen", &free_address()]);
        let said = String::from_utf8_lossy(&second.stderr);
        assert_eq!(second.status.code(), Some(1), "{said}");
        assert!(said.contains("another server is using this data directory"), "{said}");
        assert!(second.stdout.is_empty(), "it never listened");
    }
    assert_eq!(client.mark_messages("c", "bob", &["m1"]).await.unwrap().marked, 1);
    assert_eq!(read(&super::client(&server.restart()), "c", "m1").await, Some(1));
}

#[tokio::test]
async fn twenty_kills_in_a_row_with_a_mark_between_lose_none() {
    const KILLS: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let mut server = Running::on(directory.path());
    let readers: Vec<_> = (0..KILLS).map(|n| format!("r{n:02}")).collect();
    let members: Vec<_> = ["alice"].into_iter().chain(readers.iter().map(String::as_str)).collect();
    chat(&client(&server), "c", &members, &["m1"]).await;
    for (before, reader) in readers.iter().enumerate() {
        server = server.restart();
        let client = client(&server);
        assert_eq!(client.readers("c", "m1").await.unwrap(), readers[..before]);
        assert_eq!(client.mark_messages("c", reader, &["m1"]).await.unwrap().marked, 1);
    }
    assert_eq!(client(&server.restart()).readers("c", "m1").await.unwrap(), readers);
}

/// Sends a mark and hangs up: before its last byte, or right after it.
async fn mark_and_hang_up(server: &Running, reader: &str, is_whole: bool) {
    let body = mark_of(reader);
    let mut wire = connection(server).await;
    if is_whole {
        wire.write(format!("{}{body}", head_of(&body, "")).as_bytes()).await;
    } else {
        begin_mark(&mut wire, &body).await;
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_a_whole_mark_or_none() {
    const EACH: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let server = Running::on(directory.path());
    let names = |kind: &str| (0..EACH).map(|n| format!("{kind}-{n}")).collect::<Vec<_>>();
    let (halves, wholes) = (names("half"), names("whole"));
    let mut members = vec!["alice", "last"];
    members.extend(halves.iter().chain(&wholes).map(String::as_str));
    chat(&client(&server), "c", &members, &["m1", "m2"]).await;
    for (half, whole) in halves.iter().zip(&wholes) {
        mark_and_hang_up(&server, half, false).await;
        mark_and_hang_up(&server, whole, true).await;
    }
    let mut wire = connection(&server).await;
    metric_is(&mut wire, "seenby_http_connections", 1).await;
    // Writes are made in their order: once this one is answered, there are none of the others to come.
    assert_eq!(wire.post(MARKS, &mark_of("last")).await.expect(200)["marked"], 2);
    let both = async |client: Client| {
        (client.readers("c", "m1").await.unwrap(), client.readers("c", "m2").await.unwrap())
    };
    let before = both(client(&server)).await;
    assert_eq!(before.0, before.1, "a mark is made whole or not at all");
    assert!(before.0.iter().all(|reader| !reader.starts_with("half")), "{:?}", before.0);
    assert_eq!(both(client(&server.restart())).await, before);
}
