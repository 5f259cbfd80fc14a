//! Bodies of the calls on rosters and conversations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ids, present,
    schema::{Id, MEMBERS_MAX},
};

/// `PUT /v1/conversations/{c}/members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RosterReplaceRequest {
    /// The members: a set.
    #[serde(deserialize_with = "ids")]
    #[schemars(with = "Vec<Id>", length(max = MEMBERS_MAX))]
    pub members: Vec<String>,
}

/// `PATCH /v1/conversations/{c}/members`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RosterChangeRequest {
    /// Who joins; nobody if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "ids")]
    #[schemars(with = "Vec<Id>", length(max = MEMBERS_MAX))]
    pub add: Vec<String>,
    /// Who leaves; nobody if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "ids")]
    #[schemars(with = "Vec<Id>", length(max = MEMBERS_MAX))]
    pub remove: Vec<String>,
}

/// The answer to a [`RosterReplaceRequest`] and to a [`RosterChangeRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RosterVersion {
    /// How many members there are now.
    pub members: usize,
    /// The roster's version.
    pub version: u64,
}

/// `GET /v1/conversations/{c}/members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RosterResponse {
    /// The members of this part, in slot order.
    #[schemars(with = "Vec<Id>")]
    pub members: Vec<String>,
    /// The roster's version.
    pub version: u64,
    /// Give it as `after` for the next part; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "String")]
    pub next: Option<String>,
}

/// `GET /v1/conversations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationsResponse {
    /// The conversations of this part, in byte order.
    #[schemars(with = "Vec<Id>")]
    pub conversations: Vec<String>,
    /// Give it as `after` for the next part; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "String")]
    pub next: Option<String>,
}
