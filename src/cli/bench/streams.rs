//! `seenby bench streams`: memory that open streams take, and whether clients that read nothing slow down the others.
//!
//! Every connection is opened and asks for something small first, so that what a stream takes and what a connection takes
//! can be told apart. Then each opens a stream of one message, and marks come at a steady rate, each an event for one of
//! them; then the same again beside clients that open streams and read nothing.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    BenchError, Common,
    chats::{Chats, Reads},
    load::{Bar, Load},
    open_loop::part,
    report::{Report, number, size},
    server::{Server, Start},
};
use crate::{process::open_files, wire::BulkMarkEntry};

/// What `streams` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,

    /// Streams, each over a connection of its own; the system must allow twice as many open files
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    streams: u32,

    /// Clients that open a stream of 100 messages and read nothing, the second time
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    silent: u32,

    /// Marks a second, each an event for one stream
    #[arg(long, value_name = "COUNT", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// How long marks come, each time
    #[arg(long = "for", value_name = "DURATION", default_value = "20s", value_parser = humantime::parse_duration)]
    length: Duration,
}

/// Messages, and so streams, of each conversation; also its members but one, who sends all of them.
const MESSAGES: usize = 100;
/// Streams and connections that are being opened at once.
const OPENING: usize = 64;
/// How often marks are sent.
const MARK_EVERY: Duration = Duration::from_millis(50);
/// Bytes that clients which read nothing have room for.
const SILENT_BYTES: u32 = 4 << 10;
/// After so long without an event, none will come any more.
const PATIENCE: Duration = Duration::from_secs(20);

/// When the marks were sent that a stream has still to tell, and how long those took that it has told.
#[derive(Debug, Default)]
struct Told {
    sent: Mutex<VecDeque<Instant>>,
    took: Mutex<Vec<Duration>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One chat for each hundred streams.
fn chats(args: &Args) -> Chats {
    let conversations = usize::try_from(args.streams).unwrap_or(usize::MAX).div_ceil(MESSAGES);
    let (seed, members) = (args.common.seed, MESSAGES + 1);
    Chats { seed, conversations, members, messages: MESSAGES, period: MESSAGES, reads: Reads::Random }
}

/// The request for a stream of some messages of a conversation.
fn request(chats: Chats, conversation: usize, messages: std::ops::Range<usize>) -> String {
    let ids: Vec<_> =
        messages.map(|message| format!("message={}", chats.message(conversation, message))).collect();
    let target = format!("/v1/conversations/{}/receipts/stream?{}", chats.name(conversation), ids.join("&"));
    format!("GET {target} HTTP/1.1\r\nhost: bench\r\n\r\n")
}

/// Opens connections, then streams, then sends marks; looks at the memory between.
pub(super) async fn measure(args: &Args) -> Result<Report, BenchError> {
    // Streams may have nine tenths of the connections.
    let streams = args.streams.saturating_add(args.silent);
    let files = streams.saturating_add(streams / 8).saturating_add(200);
    let wanted = usize::try_from(files).unwrap_or(usize::MAX);
    open_files::allow(wanted).map_err(|error| BenchError::Usage(error.to_string()))?;
    let (chats, folder) = (chats(args), args.common.folder()?);
    let start = Start::on(folder.join("streams"), &args.common.serve)
        .with("SEENBY_CONNECTIONS_MAX", files.to_string())
        .with("SEENBY_CONNECTIONS_PER_S_MAX", "0")
        .with("SEENBY_STREAMS_MAX", files.to_string())
        .with("SEENBY_STREAM_EVERY", "0s")
        .with("SEENBY_STREAM_FOR", "1h")
        .with("SEENBY_ANSWER_TIMEOUT", "3s");
    let server = start.start().await?;
    let load = Load::new(chats, &server.client, args.common.pace());
    load.rosters().await?;
    for conversation in 0..chats.conversations {
        register(&load, conversation).await?;
    }
    let address = server.address()?;
    let mut memory = vec![("before", server.process().resident())];
    let connections = connect(address, args.streams).await?;
    memory.push(("connections", settled(&server).await));
    let told: Arc<[Told]> = (0..args.streams).map(|_| Told::default()).collect();
    let mut streams = JoinSet::new();
    open(chats, connections, &told, &mut streams).await?;
    memory.push(("streams", settled(&server).await));

    let mut marks = Marks { load: &load, told: &told, next: 0, rate: args.rate, length: args.length };
    let alone = marks.send("marks").await?;
    let silent = silent(chats, address, args.silent).await?;
    let beside = marks.send("marks beside silent clients").await?;
    memory.push(("at most", server.process().resident_most()));
    let cut_off = cut_off(silent).await;
    drop(streams);
    server.stop().await?;
    Ok(report(args, &memory, &[("alone", &alone), ("beside silent", &beside)], cut_off))
}

/// Registers the messages of a conversation, all from its last member.
async fn register(load: &Load, conversation: usize) -> Result<(), BenchError> {
    let chats = load.chats;
    let entry = |message| crate::wire::RegisterEntry {
        id: chats.message(conversation, message),
        sender: chats.member(conversation, MESSAGES),
        audience: None,
        expires_in_s: None,
        order: None,
    };
    let entries = (0..MESSAGES).map(entry).collect();
    let sent = load.client.register_bulk(&chats.name(conversation), entries).await;
    sent.map(drop).map_err(BenchError::call("register messages"))
}

/// Memory of the server once it has stopped growing.
async fn settled(server: &Server) -> u64 {
    sleep(Duration::from_secs(2)).await;
    server.process().resident()
}

/// Opens so many connections, each of which has had an answer.
async fn connect(address: SocketAddr, count: u32) -> Result<Vec<TcpStream>, BenchError> {
    let (turns, mut opening) = (Arc::new(Semaphore::new(OPENING)), JoinSet::new());
    for _ in 0..count {
        let turns = turns.clone();
        opening.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: bench\r\n\r\n").await?;
            let mut answer = [0; 512];
            let count = stream.read(&mut answer).await?;
            if answer[..count].starts_with(b"HTTP/1.1 200") {
                Ok(stream)
            } else {
                Err(refused(&answer[..count]))
            }
        });
    }
    let bar = Bar::new("connections", opening.len());
    let mut open = Vec::with_capacity(opening.len());
    while let Some(opened) = opening.join_next().await {
        open.push(opened?.map_err(BenchError::io("open a connection"))?);
        bar.add(1);
    }
    Ok(open)
}

