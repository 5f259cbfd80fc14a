//! A primary whose memory is full, and that gives nothing up for it.

use seenby::client::ClientError;

use crate::{
    cluster::{
        harness::Cluster,
        scene::{ONE, Scene},
    },
    process::client,
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn a_full_memory_refuses_marks_and_answers_pulls() {
    for args in [&ONE[..], &[]] {
        let scene = Scene::begin("memory full", Cluster::start(), args).await;
        let (primary, hurt) = (scene.cluster.node(scene.primary), &scene.conversations[0]);
        primary.tell(&["CONFIG", "SET", "maxmemory", "1"]);
        scene.flows_elsewhere().await;
        scene.refuses().await;
        let client = client(&scene.servers[0]);
        let refused = client.mark_messages(hurt, "r0", &["m0", "m1000000"]).await;
        let pulled = client.pull(hurt, &["m0"]).await.unwrap();
        assert!(pulled.receipts[0].read.is_some(), "{pulled:?}");
        match refused {
            Err(ClientError::Problem { problem, retry_after, .. }) => {
                println!("{}: {}", problem.code, problem.detail);
                assert_eq!(problem.code.to_string(), "store-failed");
                assert!(retry_after.is_some());
            }
            // What was marked already needs no memory.
            other => assert!(other.as_ref().is_ok_and(|marked| marked.marked == 0), "{other:?}"),
        }
        primary.tell(&["CONFIG", "SET", "maxmemory", "0"]);
        scene.flows("there is memory again").await;
        let verdict = scene.end().await;
        verdict.nothing_is_lost(&["store-failed"]);
        assert!(verdict.refused("store-failed") > 0, "{verdict}");
    }
}
