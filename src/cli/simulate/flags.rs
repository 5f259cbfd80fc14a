//! The flags of `seenby simulate`, and the scenes and strategies that they ask for.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::ValueEnum;

use super::{
    readers::{Looks, Readers},
    scene::{Making, Scene},
    strategy::Strategy,
};
use crate::cli::{measure::MeasureError, trace::Trace};

const NOTES: &str = "\
Strategies:
  nobody asks       readers mark, and that is all: the baseline of the servers' time and memory
  naive push        a stream with an event for each mark, from before the sending to the end
  naive pull        a pull on a fixed timer, from the sending to the end, looked at or not
  combined          at each look a pull, and then a stream for as long as the look lasts
  proactive pull    at each look a pull, and further ones at the server's pace (every 2 s and
                    up to a tenth of that more, for at most 20 s) while the look lasts

Each has a server of its own, a child of this process on a new directory, and its servers of one
group run at the same time, with the same readers and looks; groups run one after the other.
All pulls but the first are conditional and ask for changes only, so that strategies are
compared and not encodings.

Readers' delays are log-normal with a median of 369 s and a sigma of 1.92 (half of all messages
to phones are attended to within 6.15 minutes, six in ten within 10), but for a fifth, whose
chat is open: exponential with a mean of 5 s, a guess to be varied. 65 % ever read a message.
Senders look at a message when they have sent it and a few times later; how often and for how
long are guesses too. Looks are what the proactive pull costs: vary them.

Counted are the bytes that TCP carries on the senders' connections: no TCP or IP headers, no
TLS, and only the fields of HTTP that are needed. A message's connection wakes the radio with
the first byte after the tail of the last one.

What runs by a server's own clock (the pace of events, keep-alives) is set to run as fast. The
work of the servers is not: it takes as long as it takes, and one real millisecond is as many
simulated ones as the factor says. A lower factor resolves more, and takes longer. Groups of more
than 2,000 are played more slowly in proportion. Where marks come too late all the same, ages are
not told.

Linux only: processor time and memory are read from /proc, and the readers and the chat's back end
call from 127.0.0.2, so that a capture without that address shows the senders alone.

Examples:
  seenby simulate
  seenby simulate --sizes 20,200 --for 10m --factor 30 --json figures.json --svg figures.svg
  seenby simulate --strategy naive-push --strategy proactive-pull --looks 10
  seenby simulate --trace chat.tsv --posts 50

Exit codes:
  0   simulated; what to make of it is for the reader to say
  2   not carried through, or the naive push did not push once for each member that read
  64  bad flags";

/// What `simulate` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(in crate::cli) struct Args {
    /// Sizes of the groups, their senders included
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "20,200,2000,10000", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    sizes: Vec<u32>,

    /// Messages in each group, each of another member
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=500))]
    messages: u16,

    /// Over how long these are sent
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    spread: Duration,

    /// For how long each message is followed, from its sending
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = horizon)]
    horizon: Duration,

    /// How many times faster than real time it runs
    #[arg(long, value_name = "TIMES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) factor: u32,

    /// Only this strategy; may be said again for another
    #[arg(long, value_name = "STRATEGY")]
    strategy: Vec<Kind>,

    /// How often the naive pull pulls: a strategy each
    #[arg(long, value_name = "DURATIONS", value_delimiter = ',', default_value = "1s,10s,60s", value_parser = pull_every)]
    pull_every: Vec<Duration>,

    /// The part of a message's audience that ever reads it
    #[arg(long, value_name = "SHARE", default_value_t = 0.65, value_parser = share)]
    reach: f64,

    /// The median of the readers' delays
    #[arg(long, value_name = "DURATION", default_value = "369s", value_parser = humantime::parse_duration)]
    median: Duration,

    /// The deviation of the delays' natural logarithms
    #[arg(long, value_name = "NUMBER", default_value_t = 1.92, value_parser = sigma)]
    sigma: f64,

    /// The part of the readers whose chat is open
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    fast: f64,

    /// The mean of their delays
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    fast_mean: Duration,

    /// How long a sender looks at a message after sending it: as long as one stays in a chat where one just wrote
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    first_look: Duration,

    /// How many more looks there are, each somewhere in its own equal part of the rest of the time
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    looks: u32,

    /// The shortest of these: a glance
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    look_min: Duration,

    /// The longest: reading on, and waiting
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    look_max: Duration,

    /// For how long a phone's radio stays awake after a byte; 5 s is between what networks are commonly said to do
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(super) radio_tail: Duration,

    /// Take who is in the group, who sends and who reads when from a recorded chat
    #[arg(long, value_name = "TRACE", conflicts_with_all = ["sizes", "messages", "spread"])]
    pub(super) trace: Option<PathBuf>,

    /// How many posts of it are followed, from the first
    #[arg(long, value_name = "COUNT", default_value_t = 100, requires = "trace", value_parser = clap::value_parser!(u16).range(1..=500))]
    posts: u16,

    /// What all chance is made from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,

    /// Also write all figures to a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,

    /// Also draw them, as SVG
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,

    /// Where to make the servers' directories; the system's directory for temporary files if left out
    #[arg(long, value_name = "DIR")]
    pub(super) within: Option<PathBuf>,
}