fn refused(answer: &[u8]) -> std::io::Error {
    std::io::Error::other(format!("the server says {:?}", String::from_utf8_lossy(answer)))
}

/// Opens a stream over each connection, and leaves a task that reads it in `streams`.
async fn open(
    chats: Chats,
    connections: Vec<TcpStream>,
    told: &Arc<[Told]>,
    streams: &mut JoinSet<()>,
) -> Result<(), BenchError> {
    let bar = Bar::new("streams", connections.len());
    for (at, mut stream) in connections.into_iter().enumerate() {
        let (conversation, message) = (at / MESSAGES, at % MESSAGES);
        let request = request(chats, conversation, message..message + 1);
        let mut text = String::new();
        let opened = async {
            stream.write_all(request.as_bytes()).await?;
            let mut part = [0; 1024];
            while events(&text) == 0 {
                let count = stream.read(&mut part).await?;
                text.push_str(&String::from_utf8_lossy(&part[..count]));
                if count == 0 || !text.starts_with("HTTP/1.1 200") {
                    return Err(refused(text.as_bytes()));
                }
            }
            Ok(())
        };
        opened.await.map_err(BenchError::io("open a stream"))?;
        let told = told.clone();
        streams.spawn(async move { follow(stream, &told[at]).await });
        bar.add(1);
    }
    Ok(())
}

/// Whole events in a text.
fn events(text: &str) -> usize {
    text.matches("\ndata: ").count()
}

/// Reads a stream to its end, and times its events.
async fn follow(mut stream: TcpStream, told: &Told) {
    // An event may come in two parts: what is left of a line is kept.
    let mut text = String::new();
    let mut part = [0; 512];
    while let Ok(count) = stream.read(&mut part).await
        && count > 0
    {
        text.push_str(&String::from_utf8_lossy(&part[..count]));
        for _ in 0..events(&text) {
            if let Some(sent) = locked(&told.sent).pop_front() {
                locked(&told.took).push(sent.elapsed());
            }
        }
        let last_line = text.rfind('\n').unwrap_or_default();
        text.drain(..last_line);
        if text.contains("\ndata: ") {
            text.clear();
        }
    }
}

/// Opens streams that nobody reads.
async fn silent(chats: Chats, address: SocketAddr, count: u32) -> Result<Vec<TcpStream>, BenchError> {
    let mut silent = Vec::new();
    for at in 0..count {
        let opened = async {
            let socket = TcpSocket::new_v4()?;
            socket.set_recv_buffer_size(SILENT_BYTES)?;
            let mut stream = socket.connect(address).await?;
            let conversation = usize::try_from(at).unwrap_or_default() % chats.conversations;
            stream.write_all(request(chats, conversation, 0..MESSAGES).as_bytes()).await?;
            Ok(stream)
        };
        silent.push(opened.await.map_err(BenchError::io("open a stream that nobody reads"))?);
    }
    Ok(silent)
}

