//! Pulls: what they show, what names it, and what an unchanged one costs.

use seenby::wire::Code;
use serde_json::{Value, json};

use super::{
    running::{Running, small_chat},
    wire::Client,
};

const RECEIPTS: &str = "/v1/conversations/c/receipts";
const ONE: &str = "/v1/conversations/c/receipts?message=m1";

fn screen(from: usize, to: usize) -> String {
    let messages: Vec<_> = (from..to).map(|at| format!("message=m{at}")).collect();
    format!("{RECEIPTS}?{}", messages.join("&"))
}

async fn mark(client: &mut Client, reader: &str, message: &str) {
    let body = json!({"reader": reader, "messages": [message]}).to_string();
    assert_eq!(client.post("/v1/conversations/c/marks", &body).await.expect(200)["marked"], 1);
}

async fn long_chat(messages: usize) -> (Running, Client) {
    let (running, mut client) = small_chat().await;
    let entries: Vec<Value> =
        (2..=messages).map(|at| json!({"id": format!("m{at}"), "sender": "alice"})).collect();
    let body = json!({"messages": entries}).to_string();
    client.post("/v1/conversations/c/messages", &body).await.expect(200);
    (running, client)
}

#[tokio::test]
async fn a_pull_shows_each_message_in_the_order_asked() {
    let (_running, mut client) = small_chat().await;
    mark(&mut client, "bob", "m1").await;
    let reply = client.get(&format!("{RECEIPTS}?message=none&message=m1")).await;
    assert_eq!(
        reply.expect(200),
        json!({
            "receipts": [{"message": "none", "code": "unknown-message"}, {"message": "m1", "read": 1, "of": 2}],
            "poll": {"every_ms": 2000, "for_ms": 20000},
        })
    );
    assert_eq!(reply.field("cache-control"), Some("private, max-age=2"));
    assert_eq!(reply.field("vary"), Some("Authorization, Origin"));
    let etag = reply.field("etag").unwrap();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2, "{etag} is strong");
}

#[tokio::test]
async fn nothing_changed_is_304_with_the_same_name_and_no_body() {
    let (_running, mut client) = small_chat().await;
    let full = client.get(ONE).await;
    let etag = full.field("etag").unwrap().to_owned();
    for condition in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        for url in [ONE.to_owned(), format!("{ONE}&changed=1")] {
            let reply = client.pull(&url, &condition).await;
            assert_eq!((reply.status, reply.body.len()), (304, 0), "{condition}");
            for same in ["etag", "cache-control", "vary"] {
                assert_eq!(reply.field(same), full.field(same));
            }
            assert_eq!((reply.field("content-type"), reply.field("content-length")), (None, None));
        }
    }
    mark(&mut client, "bob", "m1").await;
    let changed = client.pull(ONE, &etag).await;
    assert_eq!(changed.expect(200)["receipts"], json!([{"message": "m1", "read": 1, "of": 2}]));
    assert_ne!(changed.field("etag").unwrap(), etag);
}

#[tokio::test]
async fn a_reset_is_a_change_though_the_counts_are_the_same() {
    let (_running, mut client) = small_chat().await;
    let etag = client.get(ONE).await.field("etag").unwrap().to_owned();
    client.send("POST", "/v1/conversations/c/messages/m1/reset", &[], None).await.expect(204);
    assert_eq!(client.pull(ONE, &etag).await.status, 200);
}

#[tokio::test]
async fn only_what_has_changed_is_listed_when_asked_so() {
    let (_running, mut client) = long_chat(20).await;
    let url = format!("{}&changed=1", screen(1, 21));
    let full = client.get(&url).await;
    assert_eq!(full.expect(200)["receipts"].as_array().unwrap().len(), 20, "without a name all have changed");
    assert_eq!(full.field("cache-control"), Some("no-store"));
    mark(&mut client, "bob", "m7").await;
    let changed = client.pull(&url, full.field("etag").unwrap()).await;
    assert_eq!(changed.expect(200)["receipts"], json!([{"message": "m7", "read": 1, "of": 2}]));
    assert_eq!(changed.field("cache-control"), Some("no-store"));
    let whole = client.get(&screen(1, 21)).await;
    assert_eq!(changed.field("etag"), whole.field("etag"), "it names the whole");
    for unreadable in ["\"\"", "\"x\"", "x", "\"AAAA\""] {
        let all = client.pull(&url, unreadable).await;
        assert_eq!(all.expect(200)["receipts"].as_array().unwrap().len(), 20, "{unreadable}");
    }
    for bad in ["changed=0", "changed=", "changed=true", "changed=1&changed=1"] {
        client.get(&format!("{ONE}&{bad}")).await.refuses(Code::BadRequest);
    }
}

