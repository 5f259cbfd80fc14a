//! The embedded engine through restarts and crashes: what was answered is there, and what went stays away.
//!
//! A crash is a store that is dropped without being closed, and its directory opened elsewhere: what `SIGKILL` leaves
//! between two checkpoints.

use std::{
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use seenby::store::{
    Half, Read, Store,
    dump::Reader,
    embedded::{EmbeddedStore, OpenError, Options, restore},
};
use tempfile::TempDir;

use super::{
    NOW, conversation, counts, group, mark, message, new, read_messages, register, registration, users, walk,
};

/// A store, and the directory that it stands in.
pub(super) struct Disk {
    pub(super) directory: TempDir,
    pub(super) store: Option<EmbeddedStore>,
    options: Options,
}

impl Disk {
    pub(super) fn new() -> Self {
        Self::with(Options::default())
    }

    /// One that drops every page from memory as soon as a checkpoint has written it.
    pub(super) fn without_memory() -> Self {
        Self::with(Options { hot_bytes_max: 1, ..Options::default() })
    }

    fn with(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Some(EmbeddedStore::open(directory.path(), options).unwrap());
        Self { directory, store, options }
    }

    /// One that a dump was restored to, and that drops pages likewise.
    pub(super) fn restored(dump: &[u8]) -> Self {
        let (directory, options) =
            (tempfile::tempdir().unwrap(), Options { hot_bytes_max: 1, ..Options::default() });
        restore(directory.path(), &mut Reader::begin(dump).unwrap(), |_| {}).unwrap();
        let store = Some(EmbeddedStore::open(directory.path(), options).unwrap());
        Self { directory, store, options }
    }

    pub(super) fn store(&self) -> &EmbeddedStore {
        self.store.as_ref().unwrap()
    }

    /// Closes the store and opens it again.
    pub(super) async fn restart(&mut self) {
        self.store().close().await.unwrap();
        self.store = None;
        self.store = Some(EmbeddedStore::open(self.directory.path(), self.options).unwrap());
    }

    /// Goes on with what a process killed now would have left.
    pub(super) fn crash(&mut self) {
        let image = tempfile::tempdir().unwrap();
        // A checkpoint that is running would change the directory while it is copied.
        self.store = None;
        copy(self.directory.path(), image.path());
        self.store = Some(EmbeddedStore::open(image.path(), self.options).unwrap());
        self.directory = image;
    }
}

pub(super) fn open(path: &Path) -> EmbeddedStore {
    EmbeddedStore::open(path, Options::default()).unwrap()
}

/// Copies a directory with all in it; `to` is made if it is not there.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if !kind.is_socket() {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Where sled's files are: there is one such place while no server runs.
pub(crate) fn home(data: &Path) -> PathBuf {
    let entries = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let mut homes = entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("base."));
    let home = homes.next().unwrap();
    assert_eq!(homes.next(), None);
    home
}

/// The segments of the journal, oldest first.
fn segments(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "journal")).collect();
    segments.sort();
    segments
}

/// The three ways from one process to the next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Restart,
    Crash,
    CrashAfterCheckpoint,
}

pub(super) const WAYS: [Way; 3] = [Way::Restart, Way::Crash, Way::CrashAfterCheckpoint];

pub(super) async fn pass(disk: &mut Disk, way: Way) {
    match way {
        Way::Restart => disk.restart().await,
        Way::Crash => disk.crash(),
        Way::CrashAfterCheckpoint => {
            disk.store().checkpoint().await;
            assert!(disk.store().vitals().can_commit);
            disk.crash();
        }
    }
}

#[tokio::test]
async fn everything_answered_is_there_after_a_restart_and_after_a_crash() {
    for way in WAYS {
        let mut disk = Disk::without_memory();
        let ids: Vec<_> = (1..=150).map(|n| format!("m{n}")).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        group(disk.store(), "c", &["alice", "bob", "carol"], &ids).await;
        mark(disk.store(), "c", "bob", Read::UpTo(message("m100"))).await;
        pass(&mut disk, way).await;
        mark(disk.store(), "c", "carol", read_messages(&["m1", "m150"])).await;
        pass(&mut disk, way).await;
        let read = counts(disk.store(), "c", &["m1", "m100", "m101", "m150"]).await;
        assert_eq!(read, [Some((2, 2)), Some((1, 2)), Some((0, 2)), Some((1, 2))], "{way:?}");
        assert_eq!(walk(disk.store(), "c", "m1", Half::Read, 1).await, users(&["bob", "carol"]));
        let roster = disk.store().roster(&conversation("c"), None, 9).await.unwrap().unwrap();
        assert_eq!((roster.version, roster.members), (1, users(&["alice", "bob", "carol"])));
        assert_eq!(register(disk.store(), "c", registration("m151", "bob")).await, new(2, 151));
        assert_eq!(disk.store().vitals().messages, 151);
    }
}

