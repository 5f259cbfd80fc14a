//! Clients that take their time.

use std::time::{Duration, Instant};

use seenby::{http::HttpLimits, wire::Code};

use super::running::Running;

const SOON: Duration = Duration::from_millis(200);

fn impatient() -> HttpLimits {
    HttpLimits {
        head_timeout: SOON,
        body_timeout: SOON,
        idle_timeout: SOON,
        linger_timeout: SOON,
        ..HttpLimits::default()
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_hung_up_on() {
    let running = Running::within(impatient()).await;
    running.client().await.is_closed().await;
}

#[tokio::test]
async fn a_head_that_trickles_in_is_too_slow() {
    let running = Running::within(impatient()).await;
    for start in ["G", "P", "PRI * HT", "GET /healthz HTTP/1.1\r\nhost: x\r\n"] {
        let begun = Instant::now();
        let mut client = running.client().await;
        for byte in start.as_bytes() {
            client.write(&[*byte]).await;
        }
        client.reply("GET").await.refuses(Code::TooSlow);
        client.is_closed().await;
        assert!(begun.elapsed() < SOON * 10, "the bytes do not set the time back");
    }
}

#[tokio::test]
async fn one_byte_at_a_time_does_not_set_the_clock_back() {
    let running = Running::within(impatient()).await;
    let mut client = running.client().await;
    client.write(b"GET /healthz HTTP/1.1\r\nx: ").await;
    let mut tick = tokio::time::interval(SOON / 8);
    let begun = Instant::now();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            line = client.line() => {
                assert!(line.starts_with("HTTP/1.1 408 "), "{line}");
                break;
            }
        }
        client.write(b"x").await;
        assert!(begun.elapsed() < SOON * 20, "the server waits for ever");
    }
}

#[tokio::test]
async fn the_head_of_a_later_request_has_its_own_time() {
    let limits = HttpLimits { idle_timeout: Duration::from_mins(1), ..impatient() };
    let running = Running::within(limits).await;
    let mut client = running.client().await;
    assert_eq!(client.get("/healthz").await.status, 200);
    client.write(b"GET /heal").await;
    client.reply("GET").await.refuses(Code::TooSlow);
    client.is_closed().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let running = Running::within(impatient()).await;
    let mut client = running.client().await;
    assert_eq!(client.get("/healthz").await.status, 200);
    client.is_closed().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_too_slow() {
    let running = Running::within(impatient()).await;
    let mut client = running.client().await;
    let head = "PUT /v1/conversations/c/members HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    client.write(format!("{head}content-length: 14\r\n\r\n{{").as_bytes()).await;
    let reply = client.reply("PUT").await;
    reply.refuses(Code::TooSlow);
    assert_eq!(reply.field("connection"), Some("close"));
    client.is_closed().await;
}
