//! How many requests a second a caller may send, and how many connections may come.
//!
//! By `governor`: a caller has one second's worth at hand, and each request gives back its share of a second later.
//! Who has been quiet for a second is not remembered.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    state::{InMemoryState, NotKeyed, keyed::HashMapStateStore},
};

use super::HttpLimits;
use crate::access::Caller;

type Limiter = RateLimiter<Caller, HashMapStateStore<Caller>, MonotonicClock>;

/// Callers that are remembered however long they have been quiet.
const CALLERS_KEPT: usize = 1_024;

/// The rates of both kinds of callers.
pub(super) struct Rates {
    app: Option<Rate>,
    user: Option<Rate>,
}

struct Rate {
    limiter: Limiter,
    /// When so many callers are remembered, those who have been quiet are forgotten.
    callers_max: AtomicUsize,
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Rates").finish_non_exhaustive()
    }
}

impl Rates {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        Self { app: Rate::new(limits.app_requests_per_s), user: Rate::new(limits.user_requests_per_s) }
    }

    /// Counts a request, or says how long its caller should wait before the next.
    pub(super) fn check(&self, caller: &Caller) -> Result<(), Duration> {
        let rate = match caller {
            Caller::Anybody | Caller::App(_) => &self.app,
            Caller::User(_) => &self.user,
        };
        rate.as_ref().map_or(Ok(()), |rate| rate.check(caller))
    }
}

impl Rate {
    fn new(requests_per_s: u32) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(requests_per_s)?);
        let limiter = RateLimiter::hashmap_with_clock(quota, MonotonicClock);
        Some(Self { limiter, callers_max: AtomicUsize::new(CALLERS_KEPT) })
    }

    fn check(&self, caller: &Caller) -> Result<(), Duration> {
        let checked = self.limiter.check_key(caller);
        // Half of them at least have come since the last time: forgetting costs each a constant.
        if self.limiter.len() > self.callers_max.load(Ordering::Relaxed) {
            self.limiter.retain_recent();
            self.callers_max.store(2 * self.limiter.len() + CALLERS_KEPT, Ordering::Relaxed);
        }
        checked.map_err(|refused| refused.wait_time_from(MonotonicClock.now()))
    }
}

/// The rate at which connections are accepted.
pub(super) struct Arrivals(Option<RateLimiter<NotKeyed, InMemoryState, MonotonicClock>>);

impl std::fmt::Debug for Arrivals {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Arrivals").finish_non_exhaustive()
    }
}

impl Arrivals {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let quota = NonZeroU32::new(limits.connections_per_s_max).map(Quota::per_second);
        Self(quota.map(|quota| RateLimiter::direct_with_clock(quota, MonotonicClock)))
    }

    /// Counts one that may come, or says how long it should wait.
    pub(super) fn check(&self) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check().map_err(|refused| refused.wait_time_from(MonotonicClock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UserId;

    fn user(name: &str) -> Caller {
        Caller::User(UserId::new(name).unwrap())
    }

    fn rates(app: u32, user: u32) -> Rates {
        Rates::new(&HttpLimits {
            app_requests_per_s: app,
            user_requests_per_s: user,
            ..HttpLimits::default()
        })
    }

    #[test]
    fn each_caller_has_a_seconds_worth() {
        // So slow that none comes back while the test runs: one a second is the least there is.
        let rates = rates(0, 1);
        assert_eq!(rates.check(&user("alice")), Ok(()));
        let wait = rates.check(&user("alice")).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(rates.check(&user("bob")), Ok(()));
        for _ in 0..1_000 {
            assert_eq!(rates.check(&Caller::App("chat".into())), Ok(()), "0 is no limit");
        }
    }

    #[test]
    fn callers_who_are_quiet_are_forgotten() {
        // A request gives back its share within a nanosecond, so that everybody is quiet at once.
        let rate = Rate::new(1_000_000_000).unwrap();
        for number in 0..10_000 {
            assert_eq!(rate.check(&user(&format!("u{number}"))), Ok(()));
        }
        assert!(rate.limiter.len() <= CALLERS_KEPT + 1, "{}", rate.limiter.len());
    }
}
