//! The two servers under load, each a process of its own, so that its processor time can be told apart.

use std::{
    convert::Infallible,
    error::Error,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The hidden argument that makes this binary the bare server.
pub(crate) const BARE: &str = "--bare-server";
/// What the bare server answers: as long as the answer to a single mark.
const CONSTANT: &[u8] = br#"{"marked":1,"already":0,"refused":[]}"#;
/// `sysconf(_SC_CLK_TCK)` has been 100 on every Linux for decades.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server under load. Killed when dropped.
pub(crate) struct Peer {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Kept open, so that it can go on writing.
    _output: BufReader<ChildStdout>,
}

impl Peer {
    /// hyper answering a constant.
    pub(crate) fn bare() -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(BARE);
        Self::start(command)
    }

    /// The real server, on a folder of its own.
    pub(crate) fn seenby(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seenby"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.join("data"));
        Self::start(command)
    }

    /// Both say on their first line where they listen.
    fn start(mut command: Command) -> Result<Self, Box<dyn Error>> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address = line.trim_end().rsplit_once("http://").map(|(_, address)| address.parse());
        if let Some(Ok(address)) = address {
            return Ok(Self { child, address, _output: output });
        }
        child.kill()?;
        Err(format!("{command:?} began with {line:?} and ended with {}", child.wait()?).into())
    }

    /// Processor time it has used, in seconds.
    pub(crate) fn cpu_s(&self) -> f64 {
        cpu_s(&self.child.id().to_string())
    }

    /// Memory it has, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let kibibytes =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        kibibytes.and_then(|kibibytes| kibibytes.trim().parse::<u64>().ok()).unwrap_or_default() * 1024
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time that a process has used, in seconds: fields 14 and 15 of its `stat`. 0 where there is no `/proc`.
pub(crate) fn cpu_s(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the name in parentheses, and may have spaces.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

/// The bare server, until it is killed.
pub(crate) fn serve_bare() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("bare server listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // A connection that breaks is the generator's to report.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(constant)));
        }
    })
}

async fn constant(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // The body is read as any server has to, and not looked at.
    let _ = request.into_body().collect().await;
    let mut answer = Response::new(Full::new(Bytes::from_static(CONSTANT)));
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Ok(answer)
}
