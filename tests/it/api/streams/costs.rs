//! What streams may cost: how many there may be, how long they last, and clients that take nothing or leave.

use std::{sync::Arc, time::Duration};

use seenby::{
    domain::{Limits, Visibility},
    http::{Drained, HttpLimits},
    store::model::ModelStore,
    wire::Code,
};
use tokio::net::{TcpSocket, TcpStream};

use super::{ONE, STREAM, chat, mark, next, one, opened, quick};
use crate::api::{guards::Guards, running::Running, wire::Client};

/// A client with little room for what it does not read.
async fn narrow(running: &Running) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    Client::over(socket.connect(running.address).await.unwrap())
}

/// A server where each mark is an event, its back end, and a client with a stream that is 20,000 events behind: more than what the
/// system keeps.
async fn behind(parameters: &str) -> (Running, Client, Client) {
    let every_mark = HttpLimits { stream_every: Duration::ZERO, ..HttpLimits::default() };
    let (running, mut app) = chat(every_mark, 1_000, 20).await;
    let screen: Vec<_> = (1..=20).map(|at| format!("message=m{at}")).collect();
    let mut client = narrow(&running).await;
    opened(&mut client, &format!("{STREAM}?{}{parameters}", screen.join("&")), "").await;
    next(&mut client).await.unwrap();
    mark(&mut app, 0..1_000, "m20").await;
    (running, app, client)
}

/// Opens a stream as soon as there is room for one.
async fn opened_soon(client: &mut Client, fields: &[(&str, &str)]) {
    loop {
        let opened = client.open(ONE, fields).await;
        if opened.status == 200 {
            return;
        }
        client.body(opened).await.refuses(Code::TooManyStreams);
    }
}

#[tokio::test]
async fn there_are_so_many_streams_and_a_client_that_leaves_makes_room() {
    let limits = HttpLimits { streams_max: 2, ..quick() };
    let (running, mut app) = chat(limits, 2, 1).await;
    let (mut one, mut two) = (running.client().await, running.client().await);
    opened(&mut one, ONE, "").await;
    opened(&mut two, ONE, "").await;
    let refused = app.get(ONE).await;
    assert!(refused.refuses(Code::TooManyStreams).contains('2'));
    assert!(refused.field("retry-after").is_some());
    app.get(&format!("{STREAM}?message=x")).await.refuses(Code::UnknownMessage);
    drop(one);
    opened_soon(&mut app, &[]).await;
    let mut three = running.client().await;
    three.get(ONE).await.refuses(Code::TooManyStreams);
    let metrics = three.get("/metrics").await;
    assert!(String::from_utf8(metrics.body).unwrap().contains("\nseenby_streams 2\n"));
}

#[tokio::test]
async fn a_user_has_so_many_streams_of_what_it_may_see() {
    let guards = Guards::new(true, true);
    let limits = HttpLimits { user_streams_max: 1, ..quick() };
    let running = Running::guarded(&guards, Visibility::Sender, limits).await;
    let (app, alice, bob) = (guards.app(), guards.user("alice"), guards.user("bob"));
    let mut client = running.client().await;
    let fields = [("authorization", app.as_str()), ("content-type", "application/json")];
    let members = br#"{"members":["alice","bob"]}"#;
    client.send("PUT", "/v1/conversations/c/members", &fields, Some(members)).await.expect(200);
    let m1 = br#"{"sender":"alice"}"#;
    client.send("PUT", "/v1/conversations/c/messages/m1", &fields, Some(m1)).await.expect(201);
    for unseen in [ONE, "/v1/conversations/c/receipts/stream?message=none"] {
        let reply = client.send("GET", unseen, &[("authorization", &bob)], None).await;
        reply.refuses(Code::UnknownMessage);
    }
    let mut page = running.client().await;
    assert_eq!(page.open(ONE, &[("authorization", &alice)]).await.status, 200);
    client.send("GET", ONE, &[("authorization", &alice)], None).await.refuses(Code::TooManyStreams);
    let by_app = client.send("GET", &format!("{ONE}&for_ms=1"), &[("authorization", &app)], None).await;
    assert_eq!(by_app.status, 200, "the limit is the user's");
    drop(page);
    opened_soon(&mut client, &[("authorization", &alice)]).await;
}

