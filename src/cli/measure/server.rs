//! The server under measurement: this very binary as a child, and what `/proc` says of it.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    MeasureError,
    disk::Size,
    processor::{LOAD_PROCESSOR, SERVER_PROCESSOR, take_processor},
};
use crate::client::Client;

/// What a server's first line begins with.
const FIRST_LINE: &str = "seenby listening on ";
/// How long one call may take. Nothing is judged by it.
const CALL_MAX: Duration = Duration::from_mins(2);
/// How long a server may take to end in good order: its last checkpoint is part of that.
const END_MAX: Duration = Duration::from_mins(5);
/// How often memory and disk are looked at while something goes on.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How to start servers on one data directory.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Start {
    data: PathBuf,
    flags: Vec<OsString>,
    variables: Vec<(&'static str, String)>,
    apart: bool,
}

impl Start {
    /// With the further `flags` for `serve`.
    pub(in crate::cli) fn on(data: PathBuf, flags: &[OsString]) -> Self {
        Self {
            data,
            flags: flags.to_owned(),
            variables: vec![("SEENBY_LOG", "error".to_owned())],
            apart: false,
        }
    }

    /// With a setting that a flag may say otherwise.
    pub(in crate::cli) fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((variable, value.into()));
        self
    }

    /// On another processor than the load.
    pub(in crate::cli) fn apart(self) -> Self {
        Self { apart: true, ..self }
    }

    pub(in crate::cli) fn data(&self) -> &Path {
        &self.data
    }

    /// Starts one and waits until it can answer.
    pub(in crate::cli) async fn start(&self) -> Result<Server, MeasureError> {
        let binary = std::env::current_exe().map_err(MeasureError::io("find this binary"))?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&self.data).args(&self.flags);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        // A child has the processors of the thread that starts it.
        if self.apart {
            take_processor(SERVER_PROCESSOR)?;
        }
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        if self.apart {
            take_processor(LOAD_PROCESSOR)?;
        }
        let mut child = Dying(child.map_err(MeasureError::io("start the server"))?);
        let mut output = BufReader::new(child.0.stdout.take().expect("invariant: the output is a pipe"));
        let (line, output, ready) = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            output.read_line(&mut line).map(|_| (line, output, Instant::now()))
        })
        .await?
        .map_err(MeasureError::io("read what the server says"))?;
        let Some(url) = line.trim_end().strip_prefix(FIRST_LINE) else {
            return Err(MeasureError::Server("it ended before it could answer; see above why".to_owned()));
        };
        let client = Client::new(url)?.with_attempt_max(CALL_MAX);
        let url = url.to_owned();
        Ok(Server { child, client, url, ready_in: ready - began, _output: output })
    }
}

/// A child that does not outlive this.
#[derive(Debug)]
struct Dying(Child);

impl Drop for Dying {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running server. Killed when dropped.
#[derive(Debug)]
pub(in crate::cli) struct Server {
    child: Dying,
    pub(in crate::cli) client: Client,
    /// Where it listens.
    pub(in crate::cli) url: String,
    /// From before it was spawned to its first line.
    pub(in crate::cli) ready_in: Duration,
    /// Kept open, so that the server can go on writing.
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// Ends it in good order, and so with a checkpoint.
    pub(in crate::cli) async fn stop(mut self) -> Result<(), MeasureError> {
        let asked = kill_process(Pid::from_child(&self.child.0), Signal::TERM);
        asked.map_err(|error| MeasureError::io("end the server")(error.into()))?;
        let until = Instant::now() + END_MAX;
        while Instant::now() < until {
            match self.child.0.try_wait().map_err(MeasureError::io("wait for the server"))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(MeasureError::Server(format!("it ended with {status}"))),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        Err(MeasureError::Server(format!("it does not end within {END_MAX:?}")))
    }

    /// Ends it by SIGKILL, whatever it does.
    pub(in crate::cli) fn kill(self) {
        drop(self);
    }

    /// Where it listens, as an address.
    pub(in crate::cli) fn address(&self) -> Result<SocketAddr, MeasureError> {
        let address = self.url.strip_prefix("http://").and_then(|address| address.parse().ok());
        address.ok_or_else(|| MeasureError::Server(format!("it listens on {}", self.url)))
    }

    pub(in crate::cli) fn process(&self) -> Process {
        Process(self.child.0.id())
    }
}

/// A process, as `/proc` shows it.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Process(u32);

impl Process {
    /// The one that this runs in.
    pub(in crate::cli) fn own() -> Self {
        Self(std::process::id())
    }

