//! Who may what: every route, with every kind of caller.

use seenby::{domain::Visibility, http::HttpLimits, wire::Code};
use serde_json::json;

use super::{
    guards::Guards,
    running::Running,
    wire::{Client, Reply},
};

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum May {
    Anybody,
    Apps,
    Users,
    /// Users who name themselves in the path.
    Oneself,
}

/// Every route of the API, with a request that is good in all but who sends it.
const ROUTES: &[(&str, &str, May, &str)] = &[
    ("GET", "/v1/conversations/c/receipts?message=m1", May::Users, ""),
    ("GET", "/v1/conversations/c/receipts/stream?message=m1&for_ms=1", May::Users, ""),
    ("POST", "/v1/conversations/c/marks", May::Users, r#"{"reader":"bob","messages":["m1"]}"#),
    ("POST", "/v1/marks", May::Apps, r#"{"marks":[{"conversation":"c","reader":"bob","up_to":"m1"}]}"#),
    ("POST", "/v1/receipts/query", May::Users, r#"{"pulls":[{"conversation":"c","messages":["m1"]}]}"#),
    ("GET", "/v1/conversations/c/readers/bob", May::Oneself, ""),
    ("PUT", "/v1/conversations/c/messages/m2", May::Apps, r#"{"sender":"alice"}"#),
    ("POST", "/v1/conversations/c/messages", May::Apps, r#"{"messages":[{"id":"m3","sender":"bob"}]}"#),
    ("GET", "/v1/conversations/c/messages/m1", May::Apps, ""),
    ("GET", "/v1/conversations/c/messages", May::Apps, ""),
    ("GET", "/v1/conversations/c/messages/m1/readers", May::Users, ""),
    ("GET", "/v1/conversations/c/messages/m1/unread", May::Users, ""),
    ("POST", "/v1/conversations/c/messages/m2/reset", May::Apps, ""),
    ("DELETE", "/v1/conversations/c/messages/m2", May::Apps, ""),
    ("PUT", "/v1/conversations/d/members", May::Apps, r#"{"members":["alice","bob"]}"#),
    ("PATCH", "/v1/conversations/d/members", May::Apps, r#"{"add":["carol"]}"#),
    ("GET", "/v1/conversations/d/members", May::Apps, ""),
    ("GET", "/v1/conversations", May::Apps, ""),
    ("DELETE", "/v1/conversations/d", May::Apps, ""),
    ("PUT", "/v1/users/eve/privacy", May::Apps, r#"{"receipts":"off"}"#),
    ("GET", "/v1/users/eve/privacy", May::Apps, ""),
    ("DELETE", "/v1/users/eve", May::Apps, ""),
    ("GET", "/metrics", May::Apps, ""),
    ("GET", "/healthz", May::Anybody, ""),
    ("GET", "/readyz", May::Anybody, ""),
    ("GET", "/openapi.json", May::Anybody, ""),
    ("GET", "/problems/bad-id", May::Anybody, ""),
];

/// Sends as a caller who shows this; nothing if it is empty.
async fn send(client: &mut Client, who: &str, method: &str, path: &str, body: &str) -> Reply {
    let mut fields = Vec::new();
    if !who.is_empty() {
        fields.push(("authorization", who));
    }
    if !body.is_empty() {
        fields.push(("content-type", "application/json"));
    }
    client.send(method, path, &fields, (!body.is_empty()).then_some(body.as_bytes())).await
}

/// A server with a chat of three, `c`, and a message `m1` that alice sent to bob and carol; and what callers show.
async fn guarded(visibility: Visibility) -> (Running, Client, Guards) {
    let guards = Guards::new(true, true);
    let running = Running::guarded(&guards, visibility, HttpLimits::default()).await;
    let mut client = running.client().await;
    let app = guards.app();
    let members = r#"{"members":["alice","bob","carol"]}"#;
    send(&mut client, &app, "PUT", "/v1/conversations/c/members", members).await.expect(200);
    let m1 = r#"{"sender":"alice"}"#;
    send(&mut client, &app, "PUT", "/v1/conversations/c/messages/m1", m1).await.expect(201);
    (running, client, guards)
}

/// The path of the description that a request is for.
fn template(paths: &serde_json::Map<String, serde_json::Value>, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |template: &str| {
        let (known, sent): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        let same = |(known, sent): (&&str, &&str)| known.starts_with('{') || known == sent;
        known.len() == sent.len() && known.iter().zip(&sent).all(same)
    };
    paths.keys().find(|known| fits(known)).unwrap_or_else(|| panic!("{path} is not described")).clone()
}

#[tokio::test]
async fn the_table_of_this_test_has_every_route_there_is() {
    let running = Running::start().await;
    let document = running.client().await.get("/openapi.json").await.expect(200);
    let paths = document["paths"].as_object().unwrap();
    let mut described: Vec<_> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let mut here: Vec<_> =
        ROUTES.iter().map(|(method, path, ..)| ((*method).to_owned(), template(paths, path))).collect();
    described.sort();
    here.sort();
    assert_eq!(here, described);
}

#[tokio::test]
async fn every_route_asks_every_caller_who_they_are() {
    let (_running, mut client, guards) = guarded(Visibility::Sender).await;
    let (app, bob) = (guards.app(), guards.user("bob"));
    let unknown_key = format!("Bearer sb_{}", "A".repeat(43));
    let bad = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer nonsense".to_owned(),
        app.replace("Bearer", "Basic"),
        unknown_key,
        format!("{app}x"),
        app[..app.len() - 1].to_owned(),
        guards.expired("bob"),
        guards.forged("bob"),
        bob[..bob.len() - 2].to_owned(),
    ];
    for (method, path, may, body) in ROUTES {
        let name = format!("{method} {path}");
        for who in &bad {
            let reply = send(&mut client, who, method, path, body).await;
            if *may == May::Anybody {
                assert_eq!(reply.status, 200, "{name} with {who:?}");
            } else {
                reply.refuses(Code::Unauthenticated);
                assert_eq!(reply.field("www-authenticate"), Some("Bearer realm=\"seenby\""), "{name}");
            }
        }
        let by_bob = send(&mut client, &bob, method, path, body).await;
        match may {
            May::Apps => _ = by_bob.refuses(Code::NotAllowed),
            May::Anybody | May::Oneself => assert!(by_bob.status < 400, "{name}"),
            // What is not bob's to see is unknown, also where that is an error.
            May::Users => assert!(matches!(by_bob.status, 200 | 404), "{name}"),
        }
        let by_app = send(&mut client, &app, method, path, body).await;
        assert!(by_app.status < 300, "{name}: {}", by_app.status);
    }
}

#[tokio::test]
async fn who_the_caller_is_comes_before_what_is_wrong_with_the_request() {
    let (_running, mut client, guards) = guarded(Visibility::Sender).await;
    let bob = guards.user("bob");
    for (who, code) in [("", Code::Unauthenticated), (bob.as_str(), Code::NotAllowed)] {
        let path = "/v1/conversations/%zz/members?what=1";
        send(&mut client, who, "PUT", path, "{").await.refuses(code);
        client.send("PUT", path, &[("authorization", who)], Some(b"{")).await.refuses(code);
    }
    send(&mut client, "", "GET", "/v1/nowhere", "").await.refuses(Code::NoSuchRoute);
    send(&mut client, "", "BREW", "/v1/marks", "").await.refuses(Code::MethodNotAllowed);
    let options = send(&mut client, "", "OPTIONS", "/v1/marks", "").await;
    assert_eq!(options.status, 204);
    for twice in [["Bearer x", "Bearer y"], [&bob, &bob]] {
        let fields = twice.map(|field| ("authorization", field));
        client.send("GET", "/v1/conversations", &fields, None).await.refuses(Code::Unauthenticated);
    }
}

#[tokio::test]
async fn with_one_kind_of_key_callers_of_the_other_are_not_let_in() {
    for (apps, users) in [(true, false), (false, true)] {
        let guards = Guards::new(apps, users);
        let running = Running::guarded(&guards, Visibility::Sender, HttpLimits::default()).await;
        let mut client = running.client().await;
        for (who, is_known) in [(guards.app(), apps), (guards.user("bob"), users)] {
            let reply = send(&mut client, &who, "GET", "/v1/conversations/c/receipts?message=m", "").await;
            if is_known {
                reply.expect(200);
            } else {
                reply.refuses(Code::Unauthenticated);
            }
        }
    }
}

#[tokio::test]
async fn a_user_acts_for_nobody_else() {
    let (_running, mut client, guards) = guarded(Visibility::Sender).await;
    let bob = guards.user("bob");
    let marks = "/v1/conversations/c/marks";
    for body in [
        r#"{"reader":"carol","messages":["m1"]}"#,
        r#"{"reader":"Bob","messages":["m1"]}"#,
        r#"{"reader":"","messages":["m1"]}"#,
        r#"{"reader":"carol","messages":[]}"#,
    ] {
        send(&mut client, &bob, "POST", marks, body).await.refuses(Code::NotYourself);
    }
    for path in ["readers/carol", "readers/carol?what=1", "readers/%zz", "readers/"] {
        let path = format!("/v1/conversations/c/{path}");
        send(&mut client, &bob, "GET", &path, "").await.refuses(Code::NotYourself);
    }
    let badge = send(&mut client, &bob, "GET", "/v1/conversations/c/readers/bob", "").await;
    assert_eq!(badge.expect(200), json!({"reader": "bob", "unread": 1, "first_unread": "m1"}));
    let marked = send(&mut client, &bob, "POST", marks, r#"{"messages":["m1"]}"#).await;
    assert_eq!(marked.expect(200), json!({"marked": 1, "already": 0, "refused": []}), "the reader is known");
    send(&mut client, &guards.app(), "POST", marks, r#"{"messages":["m1"]}"#).await.refuses(Code::BadRequest);
}

/// What a user asks about a message, and gets: each answer with the message's name taken out.
async fn answers(client: &mut Client, who: &str, message: &str) -> Vec<(u16, String)> {
    let c = "/v1/conversations/c";
    let query = format!(r#"{{"pulls":[{{"conversation":"c","messages":["{message}"]}}]}}"#);
    let mut answers = Vec::new();
    for (method, path, body) in [
        ("GET", format!("{c}/receipts?message={message}"), String::new()),
        ("GET", format!("{c}/messages/{message}/readers"), String::new()),
        ("GET", format!("{c}/messages/{message}/unread"), String::new()),
        ("POST", "/v1/receipts/query".to_owned(), query),
        ("POST", format!("{c}/marks"), format!(r#"{{"messages":["{message}"]}}"#)),
        ("POST", format!("{c}/marks"), format!(r#"{{"up_to":"{message}"}}"#)),
    ] {
        let reply = send(client, who, method, &path, &body).await;
        let mut text = String::from_utf8(reply.body).unwrap();
        // Names a list of messages, or this one answer, so of itself it is another for each; how long it is tells nothing.
        for name in ["\"etag\":\"", "\"instance\":\""] {
            if let Some(at) = text.find(name).map(|at| at + name.len()) {
                let end = at + text[at..].find('"').unwrap();
                text.replace_range(at..end, &"x".repeat(end - at));
            }
        }
        let fields = reply.fields.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "etag"));
        let fields: Vec<_> = fields.map(|(name, value)| format!("{name}: {value}")).collect();
        answers.push((reply.status, format!("{} {}", fields.join(", "), text.replace(message, "it"))));
    }
    answers
}

#[tokio::test]
async fn nothing_tells_a_user_whether_a_message_exists_that_is_not_theirs_to_see() {
    for visibility in [Visibility::Sender, Visibility::Audience] {
        let (_running, mut client, guards) = guarded(visibility).await;
        let app = guards.app();
        let own = r#"{"sender":"carol","audience":["alice"]}"#;
        for id in ["zq1", "zq2", "zq3"] {
            let path = format!("/v1/conversations/c/messages/{id}");
            send(&mut client, &app, "PUT", &path, own).await.expect(201);
        }
        let marks = "/v1/conversations/c/marks";
        send(&mut client, &app, "POST", marks, r#"{"reader":"alice","messages":["zq2"]}"#).await.expect(200);
        for who in ["bob", "stranger"] {
            let who = guards.user(who);
            let no = answers(&mut client, &who, "zq0").await;
            for id in ["zq1", "zq2", "zq3"] {
                assert_eq!(answers(&mut client, &who, id).await, no, "{id} {visibility:?}");
            }
        }
        // Whoever knows a name of it from before, by being in its audience once, learns nothing from an ETag either.
        let pull = "/v1/conversations/c/receipts?message=zq1";
        let seen = send(&mut client, &app, "GET", pull, "").await.field("etag").unwrap().to_owned();
        let bob = guards.user("bob");
        let fields = [("authorization", bob.as_str()), ("if-none-match", seen.as_str())];
        client.send("GET", pull, &fields, None).await.expect(200);
    }
}

#[tokio::test]
async fn a_user_pulls_what_it_sent_and_with_visibility_audience_what_it_was_sent() {
    for (visibility, bob_sees) in [(Visibility::Sender, false), (Visibility::Audience, true)] {
        let (_running, mut client, guards) = guarded(visibility).await;
        for (who, sees) in [("alice", true), ("bob", bob_sees), ("eve", false)] {
            let who = guards.user(who);
            let known = json!([{"message": "m1", "read": 0, "of": 2}]);
            let unknown = json!([{"message": "m1", "code": "unknown-message"}]);
            let pull = send(&mut client, &who, "GET", "/v1/conversations/c/receipts?message=m1", "").await;
            assert_eq!(pull.expect(200)["receipts"], if sees { known } else { unknown });
            let list = send(&mut client, &who, "GET", "/v1/conversations/c/messages/m1/unread", "").await;
            if sees {
                assert_eq!(list.expect(200)["users"], json!(["bob", "carol"]));
            } else {
                list.refuses(Code::UnknownMessage);
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_good_until_its_end() {
    let (running, mut client, guards) = guarded(Visibility::Sender).await;
    let bob = guards.user("bob");
    let badge = "/v1/conversations/c/readers/bob";
    send(&mut client, &bob, "GET", badge, "").await.expect(200);
    running.pass(std::time::Duration::from_secs(3_600 + 29));
    send(&mut client, &bob, "GET", badge, "").await.expect(200);
    running.pass(std::time::Duration::from_secs(1));
    let said = send(&mut client, &bob, "GET", badge, "").await.refuses(Code::Unauthenticated);
    assert!(said.contains("expired"), "{said}");
}
