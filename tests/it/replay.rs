//! Traces of group chats, acted out against the real binary: every receipt is as the trace says.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use seenby::{
    cli::trace::{Made, MemberCount, Trace},
    client::Client,
};

use crate::{
    cluster::shared,
    harness::{Running, binary, seenby, wait_for},
};

/// What a replay printed, whether or not it went well.
fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A generated trace in a file of `directory`.
fn generated(directory: &Path, made: Made) -> (Trace, PathBuf) {
    let trace = Trace::generate(made);
    let path = directory.join(format!("{}.tsv", trace.name));
    fs::write(&path, trace.to_string()).unwrap();
    (trace, path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Lets a future of the client run to its end.
fn wait_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn a_generated_conversation_is_replayed_without_a_difference_twice() {
    let directory = tempfile::tempdir().unwrap();
    replay_twice(&Running::on(&directory.path().join("data")));
}

fn replay_twice(server: &Running) {
    let directory = tempfile::tempdir().unwrap();
    let made = Made { seed: 11, members: MemberCount(80), posts: 60 };
    let (_, path) = generated(directory.path(), made);
    for _ in 0..2 {
        let output = seenby(&["replay", text(&path), "--server", server.url(), "--faster", "600"]);
        assert!(output.status.success(), "{}", printed(&output));
        assert!(printed(&output).contains("differences       0"), "{}", printed(&output));
    }
}

#[test]
fn whatever_the_server_has_otherwise_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::on(&directory.path().join("data"));
    let (trace, path) = generated(directory.path(), Made { seed: 5, members: MemberCount(30), posts: 20 });
    let replayed = seenby(&["replay", text(&path), "--server", server.url(), "--faster", "1000"]);
    assert!(replayed.status.success(), "{}", printed(&replayed));
    let compare = || seenby(&["replay", text(&path), "--server", server.url(), "--compare-only"]);
    assert!(compare().status.success());

    let client = Client::new(server.url()).unwrap();
    let conversation = format!("replay-{}", trace.name);
    let expected = seenby::cli::trace::expected(&trace);
    let last = expected.messages.last().unwrap();
    let id = format!("m{}", last.number);
    let reader = last.unread().first().unwrap().clone();
    wait_on(client.mark_messages(&conversation, &reader, &[&id])).unwrap();
    let output = compare();
    assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
    for told in [
        format!("{id} readers: extra {reader}"),
        format!("{id} unread: missing {reader}"),
        format!("the badge of {reader}"),
        format!("the pull: {id} read by Some(1)"),
        format!("the messages: {id} of"),
    ] {
        assert!(printed(&output).contains(&told), "{told:?} is not told in\n{}", printed(&output));
    }

    wait_on(client.reset_message(&conversation, &id)).unwrap();
    assert!(compare().status.success(), "as before");
    wait_on(client.delete_message(&conversation, &id)).unwrap();
    assert!(printed(&compare()).contains(&format!("{id} readers: unknown-message")));
}

#[test]
fn a_trace_that_says_something_else_differs() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::on(&directory.path().join("data"));
    let (trace, path) = generated(directory.path(), Made { seed: 6, members: MemberCount(10), posts: 8 });
    let replayed = seenby(&["replay", text(&path), "--server", server.url(), "--faster", "1000"]);
    assert!(replayed.status.success(), "{}", printed(&replayed));
    let one_more = format!("{trace}9999\tjoin\tlate\n");
    fs::write(&path, one_more).unwrap();
    let output = seenby(&["replay", text(&path), "--server", server.url(), "--compare-only"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("the roster: missing late"), "{}", printed(&output));
}

#[test]
fn a_replay_that_cannot_be_carried_through_says_why_and_ends_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let bad = directory.path().join("bad.tsv");
    fs::write(&bad, "0.0\tjoin\tu1\n1.0\tpost\tu2\t1\n").unwrap();
    let output = seenby(&["replay", text(&bad), "--server", "http://127.0.0.1:9"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(printed(&output).contains("bad.tsv, line 2: u2 posts, and is not there"), "{}", printed(&output));
    let nobody = ["replay", "--generate", "1", "--server", "http://127.0.0.1:9", "--give-up", "100ms"];
    let output = seenby(&nobody);
    assert_eq!(output.status.code(), Some(2));
    assert!(printed(&output).contains("no answer from http://127.0.0.1:9"), "{}", printed(&output));
    for usage in
        [&["replay"][..], &["replay", "--generate", "1", "--server", "here"], &["replay", "--faster", "0"]]
    {
        assert_eq!(seenby(usage).status.code(), Some(64), "{usage:?}");
    }
}

/// A `seenby replay` that is on its way. Killed when dropped.
struct Replaying(Option<Child>);

impl Replaying {
    fn begin(trace: &Path, server: &str, faster: &str) -> Self {
        let mut command = Command::new(binary());
        command.args(["replay", text(trace), "--server", server, "--faster", faster, "--give-up", "60s"]);
        Self(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    /// Waits for its end, which `--give-up` bounds.
    fn end(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Replaying {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Both fail only for a child that has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_server_killed_again_and_again_on_the_way_loses_and_invents_nothing() {
    const KILLS: usize = 22;
    const POSTS: usize = 330;
    let directory = tempfile::tempdir().unwrap();
    let mut server = Running::on(&directory.path().join("data"));
    let made = Made { seed: 23, members: MemberCount(60), posts: POSTS };
    let (trace, path) = generated(directory.path(), made);
    let replaying = Replaying::begin(&path, server.url(), "1000");
    let conversation = format!("replay-{}", trace.name);
    for kill in 1..=KILLS {
        let client = Client::new(server.url()).unwrap();
        let reached = format!("m{}", kill * POSTS / (KILLS + 1));
        wait_for("the replay to come on", || wait_on(client.message(&conversation, &reached)).ok());
        server = server.restart();
    }
    let output = replaying.end();
    assert!(output.status.success(), "{}", printed(&output));
    assert!(!printed(&output).contains("calls sent again  0\n"), "{}", printed(&output));
}

#[test]
fn real_conversations_are_replayed_without_a_difference() {
    let directory = tempfile::tempdir().unwrap();
    replay_recorded(&Running::on(&directory.path().join("data")));
}

/// All recorded traces there are.
fn replay_recorded(server: &Running) {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/traces");
    let traces = env::var_os("TRACES_DIR").map_or(beside, PathBuf::from);
    let Ok(files) = fs::read_dir(&traces) else {
        let left_out = b"left out: no traces of real chats here; name their folder in TRACES_DIR\n";
        // Straight to standard error: what a passing test prints is not shown.
        std::io::Write::write_all(&mut std::io::stderr(), left_out).unwrap();
        return;
    };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "tsv"));
    assert!(!files.is_empty(), "{} has no traces", traces.display());
    let mut args = vec!["replay", "--server", server.url()];
    args.extend(files.iter().map(|file| text(file)));
    let output = seenby(&args);
    assert!(output.status.success(), "{}", printed(&output));
}

fn on_a_cluster() -> Running {
    Running::start(&["--store", &shared::fresh_url(), "--log", "off"])
}

mod with_tools {
    use super::*;

    #[test]
    #[ignore = "needs Valkey; tests/run runs it"]
    fn on_a_cluster_a_conversation_is_replayed_without_a_difference() {
        replay_twice(&on_a_cluster());
    }
}

mod long {
    use super::*;

    #[test]
    #[ignore = "two minutes, and needs Valkey"]
    fn on_a_cluster_real_conversations_are_replayed_without_a_difference() {
        replay_recorded(&on_a_cluster());
    }
}
