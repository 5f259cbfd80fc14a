//! Where connections come in: a listener from systemd, a TCP address, or a socket file.
//!
//! Owns the socket file from its making to its removal. Knows nothing of what is said on a connection.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use super::config::{ListenAddress, OPEN_WITHOUT_KEYS};

/// A listener that takes connections already; they wait until somebody accepts them.
#[derive(Debug)]
pub enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// On a socket file.
    Unix(UnixListener),
}

/// A listener, where it is, and the socket file it stands for, which goes when this is dropped.
#[derive(Debug)]
pub struct Bound {
    /// The listener, in the non-blocking mode that an asynchronous runtime needs.
    pub listener: Listener,
    /// The real address, also when a free port was asked for.
    pub address: ListenAddress,
    /// The file to remove in the end; none if somebody else made it.
    pub file: Option<SocketFile>,
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// What systemd passed on is not one stream listener.
    #[error("cannot listen on what systemd passed on: {0}")]
    Inherited(String),
    /// The listener that systemd passed on is open to other machines.
    #[error("the listener that systemd passed on, {0}, {OPEN_WITHOUT_KEYS}")]
    Open(ListenAddress),
    /// Something answers on the socket file.
    #[error("cannot listen on unix:{}: another server answers on it", .0.display())]
    Answered(PathBuf),
    /// There is a file that is no socket.
    #[error("cannot listen on unix:{}: there is a file with this name that is no socket", .0.display())]
    NoSocket(PathBuf),
    /// The system says no.
    #[error("cannot listen on {address}: {error}")]
    System {
        /// Where.
        address: ListenAddress,
        /// What it says.
        error: io::Error,
    },
}

/// The listener that systemd passed on, if it did; without access control one that other machines can reach is refused. To
/// be called before the process has a second thread, as it
/// takes the variables that tell of it out of the environment.
pub fn inherited(has_access_control: bool) -> Result<Option<Bound>, ListenError> {
    let mut passed = listenfd::ListenFd::from_env();
    if passed.len() > 1 {
        return Err(ListenError::Inherited(format!("{} listeners, and one is wanted", passed.len())));
    }
    let wrong = |error: io::Error| ListenError::Inherited(error.to_string());
    let listener = match passed.take_tcp_listener(0) {
        Ok(None) => return Ok(None),
        Ok(Some(listener)) => Listener::Tcp(listener),
        Err(_) => match passed.take_unix_listener(0).map_err(wrong)? {
            Some(listener) => Listener::Unix(listener),
            None => return Ok(None),
        },
    };
    let bound = Bound::new(listener, None).map_err(wrong)?;
    if has_access_control || bound.address.is_local() {
        Ok(Some(bound))
    } else {
        Err(ListenError::Open(bound.address))
    }
}

/// Listens on `address`. A socket file that is there is replaced if nobody answers on it.
pub fn bind(address: &ListenAddress) -> Result<Bound, ListenError> {
    let system = |error| ListenError::System { address: address.clone(), error };
    let (listener, file) = match address {
        ListenAddress::Tcp(address) => (TcpListener::bind(address).map(Listener::Tcp).map_err(system)?, None),
        ListenAddress::Unix(path) => {
            remove_stale(path)?;
            let listener = UnixListener::bind(path).map_err(system)?;
            let file = SocketFile::of(path).map_err(system)?;
            (Listener::Unix(listener), Some(file))
        }
    };
    Bound::new(listener, file).map_err(system)
}

impl Bound {
    fn new(listener: Listener, file: Option<SocketFile>) -> io::Result<Self> {
        let address = match &listener {
            Listener::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                ListenAddress::Tcp(listener.local_addr()?)
            }
            Listener::Unix(listener) => {
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                ListenAddress::Unix(address.as_pathname().unwrap_or(Path::new("(no file)")).to_owned())
            }
        };
        Ok(Self { listener, address, file })
    }
}

/// Removes a socket file that a server left behind. Two servers that start on one file at the same instant may
/// both find it stale; the directory of the data, which only one can open, settles that.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let system = |error| ListenError::System { address: ListenAddress::Unix(path.to_owned()), error };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system(error)),
        Ok(file) if !file.file_type().is_socket() => return Err(ListenError::NoSocket(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(ListenError::Answered(path.to_owned())),
        // Only this says that nobody listens; a full queue or a missing permission does not.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(system)
        }
        Err(error) => Err(system(error)),
    }
}

/// A socket file of this process. It is removed on drop, if it is still the same file.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    /// Takes charge of a file that was just made, and closes it to all but this user.
    fn of(path: &Path) -> io::Result<Self> {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        let file = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), device: file.dev(), inode: file.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let same = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| file.dev() == self.device && file.ino() == self.inode);
        if same && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket file stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(path: &Path) -> ListenAddress {
        ListenAddress::Unix(path.to_owned())
    }

    #[test]
    fn a_free_port_is_told() {
        let bound = bind(&ListenAddress::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        assert!(matches!(bound.address, ListenAddress::Tcp(address) if address.port() != 0));
    }

    #[test]
    fn a_socket_file_is_private_and_goes_with_its_server() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let bound = bind(&unix(&path)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(bound.address, unix(&path));
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_file_left_behind_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _bound = bind(&unix(&path)).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn a_socket_file_that_answers_and_a_file_of_another_kind_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let first = bind(&unix(&path)).unwrap();
        assert!(matches!(bind(&unix(&path)), Err(ListenError::Answered(_))));
        assert!(UnixStream::connect(&path).is_ok());
        drop(first);
        fs::write(&path, "precious").unwrap();
        assert!(matches!(bind(&unix(&path)), Err(ListenError::NoSocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_file_that_another_server_made_since_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let bound = bind(&unix(&path)).unwrap();
        fs::rename(&path, dir.path().join("away")).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(bound);
        assert!(path.exists());
    }
}
