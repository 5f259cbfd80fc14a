//! Answers: the few shapes a response has, and the body type that hyper writes.
//!
//! A call makes a `Response<Bytes>`; `exchange` turns it into the response that travels. Which header fields an
//! answer has is decided here and in `problem`, `receipts` and `health`, and nowhere else.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::{
    Method, Response, StatusCode,
    body::{Body, Frame, SizeHint},
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{problem::Failure, watch::InFlight};

/// What a call comes to.
pub(super) type Outcome = Result<Response<Bytes>, Failure>;

/// 200 with a JSON body.
pub(super) fn json(body: &impl Serialize) -> Outcome {
    json_with(StatusCode::OK, body)
}

/// A JSON body under another status.
pub(super) fn json_with(status: StatusCode, body: &impl Serialize) -> Outcome {
    let bytes = serde_json::to_vec(body).map_err(Failure::internal)?;
    Ok(with_type(status, "application/json", bytes))
}

/// 204.
pub(super) fn no_content() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// 200 with a body of another type.
pub(super) fn text(content_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    with_type(StatusCode::OK, content_type, body)
}

fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Bytes of a body that hyper is given at a time. It keeps what the client does not take, and nobody counts that;
/// over HTTP/2 for as many answers as there may be streams.
pub(super) const PART_BYTES: usize = 16 << 10;

/// The response as hyper writes it: without a body, but with its length, if the method was `HEAD`. The request
/// counts as in flight, and the body's bytes are held, until hyper has taken the last of the body.
pub(super) fn seal(
    response: Response<Bytes>,
    method: &Method,
    mut in_flight: InFlight,
    held: Option<OwnedSemaphorePermit>,
) -> Response<Sealed> {
    let (mut head, mut body) = response.into_parts();
    if *method == Method::HEAD {
        if !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        body = Bytes::new();
    }
    in_flight.answered(body.is_empty());
    Response::from_parts(head, Sealed { content: body, in_flight, _held: held })
}

/// A body that keeps its request in flight.
#[derive(Debug)]
pub(super) struct Sealed {
    content: Bytes,
    in_flight: InFlight,
    _held: Option<OwnedSemaphorePermit>,
}

impl Body for Sealed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.content.is_empty() {
            return Poll::Ready(None);
        }
        let part = this.content.split_to(this.content.len().min(PART_BYTES));
        this.in_flight.answered(this.content.is_empty());
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.len() as u64)
    }
}
