//! The works: what is asked for, who is asked, and what seenby has to reach against each of the others.

use std::{
    error::Error,
    ffi::OsString,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    Options, Others,
    marks::{MEMBERS, MESSAGES, Marks},
    protocol::{Protocol, postgres_opening},
    pulls::{Pulls, SCREEN},
    server::{POSTGRES_USER, Server},
    setup,
};

/// Who does a work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Seenby,
    Hyper,
    Valkey,
    Postgres,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Seenby => "seenby",
            Self::Hyper => "bare hyper",
            Self::Valkey => "Valkey",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// What has happened by the time that it answers a mark.
    pub(crate) fn durability(self) -> &'static str {
        match self {
            Self::Seenby => "fdatasync before each answer, one for all that waits",
            Self::Hyper => "nothing is kept",
            Self::Valkey => {
                "appendfsync always: fsync before each answer, one for all that waits; no snapshots"
            }
            Self::Postgres => "defaults: fdatasync of the log before each answer (synchronous_commit on)",
        }
    }
}

/// What seenby has to reach against another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    /// Units a second against the other's, at least.
    pub(crate) ratio_min: f64,
    /// The server's processor time a request against the other's, at most.
    pub(crate) cpu_ratio_max: Option<f64>,
}

/// Which works belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Pulls and counts
    Pulls,
    /// Marks
    Marks,
    /// Growth of memory and disk
    Growth,
    /// Instructions a request, under callgrind
    Instructions,
    /// How cost grows over members, live messages and conversations
    Curves,
    /// How long pulls take while everybody marks
    Storm,
    /// The engine on a Valkey Cluster beside the embedded one
    Cluster,
}

/// One work, done by several in turn; seenby is the first.
pub(crate) struct Work {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// What each of its units is.
    pub(crate) unit: &'static str,
    pub(crate) sides: Vec<Arc<Side>>,
}

type Write = Arc<dyn Fn(usize, &mut Vec<u8>) -> bool + Send + Sync>;

/// One who does a work, and how far it has got: no mark is made twice.
pub(crate) struct Side {
    pub(crate) subject: Subject,
    /// What it is asked for there, where that needs saying.
    pub(crate) what: &'static str,
    /// What seenby has to reach against it, if anything.
    pub(crate) bar: Option<Bar>,
    pub(crate) server: Arc<Server>,
    pub(crate) protocol: Protocol,
    /// What a connection begins with.
    pub(crate) opening: Vec<Vec<u8>>,
    /// Of each request.
    pub(crate) units: usize,
    write: Write,
    next: AtomicUsize,
}

