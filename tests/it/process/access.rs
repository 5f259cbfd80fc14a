//! Keys of a running server: read at the start, read again at SIGHUP, and never told to anybody.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use seenby::{
    access::ApiKey,
    client::{Client, ClientError},
    wire::Code,
};

use crate::harness::{PATIENCE, binary, free_address, seenby, wait_for};

/// A server whose log goes to a file.
struct Logging {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Logging {
    async fn start(directory: &Path, args: &[&str]) -> Self {
        let (address, log) = (free_address(), directory.join("log"));
        let data = directory.join("data");
        let child = Command::new(binary())
            .args(["serve", "--listen", &address, "--data", data.to_str().unwrap()])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let server = Self { child, url: format!("http://{address}"), log };
        let client = Client::new(&server.url).unwrap();
        let ready = async { while !client.is_ready().await.unwrap_or(false) {} };
        tokio::time::timeout(PATIENCE, ready).await.expect("it is ready");
        server
    }

    fn client(&self, token: &str) -> Client {
        Client::new(&self.url).unwrap().with_attempt_max(PATIENCE).with_token(token).unwrap()
    }

    fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn code(answer: Result<impl std::fmt::Debug, ClientError>) -> Option<Code> {
    match answer {
        Ok(_) => None,
        Err(ClientError::Problem { problem, .. }) => Some(problem.code),
        Err(other) => panic!("{other}"),
    }
}

/// Asks again and again until the answer is this.
async fn until(client: &Client, wanted: Option<Code>) {
    let asked = async { while code(client.conversations().await) != wanted {} };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("waited in vain for {wanted:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_read_again_at_sighup_and_no_request_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("api.keys");
    let (old, new) = (ApiKey::generate("old").unwrap(), ApiKey::generate("new").unwrap());
    fs::write(&file, old.line()).unwrap();
    let server = Logging::start(directory.path(), &["--api-keys", file.to_str().unwrap()]).await;
    let (with_old, with_new) = (server.client(old.secret()), server.client(new.secret()));
    assert_eq!(code(with_new.conversations().await), Some(Code::Unauthenticated));

    let (enough, busy) = (Arc::new(AtomicBool::new(false)), with_old.clone());
    let until_enough = enough.clone();
    let asking = tokio::spawn(async move {
        let mut asked = 0;
        while !until_enough.load(Ordering::SeqCst) {
            busy.conversations().await.expect("every request is answered");
            asked += 1;
        }
        asked
    });
    fs::write(&file, format!("{}\n{}\n", old.line(), new.line())).unwrap();
    server.hang_up();
    until(&with_new, None).await;
    // A file that is of no use changes nothing, and the log says why without saying what is in it.
    fs::write(&file, format!("{}\nnew {}\n", old.line(), new.secret())).unwrap();
    server.hang_up();
    wait_for("the log to say that the keys stay", || server.said().contains("stay in force").then_some(()));
    assert!(server.said().contains("line 2") && !server.said().contains(new.secret()), "{}", server.said());
    assert_eq!(code(with_new.conversations().await), None);
    enough.store(true, Ordering::SeqCst);
    assert!(asking.await.unwrap() > 0);

    fs::write(&file, new.line()).unwrap();
    server.hang_up();
    until(&with_old, Some(Code::Unauthenticated)).await;
    assert_eq!(code(with_new.conversations().await), None);
}

#[tokio::test]
async fn a_server_without_keys_survives_sighup() {
    let directory = tempfile::tempdir().unwrap();
    let server = Logging::start(directory.path(), &[]).await;
    assert!(server.said().contains("no access control"), "{}", server.said());
    server.hang_up();
    wait_for("the log to say that it was heard", || server.said().contains("no files of keys").then_some(()));
    assert!(Client::new(&server.url).unwrap().is_ready().await.unwrap());
}

/// A JWKS with the one secret `secret-secret-…`.
const JWKS: &str =
    r#"{"keys":[{"kty":"oct","kid":"k","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}]}"#;

#[tokio::test]
async fn no_log_holds_a_key_a_token_a_body_or_a_query() {
    let directory = tempfile::tempdir().unwrap();
    let (file, jwks) = (directory.path().join("api.keys"), directory.path().join("tokens.jwks"));
    let key = ApiKey::generate("chat").unwrap();
    fs::write(&file, key.line()).unwrap();
    fs::write(&jwks, JWKS).unwrap();
    let jwks = jwks.to_str().unwrap();
    let args = ["--api-keys", file.to_str().unwrap(), "--token-keys", jwks, "--log", "trace"];
    let server = Logging::start(directory.path(), &args).await;
    let signed = seenby(&["token", "sign", "--keys", jwks, "--sub", "user-in-token"]);
    let token = String::from_utf8(signed.stdout).unwrap().trim().to_owned();

    let app = server.client(key.secret());
    app.replace_roster("conversation-in-path", &["member-in-body"]).await.unwrap();
    let user = server.client(&token);
    user.pull("c", &["message-in-query"]).await.unwrap();
    assert_eq!(code(user.delete_user("anybody").await), Some(Code::NotAllowed));
    let wrong = server.client("sb_wrong-key-in-header");
    assert_eq!(code(wrong.conversations().await), Some(Code::Unauthenticated));
    let wrong = server.client("wrong.token.in-header");
    assert_eq!(code(wrong.conversations().await), Some(Code::Unauthenticated));
    over_http2(&server.url, key.secret()).await;

    let said = server.said();
    assert!(said.contains("TRACE"), "it is the fullest log there is");
    let parts = token.split('.').map(str::to_owned);
    for secret in [
        key.secret(),
        "member-in-body",
        "message-in-query",
        "user-in-token",
        "wrong-key-in-header",
        "in-header",
        "query-over-http2",
        "body-over-http2",
        "c2VjcmV0LXNlY3JldC1zZWNyZXQ",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain(parts)
    {
        assert!(!said.contains(&secret), "{secret} is in the log");
    }
}

/// A request over HTTP/2, whose library logs much of what it does.
async fn over_http2(url: &str, key: &str) {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use hyper::{Request, client::conn::http2};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let address = url.strip_prefix("http://").unwrap();
    let stream = TokioIo::new(tokio::net::TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("{url}/v1/marks?query-over-http2=1"))
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(br#"{"body-over-http2":1}"#)))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 400);
    response.into_body().collect().await.unwrap();
    connection.abort();
}

#[test]
fn a_key_and_its_line_are_made_and_a_token_is_signed() {
    let made = seenby(&["keys", "new", "chat"]);
    assert!(made.status.success());
    let text = String::from_utf8(made.stdout).unwrap();
    let [key, line] = text.lines().collect::<Vec<_>>()[..] else { panic!("two lines, not {text}") };
    assert!(key.starts_with("sb_") && line.starts_with("chat "));
    for name in ["two words", "sb_chat", "#chat", ""] {
        assert_eq!(seenby(&["keys", "new", name]).status.code(), Some(64), "{name:?}");
    }
    let mut lost = Command::new(binary());
    lost.args(["keys", "new", "chat"]).stdout(fs::File::options().write(true).open("/dev/full").unwrap());
    assert_eq!(lost.output().unwrap().status.code(), Some(1), "a key that nobody was told is none");

    let directory = tempfile::tempdir().unwrap();
    let jwks = directory.path().join("jwks");
    let sign =
        || seenby(&["token", "sign", "--keys", jwks.to_str().unwrap(), "--sub", "alice", "--ttl", "1h"]);
    let missing = sign();
    assert_eq!(missing.status.code(), Some(64));
    assert!(String::from_utf8(missing.stderr).unwrap().contains("cannot be read"));
    fs::write(&jwks, JWKS).unwrap();
    let token = String::from_utf8(sign().stdout).unwrap();
    assert_eq!(token.trim().split('.').count(), 3);
}

#[test]
fn a_file_of_keys_that_is_of_no_use_stops_the_start_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    let path = file.to_str().unwrap();
    let mut text = String::new();
    for (flag, content, said) in [
        ("--api-keys", "chat sb_0123", "line 1"),
        ("--api-keys", "", "no key in it"),
        ("--token-keys", "{", "no JSON Web Key Set"),
        ("--token-keys", r#"{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}"#, "HS256 needs 32"),
    ] {
        fs::write(&file, content).unwrap();
        let ended = seenby(&["serve", "--data", directory.path().to_str().unwrap(), flag, path]);
        text.clear();
        ended.stderr.as_slice().read_to_string(&mut text).unwrap();
        assert_eq!(ended.status.code(), Some(64), "{text}");
        let key = flag.trim_start_matches('-').replace('-', "_");
        for part in [said, path, &key, flag] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
