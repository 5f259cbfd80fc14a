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

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// A field that may be left out, but not `null`: give it to serde as `deserialize_with`, beside `default`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
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

/// A list of objects: give it to serde as `deserialize_with`.
fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Object<T>>::deserialize(from)?;
    Ok(objects.into_iter().map(|Object(shape)| shape).collect())
}
