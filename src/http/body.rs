//! Bodies coming in: collected within limits of bytes and time, then read as JSON of one exact shape.
//!
//! What a body's fields mean is for the family of the call. Here a body that is not JSON is told apart from one
//! of the wrong shape, and the field at fault is named.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use bytes::{Bytes, BytesMut};
use hyper::{
    HeaderMap, Version,
    body::{Body as _, Incoming},
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{HttpLimits, problem::Failure, query::shown};
use crate::{
    process::metrics::Limit,
    wire::{Code, Object},
};

/// The bytes that all bodies together may still take, those of requests and those of answers, and heads over HTTP/2.
pub(super) type BodyBudget = Arc<Semaphore>;

/// Bytes of each body that are in no budget: what is usual always gets through, whatever others send. The number
/// of connections bounds them; over HTTP/2, where one has a hundred bodies, there are less.
fn bytes_free(version: Version) -> usize {
    if version < Version::HTTP_2 { 64 << 10 } else { 2 << 10 }
}

/// A whole body. What it takes of the budget is given back when it is dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct Collected {
    pieces: Arc<[Bytes]>,
    length: usize,
    _held: Option<Arc<OwnedSemaphorePermit>>,
}

/// Refuses a body that is said to be too large before any of it is read.
pub(super) fn check_length(headers: &HeaderMap, limits: &HttpLimits) -> Result<(), Failure> {
    let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > limits.body_bytes_max as u64) { Err(too_large(limits)) } else { Ok(()) }
}

/// Refuses a body that is not said to be JSON. Parameters, such as `charset`, do not count.
pub(super) fn check_type(headers: &HeaderMap) -> Result<(), Failure> {
    let said = headers.get(CONTENT_TYPE).and_then(|said| said.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") && headers.get_all(CONTENT_TYPE).iter().count() == 1 {
        Ok(())
    } else {
        Err(Failure::new(Code::UnsupportedMediaType, Code::UnsupportedMediaType.explanation()))
    }
}

/// Reads a body to its end. A client that hangs up before that drops this call, and nothing has been done.
pub(super) async fn collect(
    body: Incoming,
    limits: &HttpLimits,
    budget: &BodyBudget,
    version: Version,
) -> Result<Collected, Failure> {
    let mut collecting = pin!(collect_all(body, limits, budget, version));
    if let Some(collected) = looked_twice(collecting.as_mut()).await {
        return collected;
    }
    tokio::time::timeout(limits.body_timeout, collecting).await.unwrap_or_else(|_| {
        let detail =
            format!("the body was not there within {}", humantime::format_duration(limits.body_timeout));
        Err(Failure::over(Limit::BodyTime, Code::TooSlow, detail).closes())
    })
}

