//! Bodies of the pulls and of the lists of readers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Code, ids, objects, present,
    schema::{Id, PULL_MESSAGES_MAX, counts_or_code},
};

/// `GET /v1/conversations/{c}/receipts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullResponse {
    /// One entry a message asked for, in the order asked; with `changed=1` those that have changed.
    pub receipts: Vec<ReceiptsEntry>,
    /// How to go on; `null` when nothing asked for can change any more.
    pub poll: Option<Poll>,
}

/// What is known of one message: `read` and `of`, or a `code`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("oneOf" = counts_or_code()))]
pub struct ReceiptsEntry {
    /// The message's id.
    #[schemars(with = "Id")]
    pub message: String,
    /// How many have read it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "u32")]
    pub read: Option<u32>,
    /// The size of its audience.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "u32")]
    pub of: Option<u32>,
    /// Why nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Code", extend("enum" = [Code::UnknownMessage]))]
    pub code: Option<Code>,
}

/// The server's word on how to go on pulling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Poll {
    /// Milliseconds from one pull to the next.
    pub every_ms: u64,
    /// For at most so many milliseconds from when the messages came on screen.
    pub for_ms: u64,
}

/// `POST /v1/receipts/query`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// What is asked for: 1 to 100 messages in all.
    #[serde(deserialize_with = "objects")]
    #[schemars(length(min = 1, max = PULL_MESSAGES_MAX))]
    pub pulls: Vec<QueryPull>,
    /// The name that an earlier answer gave.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "String")]
    pub etag: Option<String>,
}

/// The messages asked for of one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryPull {
    /// The conversation.
    #[schemars(with = "Id")]
    pub conversation: String,
    /// Its messages.
    #[serde(deserialize_with = "ids")]
    #[schemars(with = "Vec<Id>", length(min = 1, max = PULL_MESSAGES_MAX), extend("uniqueItems" = true))]
    pub messages: Vec<String>,
}

/// The answer to a [`QueryRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueryResponse {
    /// One entry a message asked for, in the order asked; with an `etag` those that have changed.
    pub receipts: Vec<QueryReceipts>,
    /// Names all that was asked for as it stands.
    pub etag: String,
    /// How to go on; `null` when nothing asked for can change any more.
    pub poll: Option<Poll>,
}

/// What is known of one message of a query: `read` and `of`, or a `code`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("oneOf" = counts_or_code()))]
pub struct QueryReceipts {
    /// The conversation.
    #[schemars(with = "Id")]
    pub conversation: String,
    /// The message's id.
    #[schemars(with = "Id")]
    pub message: String,
    /// How many have read it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "u32")]
    pub read: Option<u32>,
    /// The size of its audience.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "u32")]
    pub of: Option<u32>,
    /// Why nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Code", extend("enum" = [Code::UnknownMessage]))]
    pub code: Option<Code>,
}

/// `GET /v1/conversations/{c}/messages/{m}/readers` and `…/unread`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadersResponse {
    /// The message's id.
    #[schemars(with = "Id")]
    pub message: String,
    /// How many have read it.
    pub read: u32,
    /// The size of its audience.
    pub of: u32,
    /// The users of this part, in slot order.
    #[schemars(with = "Vec<Id>")]
    pub users: Vec<String>,
    /// Give it as `after` for the next part; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "String")]
    pub next: Option<String>,
}
