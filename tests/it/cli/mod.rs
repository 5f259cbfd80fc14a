//! The real binary: what it says of bad flags, how it helps, where it listens, how it ends.

mod config;
mod generate;
mod healthcheck;
mod watched;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use seenby::process::config::{Form, SETTINGS};
use tempfile::TempDir;

/// The binary, in an environment of its own.
fn seenby(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seenby"));
    command.args(words).env_clear().stdin(Stdio::null());
    command
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

/// Runs into an error of usage, and gives what it says.
fn refused(command: &mut Command) -> String {
    let output = output(command);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(output.stdout.is_empty());
    said
}

/// A server that runs until it is told to stop.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    address: String,
    _dir: TempDir,
}

impl Running {
    /// Starts `seenby serve` on a directory of its own and waits for its first line.
    fn start(prepare: impl FnOnce(&mut Command, &Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = seenby(&["serve"]);
        command.env("SEENBY_DATA", dir.path().join("data")).stdout(Stdio::piped()).stderr(Stdio::piped());
        prepare(&mut command, dir.path());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.strip_prefix("seenby listening on ").and_then(|rest| rest.strip_suffix('\n'));
        let address = address.unwrap_or_else(|| panic!("{line:?} is no ready line")).to_owned();
        Self { child, out, address, _dir: dir }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Tells it to stop, and gives how it ended and what it logged.
    fn stop(self, signal: Signal) -> (ExitStatus, String) {
        self.signal(signal);
        self.ended()
    }

    /// Waits for its end, and gives how it ended and what it logged.
    fn ended(mut self) -> (ExitStatus, String) {
        let mut logs = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut logs).unwrap();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "only the first line is on standard output");
        (self.child.wait().unwrap(), logs)
    }
}

impl Drop for Running {
    /// A test that fails half-way leaves no server behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_bad_flag_is_refused_by_name() {
    let said = refused(&mut seenby(&["serve", "--retention", "400d"]));
    assert_eq!(said, "seenby: retention = \"400d\" (from --retention) is more than 365d, the most allowed\n");
    assert!(refused(&mut seenby(&["serve", "--retenton", "7d"])).contains("--retention"));
    assert!(refused(&mut seenby(&["serve", "--data"])).contains("--data"));
    assert!(refused(&mut seenby(&["serv"])).contains("serve"));
    assert!(refused(&mut seenby(&[])).contains("Usage"));
}

#[test]
fn a_bad_variable_is_refused_by_name() {
    let said = refused(seenby(&["serve"]).env("SEENBY_BODY_BYTES_MAX", "16MB"));
    assert!(said.contains("body_bytes_max = \"16MB\" (from SEENBY_BODY_BYTES_MAX) is no size"), "{said}");
    let said = refused(seenby(&["serve"]).env("SEENBY_BODY_BYTE_MAX", "16MiB"));
    assert!(
        said.contains("SEENBY_BODY_BYTE_MAX is no setting; did you mean SEENBY_BODY_BYTES_MAX?"),
        "{said}"
    );
}

#[test]
fn without_access_control_no_other_machine_may_connect() {
    for open in ["0.0.0.0:0", "[::]:0"] {
        let said = refused(&mut seenby(&["serve", "--listen", open]));
        assert!(
            said.contains(&format!("listen = \"{open}\" (from --listen) can be reached from other")),
            "{said}"
        );
    }
    for words in [&["serve"][..], &["serve", "--demo"]] {
        let open = TcpListener::bind("0.0.0.0:0").unwrap();
        let said = refused(inherit(&mut seenby(words), open.into()));
        assert!(said.contains("that systemd passed on, http://0.0.0.0:"), "{said}");
    }
}

/// Passes a listener on as systemd does, but as standard input: no other number is free to choose here.
fn inherit(command: &mut Command, listener: OwnedFd) -> &mut Command {
    command.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", "0").stdin(Stdio::from(listener))
}

#[test]
fn help_teaches_every_flag_and_every_exit_code() {
    let help = output(&mut seenby(&["serve", "--help"]));
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    for setting in SETTINGS {
        let value = match setting.form {
            Form::One | Form::List => format!(" <{}>", setting.placeholder),
            Form::Switch => format!("[=<{}>]", setting.placeholder),
        };
        assert!(help.contains(&format!("{}{value}", setting.flag())), "{}", setting.name);
    }
    for word in ["--config", "Examples:", "Exit codes:", "64", "SEENBY_POLL_EVERY", "seenby serve --demo\n"] {
        assert!(help.contains(word), "{word}");
    }
    assert!(!help.contains("print-default-config <"));
    let help = String::from_utf8(output(&mut seenby(&["--help"])).stdout).unwrap();
    assert!(help.contains("serve"), "{help}");
}

