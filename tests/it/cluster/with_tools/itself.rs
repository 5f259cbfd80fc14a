//! The harness: a cluster is formed, loses nodes, is mended and cut, and nothing of it is left.

use std::time::Instant;

use crate::{
    cluster::harness::{Cluster, Cut, slot_of},
    harness::wait_for,
};

#[test]
#[ignore = "needs Valkey; tests/run runs it"]
fn a_cluster_goes_on_without_a_primary_and_is_mended() {
    let began = Instant::now();
    let mut cluster = Cluster::start();
    println!("formed in {:?}", began.elapsed());
    let primary = cluster.primary_of("c");
    let replica = cluster.replica_of(primary);
    cluster.node(primary).tell(&["SET", "{c}", "1"]);
    assert_eq!(cluster.node(primary).tell(&["GET", "{c}"]), ["1"]);
    let began = Instant::now();
    cluster.kill(primary);
    wait_for("the replica to take over", || (cluster.primary_of("c") == replica).then_some(()));
    println!("taken over in {:?}", began.elapsed());
    let began = Instant::now();
    cluster.mend();
    println!("mended in {:?}", began.elapsed());
    assert_eq!((cluster.primary_of("c"), cluster.replica_of(replica)), (replica, primary));
}

#[test]
#[ignore = "needs Valkey; tests/run runs it"]
fn a_slot_is_moved_with_what_is_in_it() {
    let cluster = Cluster::start();
    let from = cluster.primary_of("c");
    let to = cluster.primaries().into_iter().find(|at| *at != from).unwrap();
    cluster.node(from).tell(&["MSET", "{c}a", "1", "{c}b", "2"]);
    let mut calls = 0;
    assert_eq!(cluster.move_slot(slot_of("c"), to, || calls += 1), 2);
    assert_eq!(calls, 3);
    assert_eq!(cluster.node(to).tell(&["MGET", "{c}a", "{c}b"]), ["1", "2"]);
    assert_eq!(cluster.primary_of("c"), to);
    cluster.settle();
}

#[test]
#[ignore = "needs Valkey and root; tests/run runs it"]
fn a_node_that_is_cut_off_is_passed_over_and_comes_back() {
    let began = Instant::now();
    let Some(cluster) = Cluster::apart() else { return };
    println!("formed in {:?}", began.elapsed());
    let primary = cluster.primary_of("c");
    let replica = cluster.replica_of(primary);
    for (cut, from, to) in [(Cut::All, primary, replica), (Cut::Nodes, replica, primary)] {
        let began = Instant::now();
        cluster.cut(from, cut);
        assert_eq!(cluster.node(from).ask(&["PING"]).is_ok(), cut == Cut::Nodes, "{cut:?}");
        wait_for("the other to take over", || (cluster.primary_of("c") == to).then_some(()));
        println!("taken over in {:?}", began.elapsed());
        cluster.join(from, cut);
        let began = Instant::now();
        cluster.settle();
        println!("whole in {:?}", began.elapsed());
    }
}
