//! The limits that may turn somebody away, as labels: a closed list.
//!
//! Where each is held is for the floors above to know.

/// A limit that turned somebody away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Connections open at once.
    Connections,
    /// Connections of one address.
    AddressConnections,
    /// Streams open at once.
    Streams,
    /// Streams of one user.
    UserStreams,
    /// Streams that take a connection each.
    StreamConnections,
    /// Requests a second of an API key.
    AppRate,
    /// Requests a second of a user.
    UserRate,
    /// Bytes of a head.
    Head,
    /// Bytes of a body.
    Body,
    /// Bytes of all bodies under way.
    Bodies,
    /// The time for a head.
    HeadTime,
    /// The time for a body.
    BodyTime,
    /// Writes that wait for their commit, and what a checkpoint has still to bring to disk.
    Writes,
}

/// What is turned away at a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    Connection,
    Stream,
    Request,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Connections,
        Self::AddressConnections,
        Self::Streams,
        Self::UserStreams,
        Self::StreamConnections,
        Self::AppRate,
        Self::UserRate,
        Self::Head,
        Self::Body,
        Self::Bodies,
        Self::HeadTime,
        Self::BodyTime,
        Self::Writes,
    ];

    /// The value of the label: where a setting is the limit, its name begins so.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::StreamConnections => "stream_connections",
            Self::AddressConnections => "connections_per_address",
            Self::Streams => "streams",
            Self::UserStreams => "user_streams",
            Self::AppRate => "app_requests_per_s",
            Self::UserRate => "user_requests_per_s",
            Self::Head => "head_bytes",
            Self::Body => "body_bytes",
            Self::Bodies => "bodies_bytes",
            Self::HeadTime => "head_timeout",
            Self::BodyTime => "body_timeout",
            Self::Writes => "writes",
        }
    }

    pub(super) fn turned(self) -> Turned {
        match self {
            Self::Connections | Self::AddressConnections => Turned::Connection,
            Self::Streams | Self::UserStreams | Self::StreamConnections => Turned::Stream,
            Self::AppRate
            | Self::UserRate
            | Self::Head
            | Self::Body
            | Self::Bodies
            | Self::HeadTime
            | Self::BodyTime
            | Self::Writes => Turned::Request,
        }
    }
}
