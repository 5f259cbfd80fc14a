//! Commands that a signal ends half-way, or that others are in the way of: what they leave, and what they say.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use seenby::client::Client;

use super::{client, start};
use crate::harness::{binary, seenby, wait_for};

/// A roster whose names are more than all buffers on the way of a dump hold.
async fn fill(client: &Client) {
    let members: Vec<_> = (0..20_000).map(|member| format!("{member:0100}")).collect();
    client.replace_roster("c", &members).await.unwrap();
}

/// The names in a directory; none where there is none.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Ends a command, and says with which code.
fn end(child: &mut Child, signal: Signal) -> Option<i32> {
    kill_process(Pid::from_child(child), signal).unwrap();
    wait_for("the command to end", || child.try_wait().unwrap()).code()
}

/// Asks a server for a backup, and takes no more than the first byte of it.
fn stall(data: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(data.join("control.sock")).unwrap();
    stream.write_all(b"{\"ask\":\"backup\"}\n").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn one_backup_too_many_is_told_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("a.seenby"));
    let server = start(&data, &[]);
    fill(&client(&server)).await;
    let stalled: Vec<_> = (0..4).map(|_| stall(&data)).collect();
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let backup = || seenby(&["backup", "--data", data, file]);
    let why = "too many backups and inspections are under way; try again later";
    for output in [backup(), seenby(&["inspect", "--data", data, "c"])] {
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.matches(why).count()), (Some(1), 1), "{said}");
    }
    assert!(seenby(&["inspect", "--data", data]).status.success(), "what keeps nothing is answered");
    drop(stalled);
    wait_for("a backup to be taken again", || backup().status.success().then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_a_signal_ends_leaves_no_temporary_files() {
    let folder = tempfile::tempdir().unwrap();
    let (data, scratch) = (folder.path().join("data"), folder.path().join("scratch"));
    fs::create_dir(&scratch).unwrap();
    let server = start(&data, &[]);
    fill(&client(&server)).await;
    assert!(server.terminate().success());
    let file = folder.path().join("a.seenby");
    for (signal, code, to) in [(Signal::TERM, 143, Path::new("-")), (Signal::INT, 130, file.as_path())] {
        // Nobody takes what comes out of it, nor reads what goes into the file.
        let mut child = Command::new(binary())
            .args(["backup", "--data"])
            .args([&data, to])
            .env("TMPDIR", &scratch)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ended = wait_for("its temporary files", || {
            let ended = child.try_wait().unwrap();
            (!names(&scratch).is_empty() || ended.is_some()).then_some(ended)
        });
        // What goes to a file may be done already.
        if ended.is_none() {
            let ended = end(&mut child, signal);
            assert!(ended == Some(code) || file.exists(), "{ended:?}");
        }
        assert_eq!(names(&scratch), [""; 0]);
        assert!(!folder.path().join("a.seenby.part").exists());
    }
}

#[test]
fn a_restore_that_a_signal_ends_leaves_all_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let dump = include_bytes!("../../golden/dump-1.seenby");
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let data = folder.path().join("a/data");
        let mut child = Command::new(binary())
            .args(["restore", "--data"])
            .args([&data, Path::new("-")])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // The rest never comes.
        child.stdin.as_mut().unwrap().write_all(&dump[..dump.len() - 1]).unwrap();
        wait_for("the restore to be under way", || data.join("restore.new/FORMAT").exists().then_some(()));
        assert_eq!(end(&mut child, signal), Some(code));
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

/// As Ctrl-C does where what unpacks the backup ends of it, too.
#[test]
fn a_restore_whose_input_ends_with_the_signal_says_nothing_of_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let dump = include_bytes!("../../golden/dump-1.seenby");
    let data = folder.path().join("data");
    for _ in 0..5 {
        let mut child = Command::new(binary())
            .args(["restore", "--data"])
            .args([&data, Path::new("-")])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&dump[..dump.len() - 1]).unwrap();
        wait_for("the restore to be under way", || data.join("restore.new/FORMAT").exists().then_some(()));
        drop(input);
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let said = child.wait_with_output().unwrap().stderr;
        assert!(!String::from_utf8(said).unwrap().contains("stays behind"));
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

#[test]
fn a_signal_that_a_command_was_started_to_ignore_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dump = include_bytes!("../../golden/dump-1.seenby");
    let data = folder.path().join("data");
    // As nohup starts it.
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(binary())
        .args(["restore", "--data"])
        .args([&data, Path::new("-")])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let (last, others) = dump.split_last().unwrap();
    input.write_all(others).unwrap();
    wait_for("the restore to be under way", || data.join("restore.new/FORMAT").exists().then_some(()));
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    input.write_all(&[*last]).unwrap();
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(data.join("FORMAT").exists());
}
