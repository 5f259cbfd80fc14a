//! Disks that hang: the process ends itself, and nothing that was answered is lost.

use super::server::{Server, read};

/// A call that takes 5 seconds, on one thread; the words are those of `strace`.
fn delayed(call: &str) -> Vec<String> {
    let inject = format!("inject={call}:delay_enter=5000000");
    ["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject].map(str::to_owned).to_vec()
}

pub(super) fn a_commit_that_hangs_ends_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut server = Server::on(&data, &["--commit-timeout", "300ms"]);
    server.call(async |client| client.replace_roster("c", &["alice", "bob", "carol"]).await.unwrap());
    server.register("m").unwrap();
    server.mark("bob", "m").unwrap();
    let tracer = server.trace("commit", &delayed("fdatasync"));
    assert!(server.mark("carol", "m").is_err(), "it was not on disk");
    let status = server.end();
    tracer.end();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{status}");
    let log = server.log();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{log}");
    assert!(errors[0].contains("a commit has hung for 300ms"), "{log}");

    let server = Server::on(&data, &[]);
    assert!(server.shown().unwrap().contains(&read("bob", "m")));
    server.mark("carol", "m").unwrap();
}