    fn read(self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.0)).unwrap_or_default()
    }

    /// Memory it has.
    pub(in crate::cli) fn resident(self) -> u64 {
        field(&self.read("status"), "VmRSS:") * 1024
    }

    /// The most memory it ever had.
    pub(in crate::cli) fn resident_most(self) -> u64 {
        field(&self.read("status"), "VmHWM:") * 1024
    }

    /// Has the system forget the most memory it ever had, and begin anew.
    pub(in crate::cli) fn forget_most(self) {
        // Where that is refused, the most is that of its whole life: too much, never too little.
        let _ = fs::write(format!("/proc/{}/clear_refs", self.0), "5");
    }

    /// Bytes it has made the system write.
    pub(in crate::cli) fn written(self) -> u64 {
        field(&self.read("io"), "write_bytes:")
    }

    /// Nanoseconds that its threads which are still there were on a processor: finer than the ticks of `stat`.
    pub(in crate::cli) fn cpu_ns(self) -> u64 {
        let threads =
            fs::read_dir(format!("/proc/{}/task", self.0)).into_iter().flatten().filter_map(Result::ok);
        let times = threads.filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok());
        times.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok()).sum()
    }
}

/// The number after `name` at the beginning of a line; 0 if there is none.
fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    value.and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// What was seen while something went on.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cli) struct Seen {
    /// Memory of the process at its most.
    pub(in crate::cli) resident: u64,
    pub(in crate::cli) resident_mean: u64,
    /// Bytes of its directory at their most.
    pub(in crate::cli) disk: u64,
    pub(in crate::cli) disk_mean: u64,
}

/// Looks at a process and its directory again and again, until it is dropped or ended.
#[derive(Debug)]
pub(in crate::cli) struct Watch {
    enough: Arc<AtomicBool>,
    looking: Option<JoinHandle<Seen>>,
}

impl Watch {
    pub(in crate::cli) fn begin(process: Process, data: &Path) -> Self {
        let (enough, data) = (Arc::new(AtomicBool::new(false)), data.to_owned());
        let until = enough.clone();
        let looking = thread::spawn(move || {
            let (mut seen, mut looks, mut resident_sum, mut disk_sum) = (Seen::default(), 0, 0, 0);
            loop {
                let (resident, disk) = (process.resident(), Size::of(&data).bytes);
                (resident_sum, disk_sum, looks) = (resident_sum + resident, disk_sum + disk, looks + 1);
                (seen.resident, seen.disk) = (seen.resident.max(resident), seen.disk.max(disk));
                if until.load(Ordering::Relaxed) {
                    let (resident_mean, disk_mean) = (resident_sum / looks, disk_sum / looks);
                    return Seen { resident_mean, disk_mean, ..seen };
                }
                thread::sleep(LOOK_EVERY);
            }
        });
        Self { enough, looking: Some(looking) }
    }

    /// What it saw since it began; looks once more.
    pub(in crate::cli) fn end(mut self) -> Seen {
        self.enough.store(true, Ordering::Relaxed);
        let looking = self.looking.take().expect("invariant: taken here only");
        looking.join().expect("invariant: looking at files does not panic")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_their_names() {
        let status = "VmHWM:\t  20 kB\nVmRSS:\t    7 kB\n";
        assert_eq!((field(status, "VmRSS:"), field(status, "VmHWM:"), field(status, "Vm:")), (7, 20, 0));
        let io = "wchar: 9\nwrite_bytes: 4096\ncancelled_write_bytes: 1\n";
        assert_eq!(field(io, "write_bytes:"), 4096);
    }

    #[test]
    fn this_process_has_memory_and_uses_a_processor() {
        let own = Process::own();
        assert!(own.resident() > 0 && own.resident_most() > 0 && own.cpu_ns() > 0);
    }
}
