//! Streams: receipts sent as they change, as server-sent events, for as long as the client may look.
//!
//! Down from here: `receipts/stream`. An event is never queued: a client that is slow in taking one gets all that has
//! changed by then with the next. How many streams there may be is counted here; that one whose client takes nothing is
//! cut off, and that one ends when its client hangs up, `watch` sees to.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    HeaderMap, Response, Version,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, VARY},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep_until},
};

use super::{
    HttpLimits,
    answer::{self, Content, Outcome},
    auth::Shown,
    exchange::Exchange,
    fields,
    problem::Failure,
    receipts::{VARY_BY_CALLER, pull_shape, screen},
    shares::{Share, Shares},
};
use crate::{
    access::Caller,
    domain::{Etag, Named, Pace, Refusal, UserId},
    process::{clock::Clock, metrics::Open},
    receipts::{Change, Stream},
    wire::Code,
};

/// Of HTML, section 9.2.
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Has nginx pass on each event as it comes.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What the id of the event `end` has behind the entity tag, in which no point stands.
const ENDED: &str = ".end";

/// A comment: no event, but a sign of life.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// How many streams there are.
#[derive(Debug)]
pub(super) struct Streams {
    all: Arc<Semaphore>,
    users: Arc<Shares<UserId>>,
}

/// What a stream takes up: one of all there may be, and one of its user.
#[derive(Debug)]
struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_user: Option<Share<UserId>>,
    _open: Open,
}

impl Streams {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let all = Arc::new(Semaphore::new(limits.streams_max.min(Semaphore::MAX_PERMITS)));
        Self { all, users: Arc::default() }
    }

    fn place(&self, exchange: &Exchange<'_>) -> Result<Place, Failure> {
        let (server, caller) = (exchange.server, &exchange.caller);
        let HttpLimits { streams_max, user_streams_max, .. } = server.limits;
        let too_many = |detail: String| {
            server.metrics.stream_refused();
            Failure::new(Code::TooManyStreams, detail)
        };
        if exchange.version < Version::HTTP_2 && !server.has_connections_to_spare() {
            return Err(too_many(
                "nearly all connections are taken, and the last are for other calls".to_owned(),
            ));
        }
        let of_user = match caller {
            Caller::User(user) if user_streams_max > 0 => Some(
                self.users
                    .take(user.clone(), user_streams_max)
                    .ok_or_else(|| too_many(format!("{user_streams_max} streams of this user are open")))?,
            ),
            _ => None,
        };
        let of_all = self.all.clone().try_acquire_owned();
        let of_all = of_all.map_err(|_| too_many(format!("{streams_max} streams are open")))?;
        Ok(Place { _of_all: of_all, _of_user: of_user, _open: server.metrics.stream_opened() })
    }
}

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
    if screen.named.iter().all(|named| named.receipts.is_none()) {
        return Err(Refusal::UnknownMessage.into());
    }
    let place = server.streams.place(exchange)?;
    let changed: Vec<_> = screen.changed_since(since.as_ref()).collect();
    // The client has all there is, and waits for a sign that it was heard.
    let first = if changed.is_empty() { COMMENT } else { receipts(&screen.etag, changed, screen.poll)? };
    let events = Following {
        due: Some(first),
        stream,
        clock: server.clock.clone(),
        shown: Shown::new(server.keys.clone(), exchange.caller.clone(), exchange.headers),
        vetted_at: Instant::now(),
        every: server.limits.stream_every,
        keep_alive: server.limits.stream_keep_alive,
        spoke_at: Instant::now(),
        looked_at: Instant::now(),
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
fn receipts<'a>(
    etag: &Etag,
    named: impl IntoIterator<Item = &'a Named>,
    poll: Option<Pace>,
) -> Result<Bytes, Failure> {
    // JSON has no line breaks where nobody asks for them.
    let data = serde_json::to_string(&pull_shape(named, poll)).map_err(Failure::internal)?;
    Ok(format!("id: {etag}\nevent: receipts\ndata: {data}\n\n").into())
}

