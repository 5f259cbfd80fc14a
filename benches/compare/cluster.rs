//! seenby on a Valkey Cluster, as one process and as two, beside the embedded engine and beside the bare commands that the
//! same client sends to the same nodes.
//!
//! The bare commands are what a client would do that knows slots and bits already, and checks nothing: SETBIT, BITCOUNT.
//! They go straight to the primary that has the key.

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::runtime::Runtime;

use crate::{
    Options,
    load::{self, Measured},
    marks::{MESSAGES, Marks},
    memory::{self, Memory},
    nodes::{Nodes, TAGS},
    protocol::Protocol,
    pulls::{self, Pulls, SCREEN},
    report::Spread,
    server::Server,
    setup,
    work::{self, FASTEST, MANY, Side, Subject},
};

/// Who does a work: the first and the last are what the others are compared with.
const SUBJECTS: [&str; 5] =
    ["embedded", "one process", "one, --min-replicas 1", "two processes", "bare commands"];
const EMBEDDED: usize = 0;
const BARE: usize = SUBJECTS.len() - 1;

/// The conversations that each marks in: of the first twelve each primary has four.
const ONE: [&str; BARE] = ["aak", "aan", "abl", "abz"];
const TWENTY: [&str; BARE] = ["ack", "acn", "adm", "aej"];
const ONE_BARE: [&str; TAGS.len()] = ["{bar}one", "{c}one", "{foo}one"];
const TWENTY_BARE: [&str; TAGS.len()] = ["{bar}twenty", "{c}twenty", "{foo}twenty"];
const CONVERSATIONS: usize = 12;

/// One work, and what each came to at it.
#[derive(Debug, Serialize)]
struct Figures {
    work: &'static str,
    unit: &'static str,
    subjects: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    subject: &'static str,
    units_per_s: Spread,
    latency_p50_ms: f64,
    latency_p99_ms: f64,
    /// Processor time of all servers that have a part in it, for each unit.
    server_us_per_unit: f64,
    /// Units a second against the embedded engine's, within a round.
    to_embedded: Spread,
    /// The same against the bare commands.
    to_bare: Spread,
    rounds: Vec<Measured>,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Cluster {
    works: Vec<Figures>,
    memory: Memory,
}

/// Measures; none without Valkey.
pub(crate) fn measure(
    runtime: &Runtime,
    options: &Options,
    folder: &Path,
) -> Result<Option<Cluster>, Box<dyn Error>> {
    let Some(programs) = &options.others.valkey else {
        eprintln!("left out: the cluster, which needs Valkey");
        return Ok(None);
    };
    let folder = folder.join("cluster");
    std::fs::create_dir(&folder)?;
    let stage = Stage::start(programs, &folder)?;
    eprintln!("cluster: setting up");
    let works = runtime.block_on(stage.works(options))?;
    let mut rounds = Vec::new();
    for round in 0..usize::from(options.rounds) {
        eprintln!("cluster: round {} of {}", round + 1, options.rounds);
        rounds.push(runtime.block_on(stage.one_round(&works, round, options.seconds))?);
    }
    eprintln!("cluster: memory");
    let memory = runtime.block_on(memory::measure(&stage.nodes, &stage.one, &folder))?;
    let figures = works.iter().enumerate().map(|(at, work)| work.figures(&rounds, at));
    Ok(Some(Cluster { works: figures.collect(), memory }))
}

/// The servers that stand ready.
struct Stage {
    embedded: Arc<Server>,
    one: Arc<Server>,
    replicated: Arc<Server>,
    second: Arc<Server>,
    nodes: Nodes,
}

/// One work, and by whom it is done; each by one side or several at once.
struct Work {
    name: &'static str,
    unit: &'static str,
    subjects: Vec<Vec<Arc<Side>>>,
}

impl Stage {
    fn start(programs: &Path, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let nodes = Nodes::start(programs, folder)?;
        let on = |flags: &[&str]| Server::seenby_on(&nodes.url(), flags).map(Arc::new);
        let (one, second, replicated) = (on(&[])?, on(&[])?, on(&["--min-replicas", "1"])?);
        let embedded = Arc::new(Server::seenby(folder, &[], &[])?);
        Ok(Self { embedded, one, replicated, second, nodes })
    }

