//! The demo's page: its files, who may load them, and that it is nowhere where it was not asked for.

use seenby::{http::HttpLimits, wire::Code};
use serde_json::Value;

use super::{
    running::Running,
    wire::{Client, Reply},
};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A server with the demo.
async fn server() -> (Running, Client) {
    let running = Running::dressed(HttpLimits::default(), |server| server.with_demo(true)).await;
    let client = running.client().await;
    (running, client)
}

/// Every file that the one at `path` names, in quotes: by its whole path below `/demo`, or beside it.
fn named(path: &str, text: &str) -> Vec<String> {
    let (beside, _) = path.rsplit_once('/').unwrap();
    let is_script = |name: &str| name.rsplit_once('.').is_some_and(|(_, ending)| ending == "js");
    let quoted = text.split(['"', '\'', '`']).filter_map(|quoted| match quoted.strip_prefix("./") {
        Some(name) if is_script(name) => Some(format!("{beside}/{name}")),
        _ => quoted.starts_with("/demo/").then(|| quoted.to_owned()),
    });
    quoted.collect()
}

/// The page and every file that it names, or that one of these does.
async fn files(client: &mut Client) -> Vec<String> {
    let mut known = vec!["/demo".to_owned()];
    let mut at = 0;
    while let Some(path) = known.get(at) {
        let reply = client.get(path).await;
        assert_eq!(reply.status, 200, "{path} is named, and not there");
        for path in named(path, &String::from_utf8(reply.body).unwrap()) {
            if !known.contains(&path) {
                known.push(path);
            }
        }
        at += 1;
    }
    known
}

#[test]
fn what_a_file_names_is_found() {
    let text = r#"import "./a.js"; new Worker('/demo/b.js'); "./c", "/v1/marks", `/demo/d.css`, "x./e.js""#;
    assert_eq!(named("/demo/sdk/index.js", text), ["/demo/sdk/a.js", "/demo/b.js", "/demo/d.css"]);
    assert_eq!(named("/demo", "\"./a.js\""), ["/a.js"]);
}

#[tokio::test]
async fn every_file_that_the_page_names_is_there_as_what_it_is() {
    let (_running, mut client) = server().await;
    let files = files(&mut client).await;
    for path in &files {
        let reply = client.get(path).await;
        let content_type = match path.rsplit_once('.') {
            None => "text/html; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            Some(_) => panic!("nothing is known of {path}"),
        };
        assert_eq!(reply.field("content-type"), Some(content_type), "{path}");
        assert!(!reply.body.is_empty(), "{path}");
    }
    for ending in [".css", ".js", ".svg"] {
        assert!(files.iter().any(|path| path.ends_with(ending)), "{ending} is not in {files:?}");
    }
}

#[tokio::test]
async fn a_browser_is_told_what_the_page_may_do() {
    let (_running, mut client) = server().await;
    for path in files(&mut client).await {
        let reply = client.get(&path).await;
        for (name, value) in [
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(reply.field(name), Some(value), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn the_page_is_the_same_with_a_slash_and_with_a_query() {
    let (_running, mut client) = server().await;
    let page = client.get("/demo").await;
    for same in ["/demo/", "/demo?members=2000", "/demo/?x=1&x=1"] {
        let reply = client.get(same).await;
        assert_eq!((reply.status, reply.body), (200, page.body.clone()), "{same}");
    }
}

#[tokio::test]
async fn its_files_are_for_get_and_head() {
    let (_running, mut client) = server().await;
    for path in files(&mut client).await {
        let get = client.get(&path).await;
        let head = client.send("HEAD", &path, &[], None).await;
        assert_eq!(head.status, 200, "{path}");
        for same in ["content-length", "content-type", "content-security-policy", "cache-control"] {
            assert_eq!(head.field(same), get.field(same), "{path} {same}");
        }
        let options = client.send("OPTIONS", &path, &[], None).await;
        assert_eq!((options.status, options.field("allow")), (204, Some("GET, HEAD, OPTIONS")), "{path}");
        for method in ["POST", "PUT", "PATCH", "DELETE", "BREW"] {
            let wrong = client.send(method, &path, &[], None).await;
            wrong.refuses(Code::MethodNotAllowed);
            assert_eq!(wrong.field("allow"), Some("GET, HEAD, OPTIONS"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_it_does_not_have_is_no_route() {
    let (_running, mut client) = server().await;
    for path in [
        "/demo/nothing.js",
        "/demo/index.html",
        "/demo/page.css/",
        "/demo/PAGE.css",
        "/demo/%70age.css",
        "/demo//page.css",
        "/demo/../page.css",
        "/demo/../../Cargo.toml",
        "/demo/mod.rs",
        "//demo",
        "/demo//",
        "/demos",
        "/Demo",
        "/page.css",
        "/",
    ] {
        for method in ["GET", "HEAD", "OPTIONS", "POST"] {
            let reply = client.send(method, path, &[], None).await;
            assert_eq!(reply.status, 404, "{method} {path}");
            if method != "HEAD" {
                reply.refuses(Code::NoSuchRoute);
            }
        }
    }
}

#[tokio::test]
async fn without_it_nothing_of_it_is_there() {
    let (_with, mut client) = server().await;
    let without = Running::dressed(HttpLimits::default(), |server| server).await;
    let mut plain = without.client().await;
    let said = |reply: &Reply| {
        let mut problem = reply.json();
        problem.as_object_mut().unwrap().remove("instance").unwrap();
        problem
    };
    let nowhere = said(&plain.get("/v1/nowhere").await);
    for path in files(&mut client).await.iter().map(String::as_str).chain(["/demo/", "/demo/nothing.js"]) {
        for method in ["GET", "OPTIONS", "POST", "BREW"] {
            let reply = plain.send(method, path, &[], None).await;
            assert_eq!((reply.status, said(&reply)), (404, nowhere.clone()), "{method} {path}");
            assert_eq!(reply.field("content-security-policy"), None);
        }
    }
}

#[tokio::test]
async fn the_calls_and_their_description_are_as_they_are_without_it() {
    let (_running, mut client) = server().await;
    let document = client.get("/openapi.json").await.expect(200);
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(committed).unwrap()).unwrap();
    assert_eq!(document, committed);
    client.get("/v1/conversations").await.expect(200);
    assert_eq!(client.get("/healthz").await.field("content-security-policy"), None);
}

#[tokio::test]
async fn all_of_it_is_counted_as_one_route() {
    let (_running, mut client) = server().await;
    let files = files(&mut client).await;
    for path in &files {
        client.send("POST", path, &[], None).await.refuses(Code::MethodNotAllowed);
    }
    client.get("/demo/nothing.js").await.refuses(Code::NoSuchRoute);
    let text = String::from_utf8(client.get("/metrics").await.body).unwrap();
    let count = files.len();
    for line in [
        format!(r#"seenby_http_requests_total{{route="/demo",status="200"}} {count}"#),
        format!(r#"seenby_http_requests_total{{route="/demo",status="405"}} {count}"#),
        r#"seenby_http_requests_total{route="none",status="404"} 1"#.to_owned(),
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("/demo/"), "{text}");
}
