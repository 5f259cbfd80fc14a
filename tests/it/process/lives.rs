//! A new life of a message or a conversation begins with nobody having read it, whatever happens to the server.

use std::path::Path;

use seenby::client::Client;

use super::{chat, checkpointed, client, connection, read, start};
use crate::harness::Running;

/// The time of the next checkpoint is far away.
const NEVER: [&str; 2] = ["--checkpoint-every", "12h"];
/// As often as can be.
const OFTEN: [&str; 2] = ["--checkpoint-every", "100ms"];

/// How a server comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// SIGKILL at once: all is in the journal.
    Killed,
    /// SIGKILL after a checkpoint: all is in the base.
    KilledAfterCheckpoint,
    /// SIGTERM, which makes a checkpoint too.
    Terminated,
}

const ENDS: [End; 3] = [End::Killed, End::KilledAfterCheckpoint, End::Terminated];

impl End {
    fn start(self, data: &Path) -> Running {
        start(data, if self == Self::KilledAfterCheckpoint { &OFTEN } else { &NEVER })
    }

    async fn end(self, server: Running) {
        match self {
            Self::Killed => {
                server.kill();
            }
            Self::KilledAfterCheckpoint => {
                checkpointed(&mut connection(&server).await).await;
                server.kill();
            }
            Self::Terminated => assert!(server.terminate().success()),
        }
    }
}

/// Whether a checkpoint has let the journal's first segment go.
fn is_checkpointed(data: &Path) -> bool {
    !data.join("journal/00000000000000000001.journal").exists()
}

/// Each has one message, which bob has read.
async fn first_lives(client: &Client) {
    for conversation in ["reset", "again", "anew"] {
        chat(client, conversation, &["alice", "bob"], &["m1"]).await;
        assert_eq!(client.mark_messages(conversation, "bob", &["m1"]).await.unwrap().marked, 1);
        assert_eq!(read(client, conversation, "m1").await, Some(1));
    }
    chat(client, "gone", &["alice", "bob"], &["m1"]).await;
    client.mark_messages("gone", "bob", &["m1"]).await.unwrap();
}

/// The message is reset, registered again, registered again in a new conversation, and gone.
async fn second_lives(client: &Client) {
    client.reset_message("reset", "m1").await.unwrap();
    client.delete_message("again", "m1").await.unwrap();
    client.register("again", "m1", &"alice".into()).await.unwrap();
    client.delete_conversation("anew").await.unwrap();
    chat(client, "anew", &["alice", "bob"], &["m1"]).await;
    client.delete_conversation("gone").await.unwrap();
}

async fn nobody_has_read(client: &Client, what: &str) {
    for conversation in ["reset", "again", "anew"] {
        assert_eq!(read(client, conversation, "m1").await, Some(0), "{conversation}: {what}");
        assert_eq!(client.readers(conversation, "m1").await.unwrap(), [""; 0], "{conversation}: {what}");
        assert_eq!(client.unread(conversation, "m1").await.unwrap(), ["bob"], "{conversation}: {what}");
        assert_eq!(client.badge(conversation, "bob").await.unwrap().unread, 1, "{conversation}: {what}");
    }
    assert_eq!(client.conversations().await.unwrap(), ["again", "anew", "reset"], "{what}");
}

async fn old_marks_stay_away(first: End, second: End) {
    let what = format!("{first:?}, then {second:?}");
    let directory = tempfile::tempdir().unwrap();
    let server = first.start(directory.path());
    first_lives(&client(&server)).await;
    first.end(server).await;
    assert_eq!(is_checkpointed(directory.path()), first != End::Killed, "{what}");

    let server = second.start(directory.path());
    second_lives(&client(&server)).await;
    second.end(server).await;

    // Twice: also what the first of these starts has written says the same.
    for _ in 0..2 {
        let server = second.start(directory.path());
        nobody_has_read(&client(&server), &what).await;
        second.end(server).await;
    }
    let server = start(directory.path(), &NEVER);
    let again = client(&server);
    for conversation in ["reset", "again", "anew"] {
        assert_eq!(again.mark_messages(conversation, "bob", &["m1"]).await.unwrap().marked, 1, "{what}");
        assert_eq!(read(&again, conversation, "m1").await, Some(1), "{what}");
    }
}

#[tokio::test]
async fn old_marks_never_come_back() {
    for first in ENDS {
        for second in ENDS {
            old_marks_stay_away(first, second).await;
        }
    }
}

#[tokio::test]
async fn a_new_life_in_the_same_process_begins_unread_too() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path(), &OFTEN);
    let client = client(&server);
    first_lives(&client).await;
    second_lives(&client).await;
    nobody_has_read(&client, "at once").await;
    checkpointed(&mut connection(&server).await).await;
    assert!(is_checkpointed(directory.path()));
    nobody_has_read(&client, "after a checkpoint").await;
}