#[tokio::test]
async fn after_scrolling_only_the_new_messages_are_listed() {
    let (_running, mut client) = long_chat(30).await;
    let before = client.get(&screen(1, 21)).await;
    let url = format!("{}&changed=1", screen(4, 24));
    let after = client.pull(&url, before.field("etag").unwrap()).await.expect(200);
    let messages: Vec<_> =
        after["receipts"].as_array().unwrap().iter().map(|entry| &entry["message"]).collect();
    assert_eq!(messages, ["m21", "m22", "m23"]);
}

#[tokio::test]
async fn where_nothing_can_change_any_more_a_client_is_told_to_stop() {
    let (_running, mut client) = small_chat().await;
    for reader in ["bob", "carol"] {
        mark(&mut client, reader, "m1").await;
    }
    for url in [ONE.to_owned(), format!("{ONE}&message=none"), format!("{RECEIPTS}?message=none")] {
        let reply = client.get(&url).await;
        assert_eq!(reply.expect(200)["poll"], Value::Null);
        assert_eq!(reply.field("cache-control"), Some("private, no-cache"));
        let again = client.pull(&url, reply.field("etag").unwrap()).await;
        assert_eq!((again.status, again.field("cache-control")), (304, Some("private, no-cache")));
    }
}

#[tokio::test]
async fn a_pace_that_is_stretched_is_told_in_the_body_and_where_there_is_none() {
    let (running, mut client) = small_chat().await;
    for (every_ms, max_age) in [(5_000, "private, max-age=5"), (2_500, "private, max-age=2")] {
        running.ledger.set_pace(every_ms);
        let full = client.get(ONE).await;
        assert_eq!(full.expect(200)["poll"], json!({"every_ms": every_ms, "for_ms": 20000}));
        assert_eq!(full.field("cache-control"), Some(max_age));
        let etag = full.field("etag").unwrap().to_owned();
        let unchanged = client.pull(ONE, &etag).await;
        assert_eq!((unchanged.status, unchanged.field("cache-control")), (304, Some(max_age)));
        let pulls = json!({"pulls": [{"conversation": "c", "messages": ["m1"]}]}).to_string();
        let query = client.post("/v1/receipts/query", &pulls).await.expect(200);
        assert_eq!(query["poll"]["every_ms"], every_ms);
    }
    running.ledger.set_pace(5_000);
    let before = client.get(ONE).await;
    running.ledger.set_pace(2_000);
    let etag = before.field("etag").unwrap();
    assert_eq!(client.pull(ONE, etag).await.status, 304, "the pace is no part of the name");
}

#[tokio::test]
async fn a_pull_names_1_to_100_messages_each_once() {
    let (_running, mut client) = small_chat().await;
    assert_eq!(client.get(&screen(0, 100)).await.expect(200)["receipts"].as_array().unwrap().len(), 100);
    client.get(&screen(0, 101)).await.refuses(Code::TooManyItems);
    assert!(client.get(RECEIPTS).await.refuses(Code::BadRequest).contains("message"));
    let twice = client.get(&format!("{ONE}&message=m2&message=m%31")).await;
    assert!(twice.refuses(Code::BadRequest).contains("m1"));
    client.get(&format!("{ONE}&massage=m2")).await.refuses(Code::BadRequest);
    client.get(&format!("{ONE}&message=")).await.refuses(Code::BadId);
}

/// A group of 2,000 with 20 messages, each of which 1,200 have read.
async fn large_group() -> (Running, Client) {
    let running = Running::start().await;
    let mut client = running.client().await;
    let members: Vec<_> = (0..2_000).map(|at| format!("u{at}")).collect();
    let body = json!({"members": members}).to_string();
    client.put("/v1/conversations/c/members", &body).await.expect(200);
    let entries: Vec<_> = (1..=20).map(|at| json!({"id": format!("m{at}"), "sender": "u0"})).collect();
    client.post("/v1/conversations/c/messages", &json!({"messages": entries}).to_string()).await.expect(200);
    for some in members[1..=1_200].chunks(600) {
        let marks: Vec<_> = some
            .iter()
            .map(|reader| json!({"conversation": "c", "reader": reader, "up_to": "m20"}))
            .collect();
        client.post("/v1/marks", &json!({"marks": marks}).to_string()).await.expect(200);
    }
    (running, client)
}

#[tokio::test]
async fn an_unchanged_pull_is_small() {
    let (_running, mut client) = large_group().await;
    for (url, bytes_max) in [(ONE.to_owned(), 200), (screen(1, 21), 240)] {
        let full = client.get(&url).await;
        let unchanged = client.pull(&url, full.field("etag").unwrap()).await;
        assert_eq!(unchanged.status, 304);
        assert!(unchanged.bytes <= bytes_max, "{} bytes: {unchanged:?}", unchanged.bytes);
    }
}