/// What comes of `future` if it is ready when it is asked for the second time, in the task's next turn: hyper reads a body
/// only once it has been asked for, so one that came with its head is there then, and needs no timer.
async fn looked_twice<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut looks = 0;
    poll_fn(|cx| {
        looks += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if looks == 2 => Poll::Ready(None),
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

async fn collect_all(
    mut body: Incoming,
    limits: &HttpLimits,
    budget: &BodyBudget,
    version: Version,
) -> Result<Collected, Failure> {
    let mut held: Option<OwnedSemaphorePermit> = None;
    let mut pieces = Pieces::default();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // A body cut off by its client, or one whose chunks are malformed: there is nobody left to tell, or no
        // way to find the next request.
        let frame = frame.map_err(|_| Failure::new(Code::BadRequest, "the body is cut off").closes())?;
        // Trailers are not for us.
        let Ok(bytes) = frame.into_data() else { continue };
        let count = bytes.len();
        pieces.add(bytes);
        if pieces.length > limits.body_bytes_max {
            return Err(too_large(limits));
        }
        let counted = pieces.length.saturating_sub(bytes_free(version)).min(count);
        match (&mut held, take(budget, counted)?) {
            (Some(held), Some(permit)) => held.merge(permit),
            (held, permit) => *held = held.take().or(permit),
        }
    }
    Ok(Collected { pieces: pieces.whole().into(), length: pieces.length, _held: held.map(Arc::new) })
}

/// A body as it comes. To put a large one together is left to whoever reads it: here it would hold up others.
#[derive(Debug, Default)]
struct Pieces {
    whole: Vec<Bytes>,
    /// Small pieces, copied: each alone keeps more than it holds.
    last: BytesMut,
    length: usize,
}

/// From so many bytes on, a piece is not copied.
const PIECE_BYTES: usize = 16 << 10;

impl Pieces {
    fn add(&mut self, bytes: Bytes) {
        // Most bodies come in one piece.
        let kept = self.length == 0 || bytes.len() >= PIECE_BYTES;
        self.length += bytes.len();
        if kept || self.last.len() >= PIECE_BYTES {
            self.end_last();
        }
        if kept { self.whole.push(bytes) } else { self.last.extend_from_slice(&bytes) }
    }

    fn end_last(&mut self) {
        if !self.last.is_empty() {
            self.whole.push(std::mem::take(&mut self.last).freeze());
        }
    }

    fn whole(&mut self) -> Vec<Bytes> {
        self.end_last();
        std::mem::take(&mut self.whole)
    }
}

/// Takes the bytes out of the budget; none if there are none.
fn take(budget: &BodyBudget, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, Failure> {
    if bytes == 0 {
        return Ok(None);
    }
    let permit =
        u32::try_from(bytes).ok().and_then(|bytes| budget.clone().try_acquire_many_owned(bytes).ok());
    let full = "as many bytes of bodies are under way as the server holds";
    permit.map(Some).ok_or_else(|| Failure::over(Limit::Bodies, Code::Overloaded, full).closes())
}

/// Takes the bytes of a head or an answer out of the budget, until what is returned is dropped.
pub(super) fn hold(
    budget: &BodyBudget,
    bytes: usize,
    version: Version,
) -> Result<Option<OwnedSemaphorePermit>, Failure> {
    take(budget, bytes.saturating_sub(bytes_free(version)))
}

fn too_large(limits: &HttpLimits) -> Failure {
    let detail = format!("a body has at most {} bytes", limits.body_bytes_max);
    Failure::over(Limit::Body, Code::BodyTooLarge, detail).closes()
}

impl From<Bytes> for Collected {
    /// A body that was there from the start, and counts for no budget.
    fn from(bytes: Bytes) -> Self {
        Self { length: bytes.len(), pieces: [bytes].into(), _held: None }
    }
}

impl Collected {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Reads the body as JSON of one shape. Takes its time: `reading` knows where to do that.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let bytes = match &*self.pieces {
            [whole] => whole.clone(),
            pieces => pieces.concat().into(),
        };
        let text = str::from_utf8(&bytes).map_err(|error| {
            bad_json(format!("the body is not UTF-8 from byte {} on", error.valid_up_to()))
        })?;
        if let Ok(Object(value)) = serde_json::from_str::<Object<T>>(text) {
            return Ok(value);
        }
        // Only JSON as a whole has a shape to be wrong. This pass does not recurse, however deep the text is.
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            return Err(bad_json(error.to_string()));
        }
        let reader = &mut serde_json::Deserializer::from_str(text);
        match serde_path_to_error::deserialize::<_, Object<T>>(reader) {
            Ok(Object(value)) => Ok(value),
            Err(error) => {
                let path = error.path().to_string();
                let cause = error.into_inner().to_string();
                let place = if path == "." { String::new() } else { format!("'{}': ", shown(&path)) };
                Err(Failure::new(Code::BadRequest, format!("{place}{}", cut(&cause))))
            }
        }
    }
}

fn bad_json(detail: String) -> Failure {
    Failure::new(Code::BadJson, detail)
}

