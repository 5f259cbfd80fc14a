//! The real binary: started, killed, ended and started again as its operator would.

#![allow(dead_code, reason = "each test takes what it needs of it")]

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long anything may take that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// What a server's first line begins with.
const FIRST_LINE: &str = "seenby listening on ";

/// A running `seenby serve`. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    url: String,
    /// What the binary is started under, if anything, such as strace.
    under: Vec<String>,
    args: Vec<String>,
    /// Kept open, so that the server can go on writing.
    _output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts `seenby serve ARGS` and waits until it says where it listens. Without `--listen` among them it
    /// takes a free port.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_under(&[], args)
    }

    /// The same, as the arguments of another command, which must become the server's process itself.
    pub(crate) fn start_under(under: &[&str], args: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let mut args = owned(args);
        if !args.iter().any(|arg| arg == "--listen") {
            args.extend(owned(&["--listen", "127.0.0.1:0"]));
        }
        Self::launch(owned(under), args)
    }

    /// Starts on the data directory `data`, and a port that stays the same over [`Running::restart`].
    pub(crate) fn on(data: &Path) -> Self {
        let data = data.to_str().expect("temporary directories have names in UTF-8");
        Self::start(&["--data", data, "--listen", &free_address()])
    }

    fn launch(under: Vec<String>, args: Vec<String>) -> Self {
        let mut command = Command::new(under.first().map_or_else(binary, PathBuf::from));
        if let Some((_, rest)) = under.split_first() {
            command.args(rest).arg(binary());
        }
        let mut child = command
            .arg("serve")
            .args(&args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let (line, output) = first_line(child.stdout.take().expect("piped"));
        let Some(url) = line.trim_end().strip_prefix(FIRST_LINE).map(str::to_owned) else {
            let _ = child.kill();
            panic!("serve {args:?} began with {line:?} and ended with {:?}", child.wait());
        };
        Self { child, url, under, args, _output: output }
    }

    /// Where it listens: `http://127.0.0.1:12345`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: it ends between two instructions, unless it has ended by itself.
    pub(crate) fn kill(mut self) -> ExitStatus {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends")
    }

    /// SIGTERM, and goes on at once.
    pub(crate) fn begin_to_end(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::TERM).expect("a signal");
    }

    /// Waits for its end, whatever brings it about.
    pub(crate) fn ended(mut self) -> ExitStatus {
        wait_for("the server to end", || self.child.try_wait().expect("a child"))
    }

    /// SIGTERM, and waits for its end.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.begin_to_end();
        self.ended()
    }

    /// SIGKILL, and starts anew with the same arguments.
    pub(crate) fn restart(self) -> Self {
        let (under, args) = (self.under.clone(), self.args.clone());
        self.kill();
        Self::launch(under, args)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the binary under test is.
pub(crate) fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_seenby").into()
}

/// Runs `seenby ARGS` to its end.
pub(crate) fn seenby(args: &[&str]) -> Output {
    Command::new(binary()).args(args).stdin(Stdio::null()).output().expect("the binary runs")
}

/// An address with a port that is free now.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").to_string()
}

/// Asks until there is an answer; panics after [`PATIENCE`].
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The first line, empty if the output ends without one or none comes within [`PATIENCE`].
fn first_line(output: ChildStdout) -> (String, BufReader<ChildStdout>) {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        let _ = output.read_line(&mut line);
        let _ = sender.send((line, output));
    });
    receiver.recv_timeout(PATIENCE).expect("a first line within a minute")
}
