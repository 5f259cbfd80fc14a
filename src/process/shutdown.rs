//! What signals do: how the process ends, in good order or at once, and never half-way through a panic; and when it reads
//! its files again.

use std::{future::Future, io, panic, process, sync::Arc, thread};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// Listens for SIGTERM and SIGINT from this call on. The future is ready at the first of them; a second one ends
/// the process at once, with 128 and the signal's number as its exit code. Needs a tokio runtime.
pub fn requested() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut signals =
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let (request, requested) = oneshot::channel();
    tokio::spawn(async move {
        let kind = signals.next().await;
        tracing::info!(
            signal = kind.as_raw_value(),
            "shutting down; a second signal ends the process at once"
        );
        // Nobody waits any more when the server ended for another reason.
        let _ = request.send(());
        let kind = signals.next().await;
        process::exit(128 + kind.as_raw_value());
    });
    Ok(async move {
        // The task never drops the sender but by sending.
        let _ = requested.await;
    })
}

/// Calls `reload` at each SIGHUP from this call on, for as long as the runtime lives; without this the signal would end
/// the process. It may take its time: a file may be a pipe, or far away. Needs a tokio runtime.
pub fn at_hangup(reload: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    let reload = Arc::new(reload);
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            let reload = reload.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || reload()).await {
                tracing::error!(%error, "nothing was read again");
            }
        }
    });
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}

/// Makes a panic on any thread print what it has to say and end the process. A thread that dies alone would
/// leave its callers waiting for good; the supervisor starts the whole anew.
///
/// Not so on the threads named in `but_on`: somebody waits for their end, and tells what became of them.
pub fn abort_on_panic(but_on: &'static [&'static str]) {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if thread::current().name().is_some_and(|name| but_on.contains(&name)) {
            return;
        }
        print(panic);
        process::abort();
    }));
}
