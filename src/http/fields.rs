//! Checks on fields that several families have: ids, lengths of lists, numbers in range.
//!
//! Each refusal names the field, and the entry if the field stands in one. Knows no call.

use std::fmt;

use super::problem::Failure;
use crate::{
    domain::{ConversationId, IdError, MessageId, MessageIdRef, ORDER_MAX, Order, UserId},
    wire::Code,
};

/// Where a field stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// In the path, the query or the body itself.
    Top,
    /// In an entry of a list of the body.
    Entry(&'static str, usize),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => Ok(()),
            Self::Entry(list, at) => write!(out, "{list}[{at}]."),
        }
    }
}

/// An id of one of the three kinds.
pub(super) trait Id<'a>: Sized {
    /// Checks a text and takes it as an id.
    fn read(text: &'a str) -> Result<Self, IdError>;
}

macro_rules! id {
    ($($name:ty)*) => {
        $(impl<'a> Id<'a> for $name {
            fn read(text: &'a str) -> Result<Self, IdError> {
                <$name>::new(text)
            }
        })*
    };
}

id!(ConversationId MessageId MessageIdRef<'a> UserId);

/// An id.
pub(super) fn id<'a, I: Id<'a>>(place: Place, field: &str, text: &'a str) -> Result<I, Failure> {
    I::read(text).map_err(|error| Failure::new(Code::BadId, format!("'{place}{field}': {error}")))
}

/// A list of ids.
pub(super) fn ids<'a, I: Id<'a>>(place: Place, field: &str, texts: &'a [String]) -> Result<Vec<I>, Failure> {
    // Not collected: a list of what may fail would grow one step after the other.
    let mut ids = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let id = I::read(text)
            .map_err(|error| Failure::new(Code::BadId, format!("'{place}{field}[{at}]': {error}")))?;
        ids.push(id);
    }
    Ok(ids)
}

/// Refuses a list that is too long.
pub(super) fn at_most(place: Place, field: &str, count: usize, most: usize) -> Result<(), Failure> {
    if count <= most {
        return Ok(());
    }
    Err(Failure::new(
        Code::TooManyItems,
        format!("'{place}{field}' has {count} items, and at most {most} are allowed"),
    ))
}

/// Refuses a list that is empty or too long.
pub(super) fn one_to(place: Place, field: &str, count: usize, most: usize) -> Result<(), Failure> {
    if count == 0 {
        return Err(bad(format!("'{place}{field}' has no items, and needs 1 to {most}")));
    }
    at_most(place, field, count, most)
}

/// A place in a conversation's order.
pub(super) fn order(place: Place, field: &str, number: u64) -> Result<Order, Failure> {
    let order = Order(number);
    if order <= ORDER_MAX {
        return Ok(order);
    }
    Err(bad(format!("'{place}{field}' is a whole number from 0 to {}", ORDER_MAX.0)))
}

/// A refusal of the request's shape.
pub(super) fn bad(detail: String) -> Failure {
    Failure::new(Code::BadRequest, detail)
}
