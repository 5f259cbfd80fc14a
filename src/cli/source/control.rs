//! The control socket: how a command of this machine asks a running server for what only that can hand over.
//!
//! It stands in the data directory, for whoever may read that already: mode 0600, and a caller of another user is turned
//! away. Not for the network, and not part of the API.
//!
//! ```text
//!   caller   {"ask":…}\n
//!   server   frames: kind:1  length:4  payload;  low byte first
//!              d  part of a dump        z  the end of it
//!              s  a summary, as JSON    e  why there is no more, as text
//!   caller   k                          the backup is kept: durable, and under its name
//! ```

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// The name of the socket in the data directory.
pub(in crate::cli) const SOCKET: &str = "control.sock";

/// A path of a socket has room for 107 bytes.
const PATH_BYTES_MAX: usize = 107;

/// No frame is longer.
const FRAME_BYTES_MAX: usize = 64 << 10;

/// How long a server may say nothing, or take nothing, in the middle of an answer. It never pauses by itself for longer
/// than its disk does, and ends when that hangs.
pub(in crate::cli) const SILENCE_MAX: Duration = Duration::from_mins(1);

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::cli) enum Ask {
    /// A dump of all, to be kept.
    Backup,
    /// A dump of one conversation, to be looked at.
    Export {
        /// Its id.
        conversation: String,
    },
    /// How much there is.
    Summary,
}

/// How much a running server has.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Summary {
    pub(in crate::cli) conversations: u64,
    pub(in crate::cli) messages: u64,
}

/// The byte that says that a backup is kept.
pub(in crate::cli) const KEPT: u8 = b'k';

/// Where the socket of a data directory is. A path that is too long for one leads through the directory's descriptor,
/// which stays open for as long as this.
#[derive(Debug)]
pub(in crate::cli) struct Place {
    path: PathBuf,
    _directory: Option<File>,
}

impl Place {
    pub(in crate::cli) fn of(data: &Path) -> io::Result<Self> {
        let path = data.join(SOCKET);
        if path.as_os_str().len() <= PATH_BYTES_MAX {
            return Ok(Self { path, _directory: None });
        }
        let directory = File::open(data)?;
        let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(SOCKET);
        Ok(Self { path, _directory: Some(directory) })
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.path
    }
}

/// Connects to the server on `data`; none if none listens there. A read or write that waits for longer than `silence_max`
/// fails: a process that is stopped takes callers in all the same.
pub(in crate::cli) fn connect(data: &Path, silence_max: Duration) -> io::Result<Option<UnixStream>> {
    use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
    match Place::of(data).and_then(|place| UnixStream::connect(place.path())) {
        Ok(stream) => {
            stream.set_read_timeout(Some(silence_max))?;
            stream.set_write_timeout(Some(silence_max))?;
            Ok(Some(stream))
        }
        Err(error) if matches!(error.kind(), ConnectionRefused | NotFound | NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks for something. Where the server has hung up on it, what it had to say against it can be received still.
pub(in crate::cli) fn ask(out: &mut impl Write, ask: &Ask) -> io::Result<()> {
    let mut line = serde_json::to_vec(ask)?;
    line.push(b'\n');
    match out.write_all(&line) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        asked => asked.map_err(ended),
    }
}

/// Sends a frame.
pub(in crate::cli) fn send(out: &mut impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    out.write_all(&[&[kind][..], &length.to_le_bytes(), payload].concat())
}

/// Sends what is written to it as parts of a dump.
#[derive(Debug)]
pub(in crate::cli) struct Sending<W>(pub(in crate::cli) W);

impl<W: Write> Write for Sending<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(FRAME_BYTES_MAX)];
        send(&mut self.0, b'd', part)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Receives a frame of another kind than a dump's. Fails with what the server says against it.
pub(in crate::cli) fn receive(input: &mut impl Read, kind: u8) -> io::Result<Vec<u8>> {
    let (is, length) = head(input)?;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other("the server does not speak as this version of seenby does"));
    }
    let mut payload = vec![0; length];
    input.read_exact(&mut payload).map_err(ended)?;
    match is {
        _ if is == kind => Ok(payload),
        b'e' => Err(io::Error::other(String::from_utf8_lossy(&payload).into_owned())),
        _ => Err(io::Error::other("the server does not speak as this version of seenby does")),
    }
}

