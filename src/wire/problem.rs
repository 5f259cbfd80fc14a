//! Problem documents (RFC 9457) and the closed list of their codes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::present;

/// The body of every answer of 400 and above: `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `/problems/<code>`, which the server answers with an explanation.
    #[schemars(regex(pattern = "^/problems/[a-z-]+$"))]
    pub r#type: String,
    /// The code in words; the same for each problem of that code.
    pub title: String,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// What was wrong here, and where. Says nothing of the server's inside.
    pub detail: String,
    /// What a program tells problems apart by.
    pub code: Code,
    /// The name of this one occurrence, which the server's log has too: `urn:seenby:request:…`. Nothing is to be had at it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "String", regex(pattern = "^urn:seenby:request:[0-9a-f]{16}$"))]
    pub instance: Option<String>,
}

macro_rules! codes {
    ($($name:ident $text:literal $status:literal $title:literal $explanation:literal)*) => {
        /// What went wrong, for a program: a closed list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {
            $(#[doc = $explanation] #[serde(rename = $text)] $name,)*
        }

        impl Code {
            /// All codes, in the order of their statuses.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as it travels.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status of an answer with this code. `order-passed` and the like, which mostly stand in a
            /// `refused` list, have the status of the single call.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The code in words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What it means and what to do, in whole sentences.
            #[must_use]
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$name => $explanation,)* }
            }
        }
    };
}

codes! {
    BadJson "bad-json" 400 "The body is not JSON"
        "The body is not JSON in UTF-8: it is cut off, or has a syntax error. Nothing of it was done."
    BadRequest "bad-request" 400 "The request has the wrong shape"
        "A field or parameter is missing, unknown, doubled, null or out of range; the detail names it. Nothing of the request was done."
    BadId "bad-id" 400 "Not an id"
        "An id is 1 to 128 bytes of UTF-8 without U+0000-1F and U+007F-9F, and not '.' or '..'; in a path or query it is percent-encoded. Nothing of the request was done."
    TooManyItems "too-many-items" 400 "Too many items"
        "A list has more items than it may have; the detail names the list and its limit. Nothing of the request was done: send it in parts."
    Unauthenticated "unauthenticated" 401 "Who are you?"
        "The request has no valid credentials. Send 'Authorization: Bearer' with an API key or a user token."
    NotAllowed "not-allowed" 403 "Not your call to make"
        "This call is for the chat's own back end, and the caller is a user."
    NotYourself "not-yourself" 403 "Only on your own behalf"
        "A user may mark and ask only for themselves."
    NoSuchRoute "no-such-route" 404 "No such route"
        "Nothing is served at this path. /openapi.json lists what is."
    UnknownConversation "unknown-conversation" 404 "Unknown conversation"
        "The conversation has no roster. Set one with PUT or PATCH on its members."
    UnknownMessage "unknown-message" 404 "Unknown message"
        "The message was never registered, was deleted, has expired, or is not the caller's to see."
    NotInAudience "not-in-audience" 404 "Not in the audience"
        "The message was not sent to this reader. Whom a message is for is fixed when it is registered. Stands in 'refused' only."
    MethodNotAllowed "method-not-allowed" 405 "Method not allowed"
        "The path exists, but not with this method. The Allow field lists those it has."
    TooSlow "too-slow" 408 "Too slow"
        "The request did not arrive in time. Nothing of it was done; send it again."
    MessageDiffers "message-differs" 409 "The message is registered otherwise"
        "A live message has this id, and its sender, audience, `expires_in_s` or order is not the one sent. The registered one stands."
    OrderPassed "order-passed" 409 "The order has passed"
        "The order asked for is not above the conversation's highest so far, or past 2^53-1."
    BodyTooLarge "body-too-large" 413 "The body is too large"
        "The body is over the limit that the detail names. Nothing of the request was done: send it in parts."
    UnsupportedMediaType "unsupported-media-type" 415 "Not application/json"
        "A body is sent with 'Content-Type: application/json'."
    NoAudience "no-audience" 422 "Nobody to ask"
        "The conversation has no roster and the message no audience of its own. Set a roster first, or name the audience."
    TooManyRequests "too-many-requests" 429 "Too many requests"
        "The caller sends more requests than it may. Wait for as long as Retry-After says."
    HeaderTooLarge "header-too-large" 431 "The head is too large"
        "The request line and header fields together are over the limit that the detail names."
    Internal "internal" 500 "Internal error"
        "The server failed. The cause is in its log. Every call may be sent again."
    NotReady "not-ready" 503 "Not ready"
        "The server is starting or shutting down. Send the request again after Retry-After."
    StoreFailed "store-failed" 503 "The store cannot write"
        "A write to the disk failed, and the server accepts no more until it is started anew. What it had answered is safe. The cause is in its log."
    TooManyStreams "too-many-streams" 503 "Too many streams"
        "As many streams are open as the server allows. Pull instead, or try again after Retry-After."
    Overloaded "overloaded" 503 "Overloaded"
        "More waits than the server holds: connections, bodies or writes. Send the request again after Retry-After."
}

impl Code {
    /// Those that may stand in a `refused` list.
    pub const REFUSED: &[Self] = &[
        Self::MessageDiffers,
        Self::OrderPassed,
        Self::NoAudience,
        Self::UnknownMessage,
        Self::NotInAudience,
    ];
}

impl std::fmt::Display for Code {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}
