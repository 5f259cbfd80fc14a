//! Heads that cannot be read: hyper's bare refusals come as problem documents too.

use seenby::{http::HttpLimits, wire::Code};

use super::running::Running;

#[tokio::test]
async fn a_head_may_be_as_large_as_the_limit_and_no_larger() {
    let limits = HttpLimits { head_bytes_max: 9_000, ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let frame = "GET /healthz HTTP/1.1\r\nhost: x\r\npad: \r\n\r\n";
    let padded = |bytes: usize| frame.replace("pad: ", &format!("pad: {}", "x".repeat(bytes - frame.len())));
    let mut client = running.client().await;
    for _ in 0..2 {
        client.write(padded(9_000).as_bytes()).await;
        assert_eq!(client.reply("GET").await.status, 200);
    }
    client.write(padded(9_001).as_bytes()).await;
    let reply = client.reply("GET").await;
    assert!(reply.refuses(Code::HeaderTooLarge).contains("9000"));
    assert_eq!(reply.field("connection"), Some("close"));
    client.is_closed().await;
}

#[tokio::test]
async fn a_head_without_an_end_is_refused_at_the_limit() {
    let running = Running::start().await;
    for start in ["GET /", "GET /healthz HTTP/1.1\r\nx: ", "PUT /v1/conversations/"] {
        let mut client = running.client().await;
        client.write(format!("{start}{}", "a".repeat(200_000)).as_bytes()).await;
        client.reply("GET").await.refuses(Code::HeaderTooLarge);
        client.is_closed().await;
    }
    let mut client = running.client().await;
    let many = "a: b\r\n".repeat(101);
    client.write(format!("GET /healthz HTTP/1.1\r\n{many}\r\n").as_bytes()).await;
    client.reply("GET").await.refuses(Code::HeaderTooLarge);
}

#[tokio::test]
async fn what_is_not_http_is_told_so() {
    let running = Running::start().await;
    for nonsense in [
        "hello\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\r\n",
        "GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
    ] {
        let mut client = running.client().await;
        client.write(nonsense.as_bytes()).await;
        client.reply("GET").await.refuses(Code::BadRequest);
        client.is_closed().await;
    }
}

#[tokio::test]
async fn a_second_request_may_be_nonsense_too() {
    let running = Running::start().await;
    let mut client = running.client().await;
    assert_eq!(client.get("/healthz").await.status, 200);
    client.write(b"nonsense\r\n\r\n").await;
    client.reply("GET").await.refuses(Code::BadRequest);
    client.is_closed().await;
}
