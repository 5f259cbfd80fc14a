//! Data of this format and of others: opened with all that is in it, or refused with both formats named.
//!
//! `tests/golden/format-N.txt` is a data directory that the version with format N has left, as an [`image`]. One of
//! this version's own format must be there: `cargo test --test it -- --ignored formats::make` makes it.

mod image;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use seenby::{
    client::Client,
    domain::{Audience, ExpiresAt, Order, Registration, Role, Timestamp},
    store::{
        Mark, Read, Store,
        embedded::{EmbeddedStore, Options},
    },
};

use self::image::{read_image, write_image};
use crate::{
    harness::{Running, free_address, seenby},
    store::{conversation, group, message, read_messages, register, registration, user, users},
};

/// 2100-01-01T00:00:00Z.
const FAR: ExpiresAt = ExpiresAt { unix_s: 4_102_444_800 };
/// When the golden data was written, as far as it knows.
const THEN: Timestamp = crate::store::NOW;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The golden data there is, by format.
fn images() -> BTreeMap<u32, PathBuf> {
    let entries = fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().path());
    // Beside them stand dumps, which have versions of their own.
    let entries = entries.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let format = |path: &Path| path.file_stem()?.to_str()?.strip_prefix("format-")?.parse().ok();
    entries.map(|path| (format(&path).expect("a golden file is named for its format"), path)).collect()
}

/// The format that this version writes.
fn format_now() -> u32 {
    let directory = tempfile::tempdir().unwrap();
    drop(EmbeddedStore::open(directory.path(), Options::default()).unwrap());
    let text = fs::read_to_string(directory.path().join("FORMAT")).unwrap();
    text.trim().strip_prefix("seenby ").unwrap().parse().unwrap()
}

/// What `seenby serve` on the directory says before it gives up.
fn refusal(data: &Path) -> String {
    let ended = seenby(&["serve", "--data", data.to_str().unwrap(), "--listen", &free_address()]);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(ended.stdout.is_empty(), "it never listened");
    said
}

/// The golden data: in the base what a checkpoint brought there, and on top of it what only the journal has.
async fn fill(store: &EmbeddedStore) {
    let c = || conversation("hikers");
    let far = |id: &str| Registration { expires_at: FAR, ..registration(id, "alice") };
    let read = async |c: &str, reader: &str, read: Read| {
        let mark = Mark { conversation: conversation(c), reader: user(reader), read, by: Role::App };
        store.mark(vec![mark], THEN).await.unwrap();
    };
    group(store, "hikers", &["alice", "bob", "carol"], &[]).await;
    register(store, "hikers", far("m1")).await;
    let own = Audience::Users(users(&["eve", "bob"]));
    let asked = Registration { order: Some(Order(7)), audience: own, expires_in_s: Some(60), ..far("m7") };
    register(store, "hikers", asked).await;
    for id in ["reset", "deleted", "m10"] {
        register(store, "hikers", far(id)).await;
    }
    register(store, "hikers", registration("ended", "alice")).await;
    read("hikers", "bob", Read::UpToOrder(Order(9))).await;
    group(store, "gone", &["alice"], &[]).await;
    group(store, "users", &["ann", "ben", "cat", "deb", "fay"], &[]).await;
    register(store, "users", Registration { sender: user("ann"), ..far("u1") }).await;
    register(store, "users", Registration { sender: user("deb"), ..far("u2") }).await;
    for reader in ["ben", "cat", "deb"] {
        read("users", reader, Read::Messages(vec![message("u1")])).await;
    }
    store.set_hidden(user("ben"), true).await.unwrap();
    store.forget_user(user("deb")).await.unwrap();
    store.checkpoint().await;

    store.change_roster(c(), users(&["dave"]), users(&["carol"]), 9).await.unwrap();
    store.reset_message(c(), message("reset"), THEN).await.unwrap();
    store.forget_message(c(), message("deleted"), THEN).await.unwrap();
    register(store, "hikers", Registration { sender: user("dave"), ..far("m12") }).await;
    read("hikers", "carol", read_messages(&["m1", "m10"])).await;
    group(store, "消息/2", &["alice", "bob"], &[]).await;
    for n in 0..70 {
        register(store, "消息/2", far(&format!("n{n}"))).await;
    }
    read("消息/2", "bob", Read::UpTo(message("n65"))).await;
    store.forget_conversation(conversation("gone")).await.unwrap();
    register(store, "users", Registration { sender: user("ann"), ..far("u3") }).await;
    store.set_hidden(user("cat"), true).await.unwrap();
    store.set_hidden(user("ben"), false).await.unwrap();
    store.forget_user(user("fay")).await.unwrap();
}

/// A message: its id, sender and order, who has read it, and who has not.
type Row = (&'static str, &'static str, u64, &'static [&'static str], &'static [&'static str]);

