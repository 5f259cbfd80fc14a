//! A door for the fuzzers in `fuzz/`, and for the test that runs their corpus. Not for use.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use hyper::{
    Request, Response,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
    http::request::Parts,
};
use serde_json::Value;

use crate::access::Caller;

use super::{
    Server,
    answer::Content,
    exchange::{Exchange, call},
    route::{self, Found},
};

/// The bytes as requests, one after the other, between lines of `###`: a method and a target, header fields, an empty
/// line, a body. Each is answered as it would be behind hyper; panics if one is not, or if the server blames itself.
///
/// The store must answer at once, as the model does.
pub fn requests(server: &Server, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (request, after) = split(rest, b"\n###\n");
        rest = after;
        let Some((head, body)) = read(request) else { continue };
        let Found::Route(route, ids) = route::find(&head.method, head.uri.path()) else { continue };
        let body = Bytes::copy_from_slice(if route.takes_body { body } else { b"" });
        let answer = pin!(async {
            call(route, &Exchange::begin(server, &head, (route, ids), Caller::Anybody, body.into())?).await
        });
        let Poll::Ready(outcome) = answer.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("{head:?} is not answered at once")
        };
        check(&head, &outcome.unwrap_or_else(|failure| failure.into_response(server.request_ids.next())));
    }
}

/// What stands before the first `separator`, and what behind it.
fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> (&'a [u8], &'a [u8]) {
    let at = bytes.windows(separator.len()).position(|window| window == separator);
    at.map_or((bytes, &[]), |at| (&bytes[..at], &bytes[at + separator.len()..]))
}

/// The head and the body; none if hyper would not take it for one. Without a type it is JSON.
fn read(request: &[u8]) -> Option<(Parts, &[u8])> {
    let (head, body) = split(request, b"\n\n");
    let mut lines = head.split(|byte| *byte == b'\n');
    let (method, target) = split(lines.next()?, b" ");
    let mut built = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = split(line, b": ");
        built = built.header(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    let (mut head, ()) = built.body(()).ok()?.into_parts();
    head.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Some((head, body))
}

/// What holds for every answer.
fn check(head: &Parts, answer: &Response<Content>) {
    let status = answer.status().as_u16();
    assert!(status < 500, "{head:?} is answered with {status}");
    let said = answer.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if said.is_some_and(|said| said.ends_with(b"json")) {
        let body: Result<Value, _> = serde_json::from_slice(answer.body().bytes());
        assert!(body.is_ok_and(|body| body.is_object()), "{head:?} is not answered with an object");
    } else if status != 200 {
        assert!(answer.body().bytes().is_empty(), "{head:?}: {status} has a body");
    }
}
