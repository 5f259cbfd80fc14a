//! Slots move from one primary to another while marks flow.

use std::{process::Command, time::Instant};

use crate::cluster::{
    harness::{Cluster, slot_of},
    scene::{ONE, Scene},
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn a_conversation_that_is_half_moved_loses_nothing() {
    let scene = Scene::begin("slot moved key by key", Cluster::start(), &ONE).await;
    let primaries = scene.cluster.primaries();
    let slot = slot_of(&scene.conversations[0]);
    let runtime = tokio::runtime::Handle::current();
    let mut keys = 0;
    for (to, is_slow) in [(primaries[1], false), (primaries[2], true), (primaries[0], true)] {
        // Marks elsewhere are what time is told by: here there may be none until all keys have moved.
        let wait = async || if is_slow { scene.flows_elsewhere().await } else { scene.ticks().await };
        let between = || tokio::task::block_in_place(|| runtime.block_on(wait()));
        let began = Instant::now();
        let moved = scene.cluster.move_slot(slot, to, between);
        println!("{moved} keys moved within {:?}", began.elapsed());
        keys += moved;
        scene.flows("the slot was moved").await;
    }
    assert!(keys >= 3, "the conversation has a key");
    let verdict = scene.end().await;
    verdict.nothing_is_lost(&["store-failed"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn slots_that_the_tool_of_valkey_moves_take_their_marks_with_them() {
    // The tool takes the lowest slots of the first node.
    const COUNT: u16 = 200;
    let scene = Scene::begin("slots moved by valkey-cli", Cluster::start(), &ONE).await;
    let (from, to) = (scene.primary, scene.cluster.primaries()[1]);
    let is_moving = |c: &String| scene.cluster.primary_of(c) == to;
    let mut command: Command = scene.cluster.reshard(from, to, COUNT);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    scene.cluster.settle();
    let moved = scene.conversations[..3].iter().filter(|c| is_moving(c)).count();
    assert!(moved > 0, "a conversation with marks was among what moved");
    scene.flows("the slots were moved").await;
    scene.end().await.nothing_is_lost(&["store-failed"]);
}
