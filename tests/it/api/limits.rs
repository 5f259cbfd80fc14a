//! The limits that one caller meets, each at the limit and one past it: connections an address, requests a caller,
//! streams a connection, and answers that nobody takes.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use seenby::{domain::Visibility, http::HttpLimits, wire::Code};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{guards::Guards, running::Running, wire::Client};

/// A client at another address of the loopback network.
async fn client_from(running: &Running, address: [u8; 4]) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::from(address), 0).into()).unwrap();
    Client::over(socket.connect(running.address).await.unwrap())
}

#[tokio::test]
async fn one_connection_too_many_from_one_address_is_told_so_and_others_are_not() {
    let limits = HttpLimits { connections_per_address_max: 2, ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let (mut one, mut two) =
        (client_from(&running, [127, 0, 0, 9]).await, client_from(&running, [127, 0, 0, 9]).await);
    for client in [&mut one, &mut two] {
        assert_eq!(client.get("/healthz").await.status, 200);
    }
    let mut three = client_from(&running, [127, 0, 0, 9]).await;
    let reply = three.reply("GET").await;
    assert!(reply.refuses(Code::TooManyRequests).contains("2 connections"));
    three.is_closed().await;
    assert_eq!(client_from(&running, [127, 0, 0, 10]).await.get("/healthz").await.status, 200);
    drop(one);
    // The place is free once the server has seen the end of the first.
    while client_from(&running, [127, 0, 0, 9]).await.get("/healthz").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn connections_that_come_too_fast_wait_to_be_accepted() {
    let running = Running::within(HttpLimits { connections_per_s_max: 2, ..HttpLimits::default() }).await;
    let began = Instant::now();
    // One was let in ahead of time, two are at hand, and the next is half a second away.
    for place in 1..=4 {
        let mut client = client_from(&running, [127, 0, 0, place]).await;
        assert_eq!(client.get("/healthz").await.status, 200);
    }
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_users_body_has_a_limit_of_its_own() {
    let guards = Guards::new(true, true);
    let limits = HttpLimits { user_body_bytes_max: 64, ..HttpLimits::default() };
    let running = Running::guarded(&guards, Visibility::Sender, limits).await;
    let mark = |length: usize| format!("{:<length$}", r#"{"reader":"bob","messages":["m"]}"#);
    for (who, length, status) in
        [(guards.user("bob"), 64, 200), (guards.user("bob"), 65, 413), (guards.app(), 65, 200)]
    {
        let fields = [("authorization", who.as_str()), ("content-type", "application/json")];
        let body = mark(length);
        let path = "/v1/conversations/c/marks";
        let reply = running.client().await.send("POST", path, &fields, Some(body.as_bytes())).await;
        assert_eq!(reply.status, status, "{length}");
    }
}

#[tokio::test]
async fn one_request_too_many_a_second_is_told_when_to_come_back_and_others_are_not() {
    let guards = Guards::new(true, true);
    let limits = HttpLimits { user_requests_per_s: 3, app_requests_per_s: 2, ..HttpLimits::default() };
    let running = Running::guarded(&guards, Visibility::Sender, limits).await;
    let mut client = running.client().await;
    for (who, other, most) in
        [(guards.user("alice"), guards.user("bob"), 3), (guards.app(), guards.user("carol"), 2)]
    {
        let pull = "/v1/conversations/c/receipts?message=m";
        let fields = [("authorization", who.as_str())];
        // On a slow machine some of it may have come back before all was sent: then there are a few more.
        let mut answered = 0;
        let refused = loop {
            let reply = client.send("GET", pull, &fields, None).await;
            if reply.status != 200 {
                break reply;
            }
            answered += 1;
            assert!(answered < 1_000, "there is no limit");
        };
        assert!(answered >= most, "{answered}");
        refused.refuses(Code::TooManyRequests);
        assert_eq!(refused.field("retry-after"), Some("1"));
        client.send("GET", pull, &[("authorization", &other)], None).await.expect(200);
        client.get("/healthz").await;
    }
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `POST /v1/marks`, whose body is still to come.
fn begun_post(stream: u32) -> Vec<u8> {
    const END_HEADERS: u8 = 4;
    // By the static table: POST, http; literals: the path, the authority (RFC 7541, appendix A).
    let head = [b"\x83\x86\x44\x09/v1/marks\x41\x01x".as_slice()].concat();
    frame(1, END_HEADERS, stream, &head)
}

/// Reads frames up to the first of this kind; its stream and payload.
async fn next_frame(socket: &mut TcpStream, kind: u8) -> (u32, Vec<u8>) {
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        socket.read_exact(&mut payload).await.unwrap();
        if head[3] == kind {
            return (u32::from_be_bytes(head[5..].try_into().unwrap()), payload);
        }
    }
}

#[tokio::test]
async fn one_stream_too_many_is_refused_and_the_others_go_on() {
    const RST_STREAM: u8 = 3;
    const REFUSED_STREAM: u32 = 7;
    let running = Running::within(HttpLimits { http2_streams_max: 2, ..HttpLimits::default() }).await;
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, b"")].concat();
    socket.write_all(&begin).await.unwrap();
    let (_, settings) = next_frame(&mut socket, 4).await;
    let said: Vec<_> = settings.chunks(6).filter(|setting| setting[..2] == [0, 3]).collect();
    assert_eq!(said, [[0, 3, 0, 0, 0, 2]], "it says how many there may be");
    socket.write_all(&frame(4, 1, 0, b"")).await.unwrap();
    for stream in [1, 3, 5] {
        socket.write_all(&begun_post(stream)).await.unwrap();
    }
    let refused = timeout(Duration::from_secs(20), next_frame(&mut socket, RST_STREAM)).await.unwrap();
    assert_eq!(refused, (5, REFUSED_STREAM.to_be_bytes().to_vec()));
    for stream in [1, 3] {
        socket.write_all(&frame(0, 1, stream, b"{}")).await.unwrap();
        assert_eq!(next_frame(&mut socket, 1).await.0, stream, "it is answered");
    }
}

#[tokio::test]
async fn who_takes_nothing_of_their_answers_is_hung_up_on() {
    let limits = HttpLimits { answer_timeout: Duration::from_millis(300), ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let mut client = running.client().await;
    let members: Vec<_> = (0..1_000).map(|number| format!("{number:0>128}")).collect();
    let roster = serde_json::json!({ "members": members }).to_string();
    client.put("/v1/conversations/c/members", &roster).await.expect(200);
    let mut deaf = TcpStream::connect(running.address).await.unwrap();
    let list = b"GET /v1/conversations/c/members?limit=1000 HTTP/1.1\r\nhost: x\r\n\r\n";
    // 400 answers of 130 KB are more than sockets hold.
    deaf.write_all(&list.repeat(400)).await.unwrap();
    let is_open = async |client: &mut Client| {
        let metrics = String::from_utf8(client.get("/metrics").await.body).unwrap();
        !metrics.lines().any(|line| line == "seenby_http_connections 1")
    };
    timeout(Duration::from_secs(20), async {
        while is_open(&mut client).await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is hung up on");
    client.get("/v1/conversations/c/members").await.expect(200);
}
