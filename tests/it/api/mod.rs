//! The API as a client meets it: a server in this process, spoken to over a socket.
//!
//! `running` starts the server over whichever store, `wire` is the client. One file a family of calls follows,
//! then what holds for all of them.

pub(crate) mod running;
pub(crate) mod wire;

mod marks;
mod messages;
mod pulls;
mod readers;
mod rosters;

mod bodies;
mod clock;
mod connections;
mod http2;
mod ids;
mod refusals;
mod routes;
mod store_errors;
mod timeouts;
