//! How a call can fail, and whether sending it again may help.

use std::{error::Error, fmt, time::Duration};

use hyper::StatusCode;

use crate::wire::Problem;

/// The server's URL is not one that a client can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{url}' is not the URL of a server: {why}")]
pub struct BadServerUrl {
    /// The URL as given.
    pub url: String,
    /// What is wrong with it.
    pub why: String,
}

/// Why a call came to nothing, as far as its caller knows: after [`ClientError::Unreachable`] and
/// [`ClientError::Unreadable`] the server may have done it all the same.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There was no whole answer: no connection, one that broke, or one that stayed silent for too long.
    #[error("no answer from {server}: {}", chain(&**cause))]
    Unreachable {
        /// The server asked.
        server: String,
        /// What happened to the connection.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The server said no.
    #[error("{status}, {}: {}", problem.code, problem.detail)]
    Problem {
        /// The status of the answer.
        status: StatusCode,
        /// Its body.
        problem: Box<Problem>,
        /// For how long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// There was an answer, but not one of this API: from a proxy in between, or from something else altogether.
    #[error("{status}, and not an answer of this API: {why}")]
    Unreadable {
        /// The status of the answer.
        status: StatusCode,
        /// What could not be read.
        why: String,
        /// For how long the answer asks to wait.
        retry_after: Option<Duration>,
    },
    /// The request has no form in HTTP: an over-long URL, or a key or an `ETag` that is none. Nothing was sent.
    #[error("the request cannot be sent: an over-long URL, or a key or an ETag that is none")]
    Unsendable(#[from] hyper::http::Error),
}

impl ClientError {
    /// Whether the same call may well go through a little later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem { status, .. } | Self::Unreadable { status, .. } => {
                status.is_server_error()
                    || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(status)
            }
            Self::Unsendable(_) => false,
        }
    }

    /// For how long the server asks to wait before the next attempt.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem { retry_after, .. } | Self::Unreadable { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } | Self::Unsendable(_) => None,
        }
    }
}

/// An error and what caused it, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        line = format!("{line}: {inner}");
        cause = inner.source();
    }
    line
}

/// A whole answer did not come in time.
#[derive(Debug)]
pub(super) struct Silent(pub(super) Duration);

impl fmt::Display for Silent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "nothing came within {:?}", self.0)
    }
}

impl Error for Silent {}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable(status: u16) -> ClientError {
        ClientError::Unreadable {
            status: StatusCode::from_u16(status).unwrap(),
            why: String::new(),
            retry_after: None,
        }
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for passing in [408, 429, 500, 502, 503, 504] {
            assert!(unreadable(passing).is_passing(), "{passing}");
        }
        for lasting in [200, 301, 400, 401, 403, 404, 409, 413, 422] {
            assert!(!unreadable(lasting).is_passing(), "{lasting}");
        }
        let unreachable =
            ClientError::Unreachable { server: "x".to_owned(), cause: Box::new(Silent(Duration::ZERO)) };
        assert!(unreachable.is_passing());
    }
}
