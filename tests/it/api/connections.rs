//! How many connections there may be, and how they end.

use std::{sync::Arc, time::Duration};

use seenby::{
    domain::{Limits, Pace, Retention},
    http::{Drained, HttpLimits, Listener, Server, serve},
    process::{clock::Clock, metrics::Metrics},
    receipts::Ledger,
    store::model::ModelStore,
    wire::Code,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use super::{
    running::{Running, small_chat},
    wire::Client,
};

const MARKS: &str = "/v1/conversations/c/marks";

/// The head of a mark, after which the server says that it waits for the body.
async fn begin_mark(client: &mut Client, body: &str) {
    let head = format!(
        "POST {MARKS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    client.write(head.as_bytes()).await;
    assert!(client.line().await.starts_with("HTTP/1.1 100 "));
    assert_eq!(client.line().await, "\r\n");
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let running = Running::within(HttpLimits { connections_max: 2, ..HttpLimits::default() }).await;
    let (mut one, mut two) = (running.client().await, running.client().await);
    for client in [&mut one, &mut two] {
        assert_eq!(client.get("/healthz").await.status, 200);
    }
    let mut three = running.client().await;
    let reply = three.reply("GET").await;
    reply.refuses(Code::Overloaded);
    assert_eq!(reply.field("connection"), Some("close"));
    three.is_closed().await;
    assert_eq!(two.get("/healthz").await.status, 200, "the others go on");
    drop(one);
    // The place is free once the server has seen the end of the first.
    while running.client().await.get("/healthz").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn past_the_limit_of_refusals_a_connection_is_closed_without_a_word() {
    let limits = HttpLimits { connections_max: 1, refusals_max: 0, ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let mut one = running.client().await;
    assert_eq!(one.get("/healthz").await.status, 200);
    running.client().await.is_closed().await;
    assert_eq!(one.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_in_the_middle_of_a_mark_has_marked_nothing() {
    let (running, mut client) = small_chat().await;
    let body = r#"{"reader":"bob","messages":["m1"]}"#;
    let mut gone = running.client().await;
    begin_mark(&mut gone, body).await;
    gone.write(&body.as_bytes()[..body.len() - 1]).await;
    drop(gone);
    assert_eq!(client.get("/v1/conversations/c/messages/m1").await.expect(200)["read"], 0);
    assert_eq!(client.post(MARKS, body).await.expect(200)["marked"], 1);
}

#[tokio::test]
async fn stopping_answers_what_is_in_flight_and_closes_what_is_idle() {
    let (running, mut idle) = small_chat().await;
    let body = r#"{"reader":"bob","messages":["m1"]}"#;
    let mut busy = running.client().await;
    begin_mark(&mut busy, body).await;
    let address = running.address;
    let stopping = running.stop();
    idle.is_closed().await;
    busy.write(body.as_bytes()).await;
    let reply = busy.reply("POST").await;
    assert_eq!(reply.expect(200), json!({"marked": 1, "already": 0, "refused": []}));
    assert_eq!(reply.field("connection"), Some("close"));
    busy.is_closed().await;
    assert_eq!(stopping.await.unwrap(), Drained { connections_cut: 0 });
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_fresh_connection_does_not_hold_up_the_stop() {
    let running = Running::start().await;
    let mut fresh = running.client().await;
    // The server accepts in order: once the second is answered, the first is in.
    assert_eq!(running.client().await.get("/healthz").await.status, 200);
    let stopping = running.stop();
    fresh.is_closed().await;
    assert_eq!(stopping.await.unwrap(), Drained { connections_cut: 0 });
}

#[tokio::test]
async fn what_is_not_answered_within_the_drain_is_cut() {
    let store = Arc::new(ModelStore::default());
    let running = Running::draining(store, HttpLimits::default(), Limits::default(), Duration::ZERO).await;
    let mut busy = running.client().await;
    begin_mark(&mut busy, "{}").await;
    let stopping = running.stop();
    busy.is_closed().await;
    assert_eq!(stopping.await.unwrap(), Drained { connections_cut: 1 });
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answers_is_hung_up_on() {
    let soon = Duration::from_millis(200);
    let running = Running::within(HttpLimits { answer_timeout: soon, ..HttpLimits::default() }).await;
    let mut probe = running.client().await;
    let mut greedy = running.client().await;
    // Some 25 MB of answers: more than the kernel holds for both sides.
    greedy.write(&b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000)).await;
    loop {
        let metrics = String::from_utf8(probe.get("/metrics").await.body).unwrap();
        let taken = metrics.contains(r#"seenby_http_requests_total{route="/openapi.json""#);
        if taken && metrics.contains("seenby_http_connections 1\n") {
            break;
        }
    }
}

#[tokio::test]
async fn a_socket_file_serves_as_well_as_a_port() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = Listener::Unix(UnixListener::bind(&path).unwrap());
    let ledger = Ledger::new(
        Arc::new(ModelStore::default()),
        Retention::default(),
        Pace::default(),
        Limits::default(),
    );
    let server =
        Arc::new(Server::new(ledger, Clock::System, HttpLimits::default(), Arc::new(Metrics::new())));
    let client = async {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 ") && reply.ends_with("ok\n"), "{reply}");
    };
    serve(listener, server, client, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn while_draining_the_server_is_not_ready() {
    let (running, mut idle) = small_chat().await;
    let mut busy = running.client().await;
    let body = r#"{"reader":"bob","messages":["m1"]}"#;
    begin_mark(&mut busy, body).await;
    let mut probe = running.client().await;
    // Half a head is in flight too, and is answered when it is whole.
    probe.write(b"GET /readyz HTTP/1.1\r\nhost: x\r\n").await;
    // On the one thread of this test, the server reads connections in the order in which they came.
    assert_eq!(running.client().await.get("/healthz").await.status, 200);
    let stopping = running.stop();
    idle.is_closed().await;
    probe.write(b"\r\n").await;
    probe.reply("GET").await.refuses(Code::NotReady);
    busy.write(body.as_bytes()).await;
    busy.reply("POST").await.expect(200);
    drop((busy, probe));
    assert_eq!(stopping.await.unwrap(), Drained { connections_cut: 0 });
}
