//! What a service manager sees and does: readiness, progress and ends by `sd_notify`, and restarts behind a listener of its own.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::start_under;
use crate::harness::{PATIENCE, Running, binary, wait_for};

/// A socket as systemd has it, and what was said on it.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn listen(at: &Path) -> Self {
        let socket = UnixDatagram::bind(at).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    fn told(&self) -> String {
        let mut said = [0; 1024];
        let length = self.socket.recv(&mut said).expect("the server says something within a minute");
        String::from_utf8(said[..length].to_vec()).unwrap()
    }

    /// Waits for a word, past others.
    fn is_told(&self, expected: &str) {
        while self.told().trim_end() != expected {}
    }
}

/// A server under a manager that takes it for hung after half a second.
fn managed(directory: &Path) -> (Manager, Running) {
    let socket = directory.join("notify");
    let manager = Manager::listen(&socket);
    let notify = format!("NOTIFY_SOCKET={}", socket.display());
    let under = ["env", &notify, "WATCHDOG_USEC=500000"];
    (manager, start_under(&under, &directory.join("data"), &[]))
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.unwrap(), signal).unwrap();
}

#[test]
fn the_manager_is_told_of_readiness_progress_reloads_and_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, server) = managed(directory.path());
    assert_eq!(manager.told().trim_end(), "READY=1", "before all else");
    manager.is_told("WATCHDOG=1");
    manager.is_told("WATCHDOG=1");
    signal(server.pid(), rustix::process::Signal::HUP);
    let reloading = loop {
        let told = manager.told();
        if told.starts_with("RELOADING=1") {
            break told;
        }
    };
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    manager.is_told("READY=1");
    server.begin_to_end();
    manager.is_told("STOPPING=1");
    assert!(server.ended().success());
}

/// A server on a listener that is not its own, as systemd passes one on; here as standard input.
struct Inheriting {
    child: Child,
    _output: BufReader<std::process::ChildStdout>,
}

impl Inheriting {
    fn start(data: &Path, listener: &TcpListener) -> Self {
        let mut child = Command::new(binary())
            .args(["serve", "--log", "warn", "--data"])
            .arg(data)
            .envs([("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", "0")])
            .stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        Self { child, _output: output }
    }

    fn end(mut self) {
        signal(self.child.id(), rustix::process::Signal::TERM);
        assert!(wait_for("the server to end", || self.child.try_wait().unwrap()).success());
    }
}

