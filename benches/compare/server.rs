//! The servers under load, each a process of its own, so that its processor time can be told apart.

use std::{
    error::Error,
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::bare;

/// `sysconf(_SC_CLK_TCK)` has been 100 on every Linux for decades.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a server may take until it can be connected to.
pub(crate) const START_MAX: Duration = Duration::from_secs(30);
/// Who PostgreSQL runs as where this runs as root, which it refuses: the first of these that there is.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// Who its database belongs to.
pub(crate) const POSTGRES_USER: &str = "postgres";

/// A server under load. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// What ends it at once, and its children with it.
    end: Signal,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Kept open, so that it can go on writing.
    _output: Option<BufReader<ChildStdout>>,
}

impl Server {
    /// hyper answering with `answer`, a constant; the program runs under another if there is one.
    pub(crate) fn bare(answer: &[u8], under: &[OsString]) -> Result<Self, Box<dyn Error>> {
        let mut command = program(std::env::current_exe()?.as_os_str(), under);
        command.arg(bare::FLAG).arg(String::from_utf8(answer.to_vec())?);
        Self::speaking(command)
    }

    /// The real server, on a folder of its own; under another program if there is one.
    pub(crate) fn seenby(folder: &Path, under: &[OsString], flags: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut command = program(OsStr::new(env!("CARGO_BIN_EXE_seenby")), under);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.join("seenby")).args(flags);
        command.env("SEENBY_LOG", "error");
        Self::speaking(command)
    }

    /// The real server on a Valkey Cluster.
    pub(crate) fn seenby_on(url: &str, flags: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seenby"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--store", url]).args(flags);
        command.env("SEENBY_LOG", "error");
        Self::speaking(command)
    }

    /// Valkey with an `fsync` before each answer, and without snapshots, which would only disturb it.
    pub(crate) fn valkey(programs: &Path, folder: &Path, flags: &[&str]) -> Result<Self, Box<dyn Error>> {
        let (data, port) = (folder.join("valkey"), free_port()?);
        fs::create_dir(&data)?;
        let mut command = Command::new(programs.join("valkey-server"));
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"]).arg(&data);
        command.args(["--appendonly", "yes", "--appendfsync", "always"]).args(flags);
        Self::listening(command, port, Signal::KILL)
    }

    /// PostgreSQL with its defaults.
    pub(crate) fn postgres(programs: &Path, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let (data, port) = (folder.join("postgres"), free_port()?);
        fs::create_dir(&data)?;
        let user =
            if fs::metadata("/proc/self").is_ok_and(|own| is_root(&own)) { Some(user()?) } else { None };
        let program = |name: &str| {
            let mut command = Command::new(programs.join(name));
            if let Some((user, group)) = user {
                command.uid(user).gid(group);
            }
            command.current_dir("/");
            command
        };
        if let Some((user, group)) = user {
            chown(&data, Some(user), Some(group))?;
        }
        let mut initdb = program("initdb");
        initdb.args(["--auth=trust", "--encoding=UTF8", "--no-locale", "-U", POSTGRES_USER, "-D"]).arg(&data);
        let made = initdb.output()?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        let mut command = program("postgres");
        command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"]).arg(&data);
        // What it calls an immediate shutdown.
        Self::listening(command, port, Signal::QUIT)
    }

    /// One that says on its first line where it listens.
    fn speaking(mut command: Command) -> Result<Self, Box<dyn Error>> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address = line.trim_end().rsplit_once("http://").map(|(_, address)| address.parse());
        if let Some(Ok(address)) = address {
            return Ok(Self { child, end: Signal::KILL, address, _output: Some(output) });
        }
        child.kill()?;
        Err(format!("{command:?} began with {line:?} and ended with {}", child.wait()?).into())
    }

    /// One that was told its port.
    fn listening(mut command: Command, port: u16, end: Signal) -> Result<Self, Box<dyn Error>> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("{command:?}: {error}"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let (mut server, began) = (Self { child, end, address, _output: None }, Instant::now());
        while began.elapsed() < START_MAX {
            if TcpStream::connect(address).is_ok() {
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("{command:?} ended with {status}").into());
            }
            sleep(Duration::from_millis(20));
        }
        Err(format!("{command:?} does not listen").into())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time that it and all of its children have used, in seconds; also children that have ended.
    pub(crate) fn cpu_s(&self) -> f64 {
        let own = self.child.id().to_string();
        let fields = |pid: &str| stat(pid).map_or(0.0, |stat| stat.own_s);
        let ended = stat(&own).map_or(0.0, |stat| stat.ended_children_s);
        ended + self.processes().iter().map(|pid| fields(pid)).sum::<f64>()
    }

    /// Bytes that it and its children have made the system write.
    pub(crate) fn written(&self) -> u64 {
        let written = |pid: &String| number_in(&format!("/proc/{pid}/io"), "write_bytes:");
        self.processes().iter().map(written).sum()
    }

    /// Memory that it has, in bytes; children do not count.
    pub(crate) fn resident(&self) -> u64 {
        number_in(&format!("/proc/{}/status", self.child.id()), "VmRSS:") * 1024
    }

    /// It, and the children that it has.
    fn processes(&self) -> Vec<String> {
        let own = self.child.id();
        let list = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        list.split_whitespace().map(str::to_owned).chain([own.to_string()]).collect()
    }
}

/// A command that runs `path`, under another program if there is one.
fn program(path: &OsStr, under: &[OsString]) -> Command {
    let mut words = under.iter().map(OsString::as_os_str).chain([path]);
    let mut command = Command::new(words.next().unwrap_or(path));
    command.args(words);
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = kill_process(Pid::from_child(&self.child), self.end);
        let _ = self.child.wait();
    }
}

/// Processor times of a process, in seconds.
struct Stat {
    own_s: f64,
    ended_children_s: f64,
}

fn stat(pid: &str) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, and may have spaces. Fields 14 to 17 are the times.
    let (_, after_name) = stat.rsplit_once(')')?;
    let ticks = after_name.split_whitespace().skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok());
    let ticks: Vec<_> = ticks.map(|ticks| ticks / TICKS_PER_SECOND).collect();
    Some(Stat { own_s: ticks.iter().take(2).sum(), ended_children_s: ticks.iter().skip(2).sum() })
}

/// Processor time that one process has used, in seconds. 0 where there is no `/proc`.
pub(crate) fn cpu_s(pid: &str) -> f64 {
    stat(pid).map_or(0.0, |stat| stat.own_s)
}

/// The number after `name` at the beginning of a line; 0 if there is none.
fn number_in(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    value.and_then(|value| value.parse().ok()).unwrap_or_default()
}

fn is_root(own: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(own) == 0
}

/// Whom PostgreSQL may run as: user and group, by number.
fn user() -> Result<(u32, u32), Box<dyn Error>> {
    let users = fs::read_to_string("/etc/passwd")?;
    let numbers = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    USERS.iter().find_map(|name| numbers(name)).ok_or_else(|| "there is no user to run PostgreSQL as".into())
}

/// A port that nobody listens on at the moment.
pub(crate) fn free_port() -> Result<u16, Box<dyn Error>> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A folder that is removed in the end, into which any user may look, on the disk that all sides write to.
pub(crate) fn folder(within: Option<&PathBuf>) -> Result<tempfile::TempDir, Box<dyn Error>> {
    use std::os::unix::fs::PermissionsExt;
    let folder = match within {
        Some(within) => tempfile::tempdir_in(within),
        None => tempfile::tempdir(),
    }?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}
