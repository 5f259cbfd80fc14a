//! What `/metrics` shows: each figure moves with what it is about, and no label has a value of a caller's choice.

use std::{sync::Arc, time::Duration};

use seenby::{
    domain::{Limits, Visibility},
    http::HttpLimits,
    process::metrics::Limit,
    store::model::ModelStore,
    wire::Code,
};

use super::{
    guards::Guards,
    running::{BEGIN_MS, Running, small_chat},
    wire::Client,
};

const MARKS: &str = "/v1/conversations/c/marks";

/// All of it, asked for as `who`.
async fn shown_to(client: &mut Client, who: &str) -> String {
    let reply = client.send("GET", "/metrics", &[("authorization", who)], None).await;
    assert_eq!(reply.status, 200);
    String::from_utf8(reply.body).unwrap()
}

async fn shown(client: &mut Client) -> String {
    shown_to(client, "Bearer none").await
}

/// What stands behind a name with its labels.
#[track_caller]
fn figure(text: &str, series: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{series} is not in\n{text}")).parse().unwrap()
}

#[track_caller]
fn is(text: &str, series: &str, expected: f64) {
    let found = figure(text, series);
    assert!((found - expected).abs() < 1e-6, "{series} is {found}, not {expected}");
}

#[tokio::test]
async fn marks_count_by_what_became_of_them() {
    let (_running, mut client) = small_chat().await;
    let before = shown(&mut client).await;
    is(&before, r#"seenby_marks_total{outcome="new"}"#, 0.0);
    client.post(MARKS, r#"{"reader":"bob","messages":["m1"]}"#).await.expect(200);
    client.post(MARKS, r#"{"reader":"bob","messages":["m1","no"]}"#).await.expect(200);
    let bulk = r#"{"marks":[{"conversation":"c","reader":"carol","up_to":"m1"},{"conversation":"c","reader":"eve","messages":["m1"]}]}"#;
    client.post("/v1/marks", bulk).await.expect(200);
    let text = shown(&mut client).await;
    for (outcome, count) in [("new", 2.0), ("already", 1.0), ("refused", 2.0)] {
        is(&text, &format!("seenby_marks_total{{outcome=\"{outcome}\"}}"), count);
    }
}

#[tokio::test]
async fn commits_have_a_duration_and_a_size() {
    let (_running, mut client) = small_chat().await;
    let before = shown(&mut client).await;
    client.post(MARKS, r#"{"reader":"bob","messages":["m1"]}"#).await.expect(200);
    let after = shown(&mut client).await;
    for name in
        ["commit_seconds_count", "commit_writes_count", "commit_writes_sum", "commits_total", "writes_total"]
    {
        let name = format!("seenby_store_{name}");
        is(&after, &name, figure(&before, &name) + 1.0);
    }
    assert!(
        figure(&after, "seenby_store_commit_seconds_sum")
            > figure(&before, "seenby_store_commit_seconds_sum")
    );
    is(
        &after,
        r#"seenby_store_commit_seconds_bucket{le="+Inf"}"#,
        figure(&after, "seenby_store_commits_total"),
    );
    is(&after, "seenby_store_writes_waiting", 0.0);
    // By the clock that the test sets, and that has stood still.
    let now_s = Duration::from_millis(BEGIN_MS).as_secs_f64();
    let begun = figure(&after, "seenby_last_checkpoint_timestamp_seconds");
    assert!((0.0..60.0).contains(&(now_s - begun)), "{begun}");
}

#[tokio::test]
async fn the_sweep_lag_grows_until_what_expired_is_given_up() {
    let (running, mut client) = small_chat().await;
    let m2 = r#"{"sender":"alice","expires_in_s":10}"#;
    client.put("/v1/conversations/c/messages/m2", m2).await.expect(201);
    running.pass(Duration::from_secs(9));
    is(&shown(&mut client).await, "seenby_store_sweep_lag_seconds", 0.0);
    running.pass(Duration::from_secs(61));
    is(&shown(&mut client).await, "seenby_store_sweep_lag_seconds", 60.0);
    let now = seenby::domain::Timestamp { unix_ms: BEGIN_MS + 70_000 };
    assert_eq!(running.ledger.sweep(now).await, Ok(1));
    is(&shown(&mut client).await, "seenby_store_sweep_lag_seconds", 0.0);
}

#[tokio::test]
async fn streams_count_what_they_tell() {
    let (running, mut client) = small_chat().await;
    let stream = "/v1/conversations/c/receipts/stream?message=m1&for_ms=1";
    running.client().await.get(stream).await;
    let text = shown(&mut client).await;
    is(&text, "seenby_stream_events_total", 1.0);
    is(&text, "seenby_streams_cut_total", 0.0);
}

/// The value of each label of this name, in their order.
fn values<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    let mark = format!("{label}=\"");
    let found = text.lines().filter_map(|line| Some(line.split_once(&mark)?.1.split_once('"')?.0));
    let mut found: Vec<_> = found.collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[tokio::test]
async fn no_label_has_a_value_of_a_callers_choice() {
    let (_running, mut client) = small_chat().await;
    let known: serde_json::Value = client.get("/openapi.json").await.expect(200);
    let templates: Vec<String> = known["paths"].as_object().unwrap().keys().cloned().collect();
    for at in 0..40 {
        for path in [
            format!("/v1/conversations/chosen-{at}/members"),
            format!("/v1/conversations/chosen-{at}/receipts?message=chosen-{at}"),
            format!("/v1/users/chosen-{at}/privacy"),
            format!("/chosen-{at}"),
            format!("/problems/chosen-{at}"),
        ] {
            client.get(&path).await;
            client.send(&format!("CHOSEN{at}"), &path, &[], None).await;
        }
    }
    let text = shown(&mut client).await;
    assert!(!text.to_lowercase().contains("chosen"), "{text}");
    for route in values(&text, "route") {
        assert!(route == "none" || templates.iter().any(|template| template == route), "{route}");
    }
    for status in values(&text, "status") {
        assert!(status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit()), "{status}");
    }
    let mut limits = Limit::ALL.map(Limit::as_str).to_vec();
    limits.sort_unstable();
    assert_eq!(values(&text, "limit"), limits);
    let labels: Vec<_> = ["route", "status", "limit", "outcome", "le", "of", "version"].to_vec();
    for line in text.lines().filter(|line| line.contains('{') && !line.starts_with('#')) {
        let inside = line.split_once('{').unwrap().1.rsplit_once('}').unwrap().0;
        for label in inside.split("\",").map(|label| label.split_once('=').unwrap().0) {
            assert!(labels.contains(&label), "{label} in {line}");
        }
    }
}

#[tokio::test]
async fn what_is_turned_away_counts_at_its_limit() {
    let guards = Guards::new(true, true);
    let limits = HttpLimits {
        body_bytes_max: 2_000,
        user_body_bytes_max: 100,
        head_timeout: Duration::from_millis(200),
        user_requests_per_s: 1,
        user_streams_max: 1,
        ..HttpLimits::default()
    };
    let running = Running::guarded(&guards, Visibility::Sender, limits).await;
    let (app, alice) = (guards.app(), guards.user("alice"));
    let fields = [("authorization", app.as_str()), ("content-type", "application/json")];
    let long = "x".repeat(3_000);
    let mut client = running.client().await;
    client.send("POST", MARKS, &fields, Some(long.as_bytes())).await.refuses(Code::BodyTooLarge);
    let mut client = running.client().await;
    let long = format!("/{}", "x".repeat(70_000));
    client.get(&long).await.refuses(Code::HeaderTooLarge);
    let mut slow = running.client().await;
    slow.write(b"GET / HT").await;
    slow.reply("GET").await.refuses(Code::TooSlow);
    let mut user = running.client().await;
    let pull = "/v1/conversations/c/receipts?message=m1";
    while user.send("GET", pull, &[("authorization", &alice)], None).await.status != 429 {}
    let mut client = running.client().await;
    let text = shown_to(&mut client, &app).await;
    for limit in ["body_bytes", "head_bytes", "head_timeout", "user_requests_per_s"] {
        is(&text, &format!("seenby_http_requests_refused_total{{limit=\"{limit}\"}}"), 1.0);
    }
    is(&text, r#"seenby_http_requests_refused_total{limit="app_requests_per_s"}"#, 0.0);
}

#[tokio::test]
async fn connections_and_streams_that_are_too_many_count_at_theirs() {
    let limits = HttpLimits { connections_max: 2, streams_max: 0, ..HttpLimits::default() };
    let running = Running::over(Arc::new(ModelStore::default()), limits, Limits::default()).await;
    let mut client = running.client().await;
    client
        .put("/v1/conversations/c/messages/m1", r#"{"sender":"alice","audience":["bob"]}"#)
        .await
        .expect(201);
    let stream = "/v1/conversations/c/receipts/stream?message=m1";
    client.get(stream).await.refuses(Code::TooManyStreams);
    let mut two = running.client().await;
    two.get("/healthz").await;
    running.client().await.reply("GET").await.refuses(Code::Overloaded);
    let text = shown(&mut client).await;
    is(&text, r#"seenby_streams_refused_total{limit="streams"}"#, 1.0);
    is(&text, r#"seenby_http_connections_refused_total{limit="connections"}"#, 1.0);
}

#[tokio::test]
async fn every_problem_has_a_name_of_its_own() {
    let (running, mut client) = small_chat().await;
    let mut names = Vec::new();
    for _ in 0..2 {
        names.push(client.get("/nowhere").await.json()["instance"].as_str().unwrap().to_owned());
    }
    // Also where hyper could not read the request.
    let mut other = running.client().await;
    other.write(b"what is this?\r\n\r\n").await;
    names.push(other.reply("GET").await.json()["instance"].as_str().unwrap().to_owned());
    assert!(names.iter().all(|name| name.starts_with("urn:seenby:request:")), "{names:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 3, "{names:?}");
}
