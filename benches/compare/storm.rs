//! How long pulls take while everybody marks: the server on one processor, the load on another, at half of what the server
//! can do.
//!
//! Requests are due at a steady rate, whatever becomes of earlier ones, and each is timed from when it was due. The pulls
//! are as many with the storm as without: a quarter of what the server can do; the marks of the storm are another quarter
//! of it, in the conversations that are pulled from.

use std::{
    error::Error,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;
use tokio::task::{JoinSet, yield_now};

use crate::{
    Options,
    curves::screens_of,
    load::{self, CONNECTIONS, Connection},
    marks::Marks,
    protocol::Protocol,
    report::Spread,
    server::Server,
    setup,
    work::{Side, Subject},
};

/// With the storm against without, at most.
const RATIO_MAX: f64 = 3.0;
/// Of what the server can do: the pulls, and the marks.
const SHARE: f64 = 0.25;
/// For how long that is sought.
const SEEK: Duration = Duration::from_secs(2);
const MARKS: Marks = Marks {
    name: "storm",
    conversations: 10,
    members: 2_000,
    depth: 1_000,
    readers: 1,
    messages: 1,
    first_row: 0,
};

/// The 99th percentiles of the pulls' times, in milliseconds, and their ratio within a round.
#[derive(Debug, Serialize)]
pub(crate) struct Storm {
    pulls_per_s: f64,
    marks_per_s: f64,
    quiet_p99_ms: Spread,
    stormy_p99_ms: Spread,
    ratio: Spread,
}

/// Measures; none on a machine with one processor.
pub(crate) async fn measure(options: &Options, folder: &Path) -> Result<Option<Storm>, Box<dyn Error>> {
    let allowed = sched_getaffinity(None)?;
    let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).take(2).collect();
    let &[server_processor, load_processor] = &processors[..] else {
        eprintln!("left out: the storm, which needs two processors");
        return Ok(None);
    };
    eprintln!("storm");
    let folder = folder.join("storm");
    std::fs::create_dir(&folder)?;
    // A child has the processors of the thread that starts it.
    take(&[server_processor])?;
    let seenby = Server::seenby(&folder, &[], &[]);
    take(&[load_processor])?;
    let measured = on(&Arc::new(seenby?), options).await;
    take(&processors)?;
    measured.map(Some)
}

async fn on(seenby: &Arc<Server>, options: &Options) -> Result<Storm, Box<dyn Error>> {
    setup::conversations(seenby, MARKS.name, MARKS.conversations, MARKS.depth).await?;
    let http = |has_marks| Protocol::Http { status: 200, has_marks };
    let marks = Side::new(Subject::Seenby, seenby, http(true), |at, out| MARKS.http(at, out));
    let screens = screens_of(MARKS.name, MARKS.conversations, MARKS.depth);
    let (pulls, marks) = (screens.side(seenby), Arc::new(marks));
    let pulls_per_s = load::drive(&pulls, SEEK).await?.requests_per_s * SHARE;
    let marks_per_s = load::drive(&marks, SEEK).await?.requests_per_s * SHARE;
    let each = Duration::from_secs_f64(options.seconds);
    let (mut quiet, mut storm) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        quiet.push(p99_ms(drive_at(&pulls, pulls_per_s, each).await?));
        let both = tokio::join!(drive_at(&pulls, pulls_per_s, each), drive_at(&marks, marks_per_s, each));
        both.1?;
        storm.push(p99_ms(both.0?));
    }
    let ratio = Spread::of(storm.iter().zip(&quiet).map(|(storm, quiet)| storm / quiet));
    let (quiet_p99_ms, stormy_p99_ms) = (Spread::of(quiet.into_iter()), Spread::of(storm.into_iter()));
    Ok(Storm { pulls_per_s, marks_per_s, quiet_p99_ms, stormy_p99_ms, ratio })
}

/// Gives this thread, and all that it begins from now on, these processors alone.
fn take(processors: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    processors.iter().for_each(|&processor| set.set(processor));
    sched_setaffinity(None, &set).map_err(io::Error::from)
}

/// Drives at `rate` for so long; how long each request took from when it was due.
async fn drive_at(side: &Arc<Side>, rate: f64, each: Duration) -> io::Result<Vec<Duration>> {
    let (next, began) = (Arc::new(AtomicU32::new(0)), Instant::now());
    let mut running: JoinSet<io::Result<Vec<Duration>>> = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (side, next, mut connection) = (side.clone(), next.clone(), Connection::open(side).await?);
        running.spawn(async move {
            let (mut times, mut request) = (Vec::new(), Vec::new());
            loop {
                let due = Duration::from_secs_f64(f64::from(next.fetch_add(1, Ordering::Relaxed)) / rate);
                if due >= each || !side.next(&mut request) {
                    return Ok(times);
                }
                // The processor is the load's own: a timer would come up to a millisecond late.
                while began.elapsed() < due {
                    yield_now().await;
                }
                connection.ask(&request, side.protocol).await?;
                times.push(began.elapsed().saturating_sub(due));
            }
        });
    }
    let mut times = Vec::new();
    while let Some(done) = running.join_next().await {
        times.extend(done.map_err(io::Error::other)??);
    }
    Ok(times)
}

fn p99_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() * 99 / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

impl Storm {
    /// Prints the table.
    pub(crate) fn print(&self) {
        let verdict = if self.ratio.median <= RATIO_MAX { "holds" } else { "MISSED" };
        println!(
            "\np99 of {:.0} pulls/s: {:.2} ms; while {:.0} marks/s come: {:.2} ms; {:.2}x ({:.2} .. {:.2}), {RATIO_MAX} at most  {verdict}",
            self.pulls_per_s,
            self.quiet_p99_ms.median,
            self.marks_per_s,
            self.stormy_p99_ms.median,
            self.ratio.median,
            self.ratio.min,
            self.ratio.max,
        );
    }
}
