//! Damaged files of sled: whatever is flipped or cut off there, the store opens with all that was answered, or is
//! refused by the name of a file. Never with less, and never without an end.
//!
//! sled may do anything with a damaged file, so the images are opened in a process of their own: this binary once
//! more, with one test in it that reads from its environment what to do.

use std::{
    env,
    fmt::Write,
    fs,
    io::{BufRead, BufReader, Read},
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use seenby::{
    process::shutdown,
    store::{
        Half, Read as ReadUpTo, Store,
        embedded::{BASE_THREAD, EmbeddedStore, Options},
    },
};

use crate::store::{
    NOW, conversation,
    crash::{copy, home},
    group, mark, message, read_messages, walk,
};

/// Says where the images are, and which of them to open: `DIRECTORY FIRST END`.
const WORK: &str = "SEENBY_TEST_DAMAGE";

/// How long one image may take.
const IMAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// All that a store shows, as text.
async fn shown(store: &EmbeddedStore) -> String {
    let mut text = String::new();
    for known in store.conversations(None, 1_000, NOW).await.unwrap().0 {
        let roster = store.roster(&known, None, 10_000).await.unwrap();
        writeln!(text, "{known:?} {roster:?}").unwrap();
        for message in store.messages(&known, None, 10_000, NOW).await.unwrap().0 {
            let readers = walk(store, known.as_str(), message.message.as_str(), Half::Read, 10_000).await;
            writeln!(text, "{message:?} {readers:?}").unwrap();
        }
    }
    text
}

/// Makes two data directories in `directory`: `closed`, all of it in the base, and `killed`, with writes in the
/// journal that only another checkpoint would bring there. Returns what each shows.
async fn make_images(directory: &Path) -> [String; 2] {
    let run = directory.join("run");
    let store = EmbeddedStore::open(&run, Options::default()).unwrap();
    let members: Vec<_> = (0..300).map(|n| format!("user-{n}")).collect();
    let members: Vec<_> = members.iter().map(String::as_str).collect();
    let ids: Vec<_> = (0..200).map(|n| format!("message-{n}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..6 {
        for (at, c) in ["busy", "small", "late"].into_iter().enumerate() {
            if at > round {
                continue;
            }
            let from = round * 30;
            group(&store, c, &members[..if at == 1 { 3 } else { 300 }], &ids[from..from + 30]).await;
            for _ in 0..40 {
                let reader = members[random.usize(1..if at == 1 { 3 } else { 300 })];
                mark(&store, c, reader, read_messages(&[ids[random.usize(0..from + 30)]])).await;
            }
            mark(&store, c, members[2], ReadUpTo::UpTo(message(ids[from + 10]))).await;
        }
        store.forget_message(conversation("busy"), message(ids[round]), NOW).await.unwrap();
        group(&store, &format!("gone-{round}"), &members[..9], &ids[..9]).await;
        store.checkpoint().await;
        store.forget_conversation(conversation(&format!("gone-{round}"))).await.unwrap();
    }
    store.checkpoint().await;
    let closed = shown(&store).await;
    store.close().await.unwrap();
    drop(store);
    copy(&run, &directory.join("closed"));
    let store = EmbeddedStore::open(&run, Options::default()).unwrap();
    group(&store, "new", &members[..5], &ids[..5]).await;
    mark(&store, "busy", members[250], read_messages(&[ids[100]])).await;
    copy(&run, &directory.join("killed"));
    let killed = shown(&store).await;
    fs::write(directory.join("closed.txt"), &closed).unwrap();
    fs::write(directory.join("killed.txt"), &killed).unwrap();
    [closed, killed]
}

/// Flips bits of a byte of one of sled's files, or cuts the file short; says what it did.
fn damage(base: &Path, random: &mut fastrand::Rng) -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(base).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file() && fs::metadata(path).unwrap().len() > 0);
    files.sort();
    // Most of it in the log, which has nearly all the bytes.
    let log = files.iter().position(|path| path.ends_with("db")).unwrap();
    let file = &files[if random.u8(..10) < 8 { log } else { random.usize(..files.len()) }];
    let mut bytes = fs::read(file).unwrap();
    // Most of it where something was written.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(bytes.len(), |last| last + 1);
    let end = if random.bool() { used } else { bytes.len() };
    let at = random.usize(..end);
    let what = if random.u8(..3) == 0 {
        bytes.truncate(at);
        "cut"
    } else {
        bytes[at] ^= random.u8(1..);
        "flip"
    };
    fs::write(file, bytes).unwrap();
    format!("{what} {} at {at}", file.file_name().unwrap().display())
}

