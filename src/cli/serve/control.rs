//! The server's end of the control socket: hands dumps over to commands of this machine, on threads of its own.

use std::{
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::{net::sockopt::socket_peercred, process::geteuid};
use tokio::runtime::Handle;

use crate::{
    cli::source::control::{Ask, KEPT, Place, Sending, Summary, send},
    domain::{ConversationId, Timestamp},
    process::{
        clock::Clock,
        config::ListenAddress,
        last_backup,
        listen::{self, Bound, Listener, SocketFile},
        metrics::Metrics,
    },
    receipts::Ledger,
    store::{
        StoreError,
        dump::{self, DumpError, Label},
    },
};

/// Callers at once; one more is turned away.
const CALLERS_MAX: usize = 8;

/// How long a caller may take to say what it wants.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a caller may take nothing of its dump, or to keep it: a pipe may lead to something slow.
const TAKE_TIMEOUT: Duration = Duration::from_mins(10);

/// What is asked fits in a line of so many bytes.
const ASK_BYTES_MAX: u64 = 4 << 10;

/// Listens in the data directory, which this process has to itself, for as long as the socket file is kept.
pub(super) struct Control {
    _file: Option<SocketFile>,
    _place: Place,
}

#[derive(Clone)]
struct Answering {
    ledger: Ledger,
    metrics: Arc<Metrics>,
    runtime: Handle,
    callers: Arc<AtomicUsize>,
    last_backup: Arc<LastBackup>,
}

/// When the last backup was taken that was kept; and that over a restart, for whoever watches for old ones.
struct LastBackup {
    data: PathBuf,
    at: Mutex<Option<Timestamp>>,
}

impl LastBackup {
    /// What an earlier life of the server has noted.
    fn of(data: &Path) -> Self {
        let at = last_backup::load(data).unwrap_or_else(|error| {
            tracing::warn!(%error, data = %data.display(), "when the last backup was is not known");
            None
        });
        Self { data: data.to_owned(), at: Mutex::new(at) }
    }

    fn at(&self) -> Option<Timestamp> {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One was taken `at`, and is kept by `now`. Several may end at once, and not in the order in which they began. One that
    /// is still to come was noted by a clock that has been set back.
    fn note(&self, at: Timestamp, now: Timestamp) {
        let mut last = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last < at || now < last) {
            *last = Some(at);
            if let Err(error) = last_backup::keep(&self.data, at) {
                tracing::warn!(%error, data = %self.data.display(), "that there was a backup is forgotten at a restart");
            }
        }
    }
}

/// Begins to answer. A server without is a server still, but has to be stopped for a backup; the log says so.
pub(super) fn start(data: &Path, ledger: Ledger, metrics: Arc<Metrics>) -> Option<Control> {
    let last_backup = Arc::new(LastBackup::of(data));
    last_backup.at().into_iter().for_each(|at| metrics.backed_up(at));
    let (runtime, callers) = (Handle::current(), Arc::default());
    let answering = Answering { ledger, metrics, runtime, callers, last_backup };
    match listen(data, answering) {
        Ok(control) => Some(control),
        Err(error) => {
            tracing::warn!(%error, data = %data.display(), "no control socket: this server has to be stopped for a backup");
            None
        }
    }
}

fn listen(data: &Path, answering: Answering) -> io::Result<Control> {
    let place = Place::of(data)?;
    let bound = listen::bind(&ListenAddress::Unix(place.path().to_owned())).map_err(io::Error::other)?;
    let Bound { listener: Listener::Unix(listener), file, .. } = bound else {
        return Err(io::Error::other("it is no socket file"));
    };
    listener.set_nonblocking(false)?;
    thread::Builder::new().name("control".to_owned()).spawn(move || accept(&listener, &answering))?;
    Ok(Control { _file: file, _place: place })
}

fn accept(listener: &UnixListener, answering: &Answering) {
    for stream in listener.incoming() {
        let answering = answering.clone();
        let taken = stream.and_then(|stream| {
            let caller = move || answering.answer(&stream);
            thread::Builder::new().name("control".to_owned()).spawn(caller)
        });
        if let Err(error) = taken {
            tracing::warn!(%error, "the control socket could not take a caller");
            // What there is too much of does not go away within no time.
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Answering {
    fn answer(&self, stream: &UnixStream) {
        let before = self.callers.fetch_add(1, Ordering::SeqCst);
        let answered = if before >= CALLERS_MAX {
            send(&mut &*stream, b'e', StoreError::TooManyExports.to_string().as_bytes())
        } else {
            self.answer_one(stream)
        };
        self.callers.fetch_sub(1, Ordering::SeqCst);
        if let Err(error) = answered {
            tracing::warn!(%error, "the control socket could not answer");
        }
    }

    fn answer_one(&self, stream: &UnixStream) -> io::Result<()> {
        let (caller, own) = (socket_peercred(stream)?.uid, geteuid());
        if caller != own && !caller.is_root() {
            return send(&mut &*stream, b'e', b"only the user that the server runs as may ask this");
        }
        stream.set_read_timeout(Some(ASK_TIMEOUT))?;
        stream.set_write_timeout(Some(TAKE_TIMEOUT))?;
        let mut line = String::new();
        BufReader::new(stream.take(ASK_BYTES_MAX)).read_line(&mut line)?;
        match serde_json::from_str(&line) {
            Ok(Ask::Backup) => self.backup(stream),
            Ok(Ask::Export { conversation }) => match ConversationId::new(conversation) {
                Ok(id) => self.export(stream, Some(id)).map(|_| ()),
                Err(_) => send(&mut &*stream, b'e', b"that is no conversation's id"),
            },
            Ok(Ask::Summary) => {
                let vitals = self.ledger.vitals();
                let summary = Summary { conversations: vitals.conversations, messages: vitals.messages };
                send(&mut &*stream, b's', &serde_json::to_vec(&summary)?)
            }
            Err(_) => send(&mut &*stream, b'e', b"the server does not know what is asked of it"),
        }
    }

    fn backup(&self, stream: &UnixStream) -> io::Result<()> {
        let (began, taken_at) = (Instant::now(), Clock::System.now());
        tracing::info!("a backup begins");
        let Some(messages) = self.export(stream, None)? else { return Ok(()) };
        stream.set_read_timeout(Some(TAKE_TIMEOUT))?;
        let mut said = [0];
        (&*stream).read_exact(&mut said)?;
        if said == [KEPT] {
            self.last_backup.note(taken_at, Clock::System.now());
            self.last_backup.at().into_iter().for_each(|at| self.metrics.backed_up(at));
            tracing::info!(messages, took = ?began.elapsed(), "a backup was taken");
        }
        Ok(())
    }

    /// Sends a dump, and says of how many messages; none if that could not be done, which the caller was told.
    fn export(&self, stream: &UnixStream, only: Option<ConversationId>) -> io::Result<Option<u64>> {
        let mut label = self.ledger.label(Clock::System.now());
        if only.is_some() {
            // Nobody restores a part.
            label = Label { etag_key: None, ..label };
        }
        let out = BufWriter::with_capacity(64 << 10, Sending(stream));
        let mut messages = 0;
        let written = self.runtime.block_on(self.ledger.export(only)).map_err(DumpError::from);
        let written = written.and_then(|mut export| {
            dump::write(out, label, &mut *export, |more| messages += more as u64)?;
            Ok(())
        });
        match written {
            Ok(()) => send(&mut &*stream, b'z', &[]).map(|()| Some(messages)),
            Err(DumpError::Io(error)) => Err(error),
            Err(error) => {
                tracing::error!(%error, "an export ended early");
                send(&mut &*stream, b'e', error.to_string().as_bytes())?;
                (&*stream).flush().map(|()| None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_backup_is_the_latest_that_has_come_by_now() {
        let data = tempfile::tempdir().unwrap();
        let last = LastBackup::of(data.path());
        let at = |unix_ms| Timestamp { unix_ms };
        for (taken, now, told) in [(5, 9, 5), (3, 9, 5), (900, 901, 900), (20, 21, 20), (30, 31, 30)] {
            last.note(at(taken), at(now));
            let kept = LastBackup::of(data.path()).at();
            assert_eq!((last.at(), kept), (Some(at(told)), Some(at(told))), "{taken} at {now}");
        }
    }
}
