//! What is undone when a signal ends a command before that has done it by itself.

use std::{
    io, process,
    sync::{Mutex, PoisonError},
    thread,
};

use tokio::signal::unix::{SignalKind, signal};

/// What is to be done then.
pub(super) type Undo = Box<dyn FnOnce() + Send>;

/// None as long as nothing has been made, when a signal ends the process as it would any.
static UNDOS: Mutex<Option<Vec<Undo>>> = Mutex::new(None);

/// Makes something that is undone at SIGINT, SIGTERM or SIGHUP, on a thread of its own; the process then ends as the signal
/// would have it. No signal comes between: it waits for `make`. Fails if signals cannot be listened for; then nothing was
/// made.
pub(super) fn undone<T, E>(make: impl FnOnce() -> Result<(T, Undo), E>) -> io::Result<Result<T, E>> {
    let mut undos = UNDOS.lock().unwrap_or_else(PoisonError::into_inner);
    if undos.is_none() {
        listen()?;
    }
    let undos = undos.get_or_insert_default();
    Ok(make().map(|(made, undo)| {
        undos.push(undo);
        made
    }))
}

/// Where a signal has come, waits for the end that it brings.
pub(super) fn let_end() {
    drop(UNDOS.lock());
}

fn listen() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate, mut hangup) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?)
    };
    let wait = async move {
        tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
            _ = hangup.recv() => SignalKind::hangup(),
        }
    };
    let end = move || {
        let kind = runtime.block_on(wait);
        // Kept to the end, so that nothing more is made.
        let mut undos = UNDOS.lock().unwrap_or_else(PoisonError::into_inner);
        // The last first.
        undos.iter_mut().flat_map(|undos| undos.drain(..).rev()).for_each(|undo| undo());
        process::exit(128 + kind.as_raw_value());
    };
    thread::Builder::new().name("signals".to_owned()).spawn(end).map(drop)
}
