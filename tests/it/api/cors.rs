//! Pages of other origins.

use seenby::{http::HttpLimits, wire::Code};

use super::{
    running::Running,
    wire::{Client, Reply},
};

const CHAT: &str = "https://chat.example";
/// As the tests' client names the server.
const OWN: &str = "http://test";
/// No body, and so nothing that a browser would ask about first.
const RESET: &str = "/v1/conversations/c/messages/m/reset";
const PULL: &str = "/v1/conversations/c/receipts?message=m";

async fn server() -> (Running, Client) {
    let origins = [CHAT.to_owned(), "http://localhost:3000".to_owned()];
    let running = Running::dressed(HttpLimits::default(), |server| server.with_origins(&origins)).await;
    let client = running.client().await;
    (running, client)
}

fn allowed(reply: &Reply) -> Option<&str> {
    reply.field("access-control-allow-origin")
}

#[tokio::test]
async fn a_page_of_an_origin_on_the_list_may_read_the_answer_and_its_etag() {
    let (_running, mut client) = server().await;
    for (method, target) in [("GET", PULL), ("HEAD", PULL), ("GET", "/v1/nowhere"), ("POST", "/v1/marks")] {
        let reply = client.send(method, target, &[("origin", CHAT)], None).await;
        assert_eq!(allowed(&reply), Some(CHAT), "{method} {target}");
        assert_eq!(reply.field("access-control-expose-headers"), Some("ETag, Retry-After"));
        assert!(reply.field("vary").unwrap().contains("Origin"));
    }
    let etag = client.get(PULL).await.field("etag").unwrap().to_owned();
    let fields = [("origin", CHAT), ("if-none-match", etag.as_str())];
    let unchanged = client.send("GET", PULL, &fields, None).await;
    assert_eq!((unchanged.status, allowed(&unchanged)), (304, Some(CHAT)));
}

#[tokio::test]
async fn a_page_of_any_other_origin_may_not() {
    let (_running, mut client) = server().await;
    for origin in
        ["https://evil.example", "https://chat.example.evil", "https://chat.example:444", "null", "*", ""]
    {
        let reply = client.send("GET", PULL, &[("origin", origin)], None).await;
        assert_eq!((reply.status, allowed(&reply)), (200, None), "{origin}");
        assert_eq!(reply.field("vary"), Some("Authorization, Origin"));
    }
    let reply = client.get("/healthz").await;
    assert_eq!((allowed(&reply), reply.field("vary")), (None, Some("Origin")));
}

#[tokio::test]
async fn where_there_are_no_keys_a_page_of_another_origin_changes_nothing() {
    let (_running, mut client) = server().await;
    client.put("/v1/conversations/c/members", r#"{"members":["alice","bob"]}"#).await.expect(200);
    client.put("/v1/conversations/c/messages/m", r#"{"sender":"alice"}"#).await.expect(201);
    for origin in ["https://evil.example", "null", "", "http://127.0.0.1:1", "https://chat.example.evil"] {
        client.send("POST", RESET, &[("origin", origin)], None).await.refuses(Code::NotAllowed);
    }
    for origin in [CHAT, OWN] {
        assert_eq!(client.send("POST", RESET, &[("origin", origin)], None).await.status, 204, "{origin}");
    }
    assert_eq!(client.send("POST", RESET, &[], None).await.status, 204, "no page");
}

#[tokio::test]
async fn a_browser_that_asks_first_is_told_what_a_page_may_send() {
    let (_running, mut client) = server().await;
    let asks = [
        ("origin", CHAT),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization,if-none-match"),
    ];
    let reply = client.send("OPTIONS", PULL, &asks, None).await;
    assert_eq!((reply.status, allowed(&reply)), (204, Some(CHAT)));
    assert_eq!(reply.field("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
    let headers = reply.field("access-control-allow-headers").unwrap();
    for header in ["Authorization", "Content-Type", "If-None-Match", "Last-Event-ID"] {
        assert!(headers.contains(header));
    }
    assert_eq!(reply.field("access-control-max-age"), Some("7200"));
    let other = client.send("OPTIONS", PULL, &[("origin", "https://evil.example"), asks[1]], None).await;
    assert_eq!(
        (other.status, allowed(&other), other.field("access-control-allow-methods")),
        (204, None, None)
    );
    client.send("OPTIONS", "/v1/nowhere", &asks, None).await.refuses(Code::NoSuchRoute);
}

#[tokio::test]
async fn without_a_list_no_page_may_read_anything() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let reply = client.send("GET", PULL, &[("origin", CHAT)], None).await;
    assert_eq!(allowed(&reply), None);
    assert_eq!(client.get("/healthz").await.field("vary"), None);
}