/// An open stream, between two events.
struct Following {
    /// What is sent before all else.
    due: Option<Bytes>,
    stream: Stream,
    clock: Clock,
    shown: Shown,
    /// When the caller was last seen to be let in.
    vetted_at: Instant,
    /// Zero where each mark is told by itself.
    every: Duration,
    keep_alive: Duration,
    spoke_at: Instant,
    looked_at: Instant,
    ends_at: Instant,
    has_ended: bool,
    draining: watch::Receiver<bool>,
    _place: Place,
}

/// What a stream that waits has come to.
enum Came {
    /// Something may have changed, and may be told.
    Change,
    /// It has been silent for long.
    Silence,
    /// Its time is over.
    End,
    /// The server goes. Without an event `end`: the client comes again, elsewhere or later.
    Stop,
}

impl Following {
    /// The next bytes to send; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(due) = self.due.take() {
            return Some(due);
        }
        if self.has_ended || *self.draining.borrow() {
            return None;
        }
        // However much there is to tell: its time is its time.
        if Instant::now() < self.ends_at
            && let Some(change) = self.rest()
        {
            return self.say(&change);
        }
        loop {
            match self.wait().await {
                Came::Stop => return None,
                Came::End => return self.end().await,
                Came::Change | Came::Silence if !self.may_go_on() => return None,
                came @ (Came::Change | Came::Silence) => {
                    // What the store cannot say now the client may ask anew.
                    self.looked_at = Instant::now();
                    self.stream.look(self.clock.now()).await.ok()?;
                    match self.changed() {
                        Some(change) => return self.say(&change),
                        None if matches!(came, Came::Silence) => {
                            self.spoke_at = Instant::now();
                            return Some(COMMENT);
                        }
                        None => {}
                    }
                }
            }
        }
    }

    /// The event `end`, and before it what has changed and was not told yet: nobody resumes behind it.
    async fn end(&mut self) -> Option<Bytes> {
        self.has_ended = true;
        // A store that cannot say has nothing new for a new look either.
        let looked = self.stream.look(self.clock.now()).await.is_ok();
        let change = if looked { self.stream.show_all() } else { None };
        let end = Bytes::from(format!("id: {}{ENDED}\nevent: end\ndata: {{}}\n\n", self.stream.etag()));
        match change.and_then(|change| self.say(&change)) {
            Some(change) => {
                self.due = Some(end);
                Some(change)
            }
            None => Some(end),
        }
    }

    /// Whether the caller would still be let in, as far as was looked within the time of silence. If not, it may try.
    fn may_go_on(&mut self) -> bool {
        if self.vetted_at.elapsed() < self.keep_alive {
            return true;
        }
        self.vetted_at = Instant::now();
        self.shown.is_good(self.clock.now())
    }

    /// What was found with the last look and is not told yet, where marks are told one by one.
    fn rest(&mut self) -> Option<Change> {
        if self.every.is_zero() { self.stream.show_next() } else { None }
    }

    fn changed(&mut self) -> Option<Change> {
        if self.every.is_zero() { self.stream.show_next() } else { self.stream.show_all() }
    }

    fn say(&mut self, change: &Change) -> Option<Bytes> {
        self.spoke_at = Instant::now();
        receipts(&change.etag, &change.changed, change.poll).ok()
    }

    async fn wait(&mut self) -> Came {
        let silence = self.spoke_at + self.keep_alive;
        let changed = async {
            sleep_until(self.looked_at + self.every).await;
            self.stream.may_have_changed().await;
        };
        tokio::select! {
            biased;
            // An error means that the server itself is gone.
            _ = self.draining.wait_for(|draining| *draining) => Came::Stop,
            () = sleep_until(self.ends_at) => Came::End,
            () = changed => Came::Change,
            () = sleep_until(silence) => Came::Silence,
        }
    }
}

/// The next bytes, and the stream that goes on behind them.
type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Following)>> + Send>>;

/// The body of a stream.
pub(super) struct Events(Option<Next>);

impl Events {
    fn new(following: Following) -> Self {
        Self(Some(next(following)))
    }

    /// The next event, or a sign of life; none at the end.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(waiting) = &mut self.0 else { return Poll::Ready(None) };
        let came = ready!(waiting.as_mut().poll(cx));
        let (bytes, following) = came.unzip();
        self.0 = following.map(next);
        Poll::Ready(bytes)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Events")
    }
}

fn next(mut following: Following) -> Next {
    Box::pin(async move { following.next().await.map(|bytes| (bytes, following)) })
}
