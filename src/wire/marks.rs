//! Bodies of the calls that readers make.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    MessageRefused, objects, present, present_ids, present_whole,
    schema::{Id, MARK_ENTRIES_MAX, MARK_MESSAGES_MAX, Order, one_way_to_mark},
};
use crate::wire::Code;

/// `POST /v1/conversations/{c}/marks`: exactly one of `messages`, `up_to` and `up_to_order`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = one_way_to_mark()))]
pub struct MarkRequest {
    /// Who has read; a user may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Id")]
    pub reader: Option<String>,
    /// 1 to 1,000 messages.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present_ids")]
    #[schemars(with = "Vec<Id>", length(min = 1, max = MARK_MESSAGES_MAX))]
    pub messages: Option<Vec<String>>,
    /// Everything up to and including this message.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Id")]
    pub up_to: Option<String>,
    /// Everything up to and including this place in the order.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present_whole")]
    #[schemars(with = "Order")]
    pub up_to_order: Option<u64>,
}

/// The answer to a [`MarkRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MarkResponse {
    /// Messages that this reader had not read before.
    pub marked: usize,
    /// Messages that this reader had read before.
    pub already: usize,
    /// Messages that could not be marked.
    pub refused: Vec<MessageRefused>,
}

/// `POST /v1/marks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkMarkRequest {
    /// 1 to 1,000 entries, in their order.
    #[serde(deserialize_with = "objects")]
    #[schemars(length(min = 1, max = MARK_ENTRIES_MAX))]
    pub marks: Vec<BulkMarkEntry>,
}

/// One entry of a [`BulkMarkRequest`]: exactly one of `messages`, `up_to` and `up_to_order`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = one_way_to_mark()))]
pub struct BulkMarkEntry {
    /// The conversation.
    #[schemars(with = "Id")]
    pub conversation: String,
    /// Who has read.
    #[schemars(with = "Id")]
    pub reader: String,
    /// 1 to 1,000 messages.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present_ids")]
    #[schemars(with = "Vec<Id>", length(min = 1, max = MARK_MESSAGES_MAX))]
    pub messages: Option<Vec<String>>,
    /// Everything up to and including this message.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Id")]
    pub up_to: Option<String>,
    /// Everything up to and including this place in the order.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present_whole")]
    #[schemars(with = "Order")]
    pub up_to_order: Option<u64>,
}

/// The answer to a [`BulkMarkRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BulkMarkResponse {
    /// Messages that their reader had not read before, over all entries.
    pub marked: usize,
    /// Messages that their reader had read before, over all entries.
    pub already: usize,
    /// What could not be marked.
    pub refused: Vec<EntryRefused>,
}

/// A message of one entry that could not be marked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryRefused {
    /// The entry's place in the request, from 0.
    pub entry: usize,
    /// The message's id.
    #[schemars(with = "Id")]
    pub message: String,
    /// Why.
    #[schemars(extend("enum" = Code::REFUSED))]
    pub code: Code,
}

/// `GET /v1/conversations/{c}/readers/{u}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnreadResponse {
    /// The reader asked about.
    #[schemars(with = "Id")]
    pub reader: String,
    /// How many live messages that were sent to the reader and not read.
    pub unread: usize,
    /// The first of them in the order; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Id")]
    pub first_unread: Option<String>,
}
