//! What serde's types cannot say of the shapes, for the JSON schemas that are made of them: what an id is, and how
//! long a list and how large a number may be.
//!
//! The types here stand for fields in `#[schemars(with = …)]`; none is ever made. That the bounds are those of the
//! domain, a test of the OpenAPI document says.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Members of a roster, and users of an audience.
pub(super) const MEMBERS_MAX: usize = 100_000;
/// Messages in one bulk registration.
pub(super) const REGISTRATIONS_MAX: usize = 1_000;
/// Messages in one mark.
pub(super) const MARK_MESSAGES_MAX: usize = 1_000;
/// Entries in one bulk of marks.
pub(super) const MARK_ENTRIES_MAX: usize = 1_000;
/// Messages in one pull.
pub(super) const PULL_MESSAGES_MAX: usize = 100;
/// The longest life of a message's receipts: a year of 365 days.
pub(super) const LIFE_S_MAX: u64 = 365 * 24 * 60 * 60;
/// The highest place in an order: the largest whole number up to which JavaScript counts exactly.
const ORDER_MAX: u64 = (1 << 53) - 1;

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident $text:literal $schema:tt)*) => {
        $($(#[$doc])*
        pub(super) enum $name {}

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $text.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        })*
    };
}

shapes! {
    /// An id of a conversation, a message or a user.
    Id "Id" {
        "description": "The chat's own name for a conversation, a message or a user: 1 to 128 bytes of UTF-8 (a schema can \
            only count characters) without U+0000-1F and U+007F-9F, and not '.' or '..'. Compared byte by byte.",
        "type": "string",
        "minLength": 1,
        "maxLength": 128,
        // Up to two dots and then something else, or three dots: no dialect has to look ahead.
        "pattern": r"^(?:\.{0,2}[^.\x00-\x1F\x7F-\x9F]|\.{3})[^\x00-\x1F\x7F-\x9F]*$",
    }
    /// A place in a conversation's order.
    Order "Order" {
        "description": "A place in the order of a conversation's messages.",
        "type": "integer",
        "minimum": 0,
        "maximum": ORDER_MAX,
    }
    /// A moment.
    Moment "Moment" {
        "description": "A time in RFC 3339, UTC, whole seconds.",
        "type": "string",
        "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
    }
}

/// Exactly one of `messages`, `up_to` and `up_to_order`.
pub(super) fn one_way_to_mark() -> Value {
    one_of(&[&["messages"], &["up_to"], &["up_to_order"]])
}

/// Either counts, or the reason why there are none.
pub(super) fn counts_or_code() -> Value {
    one_of(&[&["read", "of"], &["code"]])
}

fn one_of(ways: &[&[&str]]) -> Value {
    ways.iter().map(|fields| json!({ "required": fields })).collect()
}
