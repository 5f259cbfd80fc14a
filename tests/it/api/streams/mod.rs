//! Streams: what they say and when, how they are resumed and ended.

mod costs;

use std::time::Duration;

use seenby::{
    http::{Drained, HttpLimits},
    wire::Code,
};
use serde_json::{Value, json};

use super::{running::Running, wire::Client};

const STREAM: &str = "/v1/conversations/c/receipts/stream";
const ONE: &str = "/v1/conversations/c/receipts/stream?message=m1";

/// An event, or a sign of life.
#[derive(Debug, PartialEq)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

impl Event {
    /// Of an event `receipts`, the counts of each message in it.
    #[track_caller]
    fn counts(&self) -> Vec<(String, u64)> {
        assert_eq!(self.name, "receipts");
        let receipts = self.data["receipts"].as_array().unwrap().iter();
        receipts
            .map(|it| (it["message"].as_str().unwrap().to_owned(), it["read"].as_u64().unwrap()))
            .collect()
    }
}

/// The next event; none at the end of the stream. A comment has neither id nor name.
async fn next(client: &mut Client) -> Option<Event> {
    let text = client.chunk().await?;
    let mut event = Event { id: String::new(), name: String::new(), data: Value::Null };
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once(": ") {
            Some(("id", id)) => id.clone_into(&mut event.id),
            Some(("event", name)) => name.clone_into(&mut event.name),
            Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
            _ => assert_eq!(line, ":"),
        }
    }
    assert!(text.ends_with("\n\n") && text.matches("\n\n").count() == 1, "one event a chunk: {text:?}");
    Some(event)
}

/// Opens a stream that must be one.
async fn opened(client: &mut Client, target: &str, last_event_id: &str) {
    let reply = client.open(target, &[("last-event-id", last_event_id)]).await;
    assert_eq!(reply.status, 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
        ("vary", "Authorization, Origin"),
    ] {
        assert_eq!(reply.field(name), Some(value));
    }
}

fn quick() -> HttpLimits {
    HttpLimits { stream_every: Duration::from_millis(30), ..HttpLimits::default() }
}

/// A server with a chat `c` of alice and `readers` others, and messages from alice.
async fn chat(limits: HttpLimits, readers: usize, messages: usize) -> (Running, Client) {
    let running = Running::within(limits).await;
    let mut app = running.client().await;
    let members: Vec<_> = (0..readers).map(|at| format!("u{at}")).chain(["alice".to_owned()]).collect();
    let members = json!({"members": members}).to_string();
    app.put("/v1/conversations/c/members", &members).await.expect(200);
    let entries: Vec<_> =
        (1..=messages).map(|at| json!({"id": format!("m{at}"), "sender": "alice"})).collect();
    let entries = json!({"messages": entries}).to_string();
    app.post("/v1/conversations/c/messages", &entries).await.expect(200);
    (running, app)
}

/// Marks everything up to a message, by some of the readers, in one request.
async fn mark(app: &mut Client, readers: std::ops::Range<usize>, up_to: &str) {
    let marks: Vec<_> =
        readers.map(|at| json!({"conversation": "c", "reader": format!("u{at}"), "up_to": up_to})).collect();
    app.post("/v1/marks", &json!({"marks": marks}).to_string()).await.expect(200);
}

fn one(read: u64) -> Vec<(String, u64)> {
    vec![("m1".to_owned(), read)]
}

#[tokio::test]
async fn a_stream_tells_all_there_is_and_then_what_has_changed() {
    let (running, mut app) = chat(quick(), 3, 3).await;
    let mut sender = running.client().await;
    opened(&mut sender, &format!("{STREAM}?message=m2&message=none&message=m1"), "").await;
    let first = next(&mut sender).await.unwrap();
    let pull = app.get("/v1/conversations/c/receipts?message=m2&message=none&message=m1").await;
    assert_eq!((first.name.as_str(), &first.data), ("receipts", &pull.json()));
    assert_eq!(format!("\"{}\"", first.id), pull.field("etag").unwrap());
    mark(&mut app, 1..2, "m1").await;
    let changed = next(&mut sender).await.unwrap();
    assert_eq!(
        changed.data,
        json!({
            "receipts": [{"message": "m1", "read": 1, "of": 3}],
            "poll": {"every_ms": 2000, "for_ms": 20000},
        })
    );
    let pull = app.get("/v1/conversations/c/receipts?message=m2&message=none&message=m1").await;
    assert_eq!(format!("\"{}\"", changed.id), pull.field("etag").unwrap(), "it names the whole");
}

#[tokio::test]
async fn what_happens_at_once_is_told_at_once() {
    let (running, mut app) = chat(quick(), 50, 2).await;
    let mut sender = running.client().await;
    opened(&mut sender, &format!("{STREAM}?message=m1&message=m2"), "").await;
    next(&mut sender).await.unwrap();
    mark(&mut app, 0..50, "m2").await;
    let told = next(&mut sender).await.unwrap();
    assert_eq!(told.counts(), [("m1".to_owned(), 50), ("m2".to_owned(), 50)]);
    assert_eq!(told.data["poll"], Value::Null, "all have read all");
}