impl Side {
    pub(crate) fn new(
        subject: Subject,
        server: &Arc<Server>,
        protocol: Protocol,
        write: impl Fn(usize, &mut Vec<u8>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (server, write, next) = (server.clone(), Arc::new(write), AtomicUsize::new(0));
        let (what, bar, opening, units) = ("", None, Vec::new(), 1);
        Self { subject, what, bar, server, protocol, opening, units, write, next }
    }

    /// The same asked of another, who answers as this one did.
    pub(crate) fn on(&self, subject: Subject, server: Arc<Server>) -> Self {
        let (write, next, opening) = (self.write.clone(), AtomicUsize::new(0), self.opening.clone());
        Self { subject, server, write, next, opening, bar: None, ..*self }
    }

    /// So many in each request.
    pub(crate) fn in_units(self, units: usize) -> Self {
        Self { units, ..self }
    }

    fn what(self, what: &'static str) -> Self {
        Self { what, ..self }
    }

    fn at_least(self, ratio_min: f64) -> Self {
        Self { bar: Some(Bar { ratio_min, cpu_ratio_max: None }), ..self }
    }

    fn with_cpu_at_most(self, cpu_ratio_max: f64) -> Self {
        let bar = self.bar.map(|bar| Bar { cpu_ratio_max: Some(cpu_ratio_max), ..bar });
        Self { bar, ..self }
    }

    /// Writes the next request over `out`; false if there is none left.
    pub(crate) fn next(&self, out: &mut Vec<u8>) -> bool {
        out.clear();
        if (self.write)(self.next.fetch_add(1, Ordering::Relaxed), out) {
            return true;
        }
        // The floor keeps nothing, and may be asked for the same again.
        self.subject == Subject::Hyper && {
            self.next.store(1, Ordering::Relaxed);
            (self.write)(0, out)
        }
    }
}

/// The servers that stand ready.
pub(crate) struct Servers {
    pub(crate) seenby: Arc<Server>,
    pub(crate) valkey: Option<Arc<Server>>,
    pub(crate) postgres: Option<Arc<Server>>,
    /// What seenby and the floor run under, if anything.
    under: Vec<OsString>,
}

impl Servers {
    pub(crate) fn start(
        others: &Others,
        folder: &Path,
        under: Vec<OsString>,
        flags: &[&str],
    ) -> Result<Self, Box<dyn Error>> {
        let seenby = Arc::new(Server::seenby(folder, &under, flags)?);
        let valkey =
            others.valkey.as_ref().map(|programs| Server::valkey(programs, folder, &[])).transpose()?;
        let postgres =
            others.postgres.as_ref().map(|programs| Server::postgres(programs, folder)).transpose()?;
        Ok(Self { seenby, valkey: valkey.map(Arc::new), postgres: postgres.map(Arc::new), under })
    }
}

/// Sets up what the works are about, and makes them.
pub(crate) async fn prepare(servers: &Servers, options: &Options) -> Result<Vec<Work>, Box<dyn Error>> {
    let mut works = Vec::new();
    if let Some(postgres) = &servers.postgres {
        setup::table(postgres).await?;
    }
    if options.has(Part::Pulls) {
        let pulled = setup::pulled(servers).await?;
        for pulls in [Pulls::unchanged(&pulled), Pulls::one(&pulled), Pulls::screen(&pulled)] {
            works.push(pull_work(servers, pulls).await?);
        }
    }
    if options.has(Part::Marks) {
        let seconds = options.seconds * f64::from(options.rounds);
        for (mut marks, fastest) in MARKS.into_iter().zip(FASTEST) {
            marks.conversations = conversations(fastest * seconds);
            setup::conversations(&servers.seenby, marks.name, marks.conversations, MESSAGES).await?;
            works.push(mark_work(servers, marks).await?);
        }
    }
    Ok(works)
}

/// What all have in common; conversations as many as are needed.
pub(crate) const MANY: Marks = Marks {
    name: "",
    conversations: 0,
    members: MEMBERS,
    depth: MESSAGES,
    readers: 1,
    messages: 1,
    first_row: 0,
};
const MARKS: [Marks; 3] = [
    Marks { name: "one", first_row: 10_000_000, ..MANY },
    Marks { name: "screen", messages: SCREEN, first_row: 20_000_000, ..MANY },
    Marks { name: "bulk", readers: 50, messages: SCREEN, first_row: 30_000_000, ..MANY },
];
/// Marks a second of each, more than anybody is expected to make: there must be enough for all rounds.
pub(crate) const FASTEST: [f64; 3] = [150e3, 1.5e6, 10e6];
/// Readers of the pipelines that Valkey takes the bulk in: 100 marks each.
const PIPELINE_READERS: usize = 5;

/// How many conversations have room for so many marks.
pub(crate) fn conversations(marks: f64) -> usize {
    const COUNTS: std::ops::Range<u32> = 8..10_000;
    /// What there is to mark in one, less what does not fill a request.
    const EACH: f64 = 1_950_000.0;
    COUNTS.clone().find(|&count| f64::from(count) * EACH >= marks).unwrap_or(COUNTS.end) as usize
}

async fn pull_work(servers: &Servers, pulls: Pulls) -> Result<Work, Box<dyn Error>> {
    let Pulls { name, status, .. } = pulls;
    let pulls = Arc::new(pulls);
    let http = Protocol::Http { status, has_marks: false };
    let replay = |side: Subject, server: &Arc<Server>| {
        let pulls = pulls.clone();
        Side::new(side, server, http, move |at, out| pulls.http(at, out))
    };
    let seenby = replay(Subject::Seenby, &servers.seenby);
    let answer = setup::ask(&seenby).await?;
    let bare =
        replay(Subject::Hyper, &Arc::new(Server::bare(&answer, &servers.under)?)).what("as many bytes");
    let mut sides = vec![seenby];
    sides.push(match (status, pulls.messages) {
        (304, _) => bare.at_least(0.95).with_cpu_at_most(1.2),
        (_, SCREEN) => bare.at_least(0.85).with_cpu_at_most(1.3),
        _ => bare,
    });
    if let (200, Some(server)) = (status, &servers.valkey) {
        let (protocol, of) = (Protocol::Resp { replies: pulls.messages, has_marks: false }, pulls.clone());
        let side = Side::new(Subject::Valkey, server, protocol, move |at, out| of.resp(at, out));
        sides.push(match pulls.messages {
            SCREEN => side.what("20 BITCOUNT in a pipeline").at_least(2.2),
            _ => side.what("BITCOUNT"),
        });
    }
    if let (200, Some(server)) = (status, &servers.postgres) {
        let of = pulls.clone();
        let side =
            Side::new(Subject::Postgres, server, Protocol::Postgres { has_marks: false }, move |at, out| {
                of.postgres(at, out)
            });
        let opening = postgres_opening(POSTGRES_USER, POSTGRES_USER, pulls.statement());
        sides.push(Side { opening, ..side.what("count(*) by message").at_least(10.0) });
    }
    Ok(Work { name, unit: "pulls", sides: sides.into_iter().map(Arc::new).collect() })
}

async fn mark_work(servers: &Servers, marks: Marks) -> Result<Work, Box<dyn Error>> {
    let http = Protocol::Http { status: 200, has_marks: true };
    let side = |subject, server, protocol, write: fn(Marks, usize, &mut Vec<u8>) -> bool, marks: Marks| {
        Side::new(subject, server, protocol, move |at, out| write(marks, at, out)).in_units(marks.units())
    };
    let seenby = side(Subject::Seenby, &servers.seenby, http, Marks::http, marks);
    let bare = Arc::new(Server::bare(&setup::ask(&seenby).await?, &servers.under)?);
    let bare = side(Subject::Hyper, &bare, http, Marks::http, marks).what("as many bytes, marks nothing");
    let mut sides = vec![seenby, bare];
    if let Some(server) = &servers.valkey {
        let marks = Marks { readers: marks.readers.min(PIPELINE_READERS), ..marks };
        let protocol = Protocol::Resp { replies: marks.units(), has_marks: true };
        let side = side(Subject::Valkey, server, protocol, Marks::resp, marks);
        sides.push(match marks.units() {
            1 => side.what("SETBIT, no pipeline").at_least(1.0),
            SCREEN => side.what("pipelines of 20 SETBIT").at_least(1.5),
            _ => side.what("pipelines of 100 SETBIT").at_least(3.0),
        });
    }
    if let (1, Some(server)) = (marks.readers, &servers.postgres) {
        let protocol = Protocol::Postgres { has_marks: true };
        let side = side(Subject::Postgres, server, protocol, Marks::postgres, marks);
        let opening = postgres_opening(POSTGRES_USER, POSTGRES_USER, marks.statement());
        let side = match marks.messages {
            1 => side.what("INSERT of a row").at_least(2.0),
            _ => side.what("INSERT of 20 rows").at_least(10.0),
        };
        sides.push(Side { opening, ..side });
    }
    let name = match marks.units() {
        1 => "mark of one message",
        SCREEN => "mark of 20 messages",
        _ => "bulk of 50 readers x 20",
    };
    Ok(Work { name, unit: "marks", sides: sides.into_iter().map(Arc::new).collect() })
}