/// Holds what a server shows against what `fill` put there.
async fn check(client: &Client) {
    assert_eq!(client.conversations().await.unwrap(), ["hikers", "users", "消息/2"]);
    let roster = client.roster_part("hikers", None).await.unwrap();
    assert_eq!((roster.version, roster.members), (2, ["alice", "bob", "dave"].map(String::from).to_vec()));
    let expected: [Row; 5] = [
        ("m1", "alice", 1, &["bob", "carol"], &[]),
        ("m7", "alice", 7, &["bob"], &["eve"]),
        ("reset", "alice", 8, &[], &["bob", "carol"]),
        ("m10", "alice", 10, &["carol"], &["bob"]),
        ("m12", "dave", 12, &[], &["alice", "bob"]),
    ];
    let listed = client.messages("hikers").await.unwrap();
    assert_eq!(listed.len(), expected.len(), "{listed:?}");
    for (found, (id, sender, order, readers, unread)) in listed.iter().zip(expected) {
        assert_eq!((found.message.as_str(), found.sender.as_str(), found.order), (id, sender, order));
        assert_eq!(found.expires_at, "2100-01-01T00:00:00Z");
        assert_eq!(client.readers("hikers", id).await.unwrap(), readers, "{id}");
        assert_eq!(client.unread("hikers", id).await.unwrap(), unread, "{id}");
    }
    let roster = client.roster_part("users", None).await.unwrap();
    assert_eq!((roster.version, roster.members), (3, ["ann", "ben", "cat"].map(String::from).to_vec()));
    let listed = client.messages("users").await.unwrap();
    let counts: Vec<_> = listed.iter().map(|found| (found.message.as_str(), found.read, found.of)).collect();
    assert_eq!(counts, [("u1", 1, 1), ("u3", 0, 1)]);
    assert_eq!(client.readers("users", "u1").await.unwrap(), ["ben"]);
    assert_eq!(client.messages("消息/2").await.unwrap().len(), 70);
    let badge = client.badge("消息/2", "bob").await.unwrap();
    assert_eq!((badge.unread, badge.first_unread.as_deref()), (4, Some("n66")));
}

#[tokio::test]
async fn golden_data_opens_with_all_that_is_in_it_or_is_refused_with_both_formats_named() {
    let (now, images) = (format_now(), images());
    assert!(images.contains_key(&now), "there is no golden data of format {now}: make it, and keep it");
    for (format, image) in images {
        let directory = tempfile::tempdir().unwrap();
        read_image(&image, directory.path());
        if format == now {
            let server = Running::on(directory.path());
            let client = Client::new(server.url()).unwrap();
            check(&client).await;
            // It goes on from there.
            let answer = client.mark_messages("hikers", "eve", &["m7"]).await.unwrap();
            assert_eq!(answer.marked, 1);
            let order = client.register("hikers", "new", &"bob".into()).await.unwrap().order;
            assert_eq!(order, 13);
            client.delete_message("hikers", "new").await.unwrap();
            client.reset_message("hikers", "m7").await.unwrap();
            client.mark_messages("hikers", "bob", &["m7"]).await.unwrap();
            let server = server.restart();
            check(&Client::new(server.url()).unwrap()).await;
        } else {
            let said = refusal(directory.path());
            for format in [format, now] {
                assert!(said.contains(&format!("format {format}")), "{said}");
            }
            let after = tempfile::tempdir().unwrap();
            read_image(&image, after.path());
            assert_eq!(files(directory.path()), files(after.path()), "nothing was touched");
        }
    }
}

#[test]
fn data_of_a_newer_format_is_refused_with_its_format_named_and_left_alone() {
    let now = format_now();
    let newer = now + 1;
    let directory = tempfile::tempdir().unwrap();
    read_image(&images()[&now], directory.path());
    let path = directory.path().join("FORMAT");
    fs::write(&path, format!("seenby {newer}\n")).unwrap();
    let before = files(directory.path());
    let said = refusal(directory.path());
    for part in [path.to_str().unwrap(), &format!("format {newer}")] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert_eq!(files(directory.path()), before, "nothing was touched");
}

/// All files of a directory, with what is in them.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            let below = files(&path).into_iter();
            found.extend(below.map(|(name, bytes)| (Path::new(&entry.file_name()).join(name), bytes)));
        } else {
            found.insert(entry.file_name().into(), fs::read(path).unwrap());
        }
    }
    found
}

#[tokio::test]
#[ignore = "makes the golden data of this version's format; to be run once for each format"]
async fn make() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
    fill(&store).await;
    // As a crash would leave it: without a last checkpoint.
    drop(store);
    write_image(directory.path(), &golden().join(format!("format-{}.txt", format_now())));
}