/// The commit as `--version` shows it, where the build knew of one.
fn commit() -> Option<String> {
    if let Some(told) = option_env!("BUILT_COMMIT") {
        return Some(told.to_owned());
    }
    let top = env!("CARGO_MANIFEST_DIR");
    if cfg!(debug_assertions) || !Path::new(top).join(".git").exists() {
        return None;
    }
    let git = output(Command::new("git").current_dir(top).args(["log", "-1", "--format=%H %cs"]));
    let said = String::from_utf8(git.stdout).unwrap();
    let (hash, date) = said.trim_end().split_once(' ').unwrap();
    Some(format!("{} {date}", &hash[..9]))
}

#[test]
fn the_version_names_the_commit_in_a_release_build() {
    let commit = commit().map(|commit| format!(" ({commit})")).unwrap_or_default();
    assert_eq!(version(), format!("{}{commit}", env!("CARGO_PKG_VERSION")));
}

/// What `--version` says, and with it all that shows the version of a server.
fn version() -> String {
    let said = String::from_utf8(output(&mut seenby(&["--version"])).stdout).unwrap();
    said.strip_prefix("seenby ").unwrap().trim_end().to_owned()
}

#[test]
fn the_description_in_the_repository_is_what_the_binary_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let printed = output(&mut seenby(&["serve", "--print-openapi"])).stdout;
    assert_eq!(String::from_utf8(printed).unwrap(), fs::read_to_string(path).unwrap());
}

#[test]
fn the_first_line_tells_the_real_address_and_a_signal_ends_it_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let running = Running::start(|command, _| {
            command.env("SEENBY_LISTEN", "127.0.0.1:0");
        });
        let address: SocketAddr = running.address.strip_prefix("http://").unwrap().parse().unwrap();
        assert_ne!(address.port(), 0);
        drop(TcpStream::connect(address).unwrap());
        let (status, logs) = running.stop(signal);
        assert_eq!(status.code(), Some(0), "{logs}");
        assert!(logs.contains("no access control"), "{logs}");
        let json = logs.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
        assert!(json, "JSON where there is no terminal: {logs}");
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn a_socket_file_is_made_and_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    drop(UnixListener::bind(&path).unwrap());
    let running = Running::start(|command, _| {
        command.env("SEENBY_LISTEN", format!("unix:{}", path.display()));
    });
    assert_eq!(running.address, format!("unix:{}", path.display()));
    drop(UnixStream::connect(&path).unwrap());
    let second = output(&mut seenby(&["serve", "--listen", &running.address]));
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another server answers on it"));
    let (status, logs) = running.stop(Signal::TERM);
    assert!(status.success(), "{logs}");
    assert!(!path.exists());
}

#[test]
fn an_address_in_use_is_no_matter_of_configuration() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = output(&mut seenby(&["serve", "--listen", &address]));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with(&format!("seenby: cannot listen on http://{address}: Address already in use")),
        "{said}"
    );
}

#[test]
fn an_inherited_listener_comes_before_the_configured_address() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let running = Running::start(|command, _| {
        inherit(command, tcp.into());
    });
    assert_eq!(running.address, format!("http://{address}"));
    drop(TcpStream::connect(address).unwrap());
    assert!(running.stop(Signal::TERM).0.success());

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let unix = UnixListener::bind(&path).unwrap();
    let running = Running::start(|command, _| {
        inherit(command, unix.into());
    });
    assert_eq!(running.address, format!("unix:{}", path.display()));
    assert!(running.stop(Signal::TERM).0.success());
    assert!(path.exists(), "the file is systemd's");
}

#[test]
fn flags_reach_the_server_with_their_origins_in_the_log() {
    let running = Running::start(|command, _| {
        command.env("SEENBY_LISTEN", "127.0.0.1:0").args(["--retention", "1d", "--log-format", "text"]);
    });
    let (_, logs) = running.stop(Signal::TERM);
    assert!(logs.contains("retention = \"1d\" (from --retention)"), "{logs}");
    assert!(!logs.contains('\u{1b}'), "no colours where there is no terminal: {logs}");
}