#[tokio::test]
async fn marks_of_an_earlier_life_never_come_back() {
    for way in WAYS {
        let mut disk = Disk::new();
        group(disk.store(), "c", &["alice", "bob"], &["reset", "again", "gone"]).await;
        group(disk.store(), "d", &["alice", "bob"], &["m1"]).await;
        mark(disk.store(), "c", "bob", read_messages(&["reset", "again", "gone"])).await;
        mark(disk.store(), "d", "bob", read_messages(&["m1"])).await;
        // Once with the old marks in the journal alone, once in the base.
        for _ in 0..2 {
            disk.store().reset_message(conversation("c"), message("reset"), NOW).await.unwrap();
            disk.store().forget_message(conversation("c"), message("again"), NOW).await.unwrap();
            register(disk.store(), "c", registration("again", "alice")).await;
            disk.store().forget_message(conversation("c"), message("gone"), NOW).await.unwrap();
            disk.store().forget_conversation(conversation("d")).await.unwrap();
            group(disk.store(), "d", &["alice", "bob"], &["m1"]).await;
            pass(&mut disk, way).await;
            let c = counts(disk.store(), "c", &["reset", "again", "gone"]).await;
            assert_eq!(c, [Some((0, 1)), Some((0, 1)), None], "{way:?}");
            assert_eq!(counts(disk.store(), "d", &["m1"]).await, [Some((0, 1))], "{way:?}");
            mark(disk.store(), "c", "bob", Read::UpToOrder(seenby::domain::ORDER_MAX)).await;
            mark(disk.store(), "d", "bob", read_messages(&["m1"])).await;
            disk.store().checkpoint().await;
        }
    }
}

#[tokio::test]
async fn what_expired_is_given_up_on_disk_as_well() {
    let mut disk = Disk::new();
    let ids: Vec<_> = (1..=500).map(|n| format!("m{n}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    group(disk.store(), "c", &["alice", "bob"], &ids).await;
    disk.store().checkpoint().await;
    let end = seenby::domain::Timestamp { unix_ms: 2_000_000 };
    assert_eq!(disk.store().sweep(end).await.unwrap(), 500);
    disk.store().checkpoint().await;
    disk.crash();
    assert_eq!(disk.store().vitals().messages, 0, "neither base nor journal has them");
    assert_eq!(register(disk.store(), "c", registration("m1", "alice")).await, new(1, 501));
}

#[tokio::test]
async fn a_checkpoint_lets_the_journal_go() {
    let mut disk = Disk::new();
    let segments = |disk: &Disk| segments(disk.directory.path()).len();
    group(disk.store(), "c", &["alice", "bob"], &["m1", "m2"]).await;
    let before = disk.store().vitals().journal_bytes;
    disk.store().checkpoint().await;
    disk.store().sweep(NOW).await.unwrap();
    assert!(disk.store().vitals().journal_bytes < before);
    assert_eq!((segments(&disk), disk.store().vitals().checkpoints), (1, 1));
    disk.store().checkpoint().await;
    assert_eq!(disk.store().vitals().checkpoints, 1, "nothing has changed, so nothing is written");
    disk.restart().await;
    assert_eq!(counts(disk.store(), "c", &["m1"]).await, [Some((0, 1))]);
}

#[tokio::test]
async fn a_full_journal_asks_for_a_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { journal_bytes_max: 4_096, ..Options::default() };
    let store = EmbeddedStore::open(directory.path(), options).unwrap();
    group(&store, "c", &["alice", "bob"], &[]).await;
    let mut registered = 0;
    while store.vitals().checkpoints < 3 {
        registered += 1;
        assert!(registered < 100_000, "no checkpoint came");
        register(&store, "c", registration(&format!("m{registered}"), "alice")).await;
    }
    drop(store);
    assert_eq!(open(directory.path()).vitals().messages, registered);
}

#[tokio::test]
async fn a_second_store_on_the_same_directory_is_refused() {
    let disk = Disk::new();
    let second = EmbeddedStore::open(disk.directory.path(), Options::default());
    let error = second.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("another server is using this data directory"), "{error}");
}