#[tokio::test]
async fn a_pull_of_which_one_message_has_changed_is_small() {
    let (_running, mut client) = large_group().await;
    let url = format!("{}&changed=1", screen(1, 21));
    let etag = client.get(&url).await.field("etag").unwrap().to_owned();
    mark(&mut client, "u1999", "m17").await;
    let changed = client.pull(&url, &etag).await;
    assert_eq!(changed.expect(200)["receipts"], json!([{"message": "m17", "read": 1201, "of": 1999}]));
    assert!(changed.bytes <= 350, "{} bytes: {changed:?}", changed.bytes);
}

#[tokio::test]
async fn a_look_of_20_seconds_takes_11_pulls_and_6_kb_though_each_brings_something() {
    let (_running, mut client) = large_group().await;
    let url = format!("{ONE}&changed=1");
    let first = client.get(&url).await;
    let poll = first.expect(200)["poll"].clone();
    let pulls = 1 + poll["for_ms"].as_u64().unwrap() / poll["every_ms"].as_u64().unwrap();
    assert_eq!(pulls, 11);
    let request = |fields: &str| format!("GET {url} HTTP/1.1\r\nhost: 127.0.0.1:7400\r\n{fields}\r\n").len();
    let mut bytes = request("") + first.bytes;
    let mut etag = first.field("etag").unwrap().to_owned();
    for at in 1..pulls {
        mark(&mut client, &format!("u{}", 1_500 + at), "m1").await;
        let changed = client.pull(&url, &etag).await;
        assert_eq!(changed.status, 200);
        bytes += request(&format!("if-none-match: {etag}\r\n")) + changed.bytes;
        changed.field("etag").unwrap().clone_into(&mut etag);
    }
    assert!(bytes <= 6_000, "{bytes} bytes");
}

#[tokio::test]
async fn a_query_pulls_across_conversations() {
    let (_running, mut client) = small_chat().await;
    let pulls = json!([
        {"conversation": "c", "messages": ["m1", "none"]},
        {"conversation": "none", "messages": ["m1"]},
    ]);
    let first = client.post("/v1/receipts/query", &json!({"pulls": pulls}).to_string()).await.expect(200);
    assert_eq!(
        first["receipts"],
        json!([
            {"conversation": "c", "message": "m1", "read": 0, "of": 2},
            {"conversation": "c", "message": "none", "code": "unknown-message"},
            {"conversation": "none", "message": "m1", "code": "unknown-message"},
        ])
    );
    assert_eq!(first["poll"], json!({"every_ms": 2000, "for_ms": 20000}));
    let again = json!({"pulls": pulls, "etag": first["etag"]}).to_string();
    let nothing = client.post("/v1/receipts/query", &again).await.expect(200);
    assert_eq!(nothing, json!({"receipts": [], "etag": first["etag"], "poll": first["poll"]}));
    mark(&mut client, "bob", "m1").await;
    let changed = client.post("/v1/receipts/query", &again).await.expect(200);
    assert_eq!(changed["receipts"], json!([{"conversation": "c", "message": "m1", "read": 1, "of": 2}]));
    let unreadable = json!({"pulls": pulls, "etag": "\"x\""}).to_string();
    let all = client.post("/v1/receipts/query", &unreadable).await.expect(200);
    assert_eq!(all["receipts"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_query_names_1_to_100_messages_each_pair_once() {
    let (_running, mut client) = small_chat().await;
    let messages = |count: usize| (0..count).map(|at| format!("x{at}")).collect::<Vec<_>>();
    for (pulls, refused) in [
        (json!([]), Some(Code::BadRequest)),
        (json!([{"conversation": "c", "messages": []}]), Some(Code::BadRequest)),
        (json!([{"conversation": "c", "messages": ["m1", "m1"]}]), Some(Code::BadRequest)),
        (
            json!([{"conversation": "c", "messages": ["m1"]}, {"conversation": "c", "messages": ["m1"]}]),
            Some(Code::BadRequest),
        ),
        (
            json!([{"conversation": "c", "messages": messages(50)}, {"conversation": "d", "messages": messages(51)}]),
            Some(Code::TooManyItems),
        ),
        (json!([{"conversation": "", "messages": ["m1"]}]), Some(Code::BadId)),
        (
            json!([{"conversation": "c", "messages": messages(50)}, {"conversation": "d", "messages": messages(50)}]),
            None,
        ),
    ] {
        let reply = client.post("/v1/receipts/query", &json!({"pulls": pulls}).to_string()).await;
        match refused {
            Some(code) => drop(reply.refuses(code)),
            None => drop(reply.expect(200)),
        }
    }
    let null = r#"{"pulls":[{"conversation":"c","messages":["m1"]}],"etag":null}"#;
    client.post("/v1/receipts/query", null).await.refuses(Code::BadRequest);
}
