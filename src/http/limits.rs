//! The numbers that bound what a connection may cost, and for how long.
//!
//! Numbers only; `server` holds connections to them, `connection` heads and idle time, `body` bodies. What one
//! call may carry or ask for is the domain's `Limits`.

use std::time::Duration;

/// Bounds on connections, heads and bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Bytes of a request line and its header fields together.
    pub head_bytes_max: usize,
    /// Bytes of one body.
    pub body_bytes_max: usize,
    /// Bytes of one body that a user sends, where that is less.
    pub user_body_bytes_max: usize,
    /// Bytes of all the bodies together that are held at one moment, but for the first 64 KiB of each, and over HTTP/2, where
    /// heads count too, the first 2 KiB.
    pub bodies_bytes_max: usize,
    /// Connections open at one moment. One more is answered `overloaded` and closed.
    pub connections_max: usize,
    /// Connections open at one moment from one address (of IPv6: from one network of 64 bits); 0 for as many as there may
    /// be in all. One more is answered `too-many-requests` and closed.
    pub connections_per_address_max: usize,
    /// Connections that are accepted a second, with one second's worth at hand; 0 for no limit. More of them wait to be
    /// accepted, with the system, which turns away those that it cannot keep.
    pub connections_per_s_max: u32,
    /// Connections being answered so at one moment. One more is closed without a word.
    pub refusals_max: usize,
    /// Requests in flight on one connection, where the protocol has several.
    pub http2_streams_max: u32,
    /// Streams of receipts open at one moment. One more is answered `too-many-streams`.
    pub streams_max: usize,
    /// Streams of one user open at one moment; 0 for as many as there may be in all.
    pub user_streams_max: usize,
    /// From one event of a stream to the next at the least; 0 for one event a mark.
    pub stream_every: Duration,
    /// How long a stream may last.
    pub stream_for: Duration,
    /// After so long without a word, a stream says that it is alive.
    pub stream_keep_alive: Duration,
    /// Requests that an app may send a second, for each API key; 0 for no limit.
    pub app_requests_per_s: u32,
    /// Requests that a user may send a second; 0 for no limit.
    pub user_requests_per_s: u32,
    /// From a head's first byte to its last; on a new connection from the moment it was accepted.
    pub head_timeout: Duration,
    /// From the end of a head to the end of its body.
    pub body_timeout: Duration,
    /// Without a byte of an answer being taken.
    pub answer_timeout: Duration,
    /// Between two requests of one connection.
    pub idle_timeout: Duration,
    /// After a refusal that closes, for the client to read it and hang up first.
    pub linger_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            head_bytes_max: 64 * 1024,
            body_bytes_max: 16 * 1024 * 1024,
            // 1,000 ids of 128 bytes, each byte escaped, are some 770 KB.
            user_body_bytes_max: 1024 * 1024,
            bodies_bytes_max: 128 * 1024 * 1024,
            // Of the 1,024 files that a process may usually open: 64 for refusals, 60 for the store.
            connections_max: 900,
            connections_per_address_max: 0,
            connections_per_s_max: 2_000,
            refusals_max: 64,
            http2_streams_max: 100,
            streams_max: 10_000,
            // A few devices and pages, and those of before that have not been missed yet.
            user_streams_max: 16,
            stream_every: Duration::from_secs(1),
            stream_for: Duration::from_secs(20),
            stream_keep_alive: Duration::from_secs(15),
            app_requests_per_s: 0,
            user_requests_per_s: 50,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            linger_timeout: Duration::from_secs(1),
        }
    }
}