#[tokio::test]
async fn without_an_interval_each_mark_is_an_event() {
    let every_mark = HttpLimits { stream_every: Duration::ZERO, ..HttpLimits::default() };
    let (running, mut app) = chat(every_mark, 300, 2).await;
    let mut sender = running.client().await;
    opened(&mut sender, &format!("{STREAM}?message=m1&message=m2"), "").await;
    assert_eq!(next(&mut sender).await.unwrap().counts().len(), 2);
    mark(&mut app, 0..200, "m1").await;
    mark(&mut app, 150..300, "m2").await;
    let (mut told, mut ids) = ([0, 0], Vec::new());
    for _ in 0..300 + 150 {
        let event = next(&mut sender).await.unwrap();
        let [(message, read)] = &event.counts()[..] else { panic!("{event:?}") };
        let of = &mut told[usize::from(message == "m2")];
        *of += 1;
        assert_eq!(*read, *of, "of {message}");
        ids.push(event.id);
    }
    assert_eq!(told, [300, 150]);
    let last = app.get("/v1/conversations/c/receipts?message=m1&message=m2").await;
    assert_eq!(Some(format!("\"{}\"", ids.last().unwrap()).as_str()), last.field("etag"));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 450, "each has a name of its own");
}

#[tokio::test]
async fn resets_deletions_and_privacy_are_told_too() {
    let (running, mut app) = chat(quick(), 3, 2).await;
    let mut sender = running.client().await;
    opened(&mut sender, &format!("{STREAM}?message=m1&message=m2"), "").await;
    next(&mut sender).await.unwrap();
    mark(&mut app, 0..2, "m1").await;
    assert_eq!(next(&mut sender).await.unwrap().counts(), one(2));
    app.put("/v1/users/u1/privacy", r#"{"receipts":"off"}"#).await.expect(200);
    let hidden = next(&mut sender).await.unwrap();
    assert_eq!(hidden.counts(), [("m1".to_owned(), 1), ("m2".to_owned(), 0)]);
    assert_eq!(hidden.data["receipts"][0]["of"], 2);
    app.send("POST", "/v1/conversations/c/messages/m1/reset", &[], None).await.expect(204);
    assert_eq!(next(&mut sender).await.unwrap().counts(), one(0));
    app.delete("/v1/conversations/c/messages/m1").await.expect(204);
    let gone = json!([{"message": "m1", "code": "unknown-message"}]);
    assert_eq!(next(&mut sender).await.unwrap().data["receipts"], gone);
    app.delete("/v1/conversations/c").await.expect(204);
    let gone = json!([{"message": "m2", "code": "unknown-message"}]);
    assert_eq!(next(&mut sender).await.unwrap().data["receipts"], gone);
}

#[tokio::test]
async fn a_stream_is_resumed_behind_what_was_seen() {
    let (running, mut app) = chat(quick(), 3, 2).await;
    let both = format!("{STREAM}?message=m1&message=m2");
    let mut sender = running.client().await;
    opened(&mut sender, &both, "").await;
    let seen = next(&mut sender).await.unwrap().id;
    drop(sender);
    let mut again = running.client().await;
    opened(&mut again, &both, &seen).await;
    let alive = Event { id: String::new(), name: String::new(), data: Value::Null };
    assert_eq!(next(&mut again).await.unwrap(), alive, "there is nothing new to tell");
    mark(&mut app, 0..1, "m1").await;
    assert_eq!(next(&mut again).await.unwrap().counts(), one(1));
    for missed in [seen.clone(), format!("\"{seen}\""), format!("W/\"{seen}\"")] {
        let mut again = running.client().await;
        opened(&mut again, &both, &missed).await;
        assert_eq!(next(&mut again).await.unwrap().counts(), one(1), "after {missed}");
    }
    for unreadable in ["", "x", "\"\"", ".end", "x.end", "AAAA"] {
        let mut again = running.client().await;
        opened(&mut again, &both, unreadable).await;
        assert_eq!(next(&mut again).await.unwrap().counts().len(), 2, "after {unreadable:?}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_time_and_is_not_resumed_then() {
    let (running, mut app) = chat(quick(), 3, 1).await;
    let mut sender = running.client().await;
    opened(&mut sender, &format!("{ONE}&for_ms=150"), "").await;
    let first = next(&mut sender).await.unwrap();
    let end = next(&mut sender).await.unwrap();
    assert_eq!((end.name.as_str(), &end.data), ("end", &json!({})));
    assert_eq!(next(&mut sender).await, None);
    for url in [ONE.to_owned(), format!("{ONE}&for_ms=9")] {
        let over = sender.send("GET", &url, &[("last-event-id", &end.id)], None).await;
        assert_eq!((over.status, over.body.len()), (204, 0), "over the same connection");
    }
    mark(&mut app, 0..1, "m1").await;
    let again = sender.send("GET", &format!("{ONE}&for_ms=1"), &[("last-event-id", &first.id)], None).await;
    assert!(
        String::from_utf8(again.body).unwrap().contains(r#""read":1"#),
        "a new look may begin where it was"
    );
}

#[tokio::test]
async fn what_was_not_told_yet_is_told_before_the_end() {
    let rarely = HttpLimits { stream_every: Duration::from_mins(1), ..HttpLimits::default() };
    let (running, mut app) = chat(rarely, 3, 1).await;
    let mut sender = running.client().await;
    opened(&mut sender, &format!("{ONE}&for_ms=300"), "").await;
    assert_eq!(next(&mut sender).await.unwrap().counts(), one(0));
    mark(&mut app, 0..2, "m1").await;
    let last = next(&mut sender).await.unwrap();
    assert_eq!(last.counts(), one(2));
    let end = next(&mut sender).await.unwrap();
    assert_eq!((end.name.as_str(), end.id), ("end", format!("{}.end", last.id)));
    assert_eq!(next(&mut sender).await, None);
}

#[tokio::test]
async fn signs_of_life_bring_no_event_before_its_time() {
    let limits = HttpLimits {
        stream_every: Duration::from_mins(1),
        stream_keep_alive: Duration::from_millis(20),
        ..HttpLimits::default()
    };
    let (running, mut app) = chat(limits, 3, 1).await;
    let mut sender = running.client().await;
    opened(&mut sender, &format!("{ONE}&for_ms=400"), "").await;
    next(&mut sender).await.unwrap();
    mark(&mut app, 0..1, "m1").await;
    let mut names = Vec::new();
    while let Some(event) = next(&mut sender).await {
        names.push(event.name);
    }
    let told: Vec<_> = names.iter().filter(|name| !name.is_empty()).collect();
    assert_eq!(told, ["receipts", "end"], "{names:?}");
    assert!(names.len() > 2, "{names:?}");
}

#[tokio::test]
async fn how_long_a_stream_may_last_has_bounds() {
    let limits = HttpLimits { stream_for: Duration::from_millis(70), ..HttpLimits::default() };
    let (_running, mut app) = chat(limits, 2, 1).await;
    for good in ["", "&for_ms=1", "&for_ms=70"] {
        let whole = app.get(&format!("{ONE}{good}")).await;
        assert_eq!(whole.status, 200);
        assert!(String::from_utf8(whole.body).unwrap().contains("\nevent: end\n"), "{good}");
    }
    for bad in ["0", "71", "", "-1", "%2B1", "1.0", "x", "99999999999999999999"] {
        let detail = app.get(&format!("{ONE}&for_ms={bad}")).await.refuses(Code::BadRequest);
        assert!(detail.contains("'for_ms'") && detail.contains("70"), "{detail}");
    }
    for bad in ["?for_ms=1&message=m1&for_ms=1", "?message=m1&changed=1", "?message=m1&message=m1"] {
        app.get(&format!("{STREAM}{bad}")).await.refuses(Code::BadRequest);
    }
    let many: Vec<_> = (0..101).map(|at| format!("message=m{at}")).collect();
    app.get(&format!("{STREAM}?{}", many.join("&"))).await.refuses(Code::TooManyItems);
    assert_eq!(app.get(&format!("{STREAM}?{}&for_ms=1", many[..100].join("&"))).await.status, 200);
    app.get(STREAM).await.refuses(Code::BadRequest);
    let head = app.send("HEAD", ONE, &[], None).await;
    assert_eq!((head.status, head.field("content-type")), (200, Some("text/event-stream")));
    assert_eq!(head.field("content-length"), None);
}

#[tokio::test]
async fn a_stream_of_nothing_that_is_known_is_refused() {
    let (running, mut app) = chat(quick(), 2, 1).await;
    app.get(&format!("{STREAM}?message=x&message=y")).await.refuses(Code::UnknownMessage);
    app.get(&ONE.replace("/c/", "/none/")).await.refuses(Code::UnknownMessage);
    running.pass(Duration::from_hours(24 * 8));
    app.get(ONE).await.refuses(Code::UnknownMessage);
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives_and_notices_what_expires() {
    let limits = HttpLimits { stream_keep_alive: Duration::from_millis(40), ..quick() };
    let (running, _app) = chat(limits, 2, 1).await;
    let mut sender = running.client().await;
    opened(&mut sender, ONE, "").await;
    next(&mut sender).await.unwrap();
    for _ in 0..3 {
        assert_eq!(next(&mut sender).await.unwrap().name, "");
    }
    running.pass(Duration::from_hours(24 * 8));
    loop {
        let event = next(&mut sender).await.unwrap();
        if !event.name.is_empty() {
            assert_eq!(event.data["receipts"], json!([{"message": "m1", "code": "unknown-message"}]));
            assert_eq!(event.data["poll"], Value::Null);
            break;
        }
    }
}

#[tokio::test]
async fn a_stopping_server_ends_streams_so_that_they_go_on_elsewhere() {
    let (running, _app) = chat(quick(), 2, 1).await;
    let mut sender = running.client().await;
    opened(&mut sender, ONE, "").await;
    next(&mut sender).await.unwrap();
    let stopped = running.stop();
    assert_eq!(next(&mut sender).await, None, "without an event 'end'");
    assert_eq!(stopped.await.unwrap(), Drained { connections_cut: 0 });
}
