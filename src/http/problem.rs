//! Problem documents: from what went wrong to the answer that says so.
//!
//! One exhaustive match each leads from a refusal and from a store's error to the one code the client sees. A
//! [`Failure`] has two parts: the detail, which is the client's, and a line for the log, which never travels.

use std::{borrow::Cow, time::Duration};

use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{answer::Content, trail::RequestId};
use crate::{
    domain::{MessageId, Refusal, Timestamp},
    process::metrics::Limit,
    receipts::StoreError,
    wire::{Code, MessageRefused, Problem},
};

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) struct Failure {
    code: Code,
    detail: Cow<'static, str>,
    log: Option<String>,
    limit: Option<Limit>,
    allow: Option<String>,
    challenges: bool,
    retry_after_s: Option<u64>,
    closes: bool,
}

impl Failure {
    /// A failure whose detail is for the client's eyes.
    pub(super) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            log: None,
            limit: None,
            allow: None,
            challenges: false,
            retry_after_s: None,
            closes: false,
        }
    }

    /// A failure at a limit, which is counted.
    pub(super) fn over(limit: Limit, code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { limit: Some(limit), ..Self::new(code, detail) }
    }

    /// The server's own fault: the cause goes to the log alone.
    pub(super) fn internal(cause: impl std::fmt::Display) -> Self {
        let log = Some(cause.to_string());
        Self { log, ..Self::new(Code::Internal, "The server failed; the cause is in its log.") }
    }

    /// The methods that the path does have.
    pub(super) fn allow(self, methods: String) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// The answer says how to authenticate.
    pub(super) fn challenges(self) -> Self {
        Self { challenges: true, ..self }
    }

    /// The answer says to stay away for so long, in place of what is usual for its code.
    pub(super) fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after_s: Some(wait.as_nanos().div_ceil(1_000_000_000).try_into().unwrap_or(u64::MAX)),
            ..self
        }
    }

    /// The rest of the request is not waited for.
    pub(super) fn closes(self) -> Self {
        Self { closes: true, ..self }
    }

    /// Whether the connection cannot go on after the answer.
    pub(super) fn must_close(&self) -> bool {
        self.closes
    }

    /// The limit that the request was over, if it was over one.
    pub(super) fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// What the answer's `code` is.
    pub(super) fn code(&self) -> Code {
        self.code
    }

    /// What the answer's `detail` is.
    #[cfg(test)]
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    fn document(&self, request: RequestId) -> Vec<u8> {
        let problem = Problem {
            r#type: format!("/problems/{}", self.code),
            title: self.code.title().to_owned(),
            status: self.code.status(),
            detail: self.detail.clone().into_owned(),
            code: self.code,
            instance: Some(request.instance()),
        };
        serde_json::to_vec(&problem).expect("invariant: strings and a number are JSON")
    }

    /// The answer that says so; what is for the log is logged now.
    pub(super) fn into_response(self, request: RequestId) -> Response<Content> {
        if let Some(cause) = &self.log {
            tracing::error!(%request, %cause, "a request failed");
        }
        let mut response = Response::new(Content::Whole(self.document(request).into()));
        *response.status_mut() =
            StatusCode::from_u16(self.code.status()).expect("invariant: the codes' statuses are statuses");
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after_s.or(retry_after_s(self.code)) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.challenges {
            // RFC 6750, section 3.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"seenby\""));
        }
        if let Some(methods) = self.allow.and_then(|methods| HeaderValue::from_str(&methods).ok()) {
            headers.insert(ALLOW, methods);
        }
        response
    }

    /// The whole answer as HTTP/1.1 bytes, for where hyper cannot say it. The connection closes after it.
    pub(super) fn into_bytes(self, request: RequestId, now: Timestamp) -> Vec<u8> {
        let document = self.document(request);
        let status =
            StatusCode::from_u16(self.code.status()).expect("invariant: the codes' statuses are statuses");
        let retry_after =
            retry_after_s(self.code).map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
        let mut bytes = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: {PROBLEM_JSON}\r\n{retry_after}connection: close\r\n\
             content-length: {}\r\ndate: {}\r\n\r\n",
            status.as_str(),
            status.canonical_reason().unwrap_or_default(),
            document.len(),
            http_date(now),
        )
        .into_bytes();
        bytes.extend_from_slice(&document);
        bytes
    }
}

const PROBLEM_JSON: &str = "application/problem+json";

/// How many seconds to stay away, where staying away helps.
fn retry_after_s(code: Code) -> Option<u64> {
    match code {
        Code::TooManyRequests | Code::Overloaded => Some(1),
        Code::NotReady | Code::TooManyStreams => Some(2),
        // Until somebody has looked after the disk.
        Code::StoreFailed => Some(30),
        Code::BadJson
        | Code::BadRequest
        | Code::BadId
        | Code::TooManyItems
        | Code::Unauthenticated
        | Code::NotAllowed
        | Code::NotYourself
        | Code::NoSuchRoute
        | Code::UnknownConversation
        | Code::UnknownMessage
        | Code::NotInAudience
        | Code::MethodNotAllowed
        | Code::TooSlow
        | Code::MessageDiffers
        | Code::OrderPassed
        | Code::BodyTooLarge
        | Code::UnsupportedMediaType
        | Code::NoAudience
        | Code::HeaderTooLarge
        | Code::Internal => None,
    }
}

