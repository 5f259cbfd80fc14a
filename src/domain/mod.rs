//! The vocabulary and the rules: ids, rosters and slots, pages of messages, receipts, pace, retention, limits.
//!
//! Pure: `std` only, no I/O, no clock, no async. Whatever depends on the time is told it as a [`Timestamp`].
//! Read in the order of the modules below; `page` is where a mark ends up.

mod base64url;
mod hidden;
mod id;
mod limits;
mod message;
mod pace;
mod page;
mod position;
mod pull;
mod retention;
mod roster;
mod sip;
mod slot;
mod viewer;

pub use hidden::Hidden;
pub use id::{ConversationId, ID_BYTES_MAX, IdError, MessageId, MessageIdRef, UserId};
pub use limits::Limits;
pub use message::{
    Audience, Generation, Message, ORDER_MAX, Order, Refusal, RegisterOutcome, Registered, Registration,
    next_order,
};
pub use pace::{Pace, Stretch};
pub use page::{AskedEach, Outline, PAGE_MESSAGES_MAX, Page};
pub use position::{Position, Positions};
pub(crate) use pull::mix;
pub use pull::{Etag, EtagKey, Named, Receipts};
pub use retention::{ExpiresAt, Retention, Timestamp};
pub use roster::{Members, RosterChange};
pub(crate) use sip::{SipKey, sip13};
pub use slot::{Slot, SlotSet};
pub use viewer::{Role, Viewer, Visibility};
