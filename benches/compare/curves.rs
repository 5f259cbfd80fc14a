//! How cost grows: pulls over members and over live messages, marks over live messages and over conversations.
//!
//! At each size the floor is driven too, in the same round: what counts is seenby's ratio to it, so that a size that was
//! measured in a bad minute stands beside the others. A curve is flat if its largest ratio is within 1.3 of its least.

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use seenby::{
    client::Client,
    wire::{BulkMarkEntry, RegisterEntry},
};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    Options,
    load::{self, float},
    marks::Marks,
    protocol::Protocol,
    report::Spread,
    server::Server,
    setup,
    work::{Side, Subject},
};

/// A curve is flat within this.
pub(crate) const FLAT: f64 = 1.3;
/// What the server may keep in memory, whatever there is: as much as by default.
const HOT_BYTES: &str = "256MiB";
/// Members of the groups that are pulled from.
const MEMBERS: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Conversations that are marked in.
const CONVERSATIONS: [usize; 5] = [1, 10, 100, 1_000, 10_000];
/// Of each live conversation: members, and messages, which one request registers.
const LIVE_MEMBERS: usize = 100;
const LIVE_MESSAGES: usize = 1_000;
/// Live messages, up to what `--live-max` says.
const LIVE: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
/// Messages on a screen.
const SCREEN: usize = 20;
/// The most that one request marks.
const ENTRIES_MAX: usize = 1_000;
/// How long each size is measured in each round, at most: there are many.
const SECONDS_MAX: f64 = 2.0;
/// Requests under way at once while things are set up.
const SETUP_REQUESTS: usize = 8;

/// One curve.
#[derive(Debug, Serialize)]
pub(crate) struct Curve {
    pub(crate) what: &'static str,
    /// What it goes over.
    pub(crate) over: &'static str,
    /// Whether it has to be flat.
    pub(crate) must_be_flat: bool,
    pub(crate) points: Vec<Point>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Point {
    pub(crate) at: usize,
    /// Requests a second against the floor's in the same round.
    pub(crate) ratio: Spread,
    /// Median of the server's processor time a request.
    pub(crate) server_us_per_request: f64,
    pub(crate) latency_p99_ms: f64,
}

impl Curve {
    fn new(what: &'static str, over: &'static str) -> Self {
        Self { what, over, must_be_flat: true, points: Vec::new() }
    }

    /// The largest ratio against the least.
    pub(crate) fn spread(&self) -> f64 {
        let medians = || self.points.iter().map(|point| point.ratio.median);
        medians().fold(0.0, f64::max) / medians().fold(f64::INFINITY, f64::min)
    }
}

/// Conversations, and the first message of a screen in each.
pub(crate) struct Screens(Vec<(String, usize)>);

/// All screens of some conversations.
pub(crate) fn screens_of(name: &str, conversations: usize, messages: usize) -> Screens {
    let firsts = || (0..messages).step_by(SCREEN);
    let all = (0..conversations).flat_map(|at| firsts().map(move |first| (format!("{name}{at}"), first)));
    Screens(all.collect())
}

impl Screens {
    /// Pulls of them, one after the other and again.
    pub(crate) fn side(self, seenby: &Arc<Server>) -> Arc<Side> {
        let http = Protocol::Http { status: 200, has_marks: false };
        Arc::new(Side::new(Subject::Seenby, seenby, http, move |at, out| {
            let (conversation, first) = &self.0[at % self.0.len()];
            let ids: Vec<_> = (*first..first + SCREEN).map(|message| format!("m{message}")).collect();
            let ids = ids.join("&message=");
            let request = format!(
                "GET /v1/conversations/{conversation}/receipts?message={ids} HTTP/1.1\r\nhost: x\r\n\r\n"
            );
            out.extend_from_slice(request.as_bytes());
            true
        }))
    }
}

/// Where curves are measured: a server, its floor, and how often.
struct Bench<'a> {
    seenby: Arc<Server>,
    client: Client,
    options: &'a Options,
}

