//! Where `backup` and `inspect` have what a store holds from: the server that is running on a data directory, the directory
//! itself while none is, or a cluster.

pub(super) mod control;
mod place;
mod scratch;

use std::{
    fmt,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use self::control::{Ask, KEPT, Receiving, SILENCE_MAX, SOCKET, Summary};
pub(super) use self::{
    place::{Place, ReadPassword, read_password},
    scratch::{Scratch, ScratchError},
};
use crate::{
    domain::ConversationId,
    process::{clock::Clock, etag_key},
    store::{
        Store as _, StoreError,
        cluster::{self, ClusterStore},
        dump::{DumpError, Export, Head, Label},
        embedded::{Offline, OpenError},
    },
};

/// How long a directory may be in use by a server that does not answer yet: one that is starting, or on its way out.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Why there is nothing to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    /// The server's socket says no.
    #[error(
        "{}: the server of this data directory cannot be asked; run this as the user that it runs as", .socket.display()
    )]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// The server says no, or nothing.
    #[error("{}: the server of this data directory has not done what it was asked", .socket.display())]
    Asked {
        /// The socket.
        socket: PathBuf,
        /// What it says, or that it says nothing.
        source: io::Error,
    },
    /// A server has it and does not answer.
    #[error(
        "{}: a server is using this data directory and does not answer on {SOCKET} in it; wait until it is ready, or stop it",
        .0.display()
    )]
    Silent(PathBuf),
    /// There is no room for temporary files.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// It cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its secret cannot be read.
    #[error("{}", .0.display())]
    EtagKey(PathBuf, #[source] io::Error),
    /// It cannot be exported.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password for it cannot be had.
    #[error(transparent)]
    Password(#[from] ReadPassword),
    /// It cannot be opened.
    #[error(transparent)]
    Cluster(#[from] cluster::OpenError),
    /// There is no runtime to be had.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

/// A store, and who has what is in it.
pub(super) enum Source {
    /// A server that is running on it.
    Running(PathBuf, UnixStream),
    /// Nobody else.
    Stopped { data: PathBuf, offline: Offline, _scratch: Scratch },
    /// The nodes of a cluster.
    Cluster { store: ClusterStore, runtime: Runtime },
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Running(..) => "Running",
            Self::Stopped { .. } => "Stopped",
            Self::Cluster { .. } => "Cluster",
        })
    }
}

/// A dump on its way.
pub(super) enum Coming<'a> {
    /// As bytes.
    Bytes(Box<dyn Read + 'a>),
    /// Piece by piece, and with this to go along.
    Pieces(Box<dyn Export>, Label),
}

impl Source {
    /// Looks who has the store.
    pub(super) fn open(place: &Place) -> Result<Self, SourceError> {
        let Some(options) = place.cluster()? else { return Self::open_directory(&place.data) };
        let runtime = Runtime::new().map_err(SourceError::Runtime)?;
        let store = runtime.block_on(ClusterStore::open_to_look(&options))?;
        Ok(Self::Cluster { store, runtime })
    }

    fn open_directory(data: &Path) -> Result<Self, SourceError> {
        let began = Instant::now();
        let mut scratch = None;
        loop {
            let connected = control::connect(data, SILENCE_MAX);
            let connected =
                connected.map_err(|source| SourceError::Socket { socket: data.join(SOCKET), source })?;
            if let Some(stream) = connected {
                return Ok(Self::Running(data.to_owned(), stream));
            }
            let here = match scratch.take() {
                Some(here) => here,
                None => Scratch::make()?,
            };
            match Offline::open(data, here.inside()) {
                Ok(offline) => {
                    return Ok(Self::Stopped { data: data.to_owned(), offline, _scratch: here });
                }
                Err(OpenError::Locked { path }) if began.elapsed() >= PATIENCE => {
                    return Err(SourceError::Silent(path));
                }
                // Nothing is in it yet.
                Err(OpenError::Locked { .. }) => {
                    scratch = Some(here);
                    sleep(PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether a server is running on it.
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Running(..))
    }

    /// All that there is, or what there is of one conversation.
    pub(super) fn export(&mut self, only: Option<ConversationId>) -> Result<Coming<'_>, SourceError> {
        match self {
            Self::Running(data, stream) => {
                let ask = match only {
                    None => Ask::Backup,
                    Some(only) => Ask::Export { conversation: only.as_str().to_owned() },
                };
                control::ask(stream, &ask)
                    .map_err(|source| SourceError::Asked { socket: data.join(SOCKET), source })?;
                Ok(Coming::Bytes(Box::new(io::BufReader::new(Receiving::new(stream)))))
            }
            Self::Stopped { data, offline, .. } => {
                let etag_key = etag_key::look(data)
                    .map_err(|error| SourceError::EtagKey(data.join("etag.key"), error))?;
                let export = offline.export(only).ok_or(StoreError::TooManyExports)?;
                Ok(Coming::Pieces(export, Label { taken_at_unix_ms: Clock::System.now().unix_ms, etag_key }))
            }
            Self::Cluster { store, runtime } => {
                let etag_key = runtime.block_on(store.kept_etag_key())?;
                let export = runtime.block_on(store.export(only))?;
                Ok(Coming::Pieces(export, Label { taken_at_unix_ms: Clock::System.now().unix_ms, etag_key }))
            }
        }
    }

    /// Tells the server, if one is running, that its dump is durable and has its name. It only notes that: whether it
    /// hears of it changes nothing.
    pub(super) fn kept(&mut self) {
        if let Self::Running(_, stream) = self {
            let _ = stream.write_all(&[KEPT]);
        }
    }

    /// How much there is.
    pub(super) fn summary(&mut self) -> Result<Summary, SourceError> {
        match self {
            Self::Running(data, stream) => {
                let asked = control::ask(stream, &Ask::Summary).and_then(|()| control::receive(stream, b's'));
                let summary = asked.and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
                summary.map_err(|source| SourceError::Asked { socket: data.join(SOCKET), source })
            }
            Self::Stopped { offline, .. } => {
                let checked = offline.checked();
                Ok(Summary { conversations: checked.conversations, messages: checked.messages })
            }
            Self::Cluster { store, runtime } => {
                let Head { conversations, messages, .. } = runtime.block_on(store.export(None))?.head();
                Ok(Summary { conversations, messages })
            }
        }
    }
}

/// A backup that is of no use, by its name.
#[derive(Debug, thiserror::Error)]
#[error("{name}")]
pub(super) struct BadDump {
    name: String,
    source: DumpError,
}

impl BadDump {
    /// What came of reading `file`, or standard input for `-`.
    pub(super) fn of(file: &Path, source: DumpError) -> Self {
        let name =
            if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
        Self { name, source }
    }
}

/// A dump that could not be brought to its end, and which side is to blame.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// What came.
    #[error("the backup did not come to its end")]
    From(#[source] DumpError),
    /// Where it went.
    #[error("{}: cannot be written", .0.display())]
    To(PathBuf, #[source] io::Error),
}
