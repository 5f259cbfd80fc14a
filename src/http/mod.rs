//! The wire: the one place, beside `client`, that knows HTTP.
//!
//! [`serve`] takes a [`Listener`] and a [`Server`] and answers until it is told to stop. A request goes
//!
//! ```text
//! server       accepts, within a number of connections, in all and an address
//! connection   HTTP/1.1 or HTTP/2, heads within their time
//! exchange     the checks in their order, the body, the dispatch by `route`
//! auth         who calls, and whether the call is theirs to make; `rates`: how often
//! marks …      one file a family: wire shape -> domain -> `receipts::Ledger` -> wire shape
//! problem      or else why not, as a problem document
//! trail        the request's id, which its problem and its line in the log have
//! demo         no call: the files of a page, where the server is told to have it
//! ```
//!
//! Every wait has a deadline and every size a limit, in [`HttpLimits`]. Nothing here decides what a mark or a pull
//! means, and nothing here touches a store: that is for `receipts`, one floor down. What travels is in `wire`.

mod server;

mod addresses;
mod connection;
mod limits;
mod line;
mod listener;
mod rates;
mod shares;
mod trail;
mod watch;
mod watched;

mod auth;
mod cors;
mod exchange;
mod route;

mod answer;
mod body;
mod condition;
mod cursor;
mod fields;
mod problem;
mod query;
mod reading;

mod demo;
mod health;
mod marks;
mod members;
mod messages;
mod openapi;
mod receipts;
mod stream;
mod users;
mod written;

#[doc(hidden)]
pub mod fuzzing;

pub use limits::HttpLimits;
pub use listener::Listener;
pub use openapi::openapi_json;
pub use server::{Drained, Server, serve};
