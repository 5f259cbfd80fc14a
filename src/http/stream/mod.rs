//! Streams: receipts sent as they change, as server-sent events, for as long as the client may look.
//!
//! Down from here: `receipts/stream`. An event is never queued: a client that is slow in taking one gets all that has
//! changed by then with the next. `places` counts how many there may be, `following` is one that is open; that one whose client
//! takes nothing is cut off, and that one ends when its client hangs up, `http/watch` sees to.

mod following;
mod places;

use std::time::Duration;

use bytes::Bytes;
use hyper::{
    HeaderMap, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, VARY},
};
use tokio::time::Instant;

pub(super) use self::{following::Events, places::Streams};

use self::following::Following;
use super::{
    answer::{self, Content, Outcome},
    auth::Shown,
    exchange::Exchange,
    fields,
    problem::Failure,
    receipts::{VARY_BY_CALLER, screen},
    written::push_pull,
};
use crate::domain::{Etag, Named, Pace, Refusal};

/// Of HTML, section 9.2.
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Has nginx pass on each event as it comes.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What the id of the event `end` has behind the entity tag, in which no point stands.
const ENDED: &str = ".end";

/// A comment: no event, but a sign of life.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// Where a client goes on.
enum Resumed {
    /// Behind what it has seen; none if it has seen nothing, or nothing that can be read.
    Since(Option<Etag>),
    /// It has seen the end.
    Ended,
}

impl Resumed {
    /// Reads `Last-Event-ID`. The entity tag of a pull will do as well, quotes and all.
    fn read(headers: &HeaderMap) -> Self {
        let id = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        match id.strip_suffix(ENDED) {
            Some(etag) if Etag::parse(etag).is_some() => Self::Ended,
            _ => Self::Since(Etag::parse(id.trim_start_matches("W/").trim_matches('"'))),
        }
    }
}

/// `GET /v1/conversations/{c}/receipts/stream`
pub(super) async fn open(exchange: &Exchange<'_>) -> Outcome {
    let (conversation, messages) = (exchange.conversation()?, screen(exchange)?);
    let server = exchange.server;
    let lasts = lasts(exchange, server.limits.stream_for)?;
    let since = match Resumed::read(exchange.headers) {
        Resumed::Since(etag) => etag,
        Resumed::Ended => return Ok(answer::no_content()),
    };
    let (screen, stream) =
        exchange.ledger().stream(conversation, messages, exchange.viewer(), exchange.now).await?;
    if screen.named().all(|named| named.receipts.is_none()) {
        return Err(Refusal::UnknownMessage.into());
    }
    let place = server.streams.place(exchange)?;
    let changed: Vec<_> = screen.changed_since(since.as_ref()).collect();
    let first = if changed.is_empty() {
        // The client has all there is, and waits for a sign that it was heard.
        COMMENT
    } else {
        server.metrics.stream_told();
        receipts(&screen.etag, changed, screen.poll)
    };
    let events = Following {
        due: Some(first),
        stream,
        clock: server.clock.clone(),
        metrics: server.metrics.clone(),
        shown: Shown::new(server.keys.clone(), exchange.caller.clone(), exchange.headers),
        vetted_at: Instant::now(),
        every: server.limits.stream_every,
        keep_alive: server.limits.stream_keep_alive,
        spoke_at: Instant::now(),
        told_at: Instant::now(),
        is_stale: false,
        ends_at: Instant::now() + lasts,
        has_ended: false,
        draining: server.draining(),
        _place: place,
    };
    let mut response = Response::new(Content::Events(Events::new(events)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    headers.insert(VARY, VARY_BY_CALLER);
    Ok(response)
}

/// `for_ms`: 1 to the longest that a stream may last, which it is if left out.
fn lasts(exchange: &Exchange<'_>, most: Duration) -> Result<Duration, Failure> {
    let Some(text) = exchange.query.one("for_ms") else { return Ok(most) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let asked = text.parse().ok().filter(|ms| digits && *ms > 0).map(Duration::from_millis);
    asked
        .filter(|asked| *asked <= most)
        .ok_or_else(|| fields::bad(format!("'for_ms' is a whole number from 1 to {}", most.as_millis())))
}

/// An event `receipts`.
fn receipts<'a>(etag: &Etag, named: impl IntoIterator<Item = Named<'a>>, poll: Option<Pace>) -> Bytes {
    let mut event = format!("id: {etag}\nevent: receipts\ndata: ").into_bytes();
    push_pull(&mut event, named, poll);
    event.extend_from_slice(b"\n\n");
    event.into()
}
