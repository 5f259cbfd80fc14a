//! Bodies of the calls on messages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Code, objects, present, present_ids, present_whole,
    schema::{Id, LIFE_S_MAX, MEMBERS_MAX, Moment, Order, REGISTRATIONS_MAX},
};

/// `PUT /v1/conversations/{c}/messages/{m}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// Who sent the message.
    #[schemars(with = "Id")]
    pub sender: String,
    /// Whom it is for, in place of the roster.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present_ids")]
    #[schemars(with = "Vec<Id>", length(max = MEMBERS_MAX))]
    pub audience: Option<Vec<String>>,
    /// How long its receipts live, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present_whole")]
    #[schemars(with = "u64", range(min = 1, max = LIFE_S_MAX))]
    pub expires_in_s: Option<u64>,
    /// The chat's own running number.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present_whole")]
    #[schemars(with = "Order")]
    pub order: Option<u64>,
}

/// One message of a [`BulkRegisterRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterEntry {
    /// The message's id.
    #[schemars(with = "Id")]
    pub id: String,
    /// Who sent the message.
    #[schemars(with = "Id")]
    pub sender: String,
    /// Whom it is for, in place of the roster.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present_ids")]
    #[schemars(with = "Vec<Id>", length(max = MEMBERS_MAX))]
    pub audience: Option<Vec<String>>,
    /// How long its receipts live, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present_whole")]
    #[schemars(with = "u64", range(min = 1, max = LIFE_S_MAX))]
    pub expires_in_s: Option<u64>,
    /// The chat's own running number.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present_whole")]
    #[schemars(with = "Order")]
    pub order: Option<u64>,
}

/// The answer to a [`RegisterRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegisterResponse {
    /// The message's id.
    #[schemars(with = "Id")]
    pub message: String,
    /// The size of its audience.
    pub of: u32,
    /// Its place.
    #[schemars(with = "Order")]
    pub order: u64,
    /// From when on it is unknown: RFC 3339, UTC, whole seconds.
    #[schemars(with = "Moment")]
    pub expires_at: String,
}

/// `POST /v1/conversations/{c}/messages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRegisterRequest {
    /// 1 to 1,000 messages, in their order.
    #[serde(deserialize_with = "objects")]
    #[schemars(length(min = 1, max = REGISTRATIONS_MAX))]
    pub messages: Vec<RegisterEntry>,
}

/// The answer to a [`BulkRegisterRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BulkRegisterResponse {
    /// Messages that are new.
    pub registered: usize,
    /// Messages that had been registered the same way before.
    pub same: usize,
    /// Messages that were not registered.
    pub refused: Vec<MessageRefused>,
}

/// A message that something could not be done with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageRefused {
    /// The message's id.
    #[schemars(with = "Id")]
    pub message: String,
    /// Why.
    #[schemars(extend("enum" = Code::REFUSED))]
    pub code: Code,
}

/// `GET /v1/conversations/{c}/messages/{m}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageResponse {
    /// The message's id.
    #[schemars(with = "Id")]
    pub message: String,
    /// Who sent it.
    #[schemars(with = "Id")]
    pub sender: String,
    /// How many have read it.
    pub read: u32,
    /// The size of its audience.
    pub of: u32,
    /// Its place.
    #[schemars(with = "Order")]
    pub order: u64,
    /// From when on it is unknown: RFC 3339, UTC, whole seconds.
    #[schemars(with = "Moment")]
    pub expires_at: String,
}

/// `GET /v1/conversations/{c}/messages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessagesResponse {
    /// The messages of this part, oldest first.
    pub messages: Vec<MessageResponse>,
    /// Give it as `after` for the next part; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "String")]
    pub next: Option<String>,
}
