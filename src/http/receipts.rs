//! Pulls, across one conversation or several, and the lists of who has read and who has not.
//!
//! Down from here: `receipts/pull`. What names a screen is `domain/pull`; which of its names a client sent is
//! `condition`. The shapes are in `wire/receipts`.

use std::collections::HashSet;

use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    header::{CACHE_CONTROL, ETAG, HeaderValue, VARY},
};

use super::{
    answer::{self, Content, Outcome},
    condition,
    cursor::List,
    exchange::Exchange,
    fields::{self, Place},
    problem::Failure,
    written,
};
use crate::{
    domain::{Etag, MessageIdRef, Named, Pace, Refusal},
    receipts::{Asked, Half, ReadersWanted, Screen},
    wire::{Code, Poll, QueryReceipts, QueryRequest, QueryResponse, ReadersResponse},
};

/// What an answer depends on beside the request's target.
pub(super) const VARY_BY_CALLER: HeaderValue = HeaderValue::from_static("Authorization, Origin");

/// `GET /v1/conversations/{c}/receipts`
pub(super) async fn pull(exchange: &Exchange<'_>) -> Outcome {
    let conversation = exchange.conversation()?;
    let messages = screen(exchange)?;
    let count = messages.len();
    let only_changed = match exchange.query.one("changed") {
        None => false,
        Some("1") => true,
        Some(_) => return Err(fields::bad("'changed' is 1 or left out".to_owned())),
    };
    let screen =
        exchange.ledger().pull(vec![(conversation, messages)], &exchange.viewer(), exchange.now).await?;
    let etag = screen.etag.quoted();
    let unchanged = condition::is_current(exchange.headers, etag.trim_matches('"'));
    exchange.server.metrics.pulled(unchanged);
    let (mut response, cache) = if unchanged {
        (not_modified(), cache_control(&screen)?)
    } else if only_changed {
        // What the client has is read here only: nothing else asks what of it has changed.
        let earlier = condition::earlier(exchange.headers);
        let changed = screen.changed_since(earlier.as_ref());
        (pulled(changed, screen.poll, 0), HeaderValue::from_static("no-store"))
    } else {
        let bytes = written::bytes_beside_ids(count) + exchange.query.bytes();
        (pulled(screen.named(), screen.poll, bytes), cache_control(&screen)?)
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, header(etag.into())?);
    headers.insert(CACHE_CONTROL, cache);
    headers.insert(VARY, VARY_BY_CALLER);
    Ok(response)
}

/// An answer of about so many bytes: room for them is made once.
fn pulled<'a>(named: impl Iterator<Item = Named<'a>>, poll: Option<Pace>, bytes: usize) -> Response<Content> {
    let mut text = Vec::with_capacity(bytes);
    written::push_pull(&mut text, named, poll);
    answer::text(answer::JSON, text)
}

/// The messages that the query names: 1 to 100, each once.
pub(super) fn screen<'e>(exchange: &'e Exchange<'_>) -> Result<Vec<MessageIdRef<'e>>, Failure> {
    let count = exchange.query.all("message").count();
    fields::one_to(Place::Top, "message", count, exchange.ledger().limits().pull_messages_max)?;
    let mut messages: Vec<MessageIdRef<'_>> = Vec::with_capacity(count);
    let mut ends = Ends::default();
    for text in exchange.query.all("message") {
        let message = fields::id(Place::Top, "message", text)?;
        if ends.may_have(text) && messages.contains(&message) {
            return Err(fields::bad(format!("'message' names '{message}' twice")));
        }
        messages.push(message);
    }
    Ok(messages)
}

/// How ids ended, which is where most ids of one conversation differ: a bit each of 1,024, by a hash of their last four
/// bytes. Of at most 100 ids, to look along all of them at times costs less than to keep them in a table.
#[derive(Default)]
struct Ends([u64; 16]);

impl Ends {
    /// Whether an id may be one of those before. It is among them from now on.
    fn may_have(&mut self, id: &str) -> bool {
        let short = || id.bytes().fold(0, |end, byte| end << 8 | u32::from(byte));
        let end = id.as_bytes().last_chunk().map_or_else(short, |end| u32::from_le_bytes(*end));
        let place = end.wrapping_mul(0x9e37_79b1) >> 22;
        let (word, bit) = (&mut self.0[place as usize / 64], 1 << (place % 64));
        let had = *word & bit != 0;
        *word |= bit;
        had
    }
}

