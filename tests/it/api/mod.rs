//! The API as a client meets it: a server in this process, spoken to over a socket.
//!
//! `running` starts the server over whichever store, `guards` has its keys, `wire` is the client. One file a family of calls follows,
//! then what holds for all of them.

pub(crate) mod guards;
pub(crate) mod running;
pub(crate) mod wire;

mod marks;
mod messages;
mod pulls;
mod readers;
mod rosters;
mod streams;
mod users;

mod access;
mod bodies;
mod clock;
mod connections;
mod cors;
mod demo;
mod hostile;
mod http2;
mod ids;
mod limits;
mod metrics;
mod refusals;
mod routes;
mod store_errors;
mod timeouts;
