//! Sending a call again: when, after how long, and until when.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout_at};

use super::ClientError;

/// The most that is waited before the second attempt.
const FIRST_WAIT_MAX: Duration = Duration::from_millis(20);
/// The most that is ever waited, unless the server asks for more.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Makes a call again while its failure may pass (no connection, 408, 429, 5xx), until `give_up` is over.
///
/// Between two attempts it waits for a random time up to a bound that doubles (full jitter: many clients of a
/// server that comes back do not come back all at once), and at least for as long as `Retry-After` says. Since
/// every write of the API is idempotent, any call may be wrapped. Clones count together.
#[derive(Debug, Clone)]
pub struct Retry {
    give_up: Duration,
    calls_retried: Arc<AtomicU64>,
}

impl Retry {
    /// Gives up on a call that has not gone through within `give_up`.
    #[must_use]
    pub fn new(give_up: Duration) -> Self {
        Self { give_up, calls_retried: Arc::default() }
    }

    /// Makes the call until it goes through, fails for good, or the time is over; then, its last error.
    pub async fn run<T, F, A>(&self, mut call: F) -> Result<T, ClientError>
    where
        F: FnMut() -> A,
        A: Future<Output = Result<T, ClientError>>,
    {
        let deadline = Instant::now() + self.give_up;
        let mut failed = match call().await {
            Err(error) if error.is_passing() => error,
            done => return done,
        };
        self.calls_retried.fetch_add(1, Ordering::Relaxed);
        for attempts in 1.. {
            let wait = wait(attempts, failed.retry_after());
            if Instant::now() + wait >= deadline {
                break;
            }
            sleep(wait).await;
            match timeout_at(deadline, call()).await {
                Ok(Err(error)) if error.is_passing() => failed = error,
                Ok(done) => return done,
                Err(_) => break,
            }
        }
        Err(failed)
    }

    /// How many calls were made more than once, over all clones.
    #[must_use]
    pub fn calls_retried(&self) -> u64 {
        self.calls_retried.load(Ordering::Relaxed)
    }
}

/// How long to wait after so many attempts.
fn wait(attempts: u32, asked: Option<Duration>) -> Duration {
    let jitter =
        WAIT_MAX.min(FIRST_WAIT_MAX * 2_u32.saturating_pow(attempts.min(16) - 1)).mul_f64(fastrand::f64());
    asked.unwrap_or_default() + jitter
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use hyper::StatusCode;

    use super::*;

    fn failure(status: u16, retry_after: Option<Duration>) -> ClientError {
        ClientError::Unreadable {
            status: StatusCode::from_u16(status).unwrap(),
            why: String::new(),
            retry_after,
        }
    }

    #[tokio::test]
    async fn a_passing_failure_is_tried_again_and_counted_once() {
        let retry = Retry::new(Duration::from_secs(10));
        let attempts = Cell::new(0);
        let call = || async {
            attempts.set(attempts.get() + 1);
            if attempts.get() < 4 { Err(failure(503, None)) } else { Ok(attempts.get()) }
        };
        assert_eq!(retry.run(call).await.unwrap(), 4);
        assert_eq!(retry.clone().calls_retried(), 1);
    }

    #[tokio::test]
    async fn a_lasting_failure_is_not_tried_again() {
        let retry = Retry::new(Duration::from_secs(10));
        let attempts = Cell::new(0);
        let call = || async {
            attempts.set(attempts.get() + 1);
            Err::<(), _>(failure(409, None))
        };
        assert!(retry.run(call).await.is_err());
        assert_eq!((attempts.get(), retry.calls_retried()), (1, 0));
    }

    #[tokio::test]
    async fn it_gives_up_at_the_deadline_with_the_last_error() {
        let retry = Retry::new(Duration::from_millis(60));
        let began = Instant::now();
        let outcome = retry.run(|| async { Err::<(), _>(failure(503, None)) }).await;
        assert!(matches!(outcome, Err(ClientError::Unreadable { .. })));
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_second_attempt_that_stays_silent_is_cut_at_the_deadline() {
        let retry = Retry::new(Duration::from_millis(100));
        let attempts = Cell::new(0);
        let call = || async {
            attempts.set(attempts.get() + 1);
            if attempts.get() > 1 {
                std::future::pending::<()>().await;
            }
            Err::<(), _>(failure(500, None))
        };
        assert!(retry.run(call).await.is_err());
        assert_eq!(attempts.get(), 2);
    }

    #[tokio::test]
    async fn a_wait_past_the_deadline_is_not_begun() {
        let retry = Retry::new(Duration::from_secs(5));
        let began = Instant::now();
        let call = || async { Err::<(), _>(failure(429, Some(Duration::from_mins(1)))) };
        assert!(retry.run(call).await.is_err());
        assert!(began.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn waits_double_up_to_a_bound_and_obey_the_server() {
        let longest = |attempts| (0..2_000).map(|_| wait(attempts, None)).max().unwrap();
        assert!(longest(1) <= FIRST_WAIT_MAX);
        assert!(longest(3) > FIRST_WAIT_MAX * 2 && longest(3) <= FIRST_WAIT_MAX * 4);
        assert!(longest(1_000) <= WAIT_MAX && longest(1_000) > WAIT_MAX / 2);
        let asked = Duration::from_secs(7);
        assert!((0..100).all(|_| wait(1, Some(asked)) >= asked));
    }
}