/// Measures all curves.
pub(crate) async fn measure(options: &Options, folder: &Path) -> Result<Vec<Curve>, Box<dyn Error>> {
    let folder = folder.join("curves");
    std::fs::create_dir(&folder)?;
    let seenby = Arc::new(Server::seenby(&folder, &[], &["--hot-bytes-max", HOT_BYTES])?);
    let client = setup::client(&seenby)?;
    let bench = Bench { seenby, client, options };
    let members = bench.over_members().await?;
    let conversations = bench.over_conversations().await?;
    let [hot, cold, marks] = bench.over_live_messages().await?;
    Ok(vec![members, hot, cold, marks, conversations])
}

impl Bench<'_> {
    async fn over_members(&self) -> Result<Curve, Box<dyn Error>> {
        let mut curve = Curve::new("pull of a screen of 20", "members");
        for members in MEMBERS {
            eprintln!("curves: {members} members");
            let name = format!("members{members}");
            self.conversation(&name, members, SCREEN, members * 65 / 100).await?;
            let side = Screens(vec![(name, 0)]).side(&self.seenby);
            curve.points.push(self.point(members, &side).await?);
        }
        Ok(curve)
    }

    async fn over_conversations(&self) -> Result<Curve, Box<dyn Error>> {
        let mut curve = Curve::new("mark of one message", "conversations");
        for conversations in CONVERSATIONS {
            eprintln!("curves: {conversations} conversations");
            let name = ["over1x", "over10x", "over100x", "over1000x", "over10000x"];
            let name = name[conversations.ilog10() as usize];
            // Marks for all rounds, in each.
            let messages = (40_000 / conversations).max(SCREEN);
            self.conversations(conversations, move |at| format!("{name}{at}"), messages, 0).await?;
            let marks = Marks {
                name,
                conversations,
                readers: 1,
                messages: 1,
                members: LIVE_MEMBERS,
                depth: messages,
                first_row: 0,
            };
            curve.points.push(self.point(conversations, &self.marks(marks)).await?);
        }
        Ok(curve)
    }

    /// Pulls of what is hot, pulls of anything, and marks, over live messages.
    async fn over_live_messages(&self) -> Result<[Curve; 3], Box<dyn Error>> {
        let mut hot = Curve::new("pull of a screen of 20, hot", "live messages");
        let mut cold = Curve::new("pull of a screen of 20, of anything", "live messages");
        cold.must_be_flat = false;
        let mut marks = Curve::new("mark of one message", "live messages");
        let marked = Marks {
            name: "marked",
            conversations: 10,
            readers: 1,
            messages: 1,
            members: 2_000,
            depth: 200,
            first_row: 0,
        };
        setup::conversations(&self.seenby, marked.name, marked.conversations, marked.depth).await?;
        let marked = self.marks(marked);
        let mut there = 0;
        for live in LIVE.into_iter().filter(|&live| live <= self.options.live_max) {
            eprintln!("curves: {live} live messages");
            let conversations = live / LIVE_MESSAGES;
            let from = there;
            self.conversations(
                conversations - from,
                move |at| format!("live{}", from + at),
                LIVE_MESSAGES,
                LIVE_MEMBERS * 65 / 100,
            )
            .await?;
            there = conversations;
            hot.points
                .push(self.point(live, &screens_of("live", 1, LIVE_MESSAGES).side(&self.seenby)).await?);
            let mut anything = screens_of("live", conversations, LIVE_MESSAGES);
            fastrand::Rng::with_seed(1).shuffle(&mut anything.0);
            cold.points.push(self.point(live, &anything.side(&self.seenby)).await?);
            marks.points.push(self.point(live, &marked).await?);
        }
        Ok([hot, cold, marks])
    }

    /// Drives a side and its floor in each round.
    async fn point(&self, at: usize, side: &Arc<Side>) -> Result<Point, Box<dyn Error>> {
        let bare = Arc::new(Server::bare(&setup::ask(side).await?, &[])?);
        let floor = Arc::new(side.on(Subject::Hyper, bare));
        let each = Duration::from_secs_f64(self.options.seconds.min(SECONDS_MAX));
        let (mut ratios, mut cpu, mut p99) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            let (is, floor) = (load::drive(side, each).await?, load::drive(&floor, each).await?);
            ratios.push(is.requests_per_s / floor.requests_per_s);
            cpu.push(is.server_us_per_request);
            p99.push(is.latency_p99_ms);
        }
        let median = |values: Vec<f64>| Spread::of(values.into_iter()).median;
        let ratio = Spread::of(ratios.into_iter());
        Ok(Point { at, ratio, server_us_per_request: median(cpu), latency_p99_ms: median(p99) })
    }

    fn marks(&self, marks: Marks) -> Arc<Side> {
        let http = Protocol::Http { status: 200, has_marks: true };
        Arc::new(Side::new(Subject::Seenby, &self.seenby, http, move |at, out| marks.http(at, out)))
    }

    /// Many conversations of [`LIVE_MEMBERS`], several at once.
    async fn conversations(
        &self,
        count: usize,
        name: impl Fn(usize) -> String,
        messages: usize,
        readers: usize,
    ) -> Result<(), Box<dyn Error>> {
        let mut running: JoinSet<Result<(), String>> = JoinSet::new();
        for at in 0..count {
            if running.len() >= SETUP_REQUESTS
                && let Some(done) = running.join_next().await
            {
                done??;
            }
            let (client, name) = (self.client.clone(), name(at));
            running.spawn(async move {
                conversation(&client, &name, LIVE_MEMBERS, messages, readers)
                    .await
                    .map_err(|error| error.to_string())
            });
        }
        while let Some(done) = running.join_next().await {
            done??;
        }
        Ok(())
    }

    async fn conversation(
        &self,
        name: &str,
        members: usize,
        messages: usize,
        readers: usize,
    ) -> Result<(), Box<dyn Error>> {
        conversation(&self.client, name, members, messages, readers).await
    }
}

