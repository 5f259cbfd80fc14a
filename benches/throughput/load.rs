//! The generator: HTTP/1.1 written by hand, so that it costs less than what it measures.

use std::{
    io::{Error, ErrorKind},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    CONNECTIONS,
    peer::{Peer, cpu_s},
    workload::Workload,
};

/// What one workload came to in one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) requests_per_s: f64,
    /// Marks that were new, or screens, or requests.
    pub(crate) units_per_s: f64,
    pub(crate) latency_p50_ms: f64,
    pub(crate) latency_p99_ms: f64,
    /// Processors that the server used.
    pub(crate) server_cpus: f64,
    /// Processors that the generator used: near 1, it is what was measured.
    pub(crate) generator_cpus: f64,
    pub(crate) resident_bytes: u64,
}

/// What one connection came to.
#[derive(Default)]
struct Tally {
    marked: u64,
    latencies_us: Vec<u32>,
}

/// Drives `peer` with `workload` over all connections for so long.
pub(crate) async fn drive(peer: &Peer, workload: &Arc<Workload>, each: Duration) -> Result<Measured, Error> {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(peer.address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let (server_before, own_before, began) = (peer.cpu_s(), cpu_s("self"), Instant::now());
    let until = began + each;
    let tallies = run_all(streams, workload, until).await?;
    let elapsed = began.elapsed().as_secs_f64();
    let (server_s, own_s) = (peer.cpu_s() - server_before, cpu_s("self") - own_before);

    let mut latencies_us: Vec<u32> = tallies.iter().flat_map(|tally| &tally.latencies_us).copied().collect();
    if latencies_us.is_empty() {
        return Err(Error::other(format!("{}: nothing left to ask for", workload.name)));
    }
    latencies_us.sort_unstable();
    let latency_ms =
        |per_cent: usize| f64::from(latencies_us[(latencies_us.len() - 1) * per_cent / 100]) / 1e3;
    let requests = float(latencies_us.len());
    let marked: u64 = tallies.iter().map(|tally| tally.marked).sum();
    let units =
        if workload.marks() { float(usize::try_from(marked).unwrap_or(usize::MAX)) } else { requests };
    Ok(Measured {
        requests_per_s: requests / elapsed,
        units_per_s: units / elapsed,
        latency_p50_ms: latency_ms(50),
        latency_p99_ms: latency_ms(99),
        server_cpus: server_s / elapsed,
        generator_cpus: own_s / elapsed,
        resident_bytes: peer.resident_bytes(),
    })
}

async fn run_all(
    streams: Vec<TcpStream>,
    workload: &Arc<Workload>,
    until: Instant,
) -> Result<Vec<Tally>, Error> {
    let mut running: JoinSet<_> =
        streams.into_iter().map(|stream| run(Connection::new(stream), workload.clone(), until)).collect();
    let mut tallies = Vec::new();
    while let Some(done) = running.join_next().await {
        tallies.push(done.map_err(Error::other)??);
    }
    Ok(tallies)
}

/// One request after the other until the time is over.
async fn run(mut connection: Connection, workload: Arc<Workload>, until: Instant) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut request = Vec::new();
    let mut sent = Instant::now();
    while sent < until && workload.next(&mut request) {
        sent = Instant::now();
        connection.stream.write_all(&request).await?;
        let status = connection.answer().await?;
        let now = Instant::now();
        tally.latencies_us.push(u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX));
        sent = now;
        if status != workload.status {
            let answer = String::from_utf8_lossy(&connection.body);
            return Err(Error::other(format!("{}: answered with {status}: {answer}", workload.name)));
        }
        if workload.marks() {
            tally.marked += marked(&connection.body);
        }
    }
    Ok(tally)
}

/// A connection and what has come over it.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    body: Vec<u8>,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self { stream, received: Vec::with_capacity(16 * 1024), body: Vec::new() }
    }

    /// The status of the next answer; its body is in `body`.
    async fn answer(&mut self) -> Result<u16, Error> {
        let head_end = loop {
            if let Some(at) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            self.receive().await?;
        };
        let (status, length) = head(&self.received[..head_end])?;
        while self.received.len() < head_end + length {
            self.receive().await?;
        }
        self.body.clear();
        self.body.extend_from_slice(&self.received[head_end..head_end + length]);
        self.received.drain(..head_end + length);
        Ok(status)
    }

    async fn receive(&mut self) -> Result<(), Error> {
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The status, and how long the body is.
fn head(head: &[u8]) -> Result<(u16, usize), Error> {
    let bad = || Error::new(ErrorKind::InvalidData, format!("a head of {:?}", String::from_utf8_lossy(head)));
    let text = std::str::from_utf8(head).map_err(|_| bad())?;
    let status: u16 = text.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    match length {
        // A 304 may tell the length that its 200 would have.
        _ if status == 304 => Ok((status, 0)),
        Some(Ok(length)) => Ok((status, length)),
        _ => Err(bad()),
    }
}

/// `{"marked":17,...}`: 17.
fn marked(body: &[u8]) -> u64 {
    let digits =
        body.iter().skip_while(|byte| !byte.is_ascii_digit()).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// Counts of one run are far below 2^53, where the two begin to differ.
fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
