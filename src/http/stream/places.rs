//! How many streams there may be: in all, over connections of their own, and of one user.

use std::sync::Arc;

use hyper::Version;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    access::Caller,
    domain::UserId,
    http::{
        HttpLimits,
        exchange::Exchange,
        problem::Failure,
        shares::{Share, Shares},
    },
    process::metrics::{Limit, Open},
    wire::Code,
};

/// How many streams there are.
#[derive(Debug)]
pub(in crate::http) struct Streams {
    all: Arc<Semaphore>,
    /// Those over HTTP/1.1, of which each takes a connection: the last tenth of these is for calls that come and go.
    with_connections: Arc<Semaphore>,
    users: Arc<Shares<UserId>>,
}

/// What a stream takes up: one of all there may be, and one of its user.
#[derive(Debug)]
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_connections: Option<OwnedSemaphorePermit>,
    _of_user: Option<Share<UserId>>,
    _open: Open,
}

impl Streams {
    pub(in crate::http) fn new(limits: &HttpLimits) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let with_connections = limits.connections_max - limits.connections_max / 10;
        Self {
            all: semaphore(limits.streams_max),
            with_connections: semaphore(with_connections),
            users: Arc::default(),
        }
    }

    pub(super) fn place(&self, exchange: &Exchange<'_>) -> Result<Place, Failure> {
        let (server, caller) = (exchange.server, &exchange.caller);
        let HttpLimits { streams_max, user_streams_max, .. } = server.limits;
        let too_many = |limit, detail: String| Failure::over(limit, Code::TooManyStreams, detail);
        let of_user = match caller {
            Caller::User(user) if user_streams_max > 0 => {
                Some(self.users.take(user.clone(), user_streams_max).ok_or_else(|| {
                    too_many(Limit::UserStreams, format!("{user_streams_max} streams of this user are open"))
                })?)
            }
            _ => None,
        };
        let of_all = self.all.clone().try_acquire_owned();
        let of_all =
            of_all.map_err(|_| too_many(Limit::Streams, format!("{streams_max} streams are open")))?;
        let of_connections = if exchange.version < Version::HTTP_2 {
            let others = "nearly all connections are streams, and the last are for other calls";
            let of_connections = self.with_connections.clone().try_acquire_owned();
            Some(of_connections.map_err(|_| too_many(Limit::StreamConnections, others.to_owned()))?)
        } else {
            None
        };
        Ok(Place {
            _of_all: of_all,
            _of_connections: of_connections,
            _of_user: of_user,
            _open: server.metrics.stream_opened(),
        })
    }
}
