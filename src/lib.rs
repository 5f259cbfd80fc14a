//! seenby tells a chat's senders who has read their messages, at any group size, without a receipt storm.
//!
//! Readers' marks go to the server and stay there, one bit each. The sender's client pulls them every 2 seconds,
//! for at most 20, only while the message is on screen: the cost follows attention, not group size.
//!
//! # Floors
//!
//! Dependencies point down only; a test reads the sources and says so (`tests/it/tidy`).
//!
//! ```text
//! cli        serve, backup, restore, replay, top …     may use all below
//! http       the wire: routes, problems, limits        never the store
//! access     who calls: API keys, user tokens, their files
//! client     the wire from the other side              shapes only
//! process    config, clock, load, logs, metrics, shutdown
//! receipts   the use-cases: register, mark, pull, forget, sweep, users
//! store      one contract, several engines: model, embedded
//! wire       the shapes that travel, as serde types
//! domain     ids, rosters and slots, pages, receipts and their names, pace, limits: std only
//! ```
//!
//! The same verb names the same file on each floor: [`http`]`/marks` → [`receipts`]`/mark` →
//! [`store::embedded`]`/mark` → [`domain`]`/page`.
//!
//! # What always holds
//!
//! 1. A write that was answered survives `kill -9` and a power cut; what was never sent never appears.
//! 2. Within one generation of a message readers are only added, so retries and replays are safe. A reset, a
//!    delete or registering anew begins another; marks of an earlier one never come back.
//! 3. A pull shows only what is durable, never waits for a write to disk, and costs the same for 10 readers
//!    as for 10,000.
//! 4. Whom a message is for is fixed when it is registered.
//! 5. From its end on a message is unknown, and a sweep gives up its storage.
//! 6. What is not a user's to see is, to that user, as if it had never been. Who is hidden, or was deleted, counts in no
//!    receipts.
//! 7. Every queue, body, list and connection count has a limit, and at the limit there is a clear answer.
//!
//! What is deliberately absent: the wire knows no engine, the engines know no HTTP, nothing below `process` reads
//! a clock, no request waits for another's write, and the server remembers nothing about the clients that pull.
//!
//! # A mark, from top to bottom
//!
//! `POST /v1/conversations/c/marks` `{"reader":"bob","messages":["m1","m2"]}`
//!
//! - `http/connection` reads the head within its time, `http/exchange` finds the route; `http/auth` asks [`access`] who
//!   calls, and the route's row whether the call is theirs. Then the body is collected; `http/body` makes it a
//!   [`wire::MarkRequest`], or says which field is wrong.
//! - `http/marks` turns that into a [`store::Mark`] of checked ids and asks the [`receipts::Ledger`], with the time
//!   that the [`process::clock::Clock`] shows.
//! - The ledger asks its [`store::Store`]. The embedded engine puts the mark into the commit thread's queue.
//! - The commit thread takes all that has gathered. `mark` finds each message's page and position and decides on a
//!   draft: which bits of bob's row are new. One record a mark goes into the frame: conversation, slot, pages, bits.
//! - The journal writes the frame and calls `fdatasync`, once for the whole batch.
//! - The draft is published: from now on pulls show it. Then all marks of the batch are answered.
//! - Later a checkpoint appends the page to a page file, notes in sled where it stands, and the journal's segment goes.
//!
//! # A pull, from top to bottom
//!
//! `GET /v1/conversations/c/receipts?message=m1&message=m2`
//!
//! - `http/query` reads the ids, strictly; `http/receipts` asks the ledger for a screen.
//! - The engine looks into the hot state: id → place → page, which is read back from its file if nobody has looked for
//!   long. The page keeps a count beside each column of bits, so nothing is counted.
//! - [`domain::Etag`] names what was found by generation and count. If the client's `If-None-Match` names the same,
//!   the answer is a 304 without a body; with `changed=1` only what differs is listed.
//! - `poll` says how to go on: every 2 seconds, or not at all once everybody has read everything. Under load it says a
//!   longer time: `process/load` measures, `domain/pace` decides, and [`cli`]`/serve` brings the two together.
//!
//! # A backup, from top to bottom
//!
//! `seenby backup FILE`
//!
//! - [`cli`]`/source` finds the server's control socket in the data directory; `cli/serve/control` answers on it.
//! - The engine takes a snapshot: between two commits, the commit thread notes the number of the next record. No more.
//! - `hot/snapshot` walks the conversations in the order of their ids. What a commit is about to replace before the walk has
//!   come there is kept as it was: mostly as the place in a page file, which stays until the walk is over.
//! - [`store::dump`] makes blocks of it, each with a checksum over all before it; the command reads them as they come, so
//!   that what it keeps is known to be whole, and gives the file its name in the end.
//!
//! # A stream, from top to bottom
//!
//! `GET /v1/conversations/c/receipts/stream?message=m1`
//!
//! - `http/stream` finds room for it and answers with what a pull would say, as the first event of a body without end.
//! - Then it sleeps for as long as it must be silent, and until [`store::Changes`] says that something of the conversation
//!   was published, which the commit thread tells right after it has.
//! - `receipts/stream` looks again, and compares with what it showed last: the difference is the next event. Nothing is
//!   queued, so a client that is slow is told more at once, not later.
//! - `http/watch` and `http/watched` see to it that a client that takes nothing is cut off, and one that leaves makes room.

pub mod access;
pub mod cli;
pub mod client;
pub mod domain;
pub mod http;
pub mod process;
pub mod receipts;
pub mod store;
pub mod wire;
