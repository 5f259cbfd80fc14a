//! Clients that mean harm, each small. The server answers with a clear refusal or closes, and goes on to answer others.
//!
//! `seenby bench attack` does the same at full size, and times it.

use std::{sync::Arc, time::Duration};

use seenby::{domain::Limits, http::HttpLimits, store::model::ModelStore, wire::Code};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    running::{Running, small_chat},
    wire::Client,
};

const PULL: &str = "/v1/conversations/c/receipts?message=m1";
const MEMBERS: &str = "/v1/conversations/c/members";
const SOON: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(20);

/// Kinds and flags of frames, as in RFC 9113, section 6.
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const WHOLE: u8 = 5;

/// `SETTINGS_INITIAL_WINDOW_SIZE` of all there may be.
const WIDE_WINDOW: &[u8] = &[0, 4, 0x7f, 0xff, 0xff, 0xff];
/// `SETTINGS_INITIAL_WINDOW_SIZE` of 0: no byte of a body may be sent.
const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header fields of `GET path`, and more of them.
fn get(path: &str, more: &[u8]) -> Vec<u8> {
    let length = u8::try_from(path.len()).ok().filter(|length| *length < 127).unwrap();
    [&[0x82, 0x86, 0x01, 1, b'x', 0x04, length], path.as_bytes(), more].concat()
}

/// A connection that speaks HTTP/2 in frames written by hand.
struct Frames(TcpStream);

impl Frames {
    async fn connect(running: &Running, settings: &[u8]) -> Self {
        let mut frames = Self(TcpStream::connect(running.address).await.unwrap());
        frames.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        frames.send(&frame(SETTINGS, 0, 0, settings)).await;
        frames.send(&frame(SETTINGS, ACK, 0, &[])).await;
        frames
    }

    /// A server that has had enough may have closed.
    async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.0.write_all(bytes)).await.expect("the server takes bytes");
    }

    /// The next frame's kind, stream and payload; none at the end.
    async fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        timeout(PATIENCE, self.read()).await.expect("the server says something, or closes")
    }

    async fn read(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((head[3], u32::from_be_bytes(head[5..].try_into().unwrap()), payload))
    }

    /// Waits for the end, and says whether the server had announced it.
    async fn ends(&mut self) -> bool {
        let mut announced = false;
        while let Some((kind, ..)) = self.next().await {
            announced |= kind == GOAWAY;
        }
        announced
    }

    /// Waits for the head of a stream's answer, or for the end, and says whether it is a 200: RFC 7541, appendix A.
    async fn is_ok(&mut self, wanted: u32) -> bool {
        while let Some((kind, stream, payload)) = self.next().await {
            if (kind, stream) == (HEADERS, wanted) {
                return payload[0] == 0x88;
            }
        }
        false
    }
}

async fn goes_on(client: &mut Client) {
    client.get(PULL).await.expect(200);
}

/// Waits until so many requests for `/openapi.json` have been answered, or at least begun to be.
async fn documents(probe: &mut Client, wanted: usize) {
    let line = format!("seenby_http_requests_total{{route=\"/openapi.json\",status=\"200\"}} {wanted}\n");
    while !String::from_utf8(probe.get("/metrics").await.body).unwrap().contains(&line) {}
}

#[tokio::test]
async fn requests_without_end_do_not_keep_others_waiting_and_are_answered_in_order() {
    let (running, mut client) = small_chat().await;
    let mut greedy = running.client().await;
    let paths = ["/healthz", PULL].map(|path| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
    greedy.write(paths.concat().repeat(500).as_bytes()).await;
    for _ in 0..20 {
        goes_on(&mut client).await;
    }
    for _ in 0..500 {
        assert_eq!(greedy.reply("GET").await.body, b"ok\n");
        greedy.reply("GET").await.expect(200);
    }
}

#[tokio::test]
async fn many_connections_that_say_little_keep_nobody_waiting() {
    let (running, mut client) = small_chat().await;
    let mut held = Vec::new();
    let body = "POST /v1/marks HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
    for begun in ["", "GET /heal", body, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"].repeat(50) {
        let mut slow = running.client().await;
        slow.write(begun.as_bytes()).await;
        held.push(slow);
        goes_on(&mut client).await;
    }
    for _ in 0..500 {
        drop(running.client().await);
    }
    drop(held);
    goes_on(&mut client).await;
    assert_eq!(running.client().await.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let (running, mut client) = small_chat().await;
    let mut hostile = Frames::connect(&running, &[]).await;
    for stream in (1..1_000).step_by(2) {
        hostile.send(&frame(HEADERS, WHOLE, stream, &get("/openapi.json", &[]))).await;
        hostile.send(&frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])).await;
    }
    hostile.ends().await;
    goes_on(&mut client).await;
}

