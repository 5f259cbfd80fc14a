//! Clients that come while a flood goes on, each over a connection of its own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::client::Client;

/// Between two of them.
const EVERY: Duration = Duration::from_millis(20);
/// How long one waits for its answer.
const CALL_MAX: Duration = Duration::from_secs(5);

/// What became of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Came {
    /// How long each took that got in and was answered.
    pub(super) answered: Vec<Duration>,
    pub(super) refused: usize,
}

/// They come until this is ended.
#[derive(Debug)]
pub(super) struct Newcomers {
    came: Arc<Mutex<Came>>,
    coming: JoinHandle<()>,
}

impl Newcomers {
    pub(super) fn begin(url: &str) -> Self {
        let came = Arc::new(Mutex::new(Came::default()));
        let (seen, url) = (came.clone(), url.to_owned());
        let coming = tokio::spawn(async move {
            while let Ok(client) = Client::new(&url) {
                let seen = seen.clone();
                tokio::spawn(async move {
                    let began = Instant::now();
                    let answered = client.with_attempt_max(CALL_MAX).is_ready().await;
                    let took = began.elapsed();
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    match answered {
                        Ok(true) => seen.answered.push(took),
                        Ok(false) | Err(_) => seen.refused += 1,
                    }
                });
                sleep(EVERY).await;
            }
        });
        Self { came, coming }
    }

    /// What became of those that were done by now.
    pub(super) fn end(self) -> Came {
        self.coming.abort();
        self.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
