//! HTTP/2 with prior knowledge, on the same port.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use seenby::{
    http::{Drained, HttpLimits},
    wire::{Code, Problem},
};
use tokio::{net::TcpStream, task::JoinHandle};

use super::running::{Running, small_chat};

type Sender = http2::SendRequest<Full<Bytes>>;

async fn connect(running: &Running) -> Sender {
    connect_watched(running).await.0
}

async fn connect_watched(running: &Running) -> (Sender, JoinHandle<hyper::Result<()>>) {
    connect_with_room(running, 1 << 20).await
}

/// With room for so many bytes of an answer that is not taken.
async fn connect_with_room(running: &Running, bytes: u32) -> (Sender, JoinHandle<hyper::Result<()>>) {
    let stream = TokioIo::new(TcpStream::connect(running.address).await.unwrap());
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.initial_stream_window_size(bytes).handshake(stream).await.unwrap();
    (sender, tokio::spawn(connection))
}

async fn send(sender: &mut Sender, method: &str, path: &str, pad: usize, body: &str) -> Response<Bytes> {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://x{path}"))
        .header("content-type", "application/json")
        .header("pad", "x".repeat(pad))
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

fn code(response: &Response<Bytes>) -> Code {
    let problem: Problem = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(response.status().as_u16(), problem.status);
    problem.code
}

#[tokio::test]
async fn the_api_is_the_same_over_http2() {
    let (running, mut client) = small_chat().await;
    let mut sender = connect(&running).await;
    let pull = "/v1/conversations/c/receipts?message=m1";
    let over2 = send(&mut sender, "GET", pull, 0, "").await;
    let over1 = client.get(pull).await;
    assert_eq!(over2.status(), 200);
    assert_eq!(over2.body(), &over1.body);
    assert_eq!(over2.headers()["etag"], over1.field("etag").unwrap());
    let head = send(&mut sender, "HEAD", pull, 0, "").await;
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    assert_eq!(head.headers()["content-length"], over1.body.len().to_string());
    let mark = send(&mut sender, "POST", "/v1/marks", 0, r#"{"marks":[]}"#).await;
    assert_eq!(code(&mark), Code::BadRequest);
    assert_eq!(code(&send(&mut sender, "GET", "/v1/marks", 0, "").await), Code::MethodNotAllowed);
}

#[tokio::test]
async fn heads_and_bodies_have_the_same_limits_over_http2() {
    let limits = HttpLimits { head_bytes_max: 9_000, body_bytes_max: 64, ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let mut sender = connect(&running).await;
    assert_eq!(send(&mut sender, "GET", "/healthz", 8_500, "").await.status(), 200);
    assert_eq!(code(&send(&mut sender, "GET", "/healthz", 9_001, "").await), Code::HeaderTooLarge);
    let large = "x".repeat(65);
    let refused = send(&mut sender, "PUT", "/v1/conversations/c/members", 0, &large).await;
    assert_eq!(code(&refused), Code::BodyTooLarge);
    assert_eq!(send(&mut sender, "GET", "/healthz", 0, "").await.status(), 200, "the connection goes on");
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_in_good_order() {
    let limits = HttpLimits { idle_timeout: Duration::from_millis(200), ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let (mut sender, connection) = connect_watched(&running).await;
    assert_eq!(send(&mut sender, "GET", "/healthz", 0, "").await.status(), 200);
    connection.await.unwrap().unwrap();
}

/// A body that never comes.
struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_too_slow_over_http2() {
    let limits = HttpLimits { body_timeout: Duration::from_millis(200), ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let stream = TokioIo::new(TcpStream::connect(running.address).await.unwrap());
    let (mut sender, connection) =
        http2::Builder::new(TokioExecutor::new()).handshake::<_, Never>(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post("http://x/v1/marks").body(Never).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let response = Response::from_parts(head, body.collect().await.unwrap().to_bytes());
    assert_eq!(code(&response), Code::TooSlow);
    drop(sender);
    connection.abort();
}

#[tokio::test]
async fn stopping_ends_an_http2_connection() {
    let running = Running::start().await;
    let mut sender = connect(&running).await;
    assert_eq!(send(&mut sender, "GET", "/healthz", 0, "").await.status(), 200);
    assert_eq!(running.stop().await.unwrap(), Drained { connections_cut: 0 });
}

/// Long before an idle connection would be asked whether it lives.
async fn ends_soon(connection: JoinHandle<hyper::Result<()>>) {
    tokio::time::timeout(Duration::from_secs(30), connection).await.expect("an end").unwrap().unwrap();
}

/// Opens a stream of the chat's one message.
async fn stream(sender: &mut Sender) -> Response<Incoming> {
    let request = Request::get("http://x/v1/conversations/c/receipts/stream?message=m1");
    sender.send_request(request.body(Full::default()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn streams_outlast_every_deadline_but_their_own_over_http2() {
    let soon = Duration::from_millis(100);
    let limits = HttpLimits {
        answer_timeout: soon,
        idle_timeout: soon,
        body_timeout: soon,
        stream_every: Duration::from_millis(10),
        stream_for: 8 * soon,
        ..HttpLimits::default()
    };
    let running = Running::within(limits).await;
    let mut sender = connect(&running).await;
    let (members, m1) = (r#"{"members":["alice","bob"]}"#, r#"{"sender":"alice"}"#);
    send(&mut sender, "PUT", "/v1/conversations/c/members", 0, members).await;
    send(&mut sender, "PUT", "/v1/conversations/c/messages/m1", 0, m1).await;
    let (one, two) = (stream(&mut sender).await, stream(&mut sender).await);
    let mark = r#"{"reader":"bob","messages":["m1"]}"#;
    assert_eq!(send(&mut sender, "POST", "/v1/conversations/c/marks", 0, mark).await.status(), 200);
    for stream in [one, two] {
        let whole = stream.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(whole.to_vec()).unwrap();
        assert!(text.contains(r#""read":1"#) && text.ends_with("event: end\ndata: {}\n\n"), "{text}");
    }
}

#[tokio::test]
async fn a_stream_that_nobody_takes_ends_its_http2_connection() {
    let limits = HttpLimits {
        answer_timeout: Duration::from_millis(200),
        stream_every: Duration::ZERO,
        ..HttpLimits::default()
    };
    let running = Running::within(limits).await;
    let (mut sender, connection) = connect_with_room(&running, 16 << 10).await;
    let readers: Vec<_> = (0..2_000).map(|at| format!("\"u{at}\"")).collect();
    let m1 = format!(r#"{{"sender":"alice","audience":[{}]}}"#, readers.join(","));
    send(&mut sender, "PUT", "/v1/conversations/c/messages/m1", 0, &m1).await;
    let untaken = stream(&mut sender).await;
    let mut app = running.client().await;
    for readers in readers.chunks(1_000) {
        let marks: Vec<_> = readers
            .iter()
            .map(|reader| format!(r#"{{"conversation":"c","reader":{reader},"messages":["m1"]}}"#))
            .collect();
        app.post("/v1/marks", &format!(r#"{{"marks":[{}]}}"#, marks.join(","))).await.expect(200);
    }
    ends_soon(connection).await;
    drop(untaken);
}

#[tokio::test]
async fn a_client_without_room_for_an_event_is_not_waited_for_over_http2() {
    let limits = HttpLimits {
        answer_timeout: Duration::from_millis(200),
        // h2 takes one event whatever room there is for it, and the next one not.
        stream_keep_alive: Duration::from_millis(50),
        idle_timeout: Duration::from_hours(1),
        ..HttpLimits::default()
    };
    let running = Running::within(limits).await;
    let mut app = running.client().await;
    app.put("/v1/conversations/c/messages/m1", r#"{"sender":"alice","audience":["bob"]}"#).await.expect(201);
    let (mut sender, connection) = connect_with_room(&running, 1).await;
    let untaken = stream(&mut sender).await;
    assert_eq!(untaken.status(), 200);
    ends_soon(connection).await;
}
