//! Dumps: all that a store holds, in a form that no engine owns. What one engine exports, any engine restores.
//!
//! Knows bytes in and out, and nothing of files, sockets or engines. [`Writer`] makes a dump of what an [`Export`] hands
//! over; [`Reader`] hands over what a dump has, checked so that an engine may trust it.
//!
//! ```text
//! dump         head   block block …   the end's block, and nothing behind it
//!
//!   head       "seenbyD"   version:1
//!   block      kind:1   length:4   payload:length   crc32:4
//! ```
//!
//! The checksum is over all that comes before it in the dump but earlier checksums: so no block can be damaged, missing,
//! doubled or in another's place. Numbers of fixed length are little-endian; `n` is a LEB128 varint, `text` is `n` bytes
//! of UTF-8 behind their count, `[…]` are as many as an `n` before them says.
//!
//! ```text
//!   kind  payload
//!   I     taken_at_unix_ms:n  generation_next:n  conversations:n  messages:n  etag_key: 0 or 1 and 16 bytes     first, once
//!   H     [user:text]                                            users whose receipts are off; any number of blocks
//!   C     conversation:text  order_highest: 0 or 1 and n         in the order of their bytes; and behind each:
//!   N       [user:text]                                            its slots from 0 on, empty where a user was deleted
//!   R       version:n  members:set                                 its roster, if it has one
//!   M       messages                                               up to 64 of its messages, in their order
//!   E     conversations:n  messages:n                            last, once: as many as there were; in I there are as many, or,
//!                                                                of a store that went on meanwhile, about as many
//!
//!   set        0  [gap since the last run's end:n  length:n]  or  1  [word:8]
//!   messages   [id:text  sender:n  order:n  asked:1  expires_in_s:n  expires_at_unix_s:n  generation:n]
//!              [positions:8  slots:set]     audiences, each with the messages that it is of, as bits from 0 on
//!              caught_up:set                who has read all of these that were for them
//!              [gap:n  upto:1 | gap:n  0  row:8]    who has read some: those for them among the first `upto`, or these
//!     asked    bit 0: the order was asked for;  bit 1: the audience;  bit 2: expires_in_s (else it is left out)
//! ```
//!
//! What must hold, and is checked on reading:
//!
//! - Conversations ascend, and no slot's user is another's in the same conversation. Members, senders, audiences and
//!   readers are slots that were given.
//! - The orders of a conversation ascend and are at most `order_highest`; no id of a message comes twice. The sender of a
//!   message was not asked, also where the set has the sender, and nobody has read what they were not asked.
//! - No generation is `generation_next` or above; whoever restores begins new ones behind that. Neither that nor a roster's
//!   version is above 2^63, so that there are numbers left to go on with.
//! - A user that was deleted before the dump was taken is in it by no name.
//!
//! A dump is as confidential as the data: it has every name, and marks of users whose receipts are off. It also carries
//! the secret that `ETag`s are made with, so that clients of a server that was restored elsewhere go on with theirs; who
//! has the dump could count for themselves what that secret hides.
//!
//! A version says how to read all of it. Another one comes with any change of these pages, and a reader refuses those
//! above its own.

mod bytes;
#[doc(hidden)]
pub mod fuzzing;
mod grammar;
mod reader;
mod run;
mod writer;

use std::io;

use super::StoreError;
use crate::domain::{ConversationId, Order, Page, SlotSet, UserId};

pub use reader::Reader;
pub use writer::Writer;

/// The version that is written, and the highest that is read.
pub const VERSION: u8 = 1;

const MAGIC: &[u8; 7] = b"seenbyD";

/// No block is longer: a bound on what a damaged length can make a reader wait for. The longest are sets of slots and
/// rows of a conversation: 64 audiences of a million slots are 8 MiB.
const BLOCK_BYTES_MAX: u32 = 256 << 20;

/// What is counted by one with each change comes nowhere near to this, and has as many numbers left behind it.
const COUNT_MAX: u64 = 1 << 63;

/// How many names stand in one [`Item`] at the most.
pub const NAMES_MAX: usize = 1_024;

/// What a dump says of itself at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Every generation in it is below this one.
    pub generation_next: u64,
    /// How many conversations there are in it; of a cluster that goes on meanwhile, about how many.
    pub conversations: u64,
    /// How many messages there are in it, or about how many, expired ones that no sweep has met among them.
    pub messages: u64,
}

/// What goes along with what a store holds, and is not of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// When the dump was begun, in milliseconds since the Unix epoch.
    pub taken_at_unix_ms: u64,
    /// The secret that `ETag`s are made with.
    pub etag_key: Option<[u8; 16]>,
}

/// A piece of what a store holds, in the order of the dump.
#[derive(Debug, Clone)]
pub enum Item {
    /// Some of the users whose receipts are off.
    Hidden(Vec<UserId>),
    /// A conversation begins; what follows is its, up to the next one.
    Conversation {
        /// Its id.
        id: ConversationId,
        /// The highest order that any of its messages ever had.
        order_highest: Option<Order>,
    },
    /// Its next slots, at most [`NAMES_MAX`]; none where a user was deleted.
    Names(Vec<Option<UserId>>),
    /// Its roster.
    Roster {
        /// The version.
        version: u64,
        /// The members.
        members: SlotSet,
    },
    /// Its next messages, and who has read them.
    Run(Page),
}

/// A store's state at one instant (of a cluster: each conversation's at one instant), handed over piece by piece. It may read from disk: not for the threads of a runtime.
/// As long as it lives the store keeps what that instant needs.
pub trait Export: Send {
    /// What there will be.
    fn head(&self) -> Head;

    /// The next piece; none at the end.
    fn next(&mut self) -> Result<Option<Item>, StoreError>;
}

/// Why a dump cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// It does not begin as one.
    #[error("it is not a backup that seenby made; give the file that `seenby backup` wrote")]
    NotADump,
    /// A newer seenby wrote it.
    #[error(
        "it has version {version} of the format, and this seenby reads versions up to {VERSION}; use the newer seenby"
    )]
    Newer {
        /// Its version.
        version: u8,
    },
    /// It ends too early.
    #[error(
        "it is cut off after {at} bytes, which is not its end; use another backup, or copy this one again"
    )]
    Cut {
        /// How many bytes it has.
        at: u64,
    },
    /// It is not as it was written.
    #[error(
        "it is damaged before byte {at}: {what}; use another backup, or copy this one again from where it is whole"
    )]
    Damaged {
        /// Where reading stopped: what is wrong is at or before this byte.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Bytes could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The store could not hand over what belongs into it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes all of an export, and calls `each` with the number of messages in every piece; returns what was written to.
pub fn write<W: io::Write>(
    out: W,
    label: Label,
    export: &mut dyn Export,
    mut each: impl FnMut(usize),
) -> Result<W, DumpError> {
    let mut writer = Writer::begin(out, export.head(), label)?;
    while let Some(item) = export.next()? {
        each(item.messages());
        writer.put(&item)?;
    }
    Ok(writer.end()?)
}

impl Item {
    /// How many messages it has.
    #[must_use]
    pub fn messages(&self) -> usize {
        if let Self::Run(page) = self { page.outline().held().len() } else { 0 }
    }
}