/// A conversation whose first member has sent all messages, and whose next ones have read them all.
async fn conversation(
    client: &Client,
    name: &str,
    members: usize,
    messages: usize,
    readers: usize,
) -> Result<(), Box<dyn Error>> {
    let users: Vec<_> = (0..members).map(|member| format!("u{member}")).collect();
    client.replace_roster(name, &users).await?;
    for first in (0..messages).step_by(ENTRIES_MAX) {
        let entry = |message| RegisterEntry {
            id: format!("m{message}"),
            sender: users[0].clone(),
            audience: None,
            expires_in_s: None,
            order: None,
        };
        let entries = (first..messages.min(first + ENTRIES_MAX)).map(entry);
        client.register_bulk(name, entries.collect()).await?;
    }
    let read = |reader: &String| BulkMarkEntry {
        conversation: name.to_owned(),
        reader: reader.clone(),
        up_to: Some(format!("m{}", messages - 1)),
        ..BulkMarkEntry::default()
    };
    let entries: Vec<_> = users.iter().skip(1).take(readers).map(read).collect();
    for entries in entries.chunks(ENTRIES_MAX) {
        client.mark_bulk(entries.to_vec()).await?;
    }
    Ok(())
}

/// Prints the tables.
pub(crate) fn print(curves: &[Curve]) {
    println!("\nHow cost grows: requests a second against the floor's in the same round.");
    for curve in curves {
        let verdict = match (curve.must_be_flat, curve.spread() <= FLAT) {
            (false, _) => "",
            (true, true) => "  holds",
            (true, false) => "  MISSED",
        };
        println!("\n{}, over {}: within {:.2}x{verdict}", curve.what, curve.over, curve.spread());
        println!("{:>14} {:>8} {:>15} {:>8} {:>8}", curve.over, "ratio", "from .. to", "CPU us", "p99 ms");
        for point in &curve.points {
            let range = format!("{:.2} .. {:.2}", point.ratio.min, point.ratio.max);
            let (cpu, p99) = (point.server_us_per_request, point.latency_p99_ms);
            println!("{:>14} {:>8.2} {range:>15} {cpu:>8.1} {p99:>8.2}", point.at, point.ratio.median);
        }
    }
}

/// Where a curve's points are: size and ratio.
pub(crate) fn places(curve: &Curve) -> Vec<(f64, f64)> {
    curve.points.iter().map(|point| (float(point.at as u64), point.ratio.median)).collect()
}