fn not_modified() -> Response<Content> {
    let mut response = Response::new(Bytes::new().into());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// How long a client's own cache may answer for the server: until the next pull, if there is one.
fn cache_control(screen: &Screen) -> Result<HeaderValue, Failure> {
    let Some(pace) = screen.poll else { return Ok(HeaderValue::from_static("private, no-cache")) };
    let mut text = Vec::with_capacity(32);
    text.extend_from_slice(b"private, max-age=");
    written::push_number(&mut text, pace.every_ms / 1000);
    header(text.into())
}

fn header(text: Bytes) -> Result<HeaderValue, Failure> {
    HeaderValue::from_maybe_shared(text).map_err(Failure::internal)
}

fn poll_shape(pace: Pace) -> Poll {
    Poll { every_ms: pace.every_ms, for_ms: pace.for_ms }
}

/// `POST /v1/receipts/query`
pub(super) async fn query(exchange: &Exchange<'_>) -> Outcome {
    let request: QueryRequest = exchange.json().await?;
    let pulls = query_pulls(exchange, &request)?;
    let screen = exchange.ledger().pull(pulls, &exchange.viewer(), exchange.now).await?;
    let earlier = request.etag.as_deref().and_then(Etag::parse);
    let receipts: Vec<_> = screen.changed_since(earlier.as_ref()).map(query_shape).collect();
    exchange.server.metrics.pulled(receipts.is_empty());
    answer::json(&QueryResponse {
        receipts,
        etag: screen.etag.to_string(),
        poll: screen.poll.map(poll_shape),
    })
}

fn query_pulls<'r>(exchange: &Exchange<'_>, request: &'r QueryRequest) -> Result<Vec<Asked<'r>>, Failure> {
    let most = exchange.ledger().limits().pull_messages_max;
    // Each pull has a message at least, so their number is bounded by that of the messages.
    fields::one_to(Place::Top, "pulls", request.pulls.len(), most)?;
    let count = request.pulls.iter().map(|pull| pull.messages.len()).sum();
    fields::at_most(Place::Top, "pulls[].messages", count, most)?;
    let mut pulls: Vec<Asked<'_>> = Vec::with_capacity(request.pulls.len());
    for (at, pull) in request.pulls.iter().enumerate() {
        let place = Place::Entry("pulls", at);
        fields::one_to(place, "messages", pull.messages.len(), most)?;
        pulls.push((
            fields::id(place, "conversation", &pull.conversation)?,
            fields::ids(place, "messages", &pull.messages)?,
        ));
    }
    let mut seen = HashSet::with_capacity(count);
    for (conversation, messages) in &pulls {
        for message in messages {
            if !seen.insert((conversation, message)) {
                return Err(fields::bad(format!(
                    "'pulls' names message '{message}' of conversation '{conversation}' twice"
                )));
            }
        }
    }
    Ok(pulls)
}

fn query_shape(named: Named<'_>) -> QueryReceipts {
    QueryReceipts {
        conversation: named.conversation.to_string(),
        message: named.message.to_string(),
        read: named.receipts.map(|receipts| receipts.read),
        of: named.receipts.map(|receipts| receipts.of),
        code: named.receipts.is_none().then_some(Code::UnknownMessage),
    }
}

/// `GET /v1/conversations/{c}/messages/{m}/readers` and `…/unread`
pub(super) async fn users(exchange: &Exchange<'_>, half: Half) -> Outcome {
    let (conversation, message) = (exchange.conversation()?, exchange.message()?);
    let limit = exchange.limit()?;
    let after = List::Readers.after(&exchange.query)?;
    let (viewer, now) = (exchange.viewer(), exchange.now);
    let wanted = ReadersWanted { half, after, limit };
    let part = exchange.ledger().readers(&conversation, &message, &viewer, wanted, now).await?;
    let part = part.ok_or(Refusal::UnknownMessage)?;
    answer::json(&ReadersResponse {
        message: message.to_string(),
        read: part.receipts.read,
        of: part.receipts.of,
        users: part.users.iter().map(ToString::to_string).collect(),
        next: part.next.map(|slot| List::Readers.write(&slot)),
    })
}