#[tokio::test]
async fn a_stream_outlasts_every_deadline_but_its_own() {
    let soon = Duration::from_millis(100);
    let limits = HttpLimits {
        answer_timeout: soon,
        idle_timeout: soon,
        head_timeout: soon,
        body_timeout: soon,
        stream_for: 6 * soon,
        ..quick()
    };
    let running = Running::over(Arc::new(ModelStore::default()), limits, Limits::default()).await;
    let mut app = running.client().await;
    app.put("/v1/conversations/c/members", r#"{"members":["alice","bob"]}"#).await.expect(200);
    app.put("/v1/conversations/c/messages/m1", r#"{"sender":"alice"}"#).await.expect(201);
    let whole = app.get(ONE).await;
    assert!(String::from_utf8(whole.body).unwrap().ends_with("event: end\ndata: {}\n\n"));
    assert_eq!(app.get("/healthz").await.status, 200, "the connection goes on");
    app.is_closed().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off_and_the_others_have_what_is_theirs() {
    let limits = HttpLimits {
        answer_timeout: Duration::from_millis(300),
        stream_every: Duration::from_millis(1),
        ..HttpLimits::default()
    };
    let (running, mut app) = chat(limits, 2_000, 100).await;
    let screen: Vec<_> = (1..=100).map(|at| format!("message=m{at}")).collect();
    let url = format!("{STREAM}?{}", screen.join("&"));
    let mut silent = narrow(&running).await;
    silent.write(format!("GET {url} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
    let mut reader = running.client().await;
    opened(&mut reader, ONE, "").await;
    next(&mut reader).await.unwrap();
    for at in 0..2_000 {
        mark(&mut app, at..at + 1, "m100").await;
        assert_eq!(next(&mut reader).await.unwrap().counts(), one(at as u64 + 1));
        if is_cut_off(&mut app).await {
            let metrics = String::from_utf8(app.get("/metrics").await.body).unwrap();
            assert!(metrics.contains("\nseenby_streams_cut_total 1\n"), "{metrics}");
            return;
        }
    }
    panic!("nobody was cut off");
}

/// Whether only one stream is left of two.
async fn is_cut_off(app: &mut Client) -> bool {
    let metrics = app.get("/metrics").await;
    String::from_utf8(metrics.body).unwrap().contains("\nseenby_streams 1\n")
}

#[tokio::test]
async fn a_client_that_half_closes_has_left() {
    let (running, mut app) = chat(quick(), 2, 1).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(
        &mut stream,
        format!("GET {ONE} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes(),
    )
    .await
    .unwrap();
    tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await.unwrap();
    let metrics = String::from_utf8(app.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("\nseenby_streams 0\n"));
}

#[tokio::test]
async fn a_stream_ends_when_its_caller_is_let_in_no_more() {
    let guards = Guards::new(true, true);
    let limits = HttpLimits { stream_keep_alive: Duration::from_millis(40), ..quick() };
    let running = Running::guarded(&guards, Visibility::Sender, limits).await;
    let (app, alice) = (guards.app(), guards.user("alice"));
    let mut client = running.client().await;
    let fields = [("authorization", app.as_str()), ("content-type", "application/json")];
    let m1 = br#"{"sender":"alice","audience":["bob"]}"#;
    client.send("PUT", "/v1/conversations/c/messages/m1", &fields, Some(m1)).await.expect(201);
    let mut page = running.client().await;
    assert_eq!(page.open(ONE, &[("authorization", &alice)]).await.status, 200);
    for _ in 0..4 {
        assert_ne!(next(&mut page).await.unwrap().name, "end");
    }
    running.pass(Duration::from_hours(2));
    while let Some(event) = next(&mut page).await {
        assert_ne!(event.name, "end", "it may try again, and is told then");
    }
    page.send("GET", ONE, &[("authorization", &alice)], None).await.refuses(Code::Unauthenticated);
}

#[tokio::test]
async fn the_last_connections_are_not_for_streams() {
    let limits = HttpLimits { connections_max: 20, ..quick() };
    let (running, mut app) = chat(limits, 2, 1).await;
    let mut open = Vec::new();
    let refused = loop {
        let mut page = running.client().await;
        let reply = page.open(ONE, &[]).await;
        if reply.status != 200 {
            break page.body(reply).await;
        }
        open.push(page);
    };
    refused.refuses(Code::TooManyStreams);
    assert_eq!(open.len(), 18);
    mark(&mut app, 0..1, "m1").await;
}

#[tokio::test]
async fn a_stream_ends_by_its_time_however_much_it_has_to_tell() {
    let (_running, _app, mut slow) = behind("&for_ms=500").await;
    // The stream's time, and not a wait for something.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut told = Vec::new();
    while let Some(event) = next(&mut slow).await {
        told.push(event);
    }
    assert!(told.len() < 10_000, "{} events", told.len());
    let [.., last, end] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (end.name.as_str(), last.data["poll"].is_null()),
        ("end", true),
        "what was left is told at once"
    );
    assert!(last.counts().iter().all(|(_, read)| *read == 1_000), "{last:?}");
}

#[tokio::test]
async fn a_stopping_server_does_not_wait_for_clients_that_take_nothing() {
    let (running, app, _silent) = behind("").await;
    drop(app);
    assert_eq!(running.stop().await.unwrap(), Drained { connections_cut: 0 });
}
