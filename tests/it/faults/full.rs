//! A disk that fills up: writes are refused, reads go on, and with space again all that was answered is there.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

use seenby::{
    client::ClientError,
    wire::{Code, RegisterEntry},
};
use tempfile::TempDir;

use super::server::{C, Server, registered};
use crate::harness::seenby;

/// Room for the store's own files, the ballast and a few thousand messages.
const DISK: &str = "size=12m";

/// Most of it: a checkpoint of what fits beside it needs more than that.
const BALLAST_BYTES: usize = 9 << 20;

/// Messages that are registered at once.
const MESSAGES: usize = 50;

/// A small file system in memory. Gone when dropped.
struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// None where this process may not mount.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = quietly("mount", &["-t", "tmpfs", "-o", DISK, "tmpfs"], directory.path());
        mounted.is_some_and(|status| status.success()).then_some(Self { directory })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = quietly("umount", &["--lazy"], self.directory.path());
    }
}

fn quietly(program: &str, words: &[&str], path: &Path) -> Option<ExitStatus> {
    Command::new(program).args(words).arg(path).stderr(Stdio::null()).status().ok()
}

/// A message of a long name, so that the disk is soon full.
fn name(number: usize) -> String {
    format!("{number:0>120}")
}

/// Registers messages until some are refused; returns those that were not.
fn fill(server: &Server) -> (BTreeSet<String>, ClientError) {
    let mut answered = BTreeSet::new();
    loop {
        let names: Vec<_> = (answered.len()..).take(MESSAGES).map(name).collect();
        let entries: Vec<_> = names.iter().map(|message| entry(message)).collect();
        if let Err(error) = server.call(async |client| client.register_bulk(C, entries).await) {
            return (answered, error);
        }
        answered.extend(names.iter().map(|message| registered(message)));
        assert!(answered.len() < 1_000_000, "the disk does not fill up");
    }
}

fn entry(message: &str) -> RegisterEntry {
    let id = message.to_owned();
    RegisterEntry { id, sender: "alice".to_owned(), audience: None, expires_in_s: None, order: None }
}

#[test]
fn a_disk_that_is_full_refuses_writes_and_loses_nothing() {
    // Once the journal fills it, once the base.
    check(&[]);
    check(&["--checkpoint-every", "100ms"]);
}

fn check(args: &[&str]) {
    let Some(disk) = SmallDisk::mount() else {
        println!("left out: this process may not mount a file system");
        return;
    };
    let data = disk.directory.path().join("data");
    let ballast = disk.directory.path().join("ballast");
    fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    let mut server = Server::on(&data, args);
    server.call(async |client| client.replace_roster(C, &["alice", "bob"]).await.unwrap());
    let (answered, error) = fill(&server);
    let code = |error: &ClientError| match error {
        ClientError::Problem { problem, status, .. } => (problem.code, status.as_u16()),
        other => panic!("{other}"),
    };
    assert_eq!(code(&error), (Code::StoreFailed, 503));
    assert_eq!(code(&server.mark("bob", &name(0)).unwrap_err()), (Code::StoreFailed, 503));
    assert!(!server.is_ready().unwrap());
    assert_eq!(server.messages().unwrap(), answered, "reads go on");
    assert_eq!(server.causes(), 1, "{}", server.log());
    assert!(server.log().contains("No space left on device"), "{}", server.log());
    assert_eq!(server.terminate().code(), Some(1));

    // Still full: it refuses to start, or refuses to write, and spoils nothing.
    if let Ok(mut server) = Server::start(&[], &data, &[]) {
        assert_eq!(server.messages().unwrap(), answered);
        server.terminate();
    }
    fs::remove_file(&ballast).unwrap();
    let mut server = Server::on(&data, &[]);
    let there = server.messages().unwrap();
    assert!(
        answered.is_subset(&there) && there.len() <= answered.len() + MESSAGES,
        "{} {}",
        answered.len(),
        there.len()
    );
    server.mark("bob", &name(0)).unwrap();
    assert!(server.is_ready().unwrap());
    assert!(server.terminate().success(), "{}", server.log());
    let server = Server::on(&data, &[]);
    assert_eq!(server.messages().unwrap(), there);
}

/// Fills the disk up to a few pages.
fn fill_up(disk: &SmallDisk) {
    let mut ballast = fs::File::create(disk.directory.path().join("ballast")).unwrap();
    let chunk = vec![1; 64 << 10];
    while ballast.write_all(&chunk).is_ok() {}
    let length = ballast.metadata().unwrap().len();
    ballast.set_len(length - (64 << 10)).unwrap();
}

fn names(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_disk_that_is_full_takes_no_backup_and_no_restored_store_and_keeps_nothing_of_either() {
    let Some(disk) = SmallDisk::mount() else {
        println!("left out: this process may not mount a file system");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (data, whole) = (folder.path().join("data"), folder.path().join("whole"));
    let server = Server::on(&data, &[]);
    server.call(async |client| client.replace_roster(C, &["alice", "bob"]).await.unwrap());
    for part in 0..40 {
        let entries = (0..MESSAGES).map(|number| entry(&name(part * MESSAGES + number))).collect();
        server.call(async |client| client.register_bulk(C, entries).await.unwrap());
    }
    let back_up = |to: &Path| seenby(&["backup", "--data", data.to_str().unwrap(), to.to_str().unwrap()]);
    fill_up(&disk);
    let failed = back_up(&disk.directory.path().join("a"));
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(names(disk.directory.path()), BTreeSet::from(["ballast".to_owned()]));

    assert!(back_up(&whole).status.success());
    let there = disk.directory.path().join("there");
    let failed = seenby(&["restore", "--data", there.to_str().unwrap(), whole.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(names(disk.directory.path()), BTreeSet::from(["ballast".to_owned()]));
}