impl Drop for Inheriting {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const MARK: &str = r#"{"reader":"bob","messages":["m"]}"#;

/// One mark over this connection; true if the server keeps it open.
fn mark(stream: &mut BufReader<TcpStream>, more: &str) -> io::Result<bool> {
    let length = MARK.len();
    let request = format!(
        "POST /v1/conversations/c/marks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{more}content-length: {length}\r\n\r\n{MARK}"
    );
    stream.get_mut().write_all(request.as_bytes())?;
    let (mut head, mut keeps, mut bytes) = (String::new(), true, 0);
    loop {
        head.clear();
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        keeps &= !head.eq_ignore_ascii_case("connection: close\r\n");
        if let Some(length) = head.to_ascii_lowercase().strip_prefix("content-length: ") {
            bytes = length.trim_end().parse().unwrap();
        }
        if head == "\r\n" {
            break;
        }
    }
    io::copy(&mut stream.take(bytes), &mut io::sink())?;
    Ok(keeps)
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// What clients went through.
#[derive(Debug, Default)]
struct Load {
    is_over: AtomicBool,
    fresh: AtomicUsize,
    kept: AtomicUsize,
    retried: AtomicUsize,
}

impl Load {
    /// A connection for each request: none of them may fail.
    fn on_fresh_connections(&self, address: SocketAddr) {
        while !self.is_over.load(Ordering::Relaxed) {
            let mut stream = connect(address).expect("a connection waits, and is not refused");
            mark(&mut stream, "connection: close\r\n").expect("a request over a new connection is answered");
            self.fresh.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One connection for as long as it lasts. It may end between two requests: then the next is sent once more.
    fn on_a_kept_connection(&self, address: SocketAddr) {
        let mut stream = connect(address).expect("a connection waits, and is not refused");
        let mut used = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            match mark(&mut stream, "") {
                Ok(true) => used += 1,
                Ok(false) => (stream, used) = (connect(address).unwrap(), 0),
                Err(error) => {
                    assert!(used > 0, "a new connection failed: {error}");
                    self.retried.fetch_add(1, Ordering::Relaxed);
                    (stream, used) = (connect(address).unwrap(), 0);
                    if mark(&mut stream, "").expect("one retry heals it") {
                        used += 1;
                    }
                }
            }
            self.kept.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn restarts_behind_a_listener_that_stays_refuse_nobody() {
    const RESTARTS: usize = 5;
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = Inheriting::start(directory.path(), &listener);
    let load = Arc::new(Load::default());
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let load = load.clone();
            thread::spawn(move || {
                if client % 2 == 0 {
                    load.on_fresh_connections(address);
                } else {
                    load.on_a_kept_connection(address);
                }
            })
        })
        .collect();
    for _ in 0..RESTARTS {
        let answered = load.fresh.load(Ordering::Relaxed) + load.kept.load(Ordering::Relaxed);
        wait_for("clients to be served", || {
            (load.fresh.load(Ordering::Relaxed) + load.kept.load(Ordering::Relaxed) > answered + 200)
                .then_some(())
        });
        server.end();
        server = Inheriting::start(directory.path(), &listener);
    }
    load.is_over.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().expect("no request failed"));
    server.end();
    let retried = load.retried.load(Ordering::Relaxed);
    assert!(retried <= 4 * RESTARTS, "at most one each kept connection and restart: {load:?}");
}

/// An idle connection that was just opened does not hold the stop up for longer than a moment.
#[test]
fn who_connects_and_says_nothing_does_not_hold_the_end_up() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Inheriting::start(directory.path(), &listener);
    let mut silent = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(9))).unwrap();
    server.end();
    assert_eq!(silent.read(&mut [0]).unwrap_or(0), 0, "it is closed");
    assert!(fs::metadata(directory.path().join("journal")).is_ok());
}

/// The policy and the nice value of a thread, as `proc_pid_stat(5)` has them.
fn scheduled(stat: &Path) -> (String, String) {
    let stat = fs::read_to_string(stat).unwrap();
    // The name, which is the second field and may have spaces, ends with the last bracket.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let field = |number: usize| fields.split(' ').nth(number - 3).unwrap().to_owned();
    (field(41), field(19))
}

/// The policy and the nice value of a server's threads with such a name.
fn threads(server: &Running, name: &str) -> Vec<(String, String)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let tasks = tasks.map(|task| task.unwrap().path());
    // Others may end meanwhile.
    let is_named =
        |task: &Path| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
    let named = tasks.filter(|task| is_named(task));
    named.map(|task| scheduled(&task.join("stat"))).collect()
}

#[test]
fn the_stores_threads_stand_back_unless_the_server_has_a_niceness() {
    let (policy, nice) = scheduled(Path::new("/proc/thread-self/stat"));
    let is_usual = policy == "0" && nice == "0";
    let batch = if is_usual { "3".to_owned() } else { policy.clone() };
    for (under, policy_of_store, niceness) in [
        (&[][..], &batch, nice.parse::<i32>().unwrap()),
        (&["nice", "-n", "5"], &policy, nice.parse::<i32>().unwrap() + 5),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let server = start_under(under, directory.path(), &[]);
        let as_it_is_to_be = |policy: &String| vec![(policy.clone(), niceness.to_string())];
        for (name, policy) in
            [("commit", policy_of_store), ("checkpoint", policy_of_store), ("watchdog", &policy)]
        {
            // A thread may not have come to it yet.
            let what = format!("{name} under {under:?} to run as {:?}", as_it_is_to_be(policy));
            wait_for(&what, || (threads(&server, name) == as_it_is_to_be(policy)).then_some(()));
        }
    }
}
