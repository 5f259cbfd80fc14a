//! Answers: the few shapes a response has, and the body type that hyper writes.
//!
//! A call makes a `Response<Content>`; `exchange` turns it into the response that travels. Which header fields an
//! answer has is decided here and in `problem`, `receipts`, `stream`, `health` and `demo`, and nowhere else.

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

use super::{problem::Failure, stream::Events, watch::InFlight};

/// What a call comes to.
pub(super) type Outcome = Result<Response<Content>, Failure>;

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Content {
    /// All of it.
    Whole(Bytes),
    /// Event by event, as they come.
    Events(Events),
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl Content {
    /// The bytes that are there already.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Events(_) => &[],
        }
    }

    fn is_at_end(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(bytes.split_to(bytes.len().min(PART_BYTES)))),
            Self::Events(events) => events.poll_next(cx),
        }
    }
}

/// 200 with a JSON body.
pub(super) fn json(body: &impl Serialize) -> Outcome {
    json_with(StatusCode::OK, body)
}

/// A JSON body under another status.
pub(super) fn json_with(status: StatusCode, body: &impl Serialize) -> Outcome {
    let bytes = serde_json::to_vec(body).map_err(Failure::internal)?;
    Ok(with_type(status, JSON, bytes))
}

/// The type of JSON bodies.
pub(super) const JSON: &str = "application/json";

/// 204.
pub(super) fn no_content() -> Response<Content> {
    let mut response = Response::new(Bytes::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// 200 with a body of another type.
pub(super) fn text(content_type: &'static str, body: impl Into<Bytes>) -> Response<Content> {
    with_type(StatusCode::OK, content_type, body)
}

fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Content> {
    let mut response = Response::new(Content::Whole(body.into()));
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
    response: Response<Content>,
    method: &Method,
    mut in_flight: InFlight,
    held: Option<OwnedSemaphorePermit>,
) -> Response<Sealed> {
    let (mut head, mut body) = response.into_parts();
    if *method == Method::HEAD {
        let has_length = !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if let Content::Whole(bytes) = &body
            && has_length
        {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        body = Bytes::new().into();
    }
    match &body {
        Content::Whole(bytes) => in_flight.answered(bytes.is_empty()),
        Content::Events(_) => in_flight.streams(),
    }
    Response::from_parts(head, Sealed { content: body, in_flight, _held: held })
}

/// A body that keeps its request in flight.
#[derive(Debug)]
pub(super) struct Sealed {
    content: Content,
    in_flight: InFlight,
    _held: Option<OwnedSemaphorePermit>,
}

impl Body for Sealed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let part = this.content.poll_part(cx);
        match &part {
            Poll::Ready(Some(_)) => this.in_flight.answered(this.content.is_at_end()),
            Poll::Ready(None) => {}
            Poll::Pending => this.in_flight.has_all_there_is(),
        }
        part.map(|part| part.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_at_end()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Events(_) => SizeHint::default(),
        }
    }
}
