//! The lists of who has read a message and who has not.

use seenby::wire::Code;
use serde_json::json;

use super::running::small_chat;

#[tokio::test]
async fn readers_and_the_others_are_listed_in_slot_order() {
    let (_running, mut client) = small_chat().await;
    let url = |list: &str| format!("/v1/conversations/c/messages/m1/{list}");
    client.post("/v1/conversations/c/marks", r#"{"reader":"carol","up_to":"m1"}"#).await.expect(200);
    assert_eq!(
        client.get(&url("readers")).await.expect(200),
        json!({"message": "m1", "read": 1, "of": 2, "users": ["carol"]})
    );
    assert_eq!(
        client.get(&url("unread")).await.expect(200),
        json!({"message": "m1", "read": 1, "of": 2, "users": ["bob"]})
    );
}

#[tokio::test]
async fn a_walk_gives_each_user_once() {
    let (_running, mut client) = small_chat().await;
    let url = "/v1/conversations/c/messages/m1/unread";
    let first = client.get(&format!("{url}?limit=1")).await.expect(200);
    assert_eq!(first["users"], json!(["bob"]));
    let next = first["next"].as_str().unwrap();
    let last = client.get(&format!("{url}?limit=1&after={next}")).await.expect(200);
    assert_eq!(last, json!({"message": "m1", "read": 0, "of": 2, "users": ["carol"]}));
    for bad in ["limit=0", "limit=1001", "after=zz", "message=m1"] {
        client.get(&format!("{url}?{bad}")).await.refuses(Code::BadRequest);
    }
}

#[tokio::test]
async fn the_readers_of_an_unknown_message_are_not_found() {
    let (_running, mut client) = small_chat().await;
    for list in ["readers", "unread"] {
        let url = format!("/v1/conversations/c/messages/none/{list}");
        client.get(&url).await.refuses(Code::UnknownMessage);
    }
}