/// Opens damaged images and prints a line before and after each. Runs in the process that [`Opener`] starts.
#[test]
#[ignore = "a part of the tests below, which start it"]
fn opener() {
    let Ok(work) = env::var(WORK) else { return };
    let mut words = work.split(' ');
    let directory = Path::new(words.next().unwrap());
    let mut seeds = words.map(|word| word.parse::<u64>().unwrap());
    shutdown::abort_on_panic(&[BASE_THREAD]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for seed in seeds.next().unwrap()..seeds.next().unwrap() {
        let mut random = fastrand::Rng::with_seed(seed);
        let kind = ["closed", "killed"][random.usize(..2)];
        let data = directory.join(format!("image-{seed}"));
        copy(&directory.join(kind), &data);
        let done = damage(&home(&data), &mut random);
        println!("seed {seed} {kind} {done}");
        let expected = fs::read_to_string(directory.join(format!("{kind}.txt"))).unwrap();
        // A refusal must not have changed what the next start finds.
        for _ in 0..2 {
            match EmbeddedStore::open(&data, Options::default()) {
                Ok(store) => {
                    let whole = runtime.block_on(shown(&store)) == expected;
                    drop(store);
                    println!("{}", if whole { "whole" } else { "LESS" });
                }
                Err(error) => println!("refused {error}"),
            }
        }
        fs::remove_dir_all(&data).unwrap();
    }
    println!("end");
}

/// The process that opens images, from the one of `seed` on.
struct Opener {
    child: Child,
    lines: Receiver<String>,
}

impl Opener {
    fn start(directory: &Path, seeds: Range<u64>) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "faults::damage::opener", "--ignored", "--nocapture"])
            .env(WORK, format!("{} {} {}", directory.display(), seeds.start, seeds.end))
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            // Nobody listens any more once the test has failed.
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The next line; none if it died or takes too long.
    fn line(&self) -> Option<String> {
        self.lines.recv_timeout(IMAGE_TIMEOUT).ok()
    }

    /// How it ended, for those who wait for a line in vain.
    fn end(mut self) -> String {
        let _ = self.child.kill();
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        format!("{status}: {said}")
    }
}

/// What became of images.
#[derive(Debug, Default)]
struct Tally {
    whole: u64,
    refused: u64,
    /// Each of these breaks the promise.
    wrong: Vec<String>,
}

/// Opens a damaged image for each seed.
fn open_damaged(directory: &Path, seeds: Range<u64>) -> Tally {
    let mut tally = Tally::default();
    let mut next = seeds.start;
    while next < seeds.end {
        let opener = Opener::start(directory, next..seeds.end);
        let mut done = String::new();
        let broken = loop {
            let Some(line) = opener.line() else { break true };
            if line.starts_with("seed ") {
                done = line;
                next += 1;
            } else if line == "whole" {
                tally.whole += 1;
            } else if let Some(why) = line.strip_prefix("refused ") {
                tally.refused += 1;
                if !why.contains("/base") {
                    tally.wrong.push(format!("{done}: refused without the name of a file: {why}"));
                }
            } else if line == "LESS" {
                tally.wrong.push(format!("{done}: opened with less"));
            } else if line == "end" {
                break false;
            }
        };
        if broken {
            tally.wrong.push(format!("{done}: {}", opener.end()));
        } else {
            opener.end();
        }
    }
    tally
}

/// Opens images with damage by these seeds, and holds that each opens whole or is refused by name.
pub(super) fn check(seeds: Range<u64>) {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(make_images(directory.path()));
    let tally = open_damaged(directory.path(), seeds);
    println!("{} whole, {} refused", tally.whole, tally.refused);
    assert!(tally.wrong.is_empty(), "{}: {:#?}", tally.wrong.len(), tally.wrong);
    assert!(tally.whole > 0 && tally.refused > 0, "{tally:?}");
}

#[test]
fn a_damaged_base_opens_whole_or_is_refused_by_name() {
    check(0..300);
}
