//! Pulls at a steady rate, whatever becomes of earlier ones, each timed from when it was due.
//!
//! How many pulls a second the server can answer is found first; a measurement takes a part of that. The load and the
//! server have a processor each, or the times are those of both.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    BenchError, float,
    load::{Load, Pace, SCREEN},
};

/// For how long the rate is sought.
const SEEK: Duration = Duration::from_secs(3);
/// Requests under way at most; pulls that are due beyond that wait, and their waits count.
const UNDER_WAY: usize = 128;
/// How often due pulls are sent.
const SEND_EVERY: Duration = Duration::from_millis(1);

/// Milliseconds from when pulls were due to their answers.
#[derive(Debug, Default, Serialize)]
pub(super) struct Latencies {
    /// Those that were answered.
    pub(super) pulls: usize,
    /// Those that were not, or otherwise than they must be; they are in none of the times.
    pub(super) lost: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    /// The highest p99 of the pulls that were due in one second.
    pub(super) worst_second_p99_ms: f64,
    /// How much later than it wanted the load itself came to send, of 100 times the second latest. What it waits for
    /// its own processor is in the times of the pulls too, and is not the server's.
    pub(super) own_delay_p99_ms: f64,
    #[serde(skip)]
    first_loss: Option<BenchError>,
}

impl Latencies {
    /// For measurements that nothing may disturb: a pull that was lost is an error.
    pub(super) fn without_loss(mut self) -> Result<Self, BenchError> {
        self.first_loss.take().map_or(Ok(self), Err)
    }
}

/// Pulls a screen at random.
async fn pull(load: Load, at: u64) -> Result<u64, BenchError> {
    let chats = load.chats;
    let mut chance = chats.chance(&[10, usize::try_from(at).unwrap_or_default()]);
    let (conversation, screen) =
        (chance.usize(..chats.conversations), chance.usize(..chats.messages.div_ceil(SCREEN)));
    load.pull(conversation, screen * SCREEN).await
}

/// Pulls a second, with so many under way that the server is never without one.
pub(super) async fn seek_rate(load: &Load) -> Result<f64, BenchError> {
    let Pace { connections } = load.pace;
    let (began, mut pulled, mut running) = (Instant::now(), 0, JoinSet::new());
    while began.elapsed() < SEEK {
        while running.len() < 2 * connections {
            running.spawn(pull(load.clone(), pulled));
            pulled += 1;
        }
        if let Some(done) = running.join_next().await {
            done??;
        }
    }
    Ok(float(pulled - running.len() as u64) / began.elapsed().as_secs_f64())
}

/// Opens as many connections as pulls may be under way, and leaves them to the pulls that come.
pub(super) async fn open_connections(load: &Load) -> Result<(), BenchError> {
    let mut running = JoinSet::new();
    (0..UNDER_WAY as u64).for_each(|at| {
        running.spawn(pull(load.clone(), at));
    });
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

/// Pulls at `rate` for so long, and times each from when it was due.
pub(super) async fn time_pulls(load: &Load, rate: f64, length: Duration) -> Result<Latencies, BenchError> {
    let (began, under_way) = (Instant::now(), Arc::new(Semaphore::new(UNDER_WAY)));
    let (mut running, mut done, mut sent) = (JoinSet::new(), Vec::new(), 0);
    let every = Duration::from_secs_f64(1.0 / rate);
    let due = |pull: u32| every * pull;
    let mut own_delays = Vec::new();
    while due(sent) < length {
        while due(sent) <= began.elapsed() && due(sent) < length {
            let (load, under_way, at) = (load.clone(), under_way.clone(), due(sent));
            running.spawn(async move {
                let _turn = under_way.acquire_owned().await;
                pull(load, at.as_nanos().try_into().unwrap_or(u64::MAX)).await?;
                Ok::<_, BenchError>((at, began.elapsed().saturating_sub(at)))
            });
            sent += 1;
        }
        while let Some(pulled) = running.try_join_next() {
            done.push(pulled?);
        }
        let wake = Instant::now() + SEND_EVERY;
        sleep_until(wake).await;
        own_delays.push(wake.elapsed());
    }
    while let Some(pulled) = running.join_next().await {
        done.push(pulled?);
    }
    let (mut timed, mut first_loss) = (Vec::with_capacity(done.len()), None);
    let all = done.len();
    for pulled in done {
        match pulled {
            Ok(pulled) => timed.push(pulled),
            Err(error) => first_loss = first_loss.or(Some(error)),
        }
    }
    own_delays.sort_unstable();
    let own_delay_p99_ms = part(&own_delays, 99);
    Ok(Latencies { lost: all - timed.len(), first_loss, own_delay_p99_ms, ..latencies(&timed) })
}

/// In milliseconds, the time that so many of 100 do not exceed.
pub(super) fn part(sorted: &[Duration], per_cent: usize) -> f64 {
    let at = sorted.len().saturating_sub(1) * per_cent / 100;
    sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// Of pulls, each with when it was due and how long it took.
fn latencies(timed: &[(Duration, Duration)]) -> Latencies {
    let sorted = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times
    };
    let all = sorted(timed.iter().map(|(_, took)| *took).collect());
    let seconds = timed.iter().map(|(due, _)| due.as_secs()).max().unwrap_or_default();
    let of_second = |second| {
        let due = timed.iter().filter(|(due, _)| due.as_secs() == second);
        part(&sorted(due.map(|(_, took)| *took).collect()), 99)
    };
    Latencies {
        pulls: all.len(),
        p50_ms: part(&all, 50),
        p99_ms: part(&all, 99),
        max_ms: part(&all, 100),
        worst_second_p99_ms: (0..=seconds).map(of_second).fold(0.0, f64::max),
        ..Latencies::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_second_stands_out() {
        let slow = |at: u64| if at / 100 == 2 { 50 } else { 1 };
        let timed: Vec<_> = (0..1_000_u64)
            .map(|at| (Duration::from_millis(at * 10), Duration::from_millis(slow(at))))
            .collect();
        let seen = latencies(&timed);
        assert_eq!(seen.pulls, 1_000);
        for (is, wanted) in [(seen.p50_ms, 1.0), (seen.p99_ms, 50.0), (seen.worst_second_p99_ms, 50.0)] {
            assert!((is - wanted).abs() < 1e-9, "{seen:?}");
        }
    }
}
