//! What WAIT is worth: a replica says that it has a write only once its own disk has it.
//!
//! Valkey does not promise that; with `appendfsync always` it is how it works, and `--min-replicas` counts on it.

use std::{fs, path::Path, process::Command};

use crate::{cluster::harness::Cluster, harness::wait_for};

/// Something that is in no other write.
const VALUE: &str = "written-for-two-disks";

#[test]
#[ignore = "needs Valkey and strace; tests/run runs it"]
fn a_replica_acknowledges_a_write_after_its_own_fsync() {
    let cluster = Cluster::start();
    let primary = cluster.primary_of("c");
    let replica = cluster.node(cluster.replica_of(primary));
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-s", "400", "-e", "trace=write,sendto,fdatasync,fsync", "-o"])
        .arg(&trace)
        .args(["-p", &replica.pid().to_string()])
        .spawn()
        .unwrap();
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    // It is attached once it sees what a replica says each second.
    wait_for("strace to see something", || text(&trace).contains("REPLCONF").then_some(()));
    cluster.node(primary).tell(&["SET", "{c}", VALUE]);
    let acknowledged = |text: &str| text.split(VALUE).nth(1).is_some_and(|after| after.contains("ACK"));
    wait_for("the replica to acknowledge it", || acknowledged(&text(&trace)).then_some(()));
    strace.kill().unwrap();
    strace.wait().unwrap();
    let text = text(&trace);
    let after = text.split(VALUE).nth(1).unwrap();
    let (synced, told) =
        (after.find("fdatasync(").or_else(|| after.find("fsync(")), after.find("ACK").unwrap());
    assert!(synced.is_some_and(|synced| synced < told), "{text}");
}