    /// Those processes of seenby that each subject but the last asks.
    fn processes(&self) -> [Vec<&Arc<Server>>; BARE] {
        [vec![&self.embedded], vec![&self.one], vec![&self.replicated], vec![&self.one, &self.second]]
    }

    /// Who works for a subject without being asked.
    fn behind(&self, subject: usize) -> &[Arc<Server>] {
        match subject {
            EMBEDDED => &[],
            BARE => self.nodes.replicas(),
            _ => &self.nodes.0,
        }
    }

    async fn works(&self, options: &Options) -> Result<Vec<Work>, Box<dyn Error>> {
        let seconds = options.seconds * f64::from(options.rounds);
        let (one, twenty) = (MANY, Marks { messages: SCREEN, ..MANY });
        let mut works = Vec::new();
        for (marks, names, bare, fastest) in
            [(one, ONE, ONE_BARE, FASTEST[0]), (twenty, TWENTY, TWENTY_BARE, FASTEST[1])]
        {
            let conversations = work::conversations(fastest * seconds).max(CONVERSATIONS);
            works.push(self.marks(Marks { conversations, ..marks }, names, bare).await?);
        }
        let embedded = setup::pulled_from(&self.embedded).await?;
        let cluster = setup::pulled_from(&self.one).await?;
        for (primary, tag) in self.nodes.primaries().iter().zip(TAGS) {
            setup::fill_valkey(primary, tag).await?;
        }
        for kind in [Pulls::screen, Pulls::unchanged_screen] {
            works.push(self.pulls(kind(&embedded), kind(&cluster), &cluster));
        }
        Ok(works)
    }