#[test]
fn a_server_with_keys_has_no_demo() {
    let said = refused(seenby(&["serve", "--api-keys", "api.keys"]).env("SEENBY_DEMO", "true"));
    assert!(
        said.starts_with("seenby: demo = \"true\" (from SEENBY_DEMO) does not go with api_keys"),
        "{said}"
    );
    let said = refused(&mut seenby(&["serve", "--demo", "--token-keys", "tokens.jwks"]));
    assert!(said.starts_with("seenby: demo = \"true\" (from --demo) does not go with token_keys"), "{said}");
}

#[test]
fn the_log_says_where_the_demo_is_and_standard_output_does_not() {
    let running = Running::start(|command, _| {
        command.env("SEENBY_LISTEN", "127.0.0.1:0").arg("--demo");
    });
    let address = running.address.clone();
    let mut connection = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
    write!(connection, "GET /demo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("</html>\n"), "{answer}");
    let (_, logs) = running.stop(Signal::TERM);
    assert!(logs.contains(&format!("the demo is at {address}/demo\"")), "{logs}");

    let running = Running::start(|command, dir| {
        command.env("SEENBY_LISTEN", format!("unix:{}", dir.join("socket").display())).arg("--demo");
    });
    let address = running.address.clone();
    let (_, logs) = running.stop(Signal::TERM);
    assert!(logs.contains(&format!("the demo is at /demo, behind {address}\"")), "{logs}");

    let running = Running::start(|command, _| {
        command.env("SEENBY_LISTEN", "127.0.0.1:0").arg("--demo=false");
    });
    let (_, logs) = running.stop(Signal::TERM);
    assert!(!logs.contains("the demo is at"), "{logs}");
}

/// A server with a request under way, of which `rest` has not been sent yet, and that was told to stop.
fn stopping_amid_a_request(drain_timeout: &str) -> (Running, TcpStream, &'static str) {
    let running = Running::start(|command, _| {
        command.env("SEENBY_LISTEN", "127.0.0.1:0").env("SEENBY_DRAIN_TIMEOUT", drain_timeout);
    });
    let address: SocketAddr = running.address.strip_prefix("http://").unwrap().parse().unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    let head = "PUT /v1/conversations/c/members HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    // The server's `100 Continue` says that it has the head.
    write!(connection, "{head}Expect: 100-continue\r\nContent-Length: 17\r\n\r\n").unwrap();
    let mut begun = [0; 25];
    connection.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");
    running.signal(Signal::TERM);
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    (running, connection, "{\"members\":[\"a\"]}")
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let (running, mut connection, rest) = stopping_amid_a_request("60s");
    connection.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (status, logs) = running.ended();
    assert_eq!(status.code(), Some(0), "{logs}");
}

#[test]
fn a_request_that_outlasts_the_drain_is_told_in_the_exit_code() {
    let (running, _connection, _) = stopping_amid_a_request("1ms");
    let (status, logs) = running.ended();
    assert_eq!(status.code(), Some(1), "{logs}");
    assert!(logs.contains("requests unanswered"), "{logs}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (running, _connection, _) = stopping_amid_a_request("1h");
    let (status, logs) = running.stop(Signal::INT);
    assert_eq!(status.code(), Some(130), "{logs}");
}

#[test]
fn more_connections_than_the_system_allows_files_are_refused_at_the_start() {
    let script =
        format!("ulimit -n 500 && exec {} serve --connections-max 377", env!("CARGO_BIN_EXE_seenby"));
    let said = refused(Command::new("sh").args(["-c", &script]));
    assert!(said.contains("connections_max = 377 needs 501 open files, and the system allows 500"), "{said}");
}

#[test]
fn a_check_says_what_a_start_would_find() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let text = data.to_str().unwrap();
    let nothing = output(&mut seenby(&["check", text]));
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8(nothing.stderr).unwrap().contains(text));

    let server = Running::start(|command, _| {
        command.env("SEENBY_DATA", &data).env("SEENBY_LISTEN", "127.0.0.1:0");
    });
    let busy = output(&mut seenby(&["check", text]));
    assert_eq!(busy.status.code(), Some(1));
    assert!(String::from_utf8(busy.stderr).unwrap().contains("another server is using"));
    server.stop(Signal::TERM);

    let whole = output(&mut seenby(&["check", text]));
    assert_eq!(whole.status.code(), Some(0));
    let said = String::from_utf8(whole.stdout).unwrap();
    assert_eq!(said, format!("{text}: whole: 0 conversations, 0 messages; 0 pages and 0 records read\n"));
}
