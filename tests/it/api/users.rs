//! Receipts off and on, and deleting a user.

use seenby::wire::Code;
use serde_json::json;

use super::running::small_chat;

const BOB: &str = "/v1/users/bob/privacy";
const PULL: &str = "/v1/conversations/c/receipts?message=m1";

#[tokio::test]
async fn receipts_are_on_until_they_are_switched_off() {
    let (_running, mut client) = small_chat().await;
    assert_eq!(client.get(BOB).await.expect(200), json!({"receipts": "on"}));
    for _ in 0..2 {
        assert_eq!(client.put(BOB, r#"{"receipts":"off"}"#).await.expect(200), json!({"receipts": "off"}));
        assert_eq!(client.get(BOB).await.expect(200), json!({"receipts": "off"}));
        assert_eq!(
            client.get(PULL).await.expect(200)["receipts"],
            json!([{"message": "m1", "read": 0, "of": 1}])
        );
    }
    let marked = client.post("/v1/conversations/c/marks", r#"{"reader":"bob","messages":["m1"]}"#).await;
    assert_eq!(marked.expect(200)["marked"], 1);
    let unread = client.get("/v1/conversations/c/messages/m1/unread").await.expect(200);
    assert_eq!((&unread["users"], &unread["of"]), (&json!(["carol"]), &json!(1)));
    assert_eq!(client.put(BOB, r#"{"receipts":"on"}"#).await.expect(200), json!({"receipts": "on"}));
    assert_eq!(
        client.get(PULL).await.expect(200)["receipts"],
        json!([{"message": "m1", "read": 0, "of": 2}])
    );
}

#[tokio::test]
async fn a_switch_is_on_or_off_and_nothing_else() {
    let (_running, mut client) = small_chat().await;
    for body in [
        "{}",
        r#"{"receipts":"On"}"#,
        r#"{"receipts":true}"#,
        r#"{"receipts":null}"#,
        r#"{"receipts":{"on":null}}"#,
        r#"{"receipts":"on","receipts":"on"}"#,
        r#"{"receipts":"on","times":"off"}"#,
    ] {
        client.put(BOB, body).await.refuses(Code::BadRequest);
    }
    client.put("/v1/users/./privacy", r#"{"receipts":"on"}"#).await.refuses(Code::BadId);
    client.delete("/v1/users/%00").await.refuses(Code::BadId);
    client.delete("/v1/users/bob?x=1").await.refuses(Code::BadRequest);
}

#[tokio::test]
async fn a_pull_is_changed_by_a_switch_where_it_counts_and_only_there() {
    let (_running, mut client) = small_chat().await;
    client
        .put("/v1/conversations/c/messages/m2", r#"{"sender":"bob","audience":["carol"]}"#)
        .await
        .expect(201);
    let both = format!("{PULL}&message=m2&changed=1");
    let etag = client.get(PULL).await.field("etag").unwrap().to_owned();
    let etag_of_both = client.get(&both).await.field("etag").unwrap().to_owned();
    client.put(BOB, r#"{"receipts":"off"}"#).await.expect(200);
    assert_eq!(client.pull(PULL, &etag).await.status, 200);
    let changed = client.pull(&both, &etag_of_both).await.expect(200);
    assert_eq!(changed["receipts"], json!([{"message": "m1", "read": 0, "of": 1}]));
    client.put(BOB, r#"{"receipts":"on"}"#).await.expect(200);
    assert_eq!(client.pull(PULL, &etag).await.status, 304, "all is as it was");
    client.put("/v1/users/eve/privacy", r#"{"receipts":"off"}"#).await.expect(200);
    client.put("/v1/users/alice/privacy", r#"{"receipts":"off"}"#).await.expect(200);
    assert_eq!(client.pull(PULL, &etag).await.status, 304, "a stranger and the sender do not count");
}

#[tokio::test]
async fn all_have_read_it_when_all_have_who_count() {
    let (_running, mut client) = small_chat().await;
    client.post("/v1/conversations/c/marks", r#"{"reader":"carol","messages":["m1"]}"#).await.expect(200);
    client.put(BOB, r#"{"receipts":"off"}"#).await.expect(200);
    let pull = client.get(PULL).await;
    assert_eq!(pull.field("cache-control"), Some("private, no-cache"));
    assert_eq!(pull.expect(200), json!({"receipts": [{"message": "m1", "read": 1, "of": 1}], "poll": null}));
}

#[tokio::test]
async fn a_deleted_user_is_gone_with_all_they_sent() {
    let (_running, mut client) = small_chat().await;
    client.put("/v1/conversations/c/messages/m2", r#"{"sender":"bob"}"#).await.expect(201);
    client.put(BOB, r#"{"receipts":"off"}"#).await.expect(200);
    for _ in 0..2 {
        assert_eq!(client.delete("/v1/users/bob").await.status, 204);
        let members = client.get("/v1/conversations/c/members").await.expect(200);
        assert_eq!(members, json!({"members": ["alice", "carol"], "version": 2}));
        let pull = client.get(&format!("{PULL}&message=m2")).await.expect(200);
        let receipts = json!([
            {"message": "m1", "read": 0, "of": 1},
            {"message": "m2", "code": "unknown-message"},
        ]);
        assert_eq!(pull["receipts"], receipts);
        assert_eq!(client.get(BOB).await.expect(200), json!({"receipts": "on"}), "the name is anybody's");
    }
}
