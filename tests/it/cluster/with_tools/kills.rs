//! SIGKILL and SIGSTOP of a primary, of a replica, of a server.

use seenby::{
    client::{Client, ClientError},
    wire::Code,
};

use crate::{
    cluster::{
        harness::Cluster,
        load::Load,
        scene::{ONE, Scene},
        serve,
        verdict::{Verdict, judge},
    },
    harness::free_address,
    process::{chat, client},
};

const SHORT: &str = "seenby_store_replicas_short_total";

/// A node is killed, missed for a while and started again; says how often a write had too few replicas.
async fn without(what: &str, args: &[&str], pick: fn(&Cluster, usize) -> usize) -> (Verdict, u64) {
    hurt(what, args, pick, Cluster::kill).await
}

/// The same, of a node that is hurt somehow.
async fn hurt(
    what: &str,
    args: &[&str],
    pick: fn(&Cluster, usize) -> usize,
    hurt: fn(&mut Cluster, usize),
) -> (Verdict, u64) {
    let mut scene = Scene::begin(what, Cluster::start(), args).await;
    let node = pick(&scene.cluster, scene.primary);
    hurt(&mut scene.cluster, node);
    scene.flows_elsewhere().await;
    scene.missed(node);
    scene.refuses().await;
    scene.flows_elsewhere().await;
    scene.cluster.mend();
    scene.flows("it is back").await;
    let short = scene.metric(SHORT).await;
    (scene.end().await, short)
}

fn primary(_: &Cluster, primary: usize) -> usize {
    primary
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn a_primary_that_is_killed_takes_no_answered_mark_with_it_where_a_replica_must_have_it() {
    let (verdict, _) = without("primary killed", &ONE, primary).await;
    verdict.nothing_is_lost(&["store-failed"]);
    assert!(verdict.refused("store-failed") > 0, "there is nobody else to have it: {verdict}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn a_primary_that_is_killed_is_passed_over_where_no_replica_is_asked_for() {
    // What is lost is told and no failure: not to ask for a replica is to take that.
    let (verdict, short) = without("primary killed", &[], primary).await;
    verdict.refused_by(&["store-failed"]);
    assert_eq!(short, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn a_replica_that_is_killed_is_missed_only_where_it_must_have_all() {
    let (verdict, _) = without("replica killed", &[], Cluster::replica_of).await;
    verdict.nothing_is_lost(&[]);
    let (verdict, _) = without("replica killed", &ONE, Cluster::replica_of).await;
    verdict.nothing_is_lost(&["store-failed"]);
    assert!(verdict.refused("store-failed") > 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn where_a_mark_is_answered_all_the_same_it_is_counted() {
    let args = ["--min-replicas", "1", "--min-replicas-missing", "answer"];
    let (verdict, short) = without("replica killed", &args, Cluster::replica_of).await;
    verdict.nothing_is_lost(&[]);
    assert!(short > 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn a_server_that_is_killed_loses_nothing_and_the_other_goes_on() {
    let cluster = Cluster::start();
    let address = free_address();
    let start = || serve(&cluster, &["--min-replicas", "1", "--listen", &address]);
    let (mut one, other) = (start(), serve(&cluster, &ONE));
    let conversations: Vec<_> =
        cluster.primaries().into_iter().flat_map(|at| cluster.conversations_of(at, 3)).collect();
    let load = Load::begin(&[&one, &other], &conversations).await;
    for _ in 0..5 {
        one.kill();
        load.flows().await;
        one = start();
        load.flows().await;
    }
    let verdict = judge(&client(&one), &load.end().await).await;
    println!("server killed: {verdict}");
    verdict.nothing_is_lost(&["unreachable"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn a_primary_that_hangs_and_wakes_up_again_takes_no_answered_mark_with_it() {
    let (verdict, _) = hurt("primary frozen", &ONE, primary, Cluster::freeze).await;
    verdict.nothing_is_lost(&["store-failed"]);
}

#[track_caller]
fn is_refused<T: std::fmt::Debug>(said: Result<T, ClientError>) {
    match said {
        Err(ClientError::Problem { problem, retry_after, .. }) => {
            assert_eq!(problem.code, Code::StoreFailed, "{}", problem.detail);
            assert!(retry_after.is_some());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn all_nodes_killed_at_once_have_all_that_was_answered_when_they_are_back() {
    let mut scene = Scene::begin("all nodes killed", Cluster::start(), &[]).await;
    scene.cluster.kill_all();
    scene.cluster.mend();
    scene.flows("all are back").await;
    // Not even with no replica asked for: each answer follows its fsync.
    scene.end().await.nothing_is_lost(&["store-failed"]);
}

/// Each write, as it is sent again and again; none of them changes anything the second time.
async fn writes(client: &Client) {
    is_refused(client.mark_messages("c", "bob", &["m1"]).await);
    is_refused(client.mark_up_to("c", "carol", "m1").await);
    is_refused(client.register("c", "m2", &"alice".into()).await);
    is_refused(client.delete_message("c", "m0").await);
    is_refused(client.replace_roster("c", &["alice", "bob", "carol", "dave"]).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn what_was_refused_is_not_vouched_for_when_it_is_sent_again() {
    let mut cluster = Cluster::start();
    let (one, other) = (serve(&cluster, &ONE), serve(&cluster, &ONE));
    let clients = [client(&one), client(&other)];
    chat(&clients[0], "c", &["alice", "bob", "carol"], &["m0", "m1"]).await;
    // The other has made its connections.
    clients[1].mark_messages("c", "bob", &["m0"]).await.unwrap();
    cluster.freeze(cluster.replica_of(cluster.primary_of("c")));
    // The primary has it, and the replica does not: not even whoever finds it there may say that it is kept.
    for client in [&clients[0], &clients[1], &clients[0]] {
        writes(client).await;
    }
    let fresh = serve(&cluster, &ONE);
    writes(&client(&fresh)).await;
    cluster.mend();
    let again = clients[1].mark_messages("c", "bob", &["m1"]).await.unwrap();
    assert_eq!((again.marked, again.already), (0, 1));
}
