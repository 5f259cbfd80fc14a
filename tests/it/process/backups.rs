//! Backups of a server that takes marks meanwhile, and what is restored of them: the state of one instant, over all
//! conversations.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use seenby::client::Client;
use tempfile::TempDir;

use super::{chat, client, connection, metric, start};
use crate::harness::{Running, binary, seenby, wait_for};

const WRITERS: usize = 3;
const CONVERSATIONS: usize = 12;
const MESSAGES: usize = 8;
/// Readers of each writer's own.
const READERS: usize = 10;
const MARKS: usize = CONVERSATIONS * MESSAGES * READERS;

/// The order in which a writer marks: through all conversations, then through the messages, then the readers. Each is
/// answered before the next is sent, so at any instant there are the first so many, and none after those.
fn mark_at(writer: usize, at: usize) -> (String, String, String) {
    let (conversation, message) = (at % CONVERSATIONS, at / CONVERSATIONS % MESSAGES);
    let reader = at / CONVERSATIONS / MESSAGES;
    (format!("c{conversation:02}"), format!("m{message}"), format!("w{writer}-{reader}"))
}

/// How far a writer is.
#[derive(Debug, Default)]
struct Progress {
    sent: AtomicUsize,
    answered: AtomicUsize,
}

async fn write(client: Client, writer: usize, progress: Arc<Progress>, stop: Arc<AtomicBool>) {
    for at in 0..MARKS {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let (conversation, message, reader) = mark_at(writer, at);
        progress.sent.store(at + 1, Ordering::SeqCst);
        let answer = client.mark_messages(&conversation, &reader, &[&message]).await.unwrap();
        assert_eq!(answer.marked, 1);
        progress.answered.store(at + 1, Ordering::SeqCst);
    }
}

