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

use serde::{Deserialize, Deserializer};

/// A field that may be left out, but not `null`: give it to serde as `deserialize_with`, beside `default`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
