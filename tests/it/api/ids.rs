//! Ids wherever they stand: in a path, a query, a body.

use seenby::wire::Code;
use serde_json::json;

use super::running::{Running, small_chat};

#[tokio::test]
async fn an_id_has_1_to_128_bytes_in_a_path() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let longest = "a".repeat(128);
    for (id, fits) in [
        ("", false),
        ("a", true),
        (longest.as_str(), true),
        (&format!("{longest}a"), false),
        (&"%C3%A9".repeat(64), true),
        (&"%C3%A9".repeat(65), false),
        (".", false),
        ("..", false),
        ("%2E", false),
        ("%2e%2E", false),
        ("...", true),
        ("a%2Fb", true),
        ("%00", false),
        ("a%0A", false),
        ("%7F", false),
        ("%C2%80", false),
        ("%C2%9F", false),
        ("%C2%A0", true),
        ("%", false),
        ("%4", false),
        ("%zz", false),
        ("%FF", false),
        ("%C3", false),
        ("%ED%A0%80", false),
    ] {
        let path = format!("/v1/conversations/{id}/members");
        let reply = client.put(&path, r#"{"members":[]}"#).await;
        if fits {
            reply.expect(200);
            client.get(&path).await.expect(200);
        } else {
            assert!(reply.refuses(Code::BadId).contains("conversation"), "{id}");
        }
    }
}

#[tokio::test]
async fn every_id_of_a_path_is_checked() {
    let (_running, mut client) = small_chat().await;
    for (method, path) in [
        ("GET", "/v1/conversations/%FF/messages/m1"),
        ("GET", "/v1/conversations/c/messages/"),
        ("DELETE", "/v1/conversations/c/messages/%01"),
        ("DELETE", "/v1/conversations/"),
        ("POST", "/v1/conversations/c/messages//reset"),
        ("GET", "/v1/conversations/c/messages//readers"),
        ("GET", "/v1/conversations/c/messages/%7f/unread"),
        ("GET", "/v1/conversations/c/readers/"),
        ("GET", "/v1/conversations//receipts?message=m1"),
        ("GET", "/v1/conversations/c/receipts?message=%FF"),
        ("GET", "/v1/conversations/c/receipts?message=%0"),
        ("GET", "/v1/conversations/c/receipts?message=m1&message=.."),
    ] {
        client.send(method, path, &[], None).await.refuses(Code::BadId);
    }
}

#[tokio::test]
async fn ids_travel_unchanged() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let id = "消 +/?#%\"\\é\u{301}";
    let encoded = "%E6%B6%88%20%2B%2F%3F%23%25%22%5C%C3%A9%CC%81";
    let base = format!("/v1/conversations/{encoded}");
    let body = json!({"sender": "a", "audience": [id]}).to_string();
    client.put(&format!("{base}/messages/{encoded}"), &body).await.expect(201);
    let query = encoded.replace("%20", "+");
    let pulled = client.get(&format!("{base}/receipts?message={query}")).await.expect(200);
    assert_eq!(pulled["receipts"], json!([{"message": id, "read": 0, "of": 1}]));
    let unread = client.get(&format!("{base}/messages/{encoded}/unread")).await.expect(200);
    assert_eq!(unread["users"], json!([id]));
    assert_eq!(client.get("/v1/conversations").await.expect(200), json!({"conversations": [id]}));
    assert_eq!(
        client.get(&format!("{base}/readers/a+b")).await.expect(200)["reader"],
        "a+b",
        "a plus in a path"
    );
}

#[tokio::test]
async fn ids_in_a_body_are_checked_and_named() {
    let (_running, mut client) = small_chat().await;
    for bad in [String::new(), "x".repeat(129), "\n".into(), "\u{85}".into(), "..".into()] {
        let detail =
            client.put("/v1/conversations/c/members", &json!({"members": ["a", bad]}).to_string()).await;
        assert!(detail.refuses(Code::BadId).contains("'members[1]'"));
        let body = json!({"sender": bad}).to_string();
        let detail = client.put("/v1/conversations/c/messages/x", &body).await.refuses(Code::BadId);
        assert!(detail.contains("'sender'"));
        let body = json!({"reader": "bob", "messages": [bad]}).to_string();
        let detail = client.post("/v1/conversations/c/marks", &body).await.refuses(Code::BadId);
        assert!(detail.contains("'messages[0]'"));
    }
}
