//! Failing disks: each call that writes, in turn, fails once. Nothing is answered from then on that is not on disk,
//! reads go on, the log has the cause, and the process can be ended and started anew with all that was answered.
//!
//! `strace` counts the calls of each thread for itself, so a running server is traced one kind of thread at a time,
//! and a starting one a part of its files at a time.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use seenby::{client::ClientError, wire::Code};
use tempfile::TempDir;

use super::server::{C, Refused, Server, read, registered};
use crate::{harness::wait_for, process::JOURNAL_EMPTY_BYTES, store::crash::copy};

/// Checkpoints as often as can be, so that each run has one.
const ARGS: [&str; 2] = ["--checkpoint-every", "100ms"];

const ERRORS: [&str; 2] = ["EIO", "ENOSPC"];

/// The calls that change something on disk, by the threads that make them. The calls of sled's own threads are
/// those that its log is written with.
const CALLS: [(&str, &[&str]); 3] = [
    (
        "commit",
        &["write", "pwrite64", "fallocate", "ftruncate", "fdatasync", "fsync", "openat", "rename", "unlink"],
    ),
    ("checkpoint", &["pwrite64", "sync_file_range", "fdatasync", "fsync", "openat"]),
    ("sled-io", &["pwrite64", "sync_file_range", "fdatasync", "fsync"]),
];

/// The same at a start, by the parts of the data directory.
const START_CALLS: [&str; 10] = [
    "openat",
    "mkdir",
    "copy_file_range",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "rename",
    "ftruncate",
];

/// One fault: which call, with which error, at which time.
#[derive(Debug, Clone, Copy)]
struct Fault {
    call: &'static str,
    error: &'static str,
    at: u64,
}

impl Fault {
    /// The words for `strace`: only on `paths`, if there are any.
    fn words(self, output: &Path, paths: &[PathBuf]) -> Vec<String> {
        let Self { call, error, at } = self;
        let mut words = ["-o", output.to_str().unwrap(), "-e"].map(str::to_owned).to_vec();
        words.extend([
            format!("trace={call}"),
            "-e".to_owned(),
            format!("inject={call}:error={error}:when={at}"),
        ]);
        words.extend(paths.iter().flat_map(|path| ["-P".to_owned(), path.display().to_string()]));
        words
    }
}

/// Which faults are tried.
pub(super) enum Share {
    /// Every one.
    All,
    /// The first time of each call, and then about one in two, by a seed.
    Some(fastrand::Rng),
}

impl Share {
    /// The next time after `at` that is tried.
    fn next(&mut self, at: u64) -> u64 {
        match self {
            Self::All => at + 1,
            Self::Some(_) if at == 0 => 1,
            Self::Some(random) => at + random.u64(1..4),
        }
    }

    fn errors(&mut self) -> Vec<&'static str> {
        match self {
            Self::All => ERRORS.to_vec(),
            Self::Some(random) => vec![ERRORS[random.usize(..ERRORS.len())]],
        }
    }
}

/// Runs `attempt` with every fault of a call, until the call is not made so often; returns how many were met.
fn walk(share: &mut Share, call: &'static str, mut attempt: impl FnMut(Fault) -> bool) -> u64 {
    let mut met = 0;
    for error in share.errors() {
        let mut at = share.next(0);
        while attempt(Fault { call, error, at }) {
            met += 1;
            at = share.next(at);
        }
    }
    met
}

/// A store that was closed, to begin from.
struct Image {
    directory: TempDir,
}

impl Image {
    fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("image");
        let mut server = Server::on(&data, &[]);
        let members: Vec<_> = (0..20).map(|n| format!("r{n}")).chain(["alice".to_owned()]).collect();
        server.call(async |client| client.replace_roster(C, &members).await.unwrap());
        for n in 0..8 {
            server.register(&format!("m{n}")).unwrap();
            server.mark("r0", &format!("m{n}")).unwrap();
        }
        assert!(server.terminate().success());
        Self { directory }
    }

    /// A data directory that is a copy of it.
    fn copy(&self) -> PathBuf {
        let data = self.directory.path().join("data");
        let _ = fs::remove_dir_all(&data);
        copy(&self.directory.path().join("image"), &data);
        data
    }

    /// Where `strace` writes what it saw.
    fn traced(&self) -> PathBuf {
        self.directory.path().join("traced")
    }

    /// Whether the fault was met.
    fn was_met(&self) -> bool {
        fs::read_to_string(self.traced()).unwrap().contains("(INJECTED)")
    }
}