/// A strategy, or several of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    NaivePush,
    NaivePull,
    Combined,
    ProactivePull,
}

impl Args {
    /// What is played, the baseline first.
    pub(super) fn strategies(&self) -> Vec<Strategy> {
        let mut strategies = vec![Strategy::Nobody];
        for kind in Kind::value_variants()
            .iter()
            .filter(|kind| self.strategy.is_empty() || self.strategy.contains(kind))
        {
            match kind {
                Kind::NaivePush => strategies.push(Strategy::Push),
                Kind::NaivePull => strategies.extend(self.pull_every.iter().copied().map(Strategy::Pull)),
                Kind::Combined => strategies.push(Strategy::Combined),
                Kind::ProactivePull => strategies.push(Strategy::Proactive),
            }
        }
        strategies
    }

    /// Where they are played.
    pub(super) fn scenes(&self) -> Result<Vec<Arc<Scene>>, MeasureError> {
        if self.look_min > self.look_max {
            return Err(MeasureError::Usage("--look-min is longer than --look-max".to_owned()));
        }
        if let Some(path) = &self.trace {
            return Ok(vec![Arc::new(Scene::of_trace(&self.making(), &Trace::read(path)?))]);
        }
        if self.sizes.iter().any(|size| *size < u32::from(self.messages)) {
            return Err(MeasureError::Usage(
                "--messages is more than the smallest of --sizes, and each is of another member".to_owned(),
            ));
        }
        let size = |size: &u32| usize::try_from(*size).unwrap_or(usize::MAX);
        Ok(self.sizes.iter().map(|of| Arc::new(Scene::made(&self.making(), size(of)))).collect())
    }

    pub(super) fn making(&self) -> Making {
        Making {
            seed: self.seed,
            readers: Readers {
                reach: self.reach,
                median: self.median,
                sigma: self.sigma,
                fast_share: self.fast,
                fast_mean: self.fast_mean,
            },
            looks: Looks {
                first: self.first_look,
                more: self.looks,
                between: (self.look_min, self.look_max),
            },
            horizon: self.horizon,
            messages: usize::from(if self.trace.is_some() { self.posts } else { self.messages }),
            spread: self.spread,
            factor: self.factor,
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("it is not from 0 to 1".to_owned()) }
}

fn sigma(text: &str) -> Result<f64, String> {
    let sigma: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (0.0..=10.0).contains(&sigma) { Ok(sigma) } else { Err("it is not from 0 to 10".to_owned()) }
}

fn horizon(text: &str) -> Result<Duration, String> {
    between(text, Duration::from_secs(1), Duration::from_hours(24))
}

fn pull_every(text: &str) -> Result<Duration, String> {
    between(text, Duration::from_millis(100), Duration::from_hours(24))
}

fn between(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (least..=most).contains(&duration) {
        Ok(duration)
    } else {
        let written = humantime::format_duration;
        Err(format!("it is not from {} to {}", written(least), written(most)))
    }
}
