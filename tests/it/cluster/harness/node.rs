//! One node: its directory, its process, and what it is told.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use super::{
    keeper::Keeper,
    resp::{self, Said},
};
use crate::harness::wait_for;

/// After so long without an answer from a node the others hold it for dead.
const NODE_TIMEOUT: Duration = Duration::from_secs(2);

/// As an operator should have it: each answer follows its fsync, and a full memory refuses.
const SETTINGS: [&str; 18] = [
    "--cluster-enabled",
    "yes",
    "--cluster-config-file",
    "nodes.conf",
    "--cluster-require-full-coverage",
    "no",
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--save",
    "",
    "--maxmemory-policy",
    "noeviction",
    "--logfile",
    "log",
    "--repl-diskless-sync-delay",
    "0",
];

/// Where Valkey is; got, if it is not there yet.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let get = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/valkey/get");
    let got = Command::new(get).stderr(Stdio::inherit()).output().unwrap();
    assert!(got.status.success(), "Valkey cannot be had");
    String::from_utf8(got.stdout).unwrap().trim().into()
});

/// One of Valkey's programs.
pub(super) fn program(name: &str) -> PathBuf {
    PROGRAMS.join(name)
}

/// Where a node listens: for clients, and for the other nodes.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) bus_port: u16,
    /// The network namespace it lives in, if not that of the tests.
    pub(crate) space: Option<String>,
}

/// A process, and who ends it with the tests.
#[derive(Debug)]
struct Life {
    child: Child,
    keeper: Keeper,
    is_frozen: bool,
}

/// A node. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    directory: PathBuf,
    life: Option<Life>,
}

impl Node {
    /// Starts it on an empty directory, and waits until it answers.
    pub(crate) fn start(place: Place, directory: PathBuf) -> Self {
        std::fs::create_dir(&directory).unwrap();
        let mut node = Self { place, directory, life: None };
        node.start_again();
        node
    }

    /// Starts it on what it had, and waits until it answers; it may still be loading.
    pub(crate) fn start_again(&mut self) {
        assert!(self.life.is_none(), "it runs");
        let Place { ip, port, bus_port, space } = &self.place;
        let mut command = match space {
            Some(space) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", space]).arg(program("valkey-server"));
                command
            }
            None => Command::new(program("valkey-server")),
        };
        command.args(SETTINGS).arg("--dir").arg(&self.directory);
        for (name, value) in [
            ("--bind", ip.to_string()),
            ("--port", port.to_string()),
            ("--cluster-port", bus_port.to_string()),
            ("--cluster-node-timeout", NODE_TIMEOUT.as_millis().to_string()),
            // Nodes in namespaces are asked from outside of them.
            ("--protected-mode", "no".to_owned()),
        ] {
            command.args([name, &value]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let keeper = Keeper::new(&format!("kill -9 {}", child.id()));
        self.life = Some(Life { child, keeper, is_frozen: false });
        wait_for("a node to answer", || {
            let ended = self.life.as_mut().and_then(|life| life.child.try_wait().unwrap());
            assert!(ended.is_none(), "a node ended by itself:\n{}", self.last_words());
            self.ask(&["PING"]).is_ok_or_loading().then_some(())
        });
    }

    /// Whether it can be started again on what it notes of the cluster: Valkey 8.0.1 refuses to if by its own notes a replica is
    /// of another shard than its primary is, as they say for a moment after it was made one.
    pub(super) fn can_start_again(&self) -> bool {
        let notes = std::fs::read_to_string(self.directory.join("nodes.conf")).unwrap_or_default();
        let nodes: Vec<Vec<_>> = notes.lines().map(|line| line.split(' ').collect()).collect();
        let shard = |id: &str| {
            let node = nodes.iter().find(|words| words[0] == id)?;
            node[1].split(',').find_map(|part| part.strip_prefix("shard-id="))
        };
        let replicas = nodes.iter().filter(|words| words.len() > 3 && words[2].contains("slave"));
        replicas.map(|words| (shard(words[0]), shard(words[3]))).all(|(own, primary)| own == primary)
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let Some(Life { mut child, keeper, .. }) = self.life.take() else { return };
        // Both fail only for a child that has ended.
        let _ = child.kill();
        // Before the process is waited for: until then its number is not given to another.
        drop(keeper);
        let _ = child.wait();
    }

    /// SIGSTOP: it keeps its connections, and says nothing. Or SIGCONT.
    pub(crate) fn freeze(&mut self, is_frozen: bool) {
        let life = self.life.as_mut().expect("it runs");
        let pid = i32::try_from(life.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let signal = if is_frozen { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        rustix::process::kill_process(pid.expect("a pid"), signal).expect("a signal");
        life.is_frozen = is_frozen;
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.life.as_ref().expect("it runs").child.id()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.life.is_none()
    }

    /// Whether it can be asked.
    pub(crate) fn is_running(&self) -> bool {
        self.life.as_ref().is_some_and(|life| !life.is_frozen)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.place.ip, self.place.port)
    }

    /// Tells it something, and expects no error.
    #[track_caller]
    pub(crate) fn tell(&self, words: &[&str]) -> Vec<String> {
        self.ask(words).unwrap_or_else(|error| panic!("{words:?} at {}: {error}", self.address()))
    }

    /// Asks it, whatever it says.
    pub(crate) fn ask(&self, words: &[&str]) -> Said {
        resp::ask(self.address(), words, Duration::ZERO)
    }

    /// A line of its `INFO`.
    pub(crate) fn info(&self, section: &str, name: &str) -> Option<String> {
        let text = self.ask(&["INFO", section]).ok()?.concat();
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.to_owned()))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a node that said this is there.
trait Answered {
    fn is_ok_or_loading(&self) -> bool;
}

impl Answered for Said {
    fn is_ok_or_loading(&self) -> bool {
        self.as_ref().map_or_else(|error| error.starts_with("LOADING"), |_| true)
    }
}