/// The code of an entry that could not be done.
pub(super) fn refusal_code(refusal: Refusal) -> Code {
    match refusal {
        Refusal::MessageDiffers => Code::MessageDiffers,
        Refusal::OrderPassed => Code::OrderPassed,
        Refusal::NoAudience => Code::NoAudience,
        Refusal::UnknownMessage => Code::UnknownMessage,
        Refusal::NotInAudience => Code::NotInAudience,
    }
}

/// How a message that could not be done stands in `refused`.
pub(super) fn message_refused((message, refusal): (MessageId, Refusal)) -> MessageRefused {
    MessageRefused { message: message.to_string(), code: refusal_code(refusal) }
}

impl From<Refusal> for Failure {
    /// A call about one message that could not be done.
    fn from(refusal: Refusal) -> Self {
        let code = refusal_code(refusal);
        Self::new(code, code.explanation())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        // The store has logged the cause where it met it.
        let code = match error {
            StoreError::Unreadable => {
                // For which request it was.
                let log = Some(error.to_string());
                return Self { log, ..Self::new(Code::StoreFailed, UNREADABLE) };
            }
            StoreError::Unreachable => return Self::new(Code::StoreFailed, UNREACHABLE),
            StoreError::TooFewReplicas => return Self::new(Code::StoreFailed, TOO_FEW_REPLICAS),
            StoreError::Full => return Self::new(Code::StoreFailed, FULL),
            StoreError::Overloaded => {
                return Self::over(Limit::Writes, Code::Overloaded, Code::Overloaded.explanation());
            }
            StoreError::TooManyExports => Code::Overloaded,
            StoreError::Failed => Code::StoreFailed,
            StoreError::Closed => Code::NotReady,
        };
        Self::new(code, code.explanation())
    }
}

/// What is said of a page that does not come back from disk: other calls are answered.
const UNREADABLE: &str = "What this call is about could not be read from the disk; calls about other messages go on. The \
    cause is in the server's log, with the name of the file.";

/// What is said while the cluster does not answer.
const UNREACHABLE: &str = "Where the receipts of this conversation are cannot be reached at the moment. A write may be there \
    all the same: send it again.";

/// What is said of a write that is not on as many machines as is asked for.
const TOO_FEW_REPLICAS: &str = "The write is not on as many machines as it must be before it is answered. It may be there all \
    the same: send it again.";

/// What is said of a write that finds no room.
const FULL: &str = "There is no room for what this write adds; nothing of it was done. Pulls go on.";

/// A time as the `Date` field has it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // "1994-11-06T08:49:37Z"
    let text = rfc3339(at.unix_ms / 1000);
    let month = text.get(5..7).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    let day = usize::try_from(at.unix_ms / 1000 / 86_400 % 7).unwrap_or_default();
    format!(
        "{}, {} {} {} {} GMT",
        DAYS[day],
        &text[8..10],
        MONTHS[(month - 1) % 12],
        &text[..4],
        &text[11..19]
    )
}

/// A time in whole seconds as it stands in a body: RFC 3339, UTC. What lies past the year 9999 is its last second.
pub(super) fn rfc3339(unix_s: u64) -> String {
    const LAST_S: u64 = 253_402_300_799;
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(unix_s.min(LAST_S));
    humantime::format_rfc3339_seconds(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::trail::RequestIds;

    #[test]
    fn a_date_is_that_of_the_standards_example() {
        assert_eq!(http_date(Timestamp { unix_ms: 784_111_777_000 }), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(Timestamp { unix_ms: 0 }), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(Timestamp { unix_ms: u64::MAX }).len(), 29);
    }

    #[test]
    fn every_503_says_when_to_come_back() {
        for code in Code::ALL.iter().filter(|code| matches!(code.status(), 429 | 503)) {
            assert!(retry_after_s(*code).is_some(), "{code}");
        }
    }

    #[test]
    fn the_codes_of_refusals_are_those_of_the_wire() {
        let refusals = [
            Refusal::MessageDiffers,
            Refusal::OrderPassed,
            Refusal::NoAudience,
            Refusal::UnknownMessage,
            Refusal::NotInAudience,
        ];
        assert_eq!(refusals.map(refusal_code), Code::REFUSED);
    }

    #[test]
    fn what_is_for_the_log_never_travels() {
        let body = Failure::internal("/secret/path").into_response(RequestIds::default().next()).into_body();
        assert!(!String::from_utf8_lossy(body.bytes()).contains("secret"));
    }
}