/// What serde says quotes the value at fault, which may be as long as the body.
fn cut(cause: &str) -> String {
    const BYTES_MAX: usize = 300;
    if cause.len() <= BYTES_MAX {
        return cause.to_owned();
    }
    format!("{}…", &cause[..cause.floor_char_boundary(BYTES_MAX)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{BulkRegisterRequest, RegisterRequest, RosterChangeRequest, RosterReplaceRequest};

    fn failure<T: DeserializeOwned + std::fmt::Debug>(text: impl AsRef<[u8]>) -> (Code, String) {
        let collected = Collected::from(Bytes::copy_from_slice(text.as_ref()));
        let failure = collected.json::<T>().unwrap_err();
        (failure.code(), failure.detail().to_owned())
    }

    #[test]
    fn a_body_of_the_right_shape_is_read() {
        let collected = Collected::from(Bytes::from_static(br#" {"members":["a","b"]} "#));
        assert_eq!(collected.json::<RosterReplaceRequest>().unwrap().members, ["a", "b"]);
    }

    #[test]
    fn what_is_not_json_is_bad_json() {
        let deep = "[".repeat(100_000);
        let deep_member = format!(r#"{{"members":{deep}"#);
        for bad in
            ["", " ", "{", r#"{"members":["#, r#"{"members":[]} x"#, "nul", &deep, &deep_member, "{'a':1}"]
        {
            assert_eq!(failure::<RosterReplaceRequest>(bad).0, Code::BadJson, "{}", shown(bad));
        }
        // The shape is wrong before the text breaks off: it is still not JSON.
        assert_eq!(failure::<RosterReplaceRequest>(r#"{"nobody":1,"#).0, Code::BadJson);
        assert_eq!(failure::<RosterReplaceRequest>(b"{\"members\":[\"\xff\"]}").0, Code::BadJson);
    }

    #[test]
    fn json_of_the_wrong_shape_names_the_field() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let deep_member = format!(r#"{{"members":{deep}}}"#);
        let cases = [
            ("[]", "expected an object"),
            (r#"[["a"]]"#, "expected an object"),
            ("null", "expected an object"),
            ("{}", "members"),
            (r#"{"members":null}"#, "members"),
            (r#"{"members":["a",1]}"#, "members[1]"),
            (r#"{"members":[],"members":[]}"#, "members"),
            (r#"{"members":[],"colour":1}"#, "colour"),
            (&deep, "expected an object"),
            (&deep_member, "members"),
        ];
        for (text, named) in cases {
            let (code, detail) = failure::<RosterReplaceRequest>(text);
            assert_eq!(code, Code::BadRequest, "{}", shown(text));
            assert!(detail.contains(named), "{} says {detail}", shown(text));
        }
        let (code, detail) =
            failure::<BulkRegisterRequest>(r#"{"messages":[{"id":"m","sender":"a"},["n","b"]]}"#);
        assert_eq!(code, Code::BadRequest);
        assert!(detail.contains("messages[1]"), "an array is not an object: {detail}");
    }

    #[test]
    fn null_is_not_the_same_as_left_out() {
        for field in ["audience", "expires_in_s", "order"] {
            let (code, detail) = failure::<RegisterRequest>(format!(r#"{{"sender":"a","{field}":null}}"#));
            assert_eq!(code, Code::BadRequest);
            assert!(detail.contains(field), "{detail}");
        }
        assert_eq!(failure::<RosterChangeRequest>(r#"{"add":null}"#).0, Code::BadRequest);
    }

    #[test]
    fn a_detail_is_short_however_long_the_value() {
        let (_, detail) =
            failure::<RegisterRequest>(format!(r#"{{"sender":"a","order":"{}"}}"#, "é".repeat(9999)));
        assert!(detail.len() < 400);
    }

    #[test]
    fn a_media_type_may_have_parameters() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            check_type(&headers).is_ok()
        };
        assert!(with("application/json") && with("Application/JSON; charset=utf-8"));
        assert!(!with("text/plain") && !with("application/json5") && !with("application/problem+json"));
        assert!(check_type(&HeaderMap::new()).is_err());
    }
}