fn head(input: &mut impl Read) -> io::Result<(u8, usize)> {
    let mut head = [0; 5];
    input.read_exact(&mut head).map_err(ended)?;
    let [kind, a, b, c, d] = head;
    Ok((kind, u32::from_le_bytes([a, b, c, d]) as usize))
}

/// Why nothing more comes, in words that say what to do.
fn ended(error: io::Error) -> io::Error {
    use io::ErrorKind::{TimedOut, UnexpectedEof, WouldBlock};
    match error.kind() {
        UnexpectedEof => io::Error::new(UnexpectedEof, "the server ended before it was done"),
        WouldBlock => io::Error::new(
            TimedOut,
            "the server does not answer: its process is stopped, or hangs; look at that and at its log, and run this again",
        ),
        _ => error,
    }
}

/// Reads the dump that the server sends.
#[derive(Debug)]
pub(in crate::cli) struct Receiving<R> {
    input: R,
    /// What is left of the part that is being read.
    left: usize,
    is_at_end: bool,
}

impl<R> Receiving<R> {
    pub(in crate::cli) fn new(input: R) -> Self {
        Self { input, left: 0, is_at_end: false }
    }
}

impl<R: Read> Read for Receiving<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 && !self.is_at_end {
            match head(&mut self.input)? {
                (b'd', length) => self.left = length,
                (b'z', 0) => self.is_at_end = true,
                (b'e', length) => {
                    let mut text = Vec::new();
                    (&mut self.input)
                        .take(length.min(FRAME_BYTES_MAX) as u64)
                        .read_to_end(&mut text)
                        .map_err(ended)?;
                    return Err(io::Error::other(String::from_utf8_lossy(&text).into_owned()));
                }
                _ => {
                    return Err(io::Error::other("the server does not speak as this version of seenby does"));
                }
            }
        }
        let length = into.len().min(self.left);
        if length == 0 {
            // A socket that is asked for nothing waits for something all the same.
            return Ok(0);
        }
        let read = self.input.read(&mut into[..length]).map_err(ended)?;
        if read == 0 {
            return Err(ended(io::ErrorKind::UnexpectedEof.into()));
        }
        self.left -= read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received_to_its_end_and_no_further() {
        let mut sent = Vec::new();
        let bytes = vec![7; 3 * FRAME_BYTES_MAX + 1];
        Sending(&mut sent).write_all(&bytes).unwrap();
        let mut cut = Receiving::new(&sent[..]);
        assert_eq!(cut.read_to_end(&mut Vec::new()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        send(&mut sent, b'z', &[]).unwrap();
        let mut received = Vec::new();
        Receiving::new(&sent[..]).read_to_end(&mut received).unwrap();
        assert_eq!(received, bytes);
    }

    #[test]
    fn a_server_that_is_stopped_is_not_waited_for_for_good() {
        let data = tempfile::tempdir().unwrap();
        // The system takes callers in for it.
        let _stopped = std::os::unix::net::UnixListener::bind(data.path().join(SOCKET)).unwrap();
        let connected = connect(data.path(), Duration::from_millis(1));
        let mut stream = connected.unwrap().unwrap();
        ask(&mut stream, &Ask::Summary).unwrap();
        let silent = receive(&mut stream, b's').unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        assert!(silent.to_string().starts_with("the server does not answer"), "{silent}");
        let silent = Receiving::new(&mut stream).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        let full = loop {
            if let Err(error) = ask(&mut stream, &Ask::Backup) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn what_the_server_says_against_it_is_told() {
        let mut sent = Vec::new();
        send(&mut sent, b'e', b"too many").unwrap();
        assert_eq!(receive(&mut &sent[..], b's').unwrap_err().to_string(), "too many");
        assert_eq!(
            Receiving::new(&sent[..]).read_to_end(&mut Vec::new()).unwrap_err().to_string(),
            "too many"
        );
    }
}
