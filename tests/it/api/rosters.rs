//! Rosters and conversations.

use std::sync::Arc;

use seenby::{domain::Limits, http::HttpLimits, store::model::ModelStore, wire::Code};
use serde_json::json;

use super::running::{Running, small_chat};

const MEMBERS: &str = "/v1/conversations/c/members";

#[tokio::test]
async fn a_roster_is_a_set_whose_version_rises_with_each_real_change() {
    let running = Running::start().await;
    let mut client = running.client().await;
    for (body, members, version) in [
        (r#"{"members":["alice","bob"]}"#, 2, 1),
        (r#"{"members":["bob","alice","bob"]}"#, 2, 1),
        (r#"{"members":[]}"#, 0, 2),
        (r#"{"members":["carol"]}"#, 1, 3),
    ] {
        let reply = client.put(MEMBERS, body).await;
        assert_eq!(reply.expect(200), json!({"members": members, "version": version}));
        assert_eq!(reply.field("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn members_join_and_leave() {
    let running = Running::start().await;
    let mut client = running.client().await;
    for (body, members, version) in [
        (r#"{"add":["alice","bob"]}"#, 2, 1),
        (r#"{"add":["carol"],"remove":["bob","nobody"]}"#, 2, 2),
        (r#"{"add":["carol"],"remove":[]}"#, 2, 2),
        ("{}", 2, 2),
    ] {
        assert_eq!(
            client.patch(MEMBERS, body).await.expect(200),
            json!({"members": members, "version": version})
        );
    }
    let reply = client.get(MEMBERS).await;
    assert_eq!(reply.expect(200), json!({"members": ["alice", "carol"], "version": 2}));
    let detail = client.patch(MEMBERS, r#"{"add":["x","dave"],"remove":["dave"]}"#).await;
    assert!(detail.refuses(Code::BadRequest).contains("dave"));
}

#[tokio::test]
async fn a_roster_that_would_be_too_large_is_refused_whole() {
    let limits = Limits { members_max: 3, ..Limits::default() };
    let running = Running::over(Arc::new(ModelStore::default()), HttpLimits::default(), limits).await;
    let mut client = running.client().await;
    client.put(MEMBERS, r#"{"members":["a","b","c"]}"#).await.expect(200);
    client.put(MEMBERS, r#"{"members":["a","b","c","d"]}"#).await.refuses(Code::TooManyItems);
    client.patch(MEMBERS, r#"{"add":["d"]}"#).await.refuses(Code::TooManyItems);
    client.patch(MEMBERS, r#"{"add":["w","x","y","z"]}"#).await.refuses(Code::TooManyItems);
    client.patch(MEMBERS, r#"{"add":["d"],"remove":["a"]}"#).await.expect(200);
    let audience = r#"{"sender":"a","audience":["a","b","c","d"]}"#;
    client.put("/v1/conversations/c/messages/m", audience).await.refuses(Code::TooManyItems);
}

#[tokio::test]
async fn a_roster_is_walked_part_by_part() {
    let (_running, mut client) = small_chat().await;
    let first = client.get(&format!("{MEMBERS}?limit=2")).await.expect(200);
    assert_eq!(first["members"], json!(["alice", "bob"]));
    let next = first["next"].as_str().unwrap();
    let last = client.get(&format!("{MEMBERS}?limit=2&after={next}")).await;
    assert_eq!(last.expect(200), json!({"members": ["carol"], "version": 1}));
    for bad in
        ["limit=0", "limit=1001", "limit=x", "limit=", "after=", "after=x", "limit=1&limit=1", "offset=1"]
    {
        client.get(&format!("{MEMBERS}?{bad}")).await.refuses(Code::BadRequest);
    }
    let elsewhere = format!("/v1/conversations/c/messages/m1/unread?after={next}");
    client.get(&elsewhere).await.refuses(Code::BadRequest);
}

#[tokio::test]
async fn the_members_of_an_unknown_conversation_are_not_found() {
    let running = Running::start().await;
    running.client().await.get(MEMBERS).await.refuses(Code::UnknownConversation);
}

#[tokio::test]
async fn conversations_are_listed_in_byte_order() {
    let running = Running::start().await;
    let mut client = running.client().await;
    for conversation in ["b", "%E6%B6%88", "a", "B"] {
        client
            .put(&format!("/v1/conversations/{conversation}/members"), r#"{"members":[]}"#)
            .await
            .expect(200);
    }
    let first = client.get("/v1/conversations?limit=3").await.expect(200);
    assert_eq!(first["conversations"], json!(["B", "a", "b"]));
    let next = first["next"].as_str().unwrap();
    let last = client.get(&format!("/v1/conversations?after={next}")).await.expect(200);
    assert_eq!(last, json!({"conversations": ["消"]}));
}

#[tokio::test]
async fn a_forgotten_conversation_is_gone_with_all_it_had() {
    let (_running, mut client) = small_chat().await;
    for _ in 0..2 {
        let reply = client.delete("/v1/conversations/c").await;
        assert_eq!((reply.status, reply.field("content-length")), (204, None));
    }
    client.get(MEMBERS).await.refuses(Code::UnknownConversation);
    client.get("/v1/conversations/c/messages/m1").await.refuses(Code::UnknownMessage);
    assert_eq!(client.get("/v1/conversations").await.expect(200), json!({"conversations": []}));
}
