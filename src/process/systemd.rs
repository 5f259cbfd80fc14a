//! What the service manager is told: that the server is ready, alive, reading its files again, on its way out.
//!
//! systemd's protocol (`sd_notify(3)`): datagrams to the socket that `NOTIFY_SOCKET` names. Where there is none, nothing is
//! said. Knows nothing of what makes a server ready or alive; that is for whoever calls.

use std::time::Duration;

use sd_notify::NotifyState;

/// The server can answer, and commit.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The server takes no more connections, and answers what is under way.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The server reads its files again, until it says [`ready`] again.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the service manager is told of no reload"),
    }
}

/// The server has made progress since it said so last.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often to say that the server is [`alive`]: twice in the time (`WatchdogSec`) after which the service manager
/// takes it for hung. None, if nobody waits for it.
#[must_use]
pub fn alive_every() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|within| within / 2)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told how the server is");
    }
}
