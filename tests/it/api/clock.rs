//! A clock that steps, as clients meet it, with a restart of the server in between.

use std::{path::Path, sync::Arc};

use seenby::{
    domain::{Limits, Timestamp},
    http::HttpLimits,
    store::{
        Store,
        embedded::{EmbeddedStore, Options},
    },
    wire::Code,
};
use serde_json::{Value, json};

use super::{running::Running, wire::Client};

/// 2028-02-29T23:59:59.500Z: half a second before a month is over, on a day that not every year has.
const BEGIN_MS: u64 = 1_835_481_599_500;
const HOUR_MS: u64 = 3_600_000;
const MONTH_MS: u64 = 31 * 24 * HOUR_MS;

const MEMBERS: &str = "/v1/conversations/c/members";
const M1: &str = "/v1/conversations/c/messages/m1";
const M2: &str = "/v1/conversations/c/messages/m2";
const PULL: &str = "/v1/conversations/c/receipts?message=m1";

/// A server, and the store below it, to be swept.
struct Machine {
    running: Running,
    store: Arc<EmbeddedStore>,
    client: Client,
    now_ms: u64,
}

impl Machine {
    async fn start(data: &Path, now_ms: u64) -> Self {
        let store = Arc::new(EmbeddedStore::open(data, Options::default()).unwrap());
        let running = Running::over(store.clone(), HttpLimits::default(), Limits::default()).await;
        let client = running.client().await;
        let mut machine = Self { running, store, client, now_ms };
        machine.set_clock(now_ms);
        machine
    }

    fn set_clock(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.running.set_clock(now_ms);
    }

    async fn sweep(&self) -> usize {
        self.store.sweep(Timestamp { unix_ms: self.now_ms }).await.unwrap()
    }

    /// Ends the server, and starts another with the same clock.
    async fn restart(self, data: &Path) -> Self {
        let Self { running, store, client, now_ms } = self;
        drop(client);
        running.stop().await.unwrap();
        store.close().await.unwrap();
        drop(store);
        Self::start(data, now_ms).await
    }

    async fn register(&mut self, target: &str, body: &str, status: u16) -> Value {
        self.client.put(target, body).await.expect(status)["expires_at"].clone()
    }
}

#[tokio::test]
async fn after_an_hour_back_messages_end_when_they_said() {
    let directory = tempfile::tempdir().unwrap();
    let mut machine = Machine::start(directory.path(), BEGIN_MS).await;
    machine.client.put(MEMBERS, r#"{"members":["alice","bob"]}"#).await.expect(200);
    let ten_minutes = r#"{"sender":"alice","expires_in_s":600}"#;
    let end = json!("2028-03-01T00:10:00Z");
    assert_eq!(machine.register(M1, ten_minutes, 201).await, end);

    machine.set_clock(BEGIN_MS - HOUR_MS);
    assert_eq!(machine.sweep().await, 0);
    let mut machine = machine.restart(directory.path()).await;
    assert_eq!(machine.register(M1, ten_minutes, 200).await, end, "it is the same, with its first answer");
    assert_eq!(machine.register(M2, ten_minutes, 201).await, "2028-02-29T23:10:00Z");

    machine.set_clock(BEGIN_MS);
    machine.client.get(M2).await.refuses(Code::UnknownMessage);
    assert_eq!(machine.sweep().await, 1);
    let mut machine = machine.restart(directory.path()).await;
    machine.set_clock(BEGIN_MS + 600_499);
    assert_eq!(machine.client.get(M1).await.expect(200)["expires_at"], end);
    machine.set_clock(BEGIN_MS + 600_500);
    machine.client.get(M1).await.refuses(Code::UnknownMessage);
    assert_eq!(machine.sweep().await, 1);

    machine.set_clock(BEGIN_MS);
    let mut machine = machine.restart(directory.path()).await;
    for gone in [M1, M2] {
        machine.client.get(gone).await.refuses(Code::UnknownMessage);
    }
    assert_eq!(machine.store.vitals().messages, 0);
}

#[tokio::test]
async fn after_a_month_ahead_messages_are_unknown_and_rosters_stay() {
    let directory = tempfile::tempdir().unwrap();
    let mut machine = Machine::start(directory.path(), BEGIN_MS).await;
    machine.client.put(MEMBERS, r#"{"members":["alice","bob"]}"#).await.expect(200);
    assert_eq!(machine.register(M1, r#"{"sender":"alice"}"#, 201).await, "2028-03-08T00:00:00Z");
    let etag = machine.client.get(PULL).await.field("etag").unwrap().to_owned();

    machine.set_clock(BEGIN_MS + MONTH_MS);
    let unknown = json!({"receipts": [{"message": "m1", "code": "unknown-message"}], "poll": null});
    for _ in 0..2 {
        assert_eq!(machine.client.pull(PULL, &etag).await.expect(200), unknown);
        assert_eq!(machine.client.get(MEMBERS).await.expect(200)["members"], json!(["alice", "bob"]));
        let listed = machine.client.get("/v1/conversations").await.expect(200);
        assert_eq!(listed, json!({"conversations": ["c"]}));
        machine.sweep().await;
        assert_eq!(machine.store.vitals().messages, 0);
        machine = machine.restart(directory.path()).await;
    }
    assert_eq!(machine.register(M1, r#"{"sender":"bob"}"#, 201).await, "2028-04-08T00:00:00Z");
    assert_eq!(machine.client.get(M1).await.expect(200)["order"], 2);
}

#[tokio::test]
async fn midnight_at_the_end_of_a_month_is_an_instant_like_others() {
    let directory = tempfile::tempdir().unwrap();
    let mut machine = Machine::start(directory.path(), BEGIN_MS).await;
    machine.client.put(MEMBERS, r#"{"members":["alice","bob"]}"#).await.expect(200);
    let second = r#"{"sender":"alice","expires_in_s":1}"#;
    assert_eq!(machine.register(M1, second, 201).await, "2028-03-01T00:00:01Z", "rounded up");
    machine.set_clock(BEGIN_MS - 500);
    assert_eq!(machine.register(M2, second, 201).await, "2028-03-01T00:00:00Z", "midnight itself");
    let mut machine = machine.restart(directory.path()).await;
    for (at_ms, left) in [(499, 2), (500, 1), (1_499, 1), (1_500, 0)] {
        machine.set_clock(BEGIN_MS + at_ms);
        let list = machine.client.get("/v1/conversations/c/messages").await.expect(200);
        assert_eq!(list["messages"].as_array().unwrap().len(), left, "{at_ms} ms later");
    }
    assert_eq!(machine.sweep().await, 2);
}
