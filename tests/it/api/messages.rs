//! Registering messages, listing them, forgetting them.

use std::time::Duration;

use seenby::wire::Code;
use serde_json::json;

use super::running::{Running, small_chat};

const MESSAGES: &str = "/v1/conversations/c/messages";

fn message(id: &str) -> String {
    format!("{MESSAGES}/{id}")
}

#[tokio::test]
async fn a_message_is_registered_once_and_answered_the_same_again() {
    let (_running, mut client) = small_chat().await;
    let registered = json!({"message": "m2", "of": 2, "order": 2, "expires_at": "2027-01-22T08:00:00Z"});
    assert_eq!(client.put(&message("m2"), r#"{"sender":"alice"}"#).await.expect(201), registered);
    client.patch("/v1/conversations/c/members", r#"{"add":["dave"]}"#).await.expect(200);
    assert_eq!(client.put(&message("m2"), r#"{"sender":"alice"}"#).await.expect(200), registered);
    client.put(&message("m2"), r#"{"sender":"bob"}"#).await.refuses(Code::MessageDiffers);
    client.put(&message("m2"), r#"{"sender":"alice","order":2}"#).await.refuses(Code::MessageDiffers);
}

#[tokio::test]
async fn a_message_may_name_its_own_audience_life_and_order() {
    let running = Running::start().await;
    let mut client = running.client().await;
    let body = r#"{"sender":"a","audience":["b","a","b","c"],"expires_in_s":60,"order":17}"#;
    assert_eq!(
        client.put(&message("m"), body).await.expect(201),
        json!({"message": "m", "of": 2, "order": 17, "expires_at": "2027-01-15T08:01:00Z"})
    );
    client.put(&message("n"), r#"{"sender":"a"}"#).await.refuses(Code::NoAudience);
    client
        .put(&message("n"), r#"{"sender":"a","audience":["b"],"order":17}"#)
        .await
        .refuses(Code::OrderPassed);
    let alone = client.put(&message("n"), r#"{"sender":"a","audience":[]}"#).await.expect(201);
    assert_eq!((&alone["of"], &alone["order"]), (&json!(0), &json!(18)));
}

#[tokio::test]
async fn numbers_out_of_range_are_refused_by_name() {
    let (_running, mut client) = small_chat().await;
    for (field, value, fits) in [
        ("expires_in_s", "0", false),
        ("expires_in_s", "1", true),
        ("expires_in_s", "31536000", true),
        ("expires_in_s", "31536001", false),
        ("expires_in_s", "18446744073709551616", false),
        ("expires_in_s", "1.5", false),
        ("expires_in_s", "-1", false),
        ("order", "9007199254740991", true),
        ("order", "9007199254740992", false),
        ("order", "-1", false),
        ("order", "\"1\"", false),
    ] {
        let reply = client.put(&message("x"), &format!(r#"{{"sender":"a","{field}":{value}}}"#)).await;
        if fits {
            reply.expect(201);
            client.delete(&message("x")).await.expect(204);
        } else {
            assert!(reply.refuses(Code::BadRequest).contains(field), "{field} {value}");
        }
    }
    client.put(&message("y"), r#"{"sender":"a"}"#).await.refuses(Code::OrderPassed);
}

#[tokio::test]
async fn a_bulk_does_its_entries_in_order_and_says_what_it_refused() {
    let (_running, mut client) = small_chat().await;
    let body = json!({"messages": [
        {"id": "m1", "sender": "alice"},
        {"id": "m2", "sender": "alice"},
        {"id": "m2", "sender": "bob"},
        {"id": "m3", "sender": "alice", "order": 2},
        {"id": "m4", "sender": "alice", "order": 9, "audience": ["bob"], "expires_in_s": 5},
    ]});
    assert_eq!(
        client.post(MESSAGES, &body.to_string()).await.expect(200),
        json!({"registered": 2, "same": 1, "refused": [
            {"message": "m2", "code": "message-differs"},
            {"message": "m3", "code": "order-passed"},
        ]})
    );
    let nobody =
        client.post("/v1/conversations/new/messages", r#"{"messages":[{"id":"m","sender":"a"}]}"#).await;
    assert_eq!(
        nobody.expect(200),
        json!({"registered": 0, "same": 0, "refused": [{"message": "m", "code": "no-audience"}]})
    );
}

#[tokio::test]
async fn a_bulk_has_1_to_1000_messages() {
    let (_running, mut client) = small_chat().await;
    let bulk = |count: usize| {
        let entries: Vec<_> =
            (0..count).map(|at| json!({"id": format!("x{at}"), "sender": "alice"})).collect();
        json!({"messages": entries}).to_string()
    };
    client.post(MESSAGES, &bulk(0)).await.refuses(Code::BadRequest);
    client.post(MESSAGES, &bulk(1001)).await.refuses(Code::TooManyItems);
    assert_eq!(client.post(MESSAGES, &bulk(1000)).await.expect(200)["registered"], 1000);
    let detail =
        client.post(MESSAGES, r#"{"messages":[{"id":"a","sender":"b"},{"id":"","sender":"b"}]}"#).await;
    assert!(detail.refuses(Code::BadId).contains("messages[1].id"));
}

#[tokio::test]
async fn messages_are_shown_singly_and_listed_oldest_first() {
    let (_running, mut client) = small_chat().await;
    client.put(&message("m0"), r#"{"sender":"bob"}"#).await.expect(201);
    let m1 = json!({"message": "m1", "sender": "alice", "read": 0, "of": 2, "order": 1,
        "expires_at": "2027-01-22T08:00:00Z"});
    assert_eq!(client.get(&message("m1")).await.expect(200), m1);
    let first = client.get(&format!("{MESSAGES}?limit=1")).await.expect(200);
    assert_eq!(first["messages"], json!([m1]));
    let last = client.get(&format!("{MESSAGES}?after={}", first["next"].as_str().unwrap())).await.expect(200);
    assert_eq!(last["messages"][0]["message"], "m0");
    assert!(last.get("next").is_none());
    assert_eq!(client.get("/v1/conversations/none/messages").await.expect(200), json!({"messages": []}));
}

#[tokio::test]
async fn an_expired_message_is_unknown_from_that_instant_on() {
    let (running, mut client) = small_chat().await;
    running.pass(Duration::from_millis(1));
    client.put(&message("m2"), r#"{"sender":"alice","expires_in_s":1}"#).await.expect(201);
    let shown = client.get(&message("m2")).await.expect(200);
    assert_eq!(shown["expires_at"], "2027-01-15T08:00:02Z", "rounded up");
    running.pass(Duration::from_millis(1_998));
    client.get(&message("m2")).await.expect(200);
    running.pass(Duration::from_millis(1));
    client.get(&message("m2")).await.refuses(Code::UnknownMessage);
    let again = client.put(&message("m2"), r#"{"sender":"bob"}"#).await.expect(201);
    assert_eq!(again["order"], 3, "a new message, at the end of the order");
}

#[tokio::test]
async fn a_deleted_message_is_gone_and_a_reset_one_is_unread() {
    let (_running, mut client) = small_chat().await;
    client.post("/v1/conversations/c/marks", r#"{"reader":"bob","messages":["m1"]}"#).await.expect(200);
    let reset = client.send("POST", &message("m1/reset"), &[], None).await;
    assert_eq!((reset.status, reset.field("content-length")), (204, None));
    assert_eq!(client.get(&message("m1")).await.expect(200)["read"], 0);
    client.delete(&message("m1")).await.expect(204);
    client.delete(&message("m1")).await.expect(204);
    client.get(&message("m1")).await.refuses(Code::UnknownMessage);
    client.send("POST", &message("m1/reset"), &[], None).await.refuses(Code::UnknownMessage);
}