async fn prepare(client: &Client) {
    let readers =
        (0..WRITERS).flat_map(|writer| (0..READERS).map(move |reader| format!("w{writer}-{reader}")));
    let members: Vec<_> = std::iter::once("alice".to_owned()).chain(readers).collect();
    let members: Vec<_> = members.iter().map(String::as_str).collect();
    let messages: Vec<_> = (0..MESSAGES).map(|message| format!("m{message}")).collect();
    let messages: Vec<_> = messages.iter().map(String::as_str).collect();
    for conversation in 0..CONVERSATIONS {
        chat(client, &format!("c{conversation:02}"), &members, &messages).await;
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// How many marks of each writer a server has; panics unless they are the first ones, and every pull says so.
async fn prefixes(client: &Client) -> Vec<usize> {
    let mut marks = vec![Vec::new(); WRITERS];
    for c in (0..CONVERSATIONS).map(|conversation| format!("c{conversation:02}")) {
        let messages: Vec<_> = (0..MESSAGES).map(|message| format!("m{message}")).collect();
        let pulled = client.pull(&c, &messages.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        for (message, receipts) in messages.iter().zip(pulled.receipts) {
            let readers = client.readers(&c, message).await.unwrap();
            assert_eq!(receipts.read, Some(u32::try_from(readers.len()).unwrap()));
            for reader in readers {
                let writer: usize = reader[1..2].parse().unwrap();
                marks[writer].push((c.clone(), message.clone(), reader));
            }
        }
    }
    let prefix = |(writer, mut marks): (usize, Vec<_>)| {
        let mut first: Vec<_> = (0..marks.len()).map(|at| mark_at(writer, at)).collect();
        first.sort();
        marks.sort();
        assert_eq!(marks, first, "writer {writer} has other marks than its first {}", first.len());
        marks.len()
    };
    marks.into_iter().enumerate().map(prefix).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_the_state_of_one_instant() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Pages go to the disk and make way all the time.
    let server = start(&data, &["--checkpoint-every", "100ms", "--hot-bytes-max", "16MiB"]);
    let own = client(&server);
    prepare(&own).await;
    let stop = Arc::new(AtomicBool::new(false));
    let progress: Vec<Arc<Progress>> = (0..WRITERS).map(|_| Arc::default()).collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|at| tokio::spawn(write(client(&server), at, progress[at].clone(), stop.clone())))
        .collect();
    let look = |look: fn(&Progress) -> &AtomicUsize| {
        progress.iter().map(|progress| look(progress).load(Ordering::SeqCst)).collect::<Vec<_>>()
    };
    let mut bounds = Vec::new();
    for at in 0..4 {
        let file = folder.path().join(format!("{at}.seenby"));
        let before = look(|progress| &progress.answered);
        let (from, to) = (data.clone(), file.clone());
        let backup = move || seenby(&["backup", "--data", path(&from), path(&to)]);
        succeeded(&tokio::task::spawn_blocking(backup).await.unwrap());
        bounds.push((file, before, look(|progress| &progress.sent)));
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(metric(&mut connection(&server).await, "seenby_store_checkpoints_total").await > 0);
    assert!(server.terminate().success());
    let went_on = bounds
        .iter()
        .filter(|(_, before, after)| before.iter().sum::<usize>() + 3 < after.iter().sum())
        .count();
    assert!(went_on > 0, "marks were taken while backups were: {bounds:?}");
    for (file, before, after) in bounds {
        let again = TempDir::new_in(folder.path()).unwrap();
        succeeded(&seenby(&["restore", "--data", path(again.path()), path(&file)]));
        let restored = start(again.path(), &[]);
        let prefixes = prefixes(&client(&restored)).await;
        for (writer, marks) in prefixes.iter().enumerate() {
            assert!((before[writer]..=after[writer]).contains(marks), "{before:?} {prefixes:?} {after:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_restored_answers_as_before_to_the_etag_and_the_metric_says_when() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("a.seenby"));
    let server = start(&data, &[]);
    let own = client(&server);
    chat(&own, "c", &["alice", "bob", "carol"], &["m1", "m2"]).await;
    own.mark_messages("c", "bob", &["m2"]).await.unwrap();
    own.set_receipts("carol", seenby::wire::Switch::Off).await.unwrap();
    let asked = "/v1/conversations/c/receipts?message=m1&message=m2";
    let mut wire = connection(&server).await;
    let (before, never) = (wire.get(asked).await, when(&mut wire).await);
    assert!(never.abs() < 0.5, "{never}");
    succeeded(&seenby(&["backup", "--data", path(&data), path(&file)]));
    while when(&mut wire).await < 1_000_000_000.0 {}
    let taken = when(&mut wire).await;
    let server = server.restart();
    let after = when(&mut connection(&server).await).await;
    assert!((after - taken).abs() < 0.5, "{after} after a restart, {taken} before");
    assert!(server.terminate().success());

    let again = folder.path().join("again");
    succeeded(&seenby(&["restore", "--data", path(&again), path(&file)]));
    let restored = start(&again, &[]);
    let after = connection(&restored).await.get(asked).await;
    assert_eq!((before.field("etag"), &before.body), (after.field("etag"), &after.body));
    assert!(before.field("etag").is_some());
    let again = client(&restored);
    again.set_receipts("carol", seenby::wire::Switch::On).await.unwrap();
    assert_eq!(again.unread("c", "m1").await.unwrap(), ["bob", "carol"]);
}

async fn when(wire: &mut crate::api::wire::Client) -> f64 {
    let text = String::from_utf8(wire.get("/metrics").await.body).unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix("seenby_last_backup_timestamp_seconds "));
    value.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_directory_that_no_server_uses_is_backed_up_likewise() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = start(&data, &[]);
    chat(&client(&server), "c", &["alice", "bob"], &["m1"]).await;
    // Also one that was killed: its socket is still there, and nobody answers on it.
    server.kill();
    assert!(data.join("control.sock").exists());
    let piped = seenby(&["backup", "--data", path(&data), "-"]);
    succeeded(&piped);
    let file = folder.path().join("a");
    fs::write(&file, &piped.stdout).unwrap();
    let told = seenby(&["inspect", "--dump", path(&file), "c", "m1", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&told["read"], &told["of"], &told["unread"][0]), (&0.into(), &1.into(), &"bob".into()));
    let server = start(&data, &[]);
    let told = seenby(&["inspect", "--data", path(&data), "c", "m1"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("by 0 of 1"), "{told:?}");
    assert_eq!(seenby(&["inspect", "--data", path(&data), "x"]).status.code(), Some(1));
    assert!(server.terminate().success());
    assert!(!data.join("control.sock").exists(), "the socket goes with its server");
}

#[tokio::test]
async fn a_socket_is_found_however_long_its_path_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("d".repeat(150));
    let server = start(&data, &[]);
    chat(&client(&server), "c", &["alice", "bob"], &["m1"]).await;
    let told = seenby(&["inspect", "--data", path(&data)]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("running"), "{told:?}");
    assert!(server.terminate().success());
    assert!(!data.join("control.sock").exists());
}

#[test]
fn what_cannot_be_restored_is_refused_with_nothing_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("a"));
    fs::write(&file, include_bytes!("../../golden/dump-1.seenby")).unwrap();
    let whole = fs::read(&file).unwrap();
    let refused = |file: &[u8], said: &str| {
        let bad = folder.path().join("bad");
        fs::write(&bad, file).unwrap();
        for way in [Way::File, Way::Pipe] {
            let output = way.restore(&data, &bad);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{told}");
            assert!(told.contains(said), "{told}");
            assert!(!data.exists(), "{told}");
        }
        let inspected = seenby(&["inspect", "--dump", path(&bad)]);
        let told = String::from_utf8_lossy(&inspected.stderr).into_owned();
        assert!(told.starts_with(&format!("seenby: {}: it ", path(&bad))) && told.contains(said), "{told}");
    };
    refused(&whole[..whole.len() - 1], "cut off after");
    refused(b"something else entirely", "not a backup");
    let changed = |at: usize, to: u8| [&whole[..at], &[to], &whole[at + 1..]].concat();
    refused(&changed(7, 2), "use the newer seenby");
    refused(&changed(200, !whole[200]), "damaged");
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("precious"), "").unwrap();
    let output = Way::File.restore(&full, &file);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not empty (precious)"), "{output:?}");
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
}

#[derive(Clone, Copy)]
enum Way {
    File,
    Pipe,
}

impl Way {
    fn restore(self, data: &Path, file: &Path) -> Output {
        let mut command = Command::new(binary());
        command.args(["restore", "--data", path(data)]);
        match self {
            Self::File => command.arg(file).stdin(Stdio::null()),
            Self::Pipe => command.arg("-").stdin(fs::File::open(file).unwrap()),
        };
        command.output().unwrap()
    }
}

/// What a restore has come to when it is killed.
const STAGES: [fn(&Path) -> bool; 4] = [
    |data| data.join("LOCK").exists(),
    |data| data.join("restore.new/FORMAT").exists(),
    |data| data.join("restore.new/pages/0000000001.pages").exists(),
    |data| data.join("pages").exists(),
];

#[test]
fn a_restore_that_is_killed_leaves_nothing_that_a_server_takes_for_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    fs::write(&file, include_bytes!("../../golden/dump-1.seenby")).unwrap();
    let data = folder.path().join("data");
    for stage in STAGES {
        let mut child =
            Command::new(binary()).args(["restore", "--data", path(&data), path(&file)]).spawn().unwrap();
        wait_for("the restore to come so far", || (stage(&data) || has_ended(&mut child)).then_some(()));
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        if data.join("FORMAT").exists() {
            let told = seenby(&["inspect", "--data", path(&data)]);
            assert!(String::from_utf8_lossy(&told.stdout).contains("messages       5"), "{ended} {told:?}");
            fs::remove_dir_all(&data).unwrap();
        } else if fs::read_dir(&data).unwrap().any(|entry| entry.unwrap().file_name() != "LOCK") {
            let refused = seenby(&["serve", "--data", path(&data), "--listen", "127.0.0.1:0"]);
            assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        }
    }
    if !data.join("FORMAT").exists() {
        succeeded(&seenby(&["restore", "--data", path(&data), path(&file)]));
    }
    let server: Running = start(&data, &[]);
    assert!(server.terminate().success());
}

fn has_ended(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_some()
}
