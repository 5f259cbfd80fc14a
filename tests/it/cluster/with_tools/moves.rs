//! A store goes from one machine to a cluster and back, by backup and restore: each answer stays as it was, `ETag`s and all.

use std::path::Path;

use fastrand::Rng;
use seenby::{client::Client, wire::Switch};

use crate::{
    cluster::harness::Cluster,
    harness::{Running, seenby},
    process::{
        client, connection,
        kills::{IDS, Op, Shown, shown},
    },
};

const CONVERSATIONS: usize = 12;
const WRITES: usize = 600;

/// All that a server shows.
#[derive(Debug, PartialEq, Eq)]
struct All {
    shown: Vec<Shown>,
    /// Of each conversation's pull, the `ETag` and the body.
    pulls: Vec<(Option<String>, Vec<u8>)>,
}

fn conversations() -> Vec<String> {
    (0..CONVERSATIONS).map(|number| format!("c{number}")).collect()
}

async fn all(server: &Running) -> All {
    let mut wire = connection(server).await;
    let mut pulls = Vec::new();
    for c in conversations() {
        let screen: Vec<_> = IDS.iter().map(|id| format!("message={id}")).collect();
        let pulled = wire.get(&format!("/v1/conversations/{c}/receipts?{}", screen.join("&"))).await;
        pulls.push((pulled.field("etag").map(str::to_owned), pulled.body));
    }
    All { shown: shown(&client(server), &conversations()).await.unwrap(), pulls }
}

/// Something of everything, and nothing that comes to its end meanwhile.
async fn fill(client: &Client) {
    let mut rng = Rng::with_seed(3);
    let conversations = conversations();
    for _ in 0..WRITES {
        let op = Op::any(&mut rng, &conversations).lasting();
        op.ask(client).await.unwrap();
    }
    client.set_receipts("u1", Switch::Off).await.unwrap();
    client.delete_user("u2").await.unwrap();
}

fn run(words: &[&str]) -> String {
    let output = seenby(words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words:?}: {said}");
    said
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Serves a store, and ends in good order.
async fn seen(store: [&str; 2]) -> All {
    let server = Running::start(&[store[0], store[1], "--log", "off"]);
    let all = all(&server).await;
    assert!(server.terminate().success());
    all
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn a_store_moves_to_a_cluster_and_back_and_nobody_sees_it() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, again, file, back) = (path("data"), path("again"), path("a.seenby"), path("b.seenby"));
    let url = cluster.url("moved");
    let server = Running::start(&["--data", text(&data), "--log", "off"]);
    fill(&client(&server)).await;
    let before = all(&server).await;
    assert!(server.terminate().success());
    assert!(before.pulls.iter().all(|(etag, _)| etag.is_some()));

    run(&["backup", "--data", text(&data), text(&file)]);
    run(&["restore", "--store", &url, text(&file)]);
    assert_eq!(seen(["--store", &url]).await, before);
    // There it goes on as it would have here.
    let server = Running::start(&["--store", &url, "--log", "off"]);
    fill(&client(&server)).await;
    let further = all(&server).await;
    assert_ne!(further, before);
    run(&["backup", "--store", &url, text(&back)]);
    assert!(server.terminate().success());
    run(&["restore", "--data", text(&again), text(&back)]);
    assert_eq!(seen(["--data", text(&again)]).await, further);

    // Where something is already, nothing is restored.
    let refused = seenby(&["restore", "--store", &url, text(&file)]);
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!(seen(["--store", &url]).await, further);
    let other = Running::start(&["--store", &cluster.url("other"), "--log", "off"]);
    assert!(client(&other).conversations().await.unwrap().is_empty(), "another prefix is another store");
}
