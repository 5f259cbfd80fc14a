//! Where large bodies are read as JSON: one after the other, in a thread that stands back for all others.
//!
//! To read 16 MiB takes as long as thousands of pulls. Were it done by the threads that answer, a few clients with
//! large bodies could hold up everybody; were it done by many threads, they would share the processors with those.

use std::{
    sync::mpsc::{Sender, channel},
    thread,
};

use rustix::{process::setpriority_process, thread::gettid};
use serde::de::DeserializeOwned;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::oneshot,
};

use super::{body::Collected, problem::Failure};

/// From so many bytes on, a body is read here.
const BODY_BYTES_QUICK: usize = 64 << 10;

/// The thread's priority: where processors are short it gets some 4 % of one beside a thread that answers.
const PRIORITY: i32 = 15;

type Work = Box<dyn FnOnce() + Send>;

/// Reads bodies. The thread ends when this is dropped and all has been read that was asked for.
#[derive(Debug)]
pub(super) struct Reader {
    /// Bounded by the connections, and by the budget that each of these bodies is in. None: there is no thread.
    work: Option<Sender<Work>>,
}

impl Reader {
    /// Begins the thread. If the system has none to give, bodies are read by the threads that answer.
    pub(super) fn start() -> Self {
        let (work, asked) = channel::<Work>();
        let begun = thread::Builder::new().name("seenby-bodies".to_owned()).spawn(move || {
            // Where it is refused the thread is as the others are.
            let _ = setpriority_process(Some(gettid()), PRIORITY);
            while let Ok(read) = asked.recv() {
                read();
            }
        });
        match begun {
            Ok(_) => Self { work: Some(work) },
            Err(error) => {
                tracing::error!(%error, "no thread for large bodies; they hold up others");
                Self { work: None }
            }
        }
    }

    /// Reads a body as JSON of one shape.
    pub(super) async fn json<T: DeserializeOwned + Send + 'static>(
        &self,
        body: &Collected,
    ) -> Result<T, Failure> {
        // With one thread for everything there is nobody to be held up, and a test may be that thread.
        let several =
            || Handle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread);
        let work = self.work.as_ref().filter(|_| body.len() >= BODY_BYTES_QUICK && several());
        let Some(work) = work else { return body.json() };
        let (answer, answered) = oneshot::channel();
        let body = body.clone();
        let read = move || {
            // Whoever has hung up meanwhile is not worth the time.
            if !answer.is_closed() {
                let _ = answer.send(body.json());
            }
        };
        work.send(Box::new(read)).map_err(|_| Failure::internal("the thread for bodies has ended"))?;
        answered.await.map_err(Failure::internal)?
    }
}