    async fn marks(
        &self,
        marks: Marks,
        names: [&'static str; BARE],
        bare: [&'static str; TAGS.len()],
    ) -> Result<Work, Box<dyn Error>> {
        let units = marks.units();
        let http = Protocol::Http { status: 200, has_marks: true };
        let mut subjects = Vec::new();
        for (processes, name) in self.processes().into_iter().zip(names) {
            let marks = Marks { name, ..marks };
            setup::conversations(processes[0], name, marks.conversations, MESSAGES).await?;
            let step = processes.len();
            let sides = processes.into_iter().enumerate().map(|(first, server)| {
                let write = move |at, out: &mut Vec<u8>| marks.http(first + at * step, out);
                Arc::new(Side::new(Subject::Seenby, server, http, write).in_units(units))
            });
            subjects.push(sides.collect());
        }
        let resp = Protocol::Resp { replies: units, has_marks: true };
        let sides = self.nodes.primaries().iter().zip(bare).map(|(server, name)| {
            let marks = Marks { name, ..marks };
            let write = move |at, out: &mut Vec<u8>| marks.resp(at, out);
            Arc::new(Side::new(Subject::Valkey, server, resp, write).in_units(units))
        });
        subjects.push(sides.collect());
        let name = if units == 1 { "mark of one message" } else { "mark of 20 messages" };
        Ok(Work { name, unit: "marks", subjects })
    }

    fn pulls(&self, embedded: Pulls, cluster: Pulls, pulled: &setup::Pulled) -> Work {
        let (name, http) = (embedded.name, Protocol::Http { status: embedded.status, has_marks: false });
        let (embedded, cluster) = (Arc::new(embedded), Arc::new(cluster));
        let side = |server: &Arc<Server>| {
            let pulls = if Arc::ptr_eq(server, &self.embedded) { &embedded } else { &cluster }.clone();
            Arc::new(Side::new(Subject::Seenby, server, http, move |at, out| pulls.http(at, out)))
        };
        let mut subjects: Vec<Vec<_>> =
            self.processes().into_iter().map(|processes| processes.into_iter().map(side).collect()).collect();
        let resp = Protocol::Resp { replies: SCREEN, has_marks: false };
        let each = self.nodes.primaries().iter().zip(TAGS).map(|(server, tag)| {
            let commands: Vec<_> = pulled.screens.iter().map(|screen| screen.resp(tag)).collect();
            Arc::new(Side::new(Subject::Valkey, server, resp, move |at, out| {
                pulls::again(&commands, at, out)
            }))
        });
        subjects.push(each.collect());
        Work { name, unit: "pulls", subjects }
    }

    /// What each subject of each work came to. Who comes first changes from round to round.
    async fn one_round(
        &self,
        works: &[Work],
        round: usize,
        seconds: f64,
    ) -> Result<Vec<Vec<Measured>>, Box<dyn Error>> {
        let (mut measured, each) = (Vec::new(), Duration::from_secs_f64(seconds));
        for work in works {
            let count = work.subjects.len();
            let mut all = vec![None; count];
            for at in (0..count).map(|at| (at + round) % count) {
                let driven = load::drive_all(&work.subjects[at], self.behind(at), each).await;
                all[at] =
                    Some(driven.map_err(|error| format!("{} by {}: {error}", work.name, SUBJECTS[at]))?);
            }
            measured.push(all.into_iter().flatten().collect());
        }
        Ok(measured)
    }
}

impl Work {
    fn figures(&self, rounds: &[Vec<Vec<Measured>>], at: usize) -> Figures {
        let line = |(subject, name): (usize, &&'static str)| {
            let spread =
                |of: &dyn Fn(&[Measured]) -> f64| Spread::of(rounds.iter().map(|round| of(&round[at])));
            let against = |other: usize| {
                spread(&|round: &[Measured]| round[subject].units_per_s / round[other].units_per_s)
            };
            Line {
                subject: name,
                units_per_s: spread(&|round| round[subject].units_per_s),
                latency_p50_ms: spread(&|round| round[subject].latency_p50_ms).median,
                latency_p99_ms: spread(&|round| round[subject].latency_p99_ms).median,
                server_us_per_unit: spread(&|round| {
                    round[subject].server_cpus / round[subject].units_per_s * 1e6
                })
                .median,
                to_embedded: against(EMBEDDED),
                to_bare: against(BARE),
                rounds: rounds.iter().map(|round| round[at][subject]).collect(),
            }
        };
        let subjects = SUBJECTS.iter().enumerate().map(line).collect();
        Figures { work: self.name, unit: self.unit, subjects }
    }
}

impl Cluster {
    /// Prints the tables.
    pub(crate) fn print(&self) {
        println!(
            "\nOn a Valkey Cluster of three primaries and three replicas, appendfsync always; ratios within a round."
        );
        println!("CPU us are those of seenby and all nodes together, a unit.\n");
        println!(
            "{:<48} {:<22} {:>10} {:>7} {:>7} {:>7} {:>22} {:>22}",
            "", "", "units/s", "p50 ms", "p99 ms", "CPU us", "to embedded", "to bare commands"
        );
        for Figures { work, unit, subjects } in &self.works {
            let mut said = format!("{work}, {unit}");
            for line in subjects {
                let ratio = |Spread { median, min, max }| format!("{median:.3} ({min:.3}..{max:.3})");
                println!(
                    "{said:<48} {:<22} {:>10.0} {:>7.2} {:>7.2} {:>7.1} {:>22} {:>22}",
                    line.subject,
                    line.units_per_s.median,
                    line.latency_p50_ms,
                    line.latency_p99_ms,
                    line.server_us_per_unit,
                    ratio(line.to_embedded),
                    ratio(line.to_bare),
                );
                said.clear();
            }
        }
        self.memory.print();
    }
}
