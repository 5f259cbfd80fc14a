//! What is undone when a signal ends a command before that has done it by itself.

use std::{
    fs,
    future::poll_fn,
    io, process,
    sync::{Mutex, PoisonError},
    task::Poll,
    thread,
};

use tokio::signal::unix::{SignalKind, signal};

/// What is to be done then.
pub(super) type Undo = Box<dyn FnOnce() + Send>;

/// None as long as nothing has been made, when a signal ends the process as it would any.
static UNDOS: Mutex<Option<Vec<Undo>>> = Mutex::new(None);

/// Makes something that is undone at SIGINT, SIGTERM or SIGHUP, on a thread of its own; the process then ends as the signal
/// would have it. No signal comes between: it waits for `make`. One that whoever started this has it ignore, as nohup does,
/// ends nothing. Fails if signals cannot be listened for; then nothing was made.
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
    let (ignored, mut ends) = (ignored(), Vec::new());
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        if ignored >> (kind.as_raw_value() - 1) & 1 == 0 {
            let _inside = runtime.enter();
            ends.push((kind, signal(kind)?));
        }
    }
    let wait = poll_fn(move |cx| {
        let came =
            ends.iter_mut().find_map(|(kind, signal)| signal.poll_recv(cx).is_ready().then_some(*kind));
        came.map_or(Poll::Pending, Poll::Ready)
    });
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

/// The signals that this process ignores, as bits from 0 on for signal 1 and those behind it. None where there is no /proc.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
