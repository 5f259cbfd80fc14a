//! Users over the server's whole life: who is hidden stays hidden, who is deleted stays gone, name and all.

use std::{fs, path::Path};

use seenby::wire::Switch;

use super::{chat, client, start};
use crate::harness::wait_for;

/// A name that no file holds by chance.
const NAME: &str = "zaphod-beeblebrox";

/// Whether any file below `directory` has the name in it.
fn holds_name(directory: &Path) -> bool {
    fs::read_dir(directory).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds_name(&path);
        }
        // One that went meanwhile holds nothing.
        fs::read(path).is_ok_and(|bytes| bytes.windows(NAME.len()).any(|window| window == NAME.as_bytes()))
    })
}

const OFTEN: &[&str] = &["--checkpoint-every", "100ms"];

#[tokio::test]
async fn who_is_hidden_stays_hidden_over_kills_with_and_without_a_checkpoint() {
    for args in [&["--checkpoint-every", "1h"][..], OFTEN] {
        let directory = tempfile::tempdir().unwrap();
        let mut server = start(directory.path(), args);
        chat(&client(&server), "c", &["alice", "bob", "carol"], &["m1"]).await;
        client(&server).mark_messages("c", "bob", &["m1"]).await.unwrap();
        client(&server).mark_messages("c", "carol", &["m1"]).await.unwrap();
        for (receipts, readers) in [(Switch::Off, &["carol"][..]), (Switch::On, &["bob", "carol"])] {
            client(&server).set_receipts("bob", receipts).await.unwrap();
            for _ in 0..2 {
                server = server.restart();
                assert_eq!(client(&server).receipts_of("bob").await.unwrap(), receipts);
                assert_eq!(client(&server).readers("c", "m1").await.unwrap(), readers);
            }
        }
    }
}

#[tokio::test]
async fn the_name_of_a_deleted_user_leaves_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = start(directory.path(), OFTEN);
    let members: Vec<_> = (0..600).map(|number| format!("u{number}")).chain([NAME.to_owned()]).collect();
    client(&server).replace_roster("c", &members).await.unwrap();
    chat(&client(&server), "d", &[NAME, "bob"], &["sent"]).await;
    // Of this one all went before, but for what sled leaves in its file.
    chat(&client(&server), "gone", &["alice", NAME], &["m1"]).await;
    client(&server).set_receipts(NAME, Switch::Off).await.unwrap();
    wait_for("a checkpoint to have the name", || {
        let base = fs::read_dir(directory.path()).unwrap().flatten().map(|entry| entry.path());
        let mut base = base.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("base"));
        base.any(|path| holds_name(&path)).then_some(())
    });
    client(&server).delete_conversation("gone").await.unwrap();
    client(&server).delete_user(NAME).await.unwrap();
    // Killed before it could do more than answer.
    server = server.restart();
    assert_eq!(client(&server).roster("c").await.unwrap().len(), 600);
    assert_eq!(client(&server).roster("d").await.unwrap(), ["bob"]);
    assert!(client(&server).messages("d").await.unwrap().is_empty());
    wait_for("the name to leave the disk", || (!holds_name(directory.path())).then_some(()));
    server = server.restart();
    assert_eq!(client(&server).roster("c").await.unwrap().len(), 600);
    chat(&client(&server), "d", &["bob", NAME], &["m1"]).await;
    assert_eq!(client(&server).unread("d", "m1").await.unwrap(), [NAME], "the name is anybody's");
}

#[tokio::test]
async fn a_name_that_only_a_deleted_conversation_had_leaves_the_disk_too() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path(), OFTEN);
    chat(&client(&server), "gone", &["alice", NAME], &["m1"]).await;
    wait_for("a checkpoint to have the name", || holds_name(&directory.path().join("base.1")).then_some(()));
    client(&server).delete_conversation("gone").await.unwrap();
    client(&server).delete_user(NAME).await.unwrap();
    wait_for("the name to leave the disk", || (!holds_name(directory.path())).then_some(()));
}
