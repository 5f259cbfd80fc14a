//! What ties a request, its problem document and its lines in the log together: an id, and the one line that the log has
//! of each request.
//!
//! The line says which call it was, how it went and what kind of caller made it; never who, nor about what.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::Method;

use super::route::Verb;
use crate::access::Caller;

/// The id of a request: no other request of this run has it.
///
/// Who sees some of them learns nothing of how many others there were in between, so of what others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestId(u64);

/// What scatters the ids of this run.
static SCATTER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Rounds of the network that scatters.
const ROUNDS: u8 = 4;

impl RequestId {
    /// As it stands in a problem document: a name (RFC 8141), since there is nothing to be had at it.
    pub(super) fn instance(self) -> String {
        format!("urn:seenby:request:{self}")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A Feistel network: whatever the rounds mix in, no two numbers come to the same.
        let scattered = (0..ROUNDS).fold(self.0, |halves, round| {
            let right = halves & u64::from(u32::MAX);
            let mixed = (halves >> 32) ^ (SCATTER.hash_one((round, right)) >> 32);
            (right << 32) | mixed
        });
        write!(out, "{scattered:016x}")
    }
}

/// Gives out ids.
#[derive(Debug, Default)]
pub(super) struct RequestIds {
    last: AtomicU64,
}

impl RequestIds {
    pub(super) fn next(&self) -> RequestId {
        RequestId(self.last.fetch_add(1, Ordering::Relaxed))
    }
}

/// What is known of one request on its way.
#[derive(Debug)]
pub(super) struct Trail {
    pub(super) id: RequestId,
    begun: Instant,
    method: &'static str,
    /// The template of its path.
    pub(super) route: &'static str,
    caller: &'static str,
}

impl Trail {
    pub(super) fn begin(id: RequestId, method: &Method, route: &'static str) -> Self {
        Self { id, begun: Instant::now(), method: name(method), route, caller: "unknown" }
    }

    /// The caller has shown who it is, or need not.
    pub(super) fn called_by(&mut self, caller: &Caller) {
        self.caller = match caller {
            Caller::Anybody => "anybody",
            Caller::App(_) => "app",
            Caller::User(_) => "user",
        };
    }

    /// The answer is made. A stream's goes on from here, and its bytes are not counted. Says how long it took.
    pub(super) fn end(&self, status: u16, bytes: usize) -> Duration {
        let took = self.begun.elapsed();
        let Self { id, method, route, caller, .. } = self;
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(request = %id, method, route, status, took_us, bytes, caller, "answered");
        took
    }
}

/// Whatever is not one of ours is the client's own word, and has no place in the log.
fn name(method: &Method) -> &'static str {
    let ours = [Verb::Get, Verb::Put, Verb::Post, Verb::Patch, Verb::Delete].map(Verb::as_str);
    let known = ours.into_iter().chain(["HEAD", "OPTIONS"]).find(|known| *known == method.as_str());
    known.unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_differ_and_do_not_tell_their_number() {
        let ids = RequestIds::default();
        let mut texts: Vec<String> = (0..10_000).map(|_| ids.next().to_string()).collect();
        assert!(texts.iter().all(|text| text.len() == 16), "{texts:?}");
        assert!(!texts.is_sorted(), "in their order they would be numbers");
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), 10_000);
        assert_eq!(RequestId(7).instance(), format!("urn:seenby:request:{}", RequestId(7)));
    }

    #[test]
    fn a_method_of_the_clients_own_is_other() {
        assert_eq!(
            ["GET", "HEAD", "BREW"].map(|text| name(&text.parse().unwrap())),
            ["GET", "HEAD", "other"]
        );
    }
}