#[tokio::test]
async fn a_client_that_abandons_most_answers_is_hung_up_on() {
    let (running, mut client) = small_chat().await;
    let mut hostile = Frames::connect(&running, NO_WINDOW).await;
    let mut streams = (1..).step_by(2);
    for round in 1..=21 {
        let batch: Vec<u32> = streams.by_ref().take(10).collect();
        for stream in &batch {
            hostile.send(&frame(HEADERS, WHOLE, *stream, &get("/openapi.json", &[]))).await;
        }
        documents(&mut client, round * 10).await;
        for stream in &batch {
            hostile.send(&frame(RST_STREAM, 0, *stream, &[0, 0, 0, 8])).await;
        }
    }
    assert!(hostile.ends().await, "it is told that this is the end");
    goes_on(&mut client).await;
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let (running, mut client) = small_chat().await;
    let mut hostile = Frames::connect(&running, &[]).await;
    hostile.send(&frame(HEADERS, 1, 1, &get("/healthz", &[]))).await;
    let field = [&[0, 1, b'a', 127, 0x81, 7][..], &[b'b'; 1_024]].concat();
    for _ in 0..2_000 {
        hostile.send(&frame(CONTINUATION, 0, 1, &field)).await;
    }
    hostile.ends().await;
    goes_on(&mut client).await;
}

#[tokio::test]
async fn pings_and_settings_that_nobody_waits_for_keep_nobody_waiting() {
    let (running, mut client) = small_chat().await;
    let mut hostile = Frames::connect(&running, &[]).await;
    for _ in 0..200 {
        let both = [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[])].concat();
        hostile.send(&both.repeat(10)).await;
    }
    goes_on(&mut client).await;
    hostile.send(&frame(HEADERS, WHOLE, 1, &get("/healthz", &[]))).await;
    assert!(hostile.is_ok(1).await);
}

