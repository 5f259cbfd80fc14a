//! What must not stop a server, and what outlasts one.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::binary;

/// A server on `data` whose log goes to `log`, and its address.
fn start(data: &Path, flags: &[&str], log: Stdio) -> (Child, String) {
    let mut server = Command::new(binary());
    server.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(flags);
    let mut child = server.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim_end().rsplit('/').next().unwrap().to_owned())
}

/// One request over a connection of its own, and the whole answer.
fn call(address: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let fields = "host: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    write!(stream, "{head} HTTP/1.1\r\n{fields}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn neither_a_log_that_cannot_be_written_nor_a_file_that_does_not_end_stops_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    fs::write(&keys, format!("chat {}\n", "0".repeat(64))).unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let (mut child, address) =
        start(&directory.path().join("data"), &["--api-keys", keys.to_str().unwrap()], full.into());
    fs::remove_file(&keys).unwrap();
    assert!(Command::new("mkfifo").arg(&keys).status().unwrap().success());
    for _ in 0..3 {
        kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
        let answer = call(&address, "GET /healthz", "");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn entity_tags_outlast_the_process_and_differ_from_server_to_server() {
    let etag = |data: &Path| {
        let (mut child, address) = start(data, &[], Stdio::null());
        call(&address, "PUT /v1/conversations/c/messages/m", r#"{"sender":"alice","audience":["bob"]}"#);
        let pulled = call(&address, "GET /v1/conversations/c/receipts?message=m", "");
        child.kill().unwrap();
        child.wait().unwrap();
        pulled.lines().find(|line| line.starts_with("etag: ")).unwrap().to_owned()
    };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let before = etag(one.path());
    assert_eq!(etag(one.path()), before);
    assert_ne!(etag(other.path()), before, "the same state, and another secret");
}