/// How many of them the server has ended. What they have to read is read now.
async fn cut_off(silent: Vec<TcpStream>) -> usize {
    let mut count = 0;
    for mut stream in silent {
        let mut waste = vec![0; 64 << 10];
        let ends = async { while stream.read(&mut waste).await.is_ok_and(|count| count > 0) {} };
        count += usize::from(timeout(Duration::from_millis(100), ends).await.is_ok());
    }
    count
}

/// Marks, each of a message that has a stream.
struct Marks<'a> {
    load: &'a Load,
    told: &'a [Told],
    next: usize,
    rate: u32,
    length: Duration,
}

/// How long events took.
#[derive(Debug, Default)]
struct Times {
    marks: usize,
    events: usize,
    p50_ms: f64,
    p99_ms: f64,
}

impl Marks<'_> {
    /// Sends marks for so long, and waits for the last event.
    async fn send(&mut self, what: &str) -> Result<Times, BenchError> {
        let steps = self.length.as_millis() / MARK_EVERY.as_millis();
        let each = (self.rate as usize).div_ceil(20);
        let bar = Bar::new(what, usize::try_from(steps).unwrap_or(usize::MAX));
        let mut due = interval(MARK_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut marks = 0;
        for _ in 0..steps {
            due.tick().await;
            let entries: Vec<_> = (0..each).filter_map(|_| self.entry()).collect();
            marks += self.load.mark(&entries).await?.marked;
            bar.add(1);
        }
        let began = Instant::now();
        while self.told.iter().any(|told| !locked(&told.sent).is_empty()) && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(10)).await;
        }
        let mut took: Vec<_> =
            self.told.iter().flat_map(|told| std::mem::take(&mut *locked(&told.took))).collect();
        took.sort_unstable();
        Ok(Times { marks, events: took.len(), p50_ms: part(&took, 50), p99_ms: part(&took, 99) })
    }

    /// The next mark; none once everybody has read everything.
    fn entry(&mut self) -> Option<BulkMarkEntry> {
        let chats = self.load.chats;
        let (at, round) = (self.next % self.told.len(), self.next / self.told.len());
        self.next += 1;
        if round >= MESSAGES {
            return None;
        }
        let (conversation, message) = (at / MESSAGES, at % MESSAGES);
        locked(&self.told[at].sent).push_back(Instant::now());
        Some(BulkMarkEntry {
            conversation: chats.name(conversation),
            reader: chats.member(conversation, round),
            messages: Some(vec![chats.message(conversation, message)]),
            ..BulkMarkEntry::default()
        })
    }
}

fn report(args: &Args, memory: &[(&str, u64)], times: &[(&str, &Times)], cut_off: usize) -> Report {
    let mut report = Report::new("streams", args.common.seed, &["memory", "resident", "each"]);
    let mut before = 0;
    for (what, resident) in memory {
        let each = resident.saturating_sub(before) / u64::from(args.streams);
        let is_more = matches!(*what, "connections" | "streams");
        let each = if is_more { size(each) } else { String::new() };
        report.row([(*what).to_owned(), size(*resident), each]);
        report.figure(&what.replace(' ', "_"), json!(resident));
        before = *resident;
    }
    let resident = |at: usize| memory.get(at).map_or(0, |(_, resident)| *resident);
    let whole = resident(2).saturating_sub(resident(0)) / u64::from(args.streams);
    report.note(format!(
        "{} streams; with its connection each takes {}",
        number(args.streams.into()),
        size(whole)
    ));
    report.figure("streams_open", json!(args.streams));
    report.figure("each", json!(whole));
    for (what, times) in times {
        let Times { marks, events, p50_ms, p99_ms } = times;
        report.note(format!(
            "{what}: {} marks, {} events, from mark to event p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms",
            number(*marks as u64),
            number(*events as u64)
        ));
        let figures = json!({ "marks": marks, "events": events, "p50_ms": p50_ms, "p99_ms": p99_ms });
        report.figure(&what.replace(' ', "_"), figures);
    }
    report.note(format!("{cut_off} of {} silent clients were cut off within the time", args.silent));
    report.figure("cut_off", json!(cut_off));
    report
}
