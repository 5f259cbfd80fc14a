//! Which attacks there are, how many connections each takes, and what it counts.

use std::sync::Arc;

use clap::ValueEnum;

use super::{
    front::{Front, Sizes},
    http1, http2, json,
};

/// An attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Connections that say nothing
    Idle,
    /// Heads that come a byte at a time
    SlowHeads,
    /// Bodies that come a byte at a time
    SlowBodies,
    /// Requests for large answers without end, of which none is read
    Pipelining,
    /// Connections opened and dropped, or held, as fast as they can be
    ConnectFlood,
    /// HTTP/2 requests that are taken back at once
    H2Resets,
    /// HTTP/2 heads that never end
    H2Continuation,
    /// HTTP/2 pings and settings without end
    H2Pings,
    /// HTTP/2 requests whose answers may not be sent
    H2Window,
    /// Heads as large as they may be, and larger, and of as many fields as there may be
    HeaderBomb,
    /// HTTP/2 heads of one large field, named thousands of times
    HpackBomb,
    /// Large bodies: deep, of tiny items, of one string, of one number, of one key
    JsonBomb,
}

impl Kind {
    /// Its name on the command line and in the figures.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What its rate counts.
    pub(super) fn counts(self) -> &'static str {
        match self {
            Self::Idle | Self::ConnectFlood => "connections",
            Self::SlowHeads | Self::SlowBodies => "bytes",
            Self::Pipelining | Self::H2Window | Self::HeaderBomb | Self::JsonBomb | Self::HpackBomb => {
                "requests"
            }
            Self::H2Resets => "resets",
            Self::H2Continuation | Self::H2Pings => "frames",
        }
    }

    /// Whether its connections speak HTTP/2.
    pub(super) fn is_http2(self) -> bool {
        matches!(
            self,
            Self::H2Resets | Self::H2Continuation | Self::H2Pings | Self::H2Window | Self::HpackBomb
        )
    }

    /// Connections that it has open.
    pub(super) fn connections(self, sizes: &Sizes) -> u64 {
        match self {
            Self::Idle => sizes.idle,
            Self::SlowHeads | Self::SlowBodies | Self::ConnectFlood => sizes.slow,
            _ => sizes.busy,
        }
    }

    /// Begins it, in tasks of the current runtime.
    pub(super) fn begin(self, front: &Arc<Front>) {
        let count = self.connections(&front.sizes);
        match self {
            Self::Idle => front.keep(count, http1::idle),
            Self::SlowHeads => front.keep(count, http1::slow_head),
            Self::SlowBodies => front.keep(count, http1::slow_body),
            Self::Pipelining => front.keep(count, http1::pipeline),
            Self::ConnectFlood => http1::flood(front, count),
            Self::H2Resets => front.keep(count, http2::resets),
            Self::H2Continuation => front.keep(count, http2::continuation),
            Self::H2Pings => front.keep(count, http2::pings),
            Self::H2Window => front.keep(count, http2::window),
            Self::HeaderBomb => front.keep(count, http1::large_heads),
            Self::HpackBomb => front.keep(count, http2::large_heads),
            Self::JsonBomb => json::begin(front, count),
        }
    }
}
