//! Methods, unknown paths, and what the server says of itself.

use seenby::wire::Code;
use serde_json::{Value, json};

use super::running::{Running, small_chat};

#[tokio::test]
async fn an_unknown_path_is_no_route_whatever_the_method() {
    let running = Running::start().await;
    let mut client = running.client().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/marks",
        "/v1/marks/",
        "/v1/users",
        "/v1/conversations/c/receipts/streams?message=m",
        "/v1/conversations/a/b/members",
        "/problems/nothing",
    ] {
        for method in ["GET", "OPTIONS", "PUT", "BREW"] {
            let known = path.starts_with("/problems") && method != "GET";
            if !known {
                client.send(method, path, &[], None).await.refuses(Code::NoSuchRoute);
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let running = Running::start().await;
    let mut client = running.client().await;
    for (path, allow) in [
        ("/v1/conversations", "GET, HEAD, OPTIONS"),
        ("/v1/conversations/c", "DELETE, OPTIONS"),
        ("/v1/conversations/c/members", "PUT, PATCH, GET, HEAD, OPTIONS"),
        ("/v1/conversations/c/messages", "POST, GET, HEAD, OPTIONS"),
        ("/v1/conversations/c/messages/m", "PUT, GET, HEAD, DELETE, OPTIONS"),
        ("/v1/conversations/c/messages/m/reset", "POST, OPTIONS"),
        ("/v1/marks", "POST, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ] {
        let wrong = client.send("BREW", path, &[], None).await;
        wrong.refuses(Code::MethodNotAllowed);
        assert_eq!(wrong.field("allow"), Some(allow), "{path}");
        let options = client.send("OPTIONS", path, &[], None).await;
        assert_eq!((options.status, options.field("allow")), (204, Some(allow)));
    }
    let head = client.send("HEAD", "/v1/marks", &[], None).await;
    assert_eq!((head.status, head.field("allow")), (405, Some("POST, OPTIONS")));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let (_running, mut client) = small_chat().await;
    for path in [
        "/v1/conversations",
        "/v1/conversations/c/members",
        "/v1/conversations/c/messages/m1",
        "/v1/conversations/c/messages/m1/unread",
        "/v1/conversations/c/readers/bob",
        "/v1/conversations/c/receipts?message=m1",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/problems/bad-id",
        "/v1/conversations/none/members",
        "/v1/nowhere",
    ] {
        let get = client.get(path).await;
        let head = client.send("HEAD", path, &[], None).await;
        assert_eq!(head.status, get.status, "{path}");
        for same in ["content-length", "content-type", "etag", "cache-control", "vary"] {
            assert_eq!(head.field(same), get.field(same), "{path} {same}");
        }
    }
    let pull = "/v1/conversations/c/receipts?message=m1";
    let etag = client.get(pull).await.field("etag").unwrap().to_owned();
    let head = client.send("HEAD", pull, &[("if-none-match", &etag)], None).await;
    assert_eq!((head.status, head.field("etag")), (304, Some(etag.as_str())));
}

#[tokio::test]
async fn no_call_takes_a_parameter_that_it_does_not_have() {
    let (_running, mut client) = small_chat().await;
    for (method, path) in [
        ("GET", "/healthz"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/conversations/c/messages/m1"),
        ("GET", "/v1/conversations/c/readers/bob"),
        ("DELETE", "/v1/conversations/c"),
        ("POST", "/v1/conversations/c/messages/m1/reset"),
    ] {
        let detail = client.send(method, &format!("{path}?limit=1"), &[], None).await;
        assert!(detail.refuses(Code::BadRequest).contains("'limit'"), "{path}");
        client.send(method, &format!("{path}?%"), &[], None).await.refuses(Code::BadRequest);
    }
    client.post("/v1/marks?x", r#"{"marks":[]}"#).await.refuses(Code::BadRequest);
    client.get("/v1/conversations/c").await.refuses(Code::MethodNotAllowed);
    client.get("/v1/conversations/c/members?").await.expect(200);
}

#[tokio::test]
async fn the_server_says_that_it_lives_and_can_commit() {
    let running = Running::start().await;
    let mut client = running.client().await;
    for path in ["/healthz", "/readyz"] {
        let reply = client.get(path).await;
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"ok\n"[..]));
        assert_eq!(reply.field("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn every_problem_has_a_page() {
    let running = Running::start().await;
    let mut client = running.client().await;
    for code in Code::ALL {
        let page = client.get(&format!("/problems/{code}")).await;
        assert_eq!((page.status, page.field("content-type")), (200, Some("text/plain; charset=utf-8")));
        assert!(String::from_utf8(page.body).unwrap().contains(code.explanation()));
    }
}

#[tokio::test]
async fn the_api_describes_itself() {
    let running = Running::start().await;
    let document = running.client().await.get("/openapi.json").await.expect(200);
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(committed).unwrap()).unwrap();
    assert_eq!(document, committed);
}

#[tokio::test]
async fn every_operation_of_the_description_is_a_call() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let document = client.get("/openapi.json").await.expect(200);
    for (template, operations) in document["paths"].as_object().unwrap() {
        let path = template.replace("{code}", "bad-id").replace(['{', '}'], "");
        for method in operations.as_object().unwrap().keys() {
            let reply = client.send(&method.to_uppercase(), &path, &[], None).await;
            assert!(reply.status != 405 && reply.status < 500, "{method} {path}: {}", reply.status);
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            assert_ne!(body["code"], "no-such-route", "{method} {path}");
        }
        let options = client.send("OPTIONS", &path, &[], None).await;
        let allowed = options.field("allow").unwrap().to_ascii_lowercase();
        let mut allowed: Vec<_> =
            allowed.split(", ").filter(|method| !["head", "options"].contains(method)).collect();
        allowed.sort_unstable();
        assert_eq!(allowed, operations.as_object().unwrap().keys().collect::<Vec<_>>(), "{template}");
    }
}

#[tokio::test]
async fn metrics_count_requests_and_pulls_and_show_the_store() {
    let (_running, mut client) = small_chat().await;
    let pull = "/v1/conversations/c/receipts?message=m1";
    let etag = client.get(pull).await.field("etag").unwrap().to_owned();
    client.pull(pull, &etag).await;
    client.get("/v1/nowhere").await.refuses(Code::NoSuchRoute);
    let reply = client.get("/metrics").await;
    assert_eq!(
        reply.field("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let text = String::from_utf8(reply.body).unwrap();
    for line in [
        r#"seenby_http_requests_total{route="/v1/conversations/{conversation}/receipts",status="304"} 1"#,
        r#"seenby_http_requests_total{route="none",status="404"} 1"#,
        "seenby_pulls_changed_total 1",
        "seenby_pulls_unchanged_total 1",
        "seenby_http_connections 1",
        "seenby_store_can_commit 1",
        "seenby_store_messages 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_connection_serves_many_requests_at_once() {
    let (running, _) = small_chat().await;
    let mut client = running.client().await;
    let one = b"GET /v1/conversations/c/receipts?message=m1 HTTP/1.1\r\nhost: x\r\n\r\n";
    client.write(&one.repeat(50)).await;
    for _ in 0..50 {
        assert_eq!(
            client.reply("GET").await.expect(200)["receipts"],
            json!([{"message": "m1", "read": 0, "of": 2}])
        );
    }
}
