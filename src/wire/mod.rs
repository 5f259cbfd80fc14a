//! The shapes that travel: request and response bodies of the API, as serde types.
//!
//! Shapes only: what they mean is for `http` and `client`, which both use them, to say. They are separate from
//! the domain's types and from what is stored, so that each can change alone.
//!
//! Strict on the way in: unknown and doubled fields are refused, and `null` is not the same as left out.

mod marks;
mod messages;
mod problem;
mod receipts;
mod rosters;
mod schema;
mod users;

pub use marks::{
    BulkMarkEntry, BulkMarkRequest, BulkMarkResponse, EntryRefused, MarkRequest, MarkResponse, UnreadResponse,
};
pub use messages::{
    BulkRegisterRequest, BulkRegisterResponse, MessageRefused, MessageResponse, MessagesResponse,
    RegisterEntry, RegisterRequest, RegisterResponse,
};
pub use problem::{Code, Problem};
pub use receipts::{
    Poll, PullResponse, QueryPull, QueryReceipts, QueryRequest, QueryResponse, ReadersResponse, ReceiptsEntry,
};
pub use rosters::{
    ConversationsResponse, RosterChangeRequest, RosterReplaceRequest, RosterResponse, RosterVersion,
};
pub use users::{Privacy, Switch};

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};

/// A field that may be left out, but not `null`: give it to serde as `deserialize_with`, beside `default`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A whole number that may be left out, but not `null`.
fn present_whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    from.deserialize_u64(Whole).map(Some)
}

/// A whole number from 0 on. JSON has one kind of number, so `17.0` is one as well.
struct Whole;

impl Visitor<'_> for Whole {
    type Value = u64;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a whole number from 0 on")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<u64, E> {
        // Beyond that a double may stand for several whole numbers.
        const EXACT_MAX: f64 = 9_007_199_254_740_991.0;
        if number.fract() != 0.0 || !(0.0..=EXACT_MAX).contains(&number) {
            return Err(E::invalid_value(Unexpected::Float(number), &self));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range")]
        Ok(number as u64)
    }
}

/// A shape that is read from a JSON object only. By itself serde also takes an array of the fields' values, in
/// their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, fields: M) -> Result<T, M::Error> {
                T::deserialize(MapAccessDeserializer::new(fields))
            }
        }

        from.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// Items of a list that are kept: one more than the most that any list of ids or of entries may have, so that it is
/// seen to be too long without being held. What follows is checked to be JSON, and passed over.
const IDS_KEPT: usize = schema::MEMBERS_MAX + 1;
const OBJECTS_KEPT: usize = schema::REGISTRATIONS_MAX + 1;

/// A list of ids: give it to serde as `deserialize_with`.
fn ids<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    from.deserialize_seq(First { kept: IDS_KEPT, item: PhantomData })
}

/// A list of ids that may be left out, but not `null`.
fn present_ids<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    ids(from).map(Some)
}

/// A list of objects: give it to serde as `deserialize_with`.
fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let objects: Vec<Object<T>> = from.deserialize_seq(First { kept: OBJECTS_KEPT, item: PhantomData })?;
    Ok(objects.into_iter().map(|Object(shape)| shape).collect())
}

/// The first items of a list.
struct First<T> {
    kept: usize,
    item: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for First<T> {
    type Value = Vec<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Vec<T>, S::Error> {
        /// Of a screen, so that its list need not grow.
        const ITEMS_USUAL: usize = 24;
        let mut items = Vec::with_capacity(ITEMS_USUAL);
        while items.len() < self.kept {
            match list.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(items),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_be_written_with_a_fraction_of_zero() {
        let order = |number: &str| {
            let text = format!(r#"{{"sender":"a","order":{number}}}"#);
            serde_json::from_str::<RegisterRequest>(&text).ok().and_then(|request| request.order)
        };
        for (number, read) in [
            ("17", 17),
            ("17.0", 17),
            ("1.7e1", 17),
            ("0.0", 0),
            ("-0.0", 0),
            ("2251799813685247.0", (1 << 51) - 1),
            ("9007199254740991.0", (1 << 53) - 1),
        ] {
            assert_eq!(order(number), Some(read), "{number}");
        }
        // What is too large as a whole number is for the call to refuse, with its own range.
        assert_eq!(order("18446744073709551615"), Some(u64::MAX));
        for bad in ["17.5", "-1", "-1.0", "9007199254740992.0", "1e300", "null", "true", r#""17""#, "[17]"] {
            assert_eq!(order(bad), None, "{bad}");
        }
    }

    #[test]
    fn of_a_list_without_end_no_more_is_held_than_tells_that_it_is_too_long() {
        let text = format!(r#"{{"members":["a"{}]}}"#, r#","a""#.repeat(300_000));
        let roster: RosterReplaceRequest = serde_json::from_str(&text).unwrap();
        assert_eq!(roster.members.len(), IDS_KEPT);
        assert!(serde_json::from_str::<RosterReplaceRequest>(&text[..text.len() - 2]).is_err());
    }
}
