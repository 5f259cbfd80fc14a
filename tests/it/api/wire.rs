//! A client that says exactly what it is told, over a bare socket, and checks what every answer must keep to.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use seenby::wire::{Code, Problem};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// Header fields that an answer may have. Anything else has slipped in.
const FIELDS: &[&str] = &[
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "etag",
    "referrer-policy",
    "retry-after",
    "transfer-encoding",
    "vary",
    "www-authenticate",
    "x-accel-buffering",
    "x-content-type-options",
];

/// Longer than anything takes here, so that a test fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// All of it on the wire.
    pub(crate) bytes: usize,
}

/// A request's head.
fn head(method: &str, target: &str, fields: &[(&str, &str)], body: Option<&[u8]>) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: test\r\n");
    for (name, value) in fields {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    if let Some(body) = body {
        write!(head, "content-length: {}\r\n", body.len()).unwrap();
    }
    head + "\r\n"
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) async fn get(&mut self, target: &str) -> Reply {
        self.send("GET", target, &[], None).await
    }

    pub(crate) async fn delete(&mut self, target: &str) -> Reply {
        self.send("DELETE", target, &[], None).await
    }

    pub(crate) async fn put(&mut self, target: &str, body: &str) -> Reply {
        self.send_json("PUT", target, body).await
    }

    pub(crate) async fn post(&mut self, target: &str, body: &str) -> Reply {
        self.send_json("POST", target, body).await
    }

    pub(crate) async fn patch(&mut self, target: &str, body: &str) -> Reply {
        self.send_json("PATCH", target, body).await
    }

    pub(crate) async fn send_json(&mut self, method: &str, target: &str, body: &str) -> Reply {
        self.send(method, target, &[("content-type", "application/json")], Some(body.as_bytes())).await
    }

    /// Pulls with an `If-None-Match`.
    pub(crate) async fn pull(&mut self, target: &str, etag: &str) -> Reply {
        self.send("GET", target, &[("if-none-match", etag)], None).await
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Reply {
        let mut request = head(method, target, fields, body).into_bytes();
        request.extend_from_slice(body.unwrap_or_default());
        self.write(&request).await;
        self.reply(method).await
    }

    /// Sends a request whose answer comes bit by bit, and reads that answer's head.
    pub(crate) async fn open(&mut self, target: &str, fields: &[(&str, &str)]) -> Reply {
        self.write(head("GET", target, fields, None).as_bytes()).await;
        self.head("GET").await
    }

    /// Sends bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // A server that has refused already may have closed: what it said is read all the same.
        let _ = timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("the server takes bytes");
    }

    /// Reads a line; empty at the end of the stream.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(PATIENCE, self.stream.read_line(&mut line)).await.expect("the server answers").unwrap();
        line
    }

    /// Reads the answer to a request.
    pub(crate) async fn reply(&mut self, method: &str) -> Reply {
        let reply = self.head(method).await;
        if method == "HEAD" { reply } else { self.body(reply).await }
    }

    /// Reads the body of an answer whose head was read.
    pub(crate) async fn body(&mut self, mut reply: Reply) -> Reply {
        if reply.field("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk().await {
                reply.body.extend(chunk.bytes());
            }
            return reply;
        }
        let length = reply.field("content-length").map_or(0, |length| length.parse().unwrap());
        reply.body = vec![0; length];
        timeout(PATIENCE, self.stream.read_exact(&mut reply.body)).await.expect("a whole body").unwrap();
        reply.bytes += length;
        reply.check_problem();
        reply
    }

    /// Reads the head of an answer.
    async fn head(&mut self, method: &str) -> Reply {
        let mut line = self.line().await;
        let mut bytes = line.len();
        let status =
            line.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {line:?}")).parse().unwrap();
        let mut fields = Vec::new();
        loop {
            line = self.line().await;
            bytes += line.len();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            fields.push((name.to_owned(), value.to_owned()));
        }
        let reply = Reply { status, fields, body: Vec::new(), bytes };
        reply.check(method);
        reply
    }

    /// Reads a chunk of an answer that is sent as it comes; none behind the last.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        let line = self.line().await;
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap_or_else(|_| panic!("{line:?}"));
        let mut chunk = vec![0; length + "\r\n".len()];
        timeout(PATIENCE, self.stream.read_exact(&mut chunk)).await.expect("a whole chunk").unwrap();
        chunk.truncate(length);
        (length > 0).then(|| String::from_utf8(chunk).unwrap())
    }

    /// Waits for the server to close without saying anything more.
    pub(crate) async fn is_closed(&mut self) {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("the server closes");
        // A reset is an end too.
        assert!(read.is_err() || rest.is_empty(), "{:?} came before the end", String::from_utf8_lossy(&rest));
    }
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| {
            panic!("{} {:?} is not JSON", self.status, String::from_utf8_lossy(&self.body))
        })
    }

    /// The answer's body, which must have come with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The answer is this problem; its detail is given back.
    #[track_caller]
    pub(crate) fn refuses(&self, code: Code) -> String {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, code.status(), "{body}");
        let problem: Problem = serde_json::from_str(&body).unwrap();
        assert_eq!(problem.code, code, "{body}");
        problem.detail
    }

    /// What holds for every answer.
    fn check(&self, method: &str) {
        for (name, _) in &self.fields {
            assert!(FIELDS.contains(&name.as_str()), "{name} is not a field of ours");
        }
        assert!(self.field("date").is_some());
        assert_eq!(
            self.field("allow").is_some(),
            self.status == 405 || method == "OPTIONS" && self.status == 204
        );
        assert_eq!(self.field("www-authenticate").is_some(), self.status == 401);
        assert_eq!(self.field("retry-after").is_some(), matches!(self.status, 429 | 503));
        if self.status >= 400 {
            assert_eq!(self.field("content-type"), Some("application/problem+json"));
        }
    }

    /// What holds for the body of every problem.
    fn check_problem(&self) {
        if self.status >= 400 {
            let problem: Problem = serde_json::from_slice(&self.body).unwrap();
            assert_eq!(problem.status, self.status);
            assert_eq!(problem.r#type, format!("/problems/{}", problem.code));
            assert_eq!(problem.title, problem.code.title());
            assert!(!problem.detail.is_empty());
        }
    }
}
