//! How long receipts live: points in time, and the rounding of the end.
//!
//! Time always comes in from outside, as a [`Timestamp`]; nothing here reads a clock.

use std::time::Duration;

/// A point in time, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Milliseconds since the Unix epoch.
    pub unix_ms: u64,
}

/// The instant from which a message is unknown, in whole seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExpiresAt {
    /// Seconds since the Unix epoch.
    pub unix_s: u64,
}

impl ExpiresAt {
    /// `now` and `life` added, rounded up to the second.
    #[must_use]
    pub fn after(now: Timestamp, life: Duration) -> Self {
        let life_ms = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        Self { unix_s: now.unix_ms.saturating_add(life_ms).div_ceil(1000) }
    }

    /// Whether the message is unknown at `now`: from this very instant on it is.
    #[must_use]
    pub fn has_come(self, now: Timestamp) -> bool {
        now.unix_ms / 1000 >= self.unix_s
    }
}

/// How long a message's receipts live that says nothing of it itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The life of a message from its registration on.
    pub life: Duration,
}

impl Retention {
    /// The longest life, in seconds: a year of 365 days.
    pub const LIFE_S_MAX: u64 = 365 * 24 * 60 * 60;

    /// When a message registered at `now` expires, given its own `expires_in_s` or none.
    #[must_use]
    pub fn expires_at(self, now: Timestamp, expires_in_s: Option<u32>) -> ExpiresAt {
        ExpiresAt::after(now, expires_in_s.map_or(self.life, |s| Duration::from_secs(u64::from(s))))
    }
}

impl Default for Retention {
    /// Seven days, the usual figure in the field.
    fn default() -> Self {
        Self { life: Duration::from_hours(7 * 24) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_ms: u64) -> Timestamp {
        Timestamp { unix_ms }
    }

    #[test]
    fn the_end_is_rounded_up_to_the_second() {
        let retention = Retention { life: Duration::from_secs(10) };
        assert_eq!(retention.expires_at(at(5_000), None).unix_s, 15);
        assert_eq!(retention.expires_at(at(5_001), None).unix_s, 16);
        assert_eq!(retention.expires_at(at(5_000), Some(1)).unix_s, 6);
    }

    #[test]
    fn a_message_is_unknown_from_its_end_on() {
        let end = ExpiresAt { unix_s: 15 };
        assert!(!end.has_come(at(14_999)));
        assert!(end.has_come(at(15_000)));
    }
}
