//! Bodies: their size, their type, their shape.

use std::sync::Arc;

use seenby::{domain::Limits, http::HttpLimits, store::model::ModelStore, wire::Code};

use super::running::{Running, small_chat};

type Fields = &'static [(&'static str, &'static str)];

const MEMBERS: &str = "/v1/conversations/c/members";
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_body_may_be_as_large_as_the_limit_and_no_larger() {
    let limits = HttpLimits { body_bytes_max: 64, ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let padded = |bytes: usize| format!("{:<bytes$}", r#"{"members":[]}"#);
    running.client().await.put(MEMBERS, &padded(64)).await.expect(200);
    let mut client = running.client().await;
    let reply = client.put(MEMBERS, &padded(65)).await;
    assert!(reply.refuses(Code::BodyTooLarge).contains("64"));
    assert_eq!(reply.field("connection"), Some("close"));
    client.is_closed().await;
    for (bytes, status) in [(64, 200), (65, 413)] {
        let mut client = running.client().await;
        let head = "PUT /v1/conversations/c/members HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
            transfer-encoding: chunked\r\n\r\n";
        client.write(format!("{head}20\r\n{}\r\n", &padded(bytes)[..32]).as_bytes()).await;
        client.write(format!("{:x}\r\n{}\r\n0\r\n\r\n", bytes - 32, &padded(bytes)[32..]).as_bytes()).await;
        assert_eq!(client.reply("PUT").await.status, status, "in chunks");
    }
}

#[tokio::test]
async fn a_body_that_is_said_to_be_too_large_is_not_waited_for() {
    let (running, _) = small_chat().await;
    let mut client = running.client().await;
    client
        .write(b"PUT /v1/conversations/c/members HTTP/1.1\r\nhost: x\r\ncontent-length: 16777217\r\n\r\n")
        .await;
    client.reply("PUT").await.refuses(Code::BodyTooLarge);
}

#[tokio::test]
async fn all_bodies_together_have_a_limit() {
    // The first 64 KiB of each are free, so that small ones get through whatever others send.
    let free = 64 << 10;
    let limits = HttpLimits { bodies_bytes_max: 20, ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let padded =
        |bytes: usize| format!(r#"{{"members":[]{}}}"#, " ".repeat(bytes - r#"{"members":[]}"#.len()));
    running.client().await.put(MEMBERS, &padded(free + 20)).await.expect(200);
    running.client().await.put(MEMBERS, &padded(free + 21)).await.refuses(Code::Overloaded);
    running.client().await.put(MEMBERS, &padded(free)).await.expect(200);
}

#[tokio::test]
async fn answers_count_among_all_bodies() {
    let limits = HttpLimits { bodies_bytes_max: 20_000, ..HttpLimits::default() };
    let running = Running::within(limits).await;
    let mark = |ids: usize| {
        let ids = vec![format!("\"{}\"", "x".repeat(100)); ids].join(",");
        format!(r#"{{"reader":"bob","messages":[{ids}]}}"#)
    };
    let mut client = running.client().await;
    client.post("/v1/conversations/c/marks", &mark(500)).await.expect(200);
    client.post("/v1/conversations/c/marks", &mark(640)).await.refuses(Code::Overloaded);
}

#[tokio::test]
async fn a_body_is_said_to_be_json() {
    let (_running, mut client) = small_chat().await;
    let body: &[u8] = br#"{"members":[]}"#;
    for fields in [&[][..], &[("content-type", "text/plain")], &[("content-type", "")], &[JSON, JSON]] {
        client.send("PUT", MEMBERS, fields, Some(body)).await.refuses(Code::UnsupportedMediaType);
    }
    let field = [("content-type", "Application/JSON;charset=utf-8")];
    client.send("PUT", MEMBERS, &field, Some(body)).await.expect(200);
}

#[tokio::test]
async fn what_is_wrong_first_is_what_is_said() {
    let limits = HttpLimits { body_bytes_max: 16, ..HttpLimits::default() };
    let running = Running::over(Arc::new(ModelStore::default()), limits, Limits::default()).await;
    let long = [b'x'; 17];
    let short = [b'x'; 16];
    let cases: [(&str, &str, Fields, &[u8], Code); 7] = [
        ("PUT", "/v1/nowhere", &[], &long, Code::NoSuchRoute),
        ("POST", "/v1/conversations//members", &[], &long, Code::MethodNotAllowed),
        ("PUT", "/v1/conversations//members", &[], &long, Code::BodyTooLarge),
        ("PUT", "/v1/conversations//members", &[], &short, Code::UnsupportedMediaType),
        ("PUT", "/v1/conversations/c/members?x=1", &[JSON], &short, Code::BadRequest),
        ("PUT", "/v1/conversations//members", &[JSON], &short, Code::BadId),
        ("PUT", "/v1/conversations/c/members", &[JSON], &short, Code::BadJson),
    ];
    for (method, path, fields, body, code) in cases {
        running.client().await.send(method, path, fields, Some(body)).await.refuses(code);
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_told_from_one_of_the_wrong_shape() {
    let (_running, mut client) = small_chat().await;
    let deep = "[".repeat(1_000_000);
    let nested = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for bad in ["", "{", r#"{"members":["a""#, r#"{"members":[]},"#, "members", deep.as_str()] {
        client.put(MEMBERS, bad).await.refuses(Code::BadJson);
    }
    client.send("PUT", MEMBERS, &[JSON], Some(b"{\"members\":[\"\xc3\"]}")).await.refuses(Code::BadJson);
    for (bad, named) in [
        (nested.as_str(), "object"),
        ("[]", "object"),
        (r#"[["a"]]"#, "object"),
        ("null", "object"),
        ("{}", "members"),
        (r#"{"members":null}"#, "members"),
        (r#"{"members":"a"}"#, "members"),
        (r#"{"members":[1]}"#, "members[0]"),
        (r#"{"members":[],"members":[]}"#, "members"),
        (r#"{"members":[],"owner":"a"}"#, "owner"),
    ] {
        let detail = client.put(MEMBERS, bad).await.refuses(Code::BadRequest);
        assert!(detail.contains(named), "{detail}");
    }
}
