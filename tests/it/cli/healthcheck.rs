//! `seenby healthcheck`, against real servers and against what is none.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::Command,
    thread,
};

use rustix::process::Signal;

use super::{Running, output, refused, seenby};
use crate::harness::free_address;

/// Runs it, and gives its exit code and the one line that it says.
fn checked(command: &mut Command) -> (Option<i32>, String) {
    let output = output(command);
    let mut said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(said.pop(), Some('\n'), "{said}");
    assert!(!said.contains('\n'), "one line: {said}");
    (output.status.code(), said)
}

#[test]
fn a_server_is_found_by_its_url_and_by_its_own_variables() {
    let listen = free_address();
    let server = Running::start(|command, _| {
        command.env("SEENBY_LISTEN", &listen);
    });
    let ready = (Some(0), format!("{} is ready", server.address));
    assert_eq!(checked(&mut seenby(&["healthcheck", "--server", &server.address])), ready);
    assert_eq!(checked(seenby(&["healthcheck"]).env("SEENBY_LISTEN", &listen)), ready);
    let open = listen.replace("127.0.0.1", "0.0.0.0");
    // Keys are named, so that a server could listen there; they are not read.
    let beside = checked(
        seenby(&["healthcheck"]).envs([("SEENBY_LISTEN", open.as_str()), ("SEENBY_API_KEYS", "api.keys")]),
    );
    assert_eq!(beside, ready);
    server.stop(Signal::TERM);
    let (code, said) = checked(seenby(&["healthcheck"]).env("SEENBY_LISTEN", &listen));
    assert_eq!(code, Some(1));
    assert!(said.starts_with(&format!("seenby: http://{listen} is not ready: no answer from")), "{said}");
}

#[test]
fn a_server_is_found_on_its_socket_file() {
    let server = Running::start(|command, dir| {
        command.env("SEENBY_LISTEN", format!("unix:{}", dir.join("socket").display()));
    });
    let address = server.address.clone();
    let ready = (Some(0), format!("{address} is ready"));
    assert_eq!(checked(&mut seenby(&["healthcheck", "--server", &address])), ready);
    assert_eq!(checked(seenby(&["healthcheck"]).env("SEENBY_LISTEN", &address)), ready);
    server.stop(Signal::TERM);
    let (code, said) = checked(&mut seenby(&["healthcheck", "--server", &address]));
    assert_eq!(code, Some(1));
    assert!(said.starts_with(&format!("seenby: {address} is not ready: no connection")), "{said}");
}

#[test]
fn a_server_that_is_silent_is_not_ready_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let (code, said) = checked(&mut seenby(&["healthcheck", "--server", &url, "--timeout", "50ms"]));
    assert_eq!(code, Some(1));
    assert!(said.ends_with("nothing came within 50ms"), "{said}");
}

#[test]
fn a_server_that_cannot_write_says_so_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let body = r#"{"type":"/problems/not-ready","title":"t","status":503,"detail":"the server cannot write","code":"not-ready"}"#;
        let length = body.len();
        write!(
            connection,
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        String::from_utf8(head).unwrap()
    });
    let (code, said) = checked(&mut seenby(&["healthcheck", "--server", &url]));
    assert_eq!(code, Some(1));
    assert!(said.ends_with("not-ready: the server cannot write"), "{said}");
    assert!(server.join().unwrap().starts_with("GET /readyz HTTP/1.1\r\n"));
}

#[test]
fn what_cannot_be_asked_is_bad_usage() {
    assert!(refused(&mut seenby(&["healthcheck", "--server", "https://x"])).contains("http://"));
    assert!(refused(&mut seenby(&["healthcheck", "--timeout", "soon"])).contains("--timeout"));
    assert!(refused(seenby(&["healthcheck"]).env("SEENBY_LISTEN", "127.0.0.1:0")).contains("--server"));
    assert!(refused(seenby(&["healthcheck"]).env("SEENBY_LISTN", "x")).contains("SEENBY_LISTEN"));
}