/// What a server was asked to write, and what of it it said yes to.
struct Told {
    answered: BTreeSet<String>,
    asked: BTreeSet<String>,
    has_refused: bool,
}

impl Told {
    fn new(shown: BTreeSet<String>) -> Self {
        Self { asked: shown.clone(), answered: shown, has_refused: false }
    }

    fn take(&mut self, line: String, answer: Result<(), ClientError>) {
        self.asked.insert(line.clone());
        match answer {
            Ok(()) => {
                assert!(!self.has_refused, "{line}: a success after a failure");
                self.answered.insert(line);
            }
            Err(ClientError::Problem { problem, .. }) if problem.code == Code::StoreFailed => {
                self.has_refused = true;
            }
            // The process is gone.
            Err(ClientError::Unreachable { .. }) => self.has_refused = true,
            Err(error) => panic!("{line}: {error}"),
        }
    }

    /// Holds that all that was answered is there, and nothing that was never asked for.
    fn check(&self, shown: &BTreeSet<String>) {
        let lost: Vec<_> = self.answered.difference(shown).collect();
        let invented: Vec<_> = shown.difference(&self.asked).collect();
        assert!(lost.is_empty() && invented.is_empty(), "lost {lost:?}, invented {invented:?}");
    }
}

/// Writes, with a checkpoint in the middle.
fn act(server: &mut Server, told: &mut Told) {
    for n in 1..=6 {
        let (reader, message) = (format!("r{n}"), format!("m{n}"));
        told.take(read(&reader, &message), server.mark(&reader, &message));
        if n % 3 == 0 {
            let message = format!("m{n}-new");
            told.take(registered(&message), server.register(&message));
            wait_for_checkpoint(server);
        }
    }
    for n in 7..=8 {
        let reader = format!("r{n}");
        told.take(read(&reader, "m0"), server.mark(&reader, "m0"));
    }
}

/// Waits for a checkpoint of what has been answered, or the failure that there is in place of it.
fn wait_for_checkpoint(server: &mut Server) {
    wait_for("a checkpoint", || {
        let is_over = server.ended().is_some() || !server.is_ready().unwrap_or_default();
        (is_over || server.journal_bytes().is_none_or(|bytes| bytes == JOURNAL_EMPTY_BYTES)).then_some(())
    });
}

/// Lets a running server meet a fault; true if it did.
fn run(image: &Image, thread: &str, fault: Fault) -> bool {
    let data = image.copy();
    let mut server = Server::on(&data, &ARGS);
    let mut told = Told::new(server.shown().unwrap());
    let segments = segments(&data);
    let tracer = server
        .trace(thread, &fault.words(&image.traced(), if fault.call == "write" { &segments } else { &[] }));
    act(&mut server, &mut told);
    let has_ended = server.ended().is_some();
    if !has_ended {
        // A checkpoint may fail at any moment, so what is asked first holds later on.
        let has_failed = told.has_refused || server.causes() == 1;
        let is_ready = server.is_ready().unwrap();
        assert!(!(is_ready && has_failed), "{}", server.log());
        if !is_ready {
            wait_for("the cause in the log", || (server.causes() == 1).then_some(()));
        }
        assert_eq!(server.shown().unwrap(), told.answered, "reads go on, with what was answered");
    }
    let status = server.terminate();
    tracer.end();
    let is_met = image.was_met();
    assert!(server.causes() <= 1, "{}", server.log());
    if server.causes() == 1 {
        assert_eq!(status.code(), Some(1), "{}", server.log());
    } else {
        assert!(status.success() || (is_met && has_ended), "{status}: {}", server.log());
    }
    check_restart(&data, &told);
    is_met
}