#[tokio::test]
async fn answers_that_may_not_be_sent_are_not_kept_for_ever() {
    let limits = HttpLimits { answer_timeout: SOON, ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let mut probe = running.client().await;
    let mut hostile = Frames::connect(&running, NO_WINDOW).await;
    for stream in (1..100).step_by(2) {
        hostile.send(&frame(HEADERS, WHOLE, stream, &get("/openapi.json", &[]))).await;
    }
    documents(&mut probe, 50).await;
    assert!(hostile.ends().await, "it is told that this is the end");
    while !String::from_utf8(probe.get("/metrics").await.body)
        .unwrap()
        .contains("seenby_http_connections 1\n")
    {}
}

#[tokio::test]
async fn who_is_hung_up_on_leaves_the_line_to_others() {
    // Longer than this test has patience.
    let linger_timeout = Duration::from_hours(1);
    let limits = HttpLimits { answer_timeout: SOON, linger_timeout, ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let mut hostile = Vec::new();
    for _ in 0..8 {
        let mut frames = Frames::connect(&running, WIDE_WINDOW).await;
        frames.send(&frame(WINDOW_UPDATE, 0, 0, &0x7fff_0000_u32.to_be_bytes())).await;
        for stream in (1..200).step_by(2) {
            frames.send(&frame(HEADERS, WHOLE, stream, &get("/openapi.json", &[]))).await;
        }
        // Reads nothing, and always has more to say that needs no answer.
        let more = frame(PRIORITY, 0, 201, &[0, 0, 0, 0, 9]).repeat(20_000);
        hostile.push(tokio::spawn(async move { while frames.0.write_all(&more).await.is_ok() {} }));
    }
    tokio::time::sleep(2 * SOON).await;
    let mut client = running.client().await;
    let members: Vec<_> = (0..10_000).map(|at| format!("\"member-{at}\"")).collect();
    let body = format!("{{\"members\":[{}]}}", members.join(","));
    for _ in 0..10 {
        let put = client.put(MEMBERS, &body);
        timeout(PATIENCE, put).await.expect("a large body is read").expect(200);
    }
    hostile.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn an_answer_of_many_parts_is_whole_and_the_next_head_has_its_own_time() {
    let limits = HttpLimits { head_timeout: SOON, ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let mut client = running.client().await;
    let members: Vec<_> = (0..1_000).map(|at| format!("\"{at:0>100}\"")).collect();
    client.put(MEMBERS, &format!("{{\"members\":[{}]}}", members.join(","))).await.expect(200);
    let path = format!("{MEMBERS}?limit=1000");
    let list = client.get(&path).await.expect(200);
    assert_eq!(list["members"].as_array().unwrap().len(), 1_000);
    assert_eq!(client.get(&path).await.expect(200), list);
    client.write(b"GET /heal").await;
    client.reply("GET").await.refuses(Code::TooSlow);
    client.is_closed().await;
}

#[tokio::test]
async fn heads_have_a_hundred_fields_over_either_protocol() {
    let (running, mut client) = small_chat().await;
    let mut frames = Frames::connect(&running, &[]).await;
    for (stream, fields, is_ok) in [(1, 100, true), (3, 101, false), (5, 5_000, false), (7, 1, true)] {
        let head = get("/healthz", &[0, 1, b'a', 1, b'b'].repeat(fields));
        let (first, rest) = head.split_at(head.len().min(16_000));
        let whole = if rest.is_empty() { WHOLE } else { 1 };
        frames.send(&frame(HEADERS, whole, stream, first)).await;
        if !rest.is_empty() {
            frames.send(&frame(CONTINUATION, 4, stream, rest)).await;
        }
        assert_eq!(frames.is_ok(stream).await, is_ok, "{fields}");
    }
    for (fields, status) in [(99, 200), (100, 431)] {
        let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(fields));
        let mut one = running.client().await;
        one.write(head.as_bytes()).await;
        assert_eq!(one.reply("GET").await.status, status, "{fields}");
    }
    goes_on(&mut client).await;
}

#[tokio::test]
async fn one_field_named_thousands_of_times_is_refused() {
    let (running, mut client) = small_chat().await;
    let mut hostile = Frames::connect(&running, &[]).await;
    // 4,063 bytes: with its name and 32 bytes more, all that the table holds. The newest has number 62.
    let large = [&[0x40, 1, b'a', 127, 0xe0, 0x1e][..], &[b'b'; 4_063]].concat();
    hostile.send(&frame(HEADERS, WHOLE, 1, &get("/healthz", &large))).await;
    assert!(hostile.is_ok(1).await);
    hostile.send(&frame(HEADERS, WHOLE, 3, &get("/healthz", &[0xbe; 16_000]))).await;
    assert!(!hostile.is_ok(3).await);
    goes_on(&mut client).await;
}

#[tokio::test]
async fn heads_over_http2_count_among_all_bodies() {
    let limits = HttpLimits { bodies_bytes_max: 20, ..HttpLimits::default() };
    let running = Running::over(Arc::new(ModelStore::default()), limits, Limits::default()).await;
    let mut frames = Frames::connect(&running, &[]).await;
    let large = [&[0, 1, b'a', 127, 0xa9, 0x45][..], &[b'b'; 9_000]].concat();
    frames.send(&frame(HEADERS, WHOLE, 1, &get("/healthz", &large))).await;
    assert!(!frames.is_ok(1).await);
    frames.send(&frame(HEADERS, WHOLE, 3, &get("/healthz", &[]))).await;
    assert!(frames.is_ok(3).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bodies_that_are_dear_to_read_are_refused_and_keep_nobody_waiting() {
    let (running, mut client) = small_chat().await;
    let deep = 500_000;
    let bombs = [
        (format!("{{\"members\":{}{}}}", "[".repeat(deep), "]".repeat(deep)), Code::BadRequest),
        (format!("{{\"members\":[\"a\"{}]}}", ",\"a\"".repeat(300_000)), Code::TooManyItems),
        (format!("{{\"members\":[\"{}\"]}}", "\\u00e9".repeat(200_000)), Code::BadId),
        (format!("{{\"members\":[{}]}}", "1".repeat(1_000_000)), Code::BadRequest),
        (format!("{{\"members\":[]{}}}", ",\"members\":[]".repeat(90_000)), Code::BadRequest),
        (format!("{{\"members\":[{{}}{}]}}", ",{}".repeat(300_000)), Code::BadRequest),
        ("[".repeat(1_000_000), Code::BadJson),
    ];
    for (bomb, code) in bombs {
        let mut hostile = running.client().await;
        let sent = tokio::spawn(async move { hostile.put(MEMBERS, &bomb).await });
        goes_on(&mut client).await;
        sent.await.unwrap().refuses(code);
    }
    // What is large and right is read there as well.
    let members: Vec<_> = (0..20_000).map(|at| format!("\"member-{at}\"")).collect();
    let put = client.put(MEMBERS, &format!("{{\"members\":[{}]}}", members.join(","))).await;
    assert_eq!(put.expect(200)["members"], 20_000);
}
