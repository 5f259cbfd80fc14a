//! Time that runs faster: a simulation's seconds, and when they come.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// When the simulation begins and how fast it goes. What is simulated counts from its beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    began: Instant,
    factor: u32,
}

impl Time {
    /// Begins at `began`, and goes `factor` times as fast as real time.
    pub(super) fn new(began: Instant, factor: u32) -> Self {
        Self { began, factor }
    }

    /// Simulated time since the beginning; none before it.
    pub(super) fn now(self) -> Duration {
        Instant::now().saturating_duration_since(self.began) * self.factor
    }

    pub(super) async fn until(self, simulated: Duration) {
        sleep_until(self.began + simulated / self.factor).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_minute_takes_as_much_less_as_the_factor_says() {
        let began = Instant::now() + Duration::from_millis(10);
        let time = Time::new(began, 1_000);
        assert_eq!(time.now(), Duration::ZERO, "it has not begun");
        time.until(Duration::from_mins(1)).await;
        assert!(time.now() >= Duration::from_mins(1) && began.elapsed() >= Duration::from_millis(60));
    }
}
