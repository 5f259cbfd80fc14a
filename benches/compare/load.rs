//! The generator: bytes made by hand over plain sockets, the same for all protocols, so that it costs less than what it
//! measures. What it costs all the same is measured too.

use std::{
    io::{Error, ErrorKind},
    slice,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::sleep,
};

use crate::{
    protocol::{Answer, Protocol},
    server::{Server, cpu_s},
    work::Side,
};

/// Connections, each with one request in flight.
pub(crate) const CONNECTIONS: usize = 64;
/// A server is done with what a phase left to it once it uses less than this share of a processor…
const QUIET_CPUS: f64 = 0.1;
/// …for so long; or after the longer time, whatever it does.
const QUIET_FOR: Duration = Duration::from_millis(200);
const QUIET_MAX: Duration = Duration::from_secs(10);

/// What one side of a work came to in one round.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Measured {
    pub(crate) requests: u64,
    pub(crate) requests_per_s: f64,
    /// Marks that were new, or pulls.
    pub(crate) units_per_s: f64,
    pub(crate) latency_p50_ms: f64,
    pub(crate) latency_p99_ms: f64,
    /// Processors that the server used, also for what it put off until after the last answer.
    pub(crate) server_cpus: f64,
    /// Processors that the generator used: near 1, it is what was measured.
    pub(crate) generator_cpus: f64,
    /// Processor time of the server for each request, what it put off included.
    pub(crate) server_us_per_request: f64,
    /// The same of the generator.
    pub(crate) generator_us_per_request: f64,
    /// What the server made the system write, for each unit.
    pub(crate) written_bytes_per_unit: f64,
}

/// What one connection came to.
#[derive(Default)]
struct Tally {
    units: usize,
    latencies_us: Vec<u32>,
}

/// Drives `side` over all connections for so long.
pub(crate) async fn drive(side: &Arc<Side>, each: Duration) -> Result<Measured, Error> {
    drive_all(slice::from_ref(side), &[], each).await
}

/// Drives several sides at once, which share the connections evenly. What servers use and write is of all of them together,
/// and of those that work behind them.
pub(crate) async fn drive_all(
    sides: &[Arc<Side>],
    behind: &[Arc<Server>],
    each: Duration,
) -> Result<Measured, Error> {
    let mut connections = Vec::new();
    for side in sides.iter().cycle().take(CONNECTIONS) {
        connections.push((Connection::open(side).await?, side.clone()));
    }
    let servers = || sides.iter().map(|side| &side.server).chain(behind);
    let used_s = || servers().map(|server| server.cpu_s()).sum::<f64>();
    let written = || servers().map(|server| server.written()).sum::<u64>();
    let (server_before, written_before) = (used_s(), written());
    let (own_before, began) = (cpu_s("self"), Instant::now());
    let (tallies, open) = run_all(connections, began + each).await?;
    let (elapsed, own_s) = (began.elapsed().as_secs_f64(), cpu_s("self") - own_before);
    settle(&used_s).await;
    let (server_s, written) = (used_s() - server_before, written() - written_before);
    drop(open);

    let mut latencies_us: Vec<u32> = tallies.iter().flat_map(|tally| &tally.latencies_us).copied().collect();
    if latencies_us.is_empty() {
        return Err(Error::other("nothing left to ask for: take fewer or shorter rounds"));
    }
    latencies_us.sort_unstable();
    let latency_ms =
        |per_cent: usize| f64::from(latencies_us[(latencies_us.len() - 1) * per_cent / 100]) / 1e3;
    let (requests, units) = (latencies_us.len(), tallies.iter().map(|tally| tally.units).sum::<usize>());
    let (count, requests, units) = (requests as u64, float(requests as u64), float(units as u64));
    Ok(Measured {
        requests: count,
        requests_per_s: requests / elapsed,
        units_per_s: units / elapsed,
        latency_p50_ms: latency_ms(50),
        latency_p99_ms: latency_ms(99),
        server_cpus: server_s / elapsed,
        generator_cpus: own_s / elapsed,
        server_us_per_request: server_s * 1e6 / requests,
        generator_us_per_request: own_s * 1e6 / requests,
        written_bytes_per_unit: float(written) / units,
    })
}

async fn run_all(
    connections: Vec<(Connection, Arc<Side>)>,
    until: Instant,
) -> Result<(Vec<Tally>, Vec<Connection>), Error> {
    let mut running: JoinSet<_> =
        connections.into_iter().map(|(connection, side)| run(connection, side, until)).collect();
    let (mut tallies, mut open) = (Vec::new(), Vec::new());
    while let Some(done) = running.join_next().await {
        let (tally, connection) = done.map_err(Error::other)??;
        tallies.push(tally);
        open.push(connection);
    }
    Ok((tallies, open))
}

/// One request after the other until the time is over.
async fn run(
    mut connection: Connection,
    side: Arc<Side>,
    until: Instant,
) -> Result<(Tally, Connection), Error> {
    let mut tally = Tally::default();
    let mut request = Vec::new();
    let mut sent = Instant::now();
    while sent < until && side.next(&mut request) {
        connection.stream.write_all(&request).await?;
        let answer = connection.answer(side.protocol).await?;
        let now = Instant::now();
        tally.latencies_us.push(u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX));
        sent = now;
        if answer.units != side.units {
            // A mark that was there already, or was lost: not the work that the others do.
            return Err(Error::other(format!("{} of {} done in a request", answer.units, side.units)));
        }
        tally.units += answer.units;
    }
    Ok((tally, connection))
}

/// Waits until the servers, who have used so much, have done what they put off, so that nobody else's phase pays for it.
async fn settle(used_s: impl Fn() -> f64) {
    let began = Instant::now();
    while began.elapsed() < QUIET_MAX {
        let (before, since) = (used_s(), Instant::now());
        sleep(QUIET_FOR).await;
        if used_s() - before < QUIET_CPUS * since.elapsed().as_secs_f64() {
            return;
        }
    }
}

/// A connection and what has come over it.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn plain(server: &Server) -> Result<Self, Error> {
        let stream = TcpStream::connect(server.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(16 * 1024) })
    }

    /// A connection that has had its opening words.
    pub(crate) async fn open(side: &Side) -> Result<Self, Error> {
        let mut connection = Self::plain(&side.server).await?;
        for words in &side.opening {
            connection.stream.write_all(words).await?;
            connection.answer(side.protocol).await?;
        }
        Ok(connection)
    }

    /// One request and its answer, as bytes.
    pub(crate) async fn ask(&mut self, request: &[u8], protocol: Protocol) -> Result<Vec<u8>, Error> {
        self.stream.write_all(request).await?;
        let answer = self.whole_answer(protocol).await?;
        Ok(self.received.drain(..answer.length).collect())
    }

    async fn answer(&mut self, protocol: Protocol) -> Result<Answer, Error> {
        let answer = self.whole_answer(protocol).await?;
        if self.received.len() == answer.length {
            self.received.clear();
        } else {
            self.received.drain(..answer.length);
        }
        Ok(answer)
    }

    async fn whole_answer(&mut self, protocol: Protocol) -> Result<Answer, Error> {
        loop {
            if let Some(answer) = protocol.answer(&self.received)? {
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Counts of one run are far below 2^53, where the two begin to differ.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
