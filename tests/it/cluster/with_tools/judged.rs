//! Writes of every kind, held against the model, while the servers that they go through are killed.

use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;

use crate::{
    cluster::{harness::Cluster, scene::ONE, serve},
    harness::free_address,
    process::{client, kills::Writer},
};

const WRITERS: usize = 6;
const ROUNDS: usize = 25;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Valkey; tests/run runs it"]
async fn servers_that_are_killed_leave_of_each_entry_all_or_nothing() {
    let cluster = Cluster::start();
    let mut rng = Rng::with_seed(17);
    let addresses = [free_address(), free_address()];
    let start = |at: usize| serve(&cluster, &[ONE[0], ONE[1], "--listen", &addresses[at]]);
    let mut servers = [start(0), start(1)];
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        writers.push(Writer::new(number, 17).await.without_bulks());
    }
    for _ in 0..ROUNDS {
        let mut writing = JoinSet::new();
        for (number, writer) in writers.into_iter().enumerate() {
            writing.spawn(writer.write(client(&servers[number % 2])));
        }
        for server in servers {
            tokio::time::sleep(Duration::from_millis(rng.u64(50..300))).await;
            server.kill();
        }
        writers = writing.join_all().await;
        servers = [start(0), start(1)];
        let mut checking = JoinSet::new();
        for (number, writer) in writers.into_iter().enumerate() {
            // It comes to light through another server than the one that it was written through.
            checking.spawn(writer.check(client(&servers[(number + 1) % 2])));
        }
        writers = checking.join_all().await;
    }
    let answered: usize = writers.iter().map(|writer| writer.answered).sum();
    println!("{ROUNDS} rounds, {answered} answers");
    assert!(answered > ROUNDS * WRITERS);
}