/// Lets a starting server meet a fault; true if it did.
fn start(image: &Image, data: &Path, told: &mut Told, paths: &[PathBuf], fault: Fault) -> bool {
    let mut before = vec!["strace".to_owned(), "-D".to_owned(), "-f".to_owned()];
    before.extend(fault.words(&image.traced(), paths));
    match Server::start(&before, data, &ARGS) {
        Ok(mut server) => {
            if !told.answered.is_empty() {
                told.take(read("r9", "m0"), server.mark("r9", "m0"));
            }
            server.terminate();
            assert!(server.causes() <= 1, "{}", server.log());
        }
        Err(Refused { status, log }) => {
            assert_eq!(status.code(), Some(1), "{log}");
            assert!(log.contains(data.to_str().unwrap()), "it names no file: {log}");
        }
    }
    image.was_met()
}

/// Lets the first start of all meet a fault; true if it did.
fn start_afresh(image: &Image, fault: Fault) -> bool {
    let data = image.directory.path().join("data");
    let _ = fs::remove_dir_all(&data);
    let mut paths: Vec<_> = parts(&data).into_iter().flat_map(|(_, paths)| paths).collect();
    paths.push(image.directory.path().to_owned());
    let is_met = start(image, &data, &mut Told::new(BTreeSet::new()), &paths, fault);
    let mut server = Server::on(&data, &[]);
    server.call(async |client| client.replace_roster(C, &["alice", "r1"]).await.unwrap());
    server.register("m").unwrap();
    assert!(server.terminate().success(), "{}", server.log());
    is_met
}

fn check_restart(data: &Path, told: &Told) {
    let mut server = Server::on(data, &ARGS);
    told.check(&server.shown().unwrap());
    server.mark("r19", "m0").unwrap();
    assert!(server.terminate().success(), "{}", server.log());
}

/// Every call of a running server, in turn.
pub(super) fn check_running(mut share: Share) {
    let image = Image::make();
    for (thread, calls) in CALLS {
        for call in calls {
            let met = walk(&mut share, call, |fault| {
                println!("{thread}: {fault:?}");
                run(&image, thread, fault)
            });
            println!("{thread}: {call}: {met} faults");
        }
    }
}

/// Every call of a starting server, in turn.
pub(super) fn check_starting(mut share: Share) {
    let image = Image::make();
    for call in START_CALLS {
        let met = walk(&mut share, call, |fault| {
            println!("first start: {fault:?}");
            start_afresh(&image, fault)
        });
        println!("first start: {call}: {met} faults");
    }
    let data = image.copy();
    let before = Server::on(&data, &[]).shown().unwrap();
    for (part, paths) in parts(&data) {
        for call in START_CALLS {
            let met = walk(&mut share, call, |fault| {
                println!("start, {part}: {fault:?}");
                let data = image.copy();
                let mut told = Told::new(before.clone());
                let is_met = start(&image, &data, &mut told, &paths, fault);
                check_restart(&data, &told);
                is_met
            });
            println!("start, {part}: {call}: {met} faults");
        }
    }
}

/// The files of a data directory, in parts.
fn parts(data: &Path) -> [(&'static str, Vec<PathBuf>); 4] {
    let of = |directory: &str, names: &[&str]| {
        let directory = data.join(directory);
        let files = names.iter().map(|name| directory.join(name));
        files.chain([directory.clone()]).collect::<Vec<_>>()
    };
    let mut journal = of("journal", &["answered"]);
    journal.extend(segments(data));
    let mut pages = of("pages", &[]);
    pages.extend((1..100).map(|n| data.join(format!("pages/{n:010}.pages"))));
    // The copy that a start makes, and what becomes of it.
    let mut base = Vec::new();
    for home in (1..20).flat_map(|n| [format!("base.{n}"), format!("base.{n}.new")]) {
        base.extend(of(&home, &["db", "conf", "blobs"]));
    }
    let top = of("", &["LOCK", "FORMAT", "FORMAT.new"]);
    [("top", top), ("journal", journal), ("pages", pages), ("base", base)]
}

/// All segments that the journal may come to have, finished and not.
fn segments(data: &Path) -> Vec<PathBuf> {
    let names = (1..100).flat_map(|n| ["journal", "new"].map(|ending| format!("journal/{n:020}.{ending}")));
    names.map(|name| data.join(name)).collect()
}
