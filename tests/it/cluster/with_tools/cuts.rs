//! The network between nodes is cut, silently, as by a pulled cable.

use std::time::Duration;

use crate::cluster::{
    harness::{Cluster, Cut},
    scene::{ONE, Scene},
    verdict::Verdict,
};

/// The primary or its replica is cut off until the others miss it, and joined again. None where nothing can be cut.
async fn behind(what: &str, args: &[&str], cut: Cut, pick: fn(&Cluster, usize) -> usize) -> Option<Verdict> {
    let scene = Scene::begin(what, Cluster::apart()?, args).await;
    let node = pick(&scene.cluster, scene.primary);
    scene.cluster.cut(node, cut);
    scene.flows_elsewhere().await;
    scene.missed(node);
    scene.refuses().await;
    scene.flows_elsewhere().await;
    scene.cluster.join(node, cut);
    scene.cluster.settle();
    scene.flows("the cluster is whole").await;
    Some(scene.end().await)
}

fn primary(_: &Cluster, primary: usize) -> usize {
    primary
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey and root; tests/run runs it"]
async fn a_primary_that_is_cut_off_takes_no_answered_mark_with_it_where_a_replica_must_have_it() {
    let Some(verdict) = behind("primary cut off", &ONE, Cut::All, primary).await else { return };
    verdict.nothing_is_lost(&["store-failed"]);
    assert!(verdict.refused("store-failed") > 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey and root; tests/run runs it"]
async fn a_primary_that_the_servers_alone_reach_promises_nothing_that_it_cannot_keep() {
    let Some(verdict) = behind("primary cut off from nodes", &ONE, Cut::Nodes, primary).await else { return };
    // Until it knows, it is asked like any other: pulls show what it then gives up, which no writer was promised.
    verdict.nothing_answered_is_lost(&["store-failed"]);
    assert!(verdict.refused("store-failed") > 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey and root; tests/run runs it"]
async fn what_a_cut_costs_where_no_replica_is_asked_for_is_told() {
    let Some(verdict) = behind("primary cut off from nodes", &[], Cut::Nodes, primary).await else { return };
    verdict.refused_by(&["store-failed"]);
    assert!(verdict.lost() > 0, "else this cut is none: {verdict}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey and root; tests/run runs it"]
async fn a_replica_that_is_cut_off_stops_marks_until_it_is_back() {
    let Some(verdict) = behind("replica cut off", &ONE, Cut::All, Cluster::replica_of).await else { return };
    verdict.nothing_is_lost(&["store-failed"]);
    assert!(verdict.refused("store-failed") > 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey and root; tests/run runs it"]
async fn a_cut_too_short_for_a_failover_loses_nothing_of_what_was_answered() {
    let Some(cluster) = Cluster::apart() else { return };
    let scene = Scene::begin("primary cut off in short", cluster, &ONE).await;
    for cut in [Cut::All, Cut::Nodes, Cut::All] {
        scene.cluster.cut(scene.primary, cut);
        scene.goes_on_for(Duration::from_millis(800)).await;
        scene.cluster.join(scene.primary, cut);
        scene.flows("the network is whole").await;
    }
    scene.end().await.nothing_is_lost(&["store-failed"]);
}