#[tokio::test]
async fn a_directory_that_is_not_ours_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("thesis.txt"), "precious").unwrap();
    let error = EmbeddedStore::open(directory.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::NotOurs { .. }), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing was put beside it");
}

#[tokio::test]
async fn a_newer_format_is_refused_by_its_number() {
    let mut disk = Disk::new();
    disk.store = None;
    std::fs::write(disk.directory.path().join("FORMAT"), "seenby 300\n").unwrap();
    let error = EmbeddedStore::open(disk.directory.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { format: 300, .. }), "{error}");
}

#[tokio::test]
async fn a_store_that_is_closed_leaves_no_room_in_its_journal() {
    let disk = Disk::new();
    group(disk.store(), "c", &["alice", "bob"], &["m1"]).await;
    mark(disk.store(), "c", "bob", read_messages(&["m1"])).await;
    let last = || std::fs::read(segments(disk.directory.path()).pop().unwrap()).unwrap();
    assert!(last().ends_with(&[0; 4096]));
    disk.store().close().await.unwrap();
    assert!(!last().ends_with(&[0; 4]));
}

#[tokio::test]
async fn a_torn_end_is_cut_off_and_damage_is_refused() {
    let mut disk = Disk::new();
    group(disk.store(), "c", &["alice", "bob"], &["m1"]).await;
    mark(disk.store(), "c", "bob", read_messages(&["m1"])).await;
    disk.store = None;
    let journal = disk.directory.path().join("journal");
    let segment = segments(disk.directory.path()).remove(0);
    let mut whole = std::fs::read(&segment).unwrap();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert!(whole.len() > end + (64 << 10), "there is room behind the last frame");
    whole.truncate(end);

    // What a power cut leaves of a frame that was on its way, with the room behind it and without.
    let in_room = [&whole[20..40], &[0; 4096]].concat();
    let without_front = [&[0; 4096], &whole[30..40], &[0; 4096]].concat();
    for torn in [&b"\x09\x00\x00\x00"[..], &whole[20..40], &in_room, &without_front, &[0; 64]] {
        std::fs::write(&segment, [&whole, torn].concat()).unwrap();
        let store = open(disk.directory.path());
        assert_eq!(counts(&store, "c", &["m1"]).await, [Some((1, 1))]);
        drop(store);
        for later in segments(disk.directory.path()).into_iter().filter(|later| *later != segment) {
            std::fs::remove_file(later).unwrap();
        }
    }

    // Of what was answered, no byte can be flipped or cut off unnoticed, the last frame's among them.
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        let before_room = |bytes: &[u8]| [bytes, &[0; 300]].concat();
        for damaged in [&flipped[..], &whole[..at], &before_room(&flipped), &before_room(&whole[..at])] {
            std::fs::write(&segment, damaged).unwrap();
            let error = EmbeddedStore::open(disk.directory.path(), Options::default()).unwrap_err();
            let named = |path: &Path| path == segment || path == journal;
            assert!(
                matches!(&error, OpenError::Damaged { path, .. } | OpenError::Newer { path, .. } if named(path)),
                "byte {at}: {error}"
            );
        }
    }

    // Nor is a journal that is not there at all, once the base is in use.
    std::fs::write(&segment, &whole).unwrap();
    disk.store = Some(open(disk.directory.path()));
    disk.store().close().await.unwrap();
    disk.store = None;
    std::fs::remove_dir_all(&journal).unwrap();
    let error = EmbeddedStore::open(disk.directory.path(), Options::default()).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { path, .. } if *path == journal), "{error}");
}

#[tokio::test]
async fn an_unfinished_snapshot_of_sled_does_not_stop_a_start() {
    let mut disk = Disk::new();
    group(disk.store(), "c", &["alice", "bob"], &["m1"]).await;
    disk.restart().await;
    disk.store = None;
    let leftover = home(disk.directory.path()).join("snap.0000000000000FFF.generating");
    std::fs::write(&leftover, "half a snapsh").unwrap();
    disk.store = Some(open(disk.directory.path()));
    assert!(!leftover.exists());
    assert_eq!(counts(disk.store(), "c", &["m1"]).await, [Some((0, 1))]);
}
