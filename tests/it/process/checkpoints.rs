//! Killed in the middle of a checkpoint: of objects of many parts, while others go.

use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, Instant},
};

use seenby::client::Client;

use super::{client, start};
use crate::harness::Running;

const MEMBERS: usize = 1_000;
const ROUNDS: u64 = 8;
const LONG_ROUNDS: u64 = 60;

/// Names so long that the slots of a roster take some hundred parts in the base.
fn members(conversation: &str) -> Vec<String> {
    (0..MEMBERS).map(|n| format!("{conversation}-{n:04}-{}", "x".repeat(90))).collect()
}

/// What was answered: conversations by name, and whether they are there or were forgotten.
type Answered = BTreeMap<String, bool>;

/// Sets up rosters and messages, deletes some again, lets others expire, until the server is gone. The last
/// conversation is left out of what was answered if its answer did not come.
async fn churn(client: Client, round: u64, mut answered: Answered) -> Answered {
    for n in 0.. {
        let name = format!("r{round}-{n}");
        let users = members(&name);
        let users: Vec<_> = users.iter().map(String::as_str).collect();
        if client.replace_roster(&name, &users).await.is_err() {
            return answered;
        }
        answered.insert(name.clone(), true);
        let brief = seenby::wire::RegisterRequest { expires_in_s: Some(1), ..users[0].into() };
        for message in 0..3 {
            if client.register(&name, &format!("m{message}"), &brief).await.is_err() {
                return answered;
            }
        }
        if n % 3 == 2 {
            let gone = format!("r{round}-{}", n - 1);
            answered.remove(&gone);
            if client.delete_conversation(&gone).await.is_err() {
                return answered;
            }
            answered.insert(gone, false);
        }
    }
    answered
}

/// Kills servers that checkpoint all the time, and looks for what each had answered.
async fn rounds(count: u64, seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut answered = Answered::new();
    let args = ["--checkpoint-every", "100ms", "--sweep-every", "100ms"];
    for round in 0..count {
        let server: Running = start(directory.path(), &args);
        let churning = tokio::spawn(churn(client(&server), round, answered));
        sleep(Duration::from_millis(random.u64(150..700)));
        server.kill();
        answered = churning.await.unwrap();
        let began = Instant::now();
        let server = start(directory.path(), &args);
        let client = client(&server);
        for (name, is_there) in &answered {
            let roster = client.roster(name).await;
            if *is_there {
                assert_eq!(roster.unwrap(), members(name), "round {round}, {name}");
            } else {
                assert!(roster.is_err(), "round {round}: {name} came back");
            }
        }
        // Only the last round's are looked at in full again: they are many by then.
        answered.retain(|name, _| name.starts_with(&format!("r{round}-")));
        assert!(began.elapsed() < Duration::from_mins(1));
        server.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_checkpoint_loses_nothing_and_leaves_a_store_that_opens() {
    rounds(ROUNDS, 1).await;
}

mod long {
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "takes minutes"]
    async fn many_kills_in_the_middle_of_checkpoints() {
        super::rounds(super::LONG_ROUNDS, 2).await;
    }
}
