//! Marks, one reader at a time and gathered.

use seenby::wire::Code;
use serde_json::{Value, json};

use super::running::small_chat;

const MARKS: &str = "/v1/conversations/c/marks";

fn messages(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("x{at}")).collect()
}

#[tokio::test]
async fn a_mark_counts_once() {
    let (_running, mut client) = small_chat().await;
    let body = r#"{"reader":"bob","messages":["m1","m1","none"]}"#;
    let refused = json!([{"message": "none", "code": "unknown-message"}]);
    let first = client.post(MARKS, body).await.expect(200);
    assert_eq!(first, json!({"marked": 1, "already": 1, "refused": refused}));
    let again = client.post(MARKS, body).await.expect(200);
    assert_eq!(again, json!({"marked": 0, "already": 2, "refused": refused}));
}

#[tokio::test]
async fn a_reader_outside_the_audience_is_refused() {
    let (_running, mut client) = small_chat().await;
    for reader in ["alice", "stranger"] {
        let reply = client.post(MARKS, &json!({"reader": reader, "messages": ["m1"]}).to_string()).await;
        assert_eq!(
            reply.expect(200),
            json!({"marked": 0, "already": 0, "refused": [{"message": "m1", "code": "not-in-audience"}]})
        );
    }
}

#[tokio::test]
async fn a_mark_reaches_up_to_a_message_or_a_place() {
    let (_running, mut client) = small_chat().await;
    for (id, order) in [("m2", 5), ("m3", 9)] {
        let body = json!({"sender": "alice", "order": order}).to_string();
        client.put(&format!("/v1/conversations/c/messages/{id}"), &body).await.expect(201);
    }
    let all = |marked, already| json!({"marked": marked, "already": already, "refused": []});
    for (body, expected) in [
        (json!({"reader": "bob", "up_to": "m2"}), all(2, 0)),
        (json!({"reader": "bob", "up_to_order": 7}), all(0, 2)),
        (json!({"reader": "carol", "up_to_order": 9_007_199_254_740_991_u64}), all(3, 0)),
        (json!({"reader": "alice", "up_to": "m3"}), all(0, 0)),
        (json!({"reader": "bob", "up_to_order": 0}), all(0, 0)),
    ] {
        assert_eq!(client.post(MARKS, &body.to_string()).await.expect(200), expected, "{body}");
    }
    let unknown = client.post(MARKS, r#"{"reader":"bob","up_to":"none"}"#).await.expect(200);
    assert_eq!(unknown["refused"], json!([{"message": "none", "code": "unknown-message"}]));
}

#[tokio::test]
async fn exactly_one_way_to_say_what_was_read_is_needed() {
    let (_running, mut client) = small_chat().await;
    for rest in [
        json!({}),
        json!({"messages": ["m1"], "up_to": "m1"}),
        json!({"up_to": "m1", "up_to_order": 1}),
        json!({"messages": []}),
        json!({"up_to_order": 9_007_199_254_740_992_u64}),
        json!({"up_to_order": -1}),
        json!({"up_to": null}),
    ] {
        let mut single = rest.clone();
        single["reader"] = Value::from("bob");
        client.post(MARKS, &single.to_string()).await.refuses(Code::BadRequest);
        single["conversation"] = Value::from("c");
        let bulk = json!({"marks": [single]}).to_string();
        client.post("/v1/marks", &bulk).await.refuses(Code::BadRequest);
    }
    let detail = client.post(MARKS, r#"{"messages":["m1"]}"#).await.refuses(Code::BadRequest);
    assert!(detail.contains("'reader'"));
}

#[tokio::test]
async fn a_mark_has_1_to_1000_messages() {
    let (_running, mut client) = small_chat().await;
    let body = |count| json!({"reader": "bob", "messages": messages(count)}).to_string();
    assert_eq!(client.post(MARKS, &body(1000)).await.expect(200)["refused"].as_array().unwrap().len(), 1000);
    client.post(MARKS, &body(1001)).await.refuses(Code::TooManyItems);
    let bulk =
        json!({"marks": [{"conversation": "c", "reader": "bob", "messages": messages(1001)}]}).to_string();
    let detail = client.post("/v1/marks", &bulk).await.refuses(Code::TooManyItems);
    assert!(detail.contains("marks[0].messages"));
}

#[tokio::test]
async fn a_gateway_marks_for_many_readers() {
    let (_running, mut client) = small_chat().await;
    let body = json!({"marks": [
        {"conversation": "c", "reader": "bob", "messages": ["m1"]},
        {"conversation": "none", "reader": "bob", "messages": ["m9"]},
        {"conversation": "c", "reader": "carol", "up_to": "m1"},
        {"conversation": "c", "reader": "alice", "messages": ["m1"]},
        {"conversation": "c", "reader": "bob", "up_to_order": 4},
    ]});
    assert_eq!(
        client.post("/v1/marks", &body.to_string()).await.expect(200),
        json!({"marked": 2, "already": 1, "refused": [
            {"entry": 1, "message": "m9", "code": "unknown-message"},
            {"entry": 3, "message": "m1", "code": "not-in-audience"},
        ]})
    );
}

#[tokio::test]
async fn a_bulk_has_1_to_1000_entries() {
    let (_running, mut client) = small_chat().await;
    let body = |count| {
        let entry = json!({"conversation": "c", "reader": "bob", "messages": ["m1"]});
        json!({"marks": vec![entry; count]}).to_string()
    };
    client.post("/v1/marks", &body(0)).await.refuses(Code::BadRequest);
    client.post("/v1/marks", &body(1001)).await.refuses(Code::TooManyItems);
    assert_eq!(
        client.post("/v1/marks", &body(1000)).await.expect(200),
        json!({"marked": 1, "already": 999, "refused": []})
    );
}

#[tokio::test]
async fn a_bad_id_refuses_the_bulk_whole() {
    let (_running, mut client) = small_chat().await;
    let good = json!({"conversation": "c", "reader": "bob", "messages": ["m1"]});
    for (field, bad) in [
        ("marks[1].reader", json!({"conversation": "c", "reader": "", "messages": ["m1"]})),
        ("marks[1].conversation", json!({"conversation": ".", "reader": "bob", "messages": ["m1"]})),
        ("marks[1].messages[1]", json!({"conversation": "c", "reader": "bob", "messages": ["m1", "\u{7f}"]})),
        ("marks[1].up_to", json!({"conversation": "c", "reader": "bob", "up_to": "x".repeat(129)})),
    ] {
        let detail = client.post("/v1/marks", &json!({"marks": [good, bad]}).to_string()).await;
        assert!(detail.refuses(Code::BadId).contains(field));
    }
    assert_eq!(client.get("/v1/conversations/c/messages/m1").await.expect(200)["read"], 0);
}

#[tokio::test]
async fn a_second_device_asks_what_is_unread() {
    let (_running, mut client) = small_chat().await;
    client.put("/v1/conversations/c/messages/m2", r#"{"sender":"alice"}"#).await.expect(201);
    let bob = "/v1/conversations/c/readers/bob";
    assert_eq!(
        client.get(bob).await.expect(200),
        json!({"reader": "bob", "unread": 2, "first_unread": "m1"})
    );
    client.post(MARKS, r#"{"reader":"bob","messages":["m1"]}"#).await.expect(200);
    assert_eq!(
        client.get(bob).await.expect(200),
        json!({"reader": "bob", "unread": 1, "first_unread": "m2"})
    );
    let nobody = client.get("/v1/conversations/none/readers/a%20b").await.expect(200);
    assert_eq!(nobody, json!({"reader": "a b", "unread": 0}));
}
