//! The real binary on a disk that is made to fail, called through the client; what it said; and `strace`, which makes
//! the calls of some of its threads fail.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::channel,
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use seenby::client::{Client, ClientError};
use tokio::runtime::Runtime;

use crate::harness::{PATIENCE, binary, wait_for};

/// The conversation that all this happens in.
pub(super) const C: &str = "c";

/// A server, running or not. Killed when dropped.
pub(super) struct Server {
    child: Child,
    log: PathBuf,
    url: String,
    client: Client,
    runtime: Runtime,
}

/// How a server ended that never served: how, and what it said.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: ExitStatus,
    pub(super) log: String,
}

impl Server {
    /// Starts `BEFORE seenby serve --data DATA ARGS` and waits for its first line. Its log goes beside the data.
    pub(super) fn start(before: &[String], data: &Path, args: &[&str]) -> Result<Self, Refused> {
        let log = data.with_extension("log");
        let words: Vec<_> = before.iter().map(Into::into).chain([binary().into_os_string()]).collect();
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(args)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (sender, line) = channel();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            let mut line = String::new();
            let _ = output.read_line(&mut line);
            sender.send(line)
        });
        let line = line.recv_timeout(PATIENCE).expect("a first line, or the end");
        let Some(url) = line.trim_end().strip_prefix("seenby listening on ").map(str::to_owned) else {
            let status = wait_for("the end of a refused server", || child.try_wait().unwrap());
            return Err(Refused { status, log: fs::read_to_string(&log).unwrap() });
        };
        let client = Client::new(&url).unwrap().with_attempt_max(PATIENCE);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Ok(Self { child, log, url, client, runtime })
    }

    /// Starts on a disk that works.
    pub(super) fn on(data: &Path, args: &[&str]) -> Self {
        Self::start(&[], data, args).unwrap_or_else(|refused| panic!("refused: {refused:?}"))
    }

    /// The answer to a call.
    pub(super) fn call<T>(&self, call: impl AsyncFnOnce(&Client) -> T) -> T {
        self.runtime.block_on(call(&self.client))
    }

    pub(super) fn register(&self, message: &str) -> Result<(), ClientError> {
        self.call(async |client| client.register(C, message, &"alice".into()).await.map(|_| ()))
    }

    pub(super) fn mark(&self, reader: &str, message: &str) -> Result<(), ClientError> {
        self.call(async |client| client.mark_messages(C, reader, &[message]).await.map(|_| ()))
    }

    /// Whether it says that it can commit.
    pub(super) fn is_ready(&self) -> Result<bool, ClientError> {
        self.call(async |client| client.is_ready().await)
    }

    /// All that it shows: a line for each message, and one for each reader of it.
    pub(super) fn shown(&self) -> Result<BTreeSet<String>, ClientError> {
        self.call(async |client| {
            let mut shown = BTreeSet::new();
            for known in client.messages(C).await? {
                let readers = client.readers(C, &known.message).await?;
                shown.extend(readers.into_iter().map(|reader| read(&reader, &known.message)));
                shown.insert(registered(&known.message));
            }
            Ok(shown)
        })
    }

    /// The messages that it shows, a line for each.
    pub(super) fn messages(&self) -> Result<BTreeSet<String>, ClientError> {
        self.call(async |client| {
            Ok(client.messages(C).await?.into_iter().map(|known| registered(&known.message)).collect())
        })
    }

    /// Bytes of its journal, which are of what no checkpoint has; none if it has died.
    pub(super) fn journal_bytes(&self) -> Option<u64> {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://")?).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        // Cut off in the middle, it has died.
        text.ends_with("# EOF\n").then(|| {
            let bytes = text.lines().find_map(|line| line.strip_prefix("seenby_store_journal_bytes "));
            bytes.unwrap_or_else(|| panic!("no journal in\n{text}")).parse().unwrap()
        })
    }

    /// Its end, if it has come.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(super) fn end(&mut self) -> ExitStatus {
        wait_for("the server to end", || self.child.try_wait().unwrap())
    }

    /// SIGTERM, and waits for its end.
    pub(super) fn terminate(&mut self) -> ExitStatus {
        // It may have ended by itself just now.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        self.end()
    }

    /// What it has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// How often it has logged that the store failed.
    pub(super) fn causes(&self) -> usize {
        self.log()
            .lines()
            .filter(|line| line.contains("ERROR") && line.contains("accepts no more writes:"))
            .count()
    }

    /// Lets `strace` with these words make calls fail, on the threads whose name begins with `thread`.
    pub(super) fn trace(&self, thread: &str, words: &[String]) -> Tracer {
        // A thread names itself, a moment after it was started.
        let threads = wait_for("the thread", || Some(self.threads(thread)).filter(|found| !found.is_empty()));
        let threads: Vec<_> = threads.into_iter().flat_map(|id| ["-p".to_owned(), id]).collect();
        Tracer::attach(words, &threads)
    }

    fn threads(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().flatten();
        let is_named = |path: PathBuf| fs::read_to_string(path).is_ok_and(|found| found.starts_with(name));
        let found = entries.filter(|entry| is_named(entry.path().join("comm")));
        found.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line of a message.
pub(super) fn registered(message: &str) -> String {
    message.to_owned()
}

/// The line of a reader of a message.
pub(super) fn read(reader: &str, message: &str) -> String {
    format!("{message} read by {reader}")
}

/// An `strace` that is attached to threads. Ends with them, or when it is dropped.
pub(super) struct Tracer {
    child: Child,
}

impl Tracer {
    fn attach(words: &[String], threads: &[String]) -> Self {
        let mut child =
            Command::new("strace").args(words).args(threads).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        for _ in 0..threads.len() / 2 {
            let mut line = String::new();
            said.read_line(&mut line).unwrap();
            assert!(line.ends_with("attached\n"), "strace cannot attach: {line}");
        }
        // It has something to say of each thread that ends.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child }
    }

    /// Waits for its end, after that of the threads.
    pub(super) fn end(mut self) {
        wait_for("strace to end", || self.child.try_wait().unwrap());
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            // Not SIGKILL: it is to let go of the threads.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}
