//! Damage to each byte of a small data directory: a start finds all that was answered or refuses by name, and a check
//! says the same without changing anything.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use seenby::store::{
    Read, Store,
    embedded::{Checked, EmbeddedStore, OpenError, Options, check},
};

use super::{
    conversation, counts,
    crash::{Disk, copy, home, open},
    group, mark, message, read_messages,
};

/// A directory with pages on disk and records in the journal that only the next checkpoint would bring there.
async fn small() -> Disk {
    let mut disk = Disk::new();
    group(disk.store(), "c", &["alice", "bob", "carol"], &["m1", "m2"]).await;
    mark(disk.store(), "c", "bob", read_messages(&["m1"])).await;
    group(disk.store(), "gone", &["alice", "bob"], &["m1"]).await;
    disk.store().checkpoint().await;
    disk.store().forget_conversation(conversation("gone")).await.unwrap();
    mark(disk.store(), "c", "carol", Read::UpTo(message("m2"))).await;
    disk.store = None;
    disk
}

const WHOLE: [Option<(u32, u32)>; 2] = [Some((2, 2)), Some((1, 2))];

fn checked(data: &Path) -> Result<Checked, OpenError> {
    let scratch = tempfile::tempdir().unwrap();
    check(data, scratch.path())
}

/// Every file with its bytes.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Flips each byte of a file and cuts it to each length, and says how often a start was refused. `may_refuse` is a
/// file or directory that a refusal may name.
async fn damage_each_byte(disk: &Disk, file: &Path, may_refuse: &[&Path]) -> usize {
    let whole = fs::read(disk.directory.path().join(file)).unwrap();
    let mut refused = 0;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        for damaged in [&flipped[..], &whole[..at]] {
            let image = tempfile::tempdir().unwrap();
            let data = image.path().join("data");
            copy(disk.directory.path(), &data);
            fs::write(data.join(file), damaged).unwrap();
            let said = checked(&data);
            match EmbeddedStore::open(&data, Options::default()) {
                Ok(store) => {
                    assert_eq!(counts(&store, "c", &["m1", "m2"]).await, WHOLE, "{} at {at}", file.display());
                    assert!(said.is_ok(), "{} at {at}: {said:?}", file.display());
                }
                Err(error) => {
                    let text = error.to_string();
                    let is_named =
                        may_refuse.iter().any(|path| text.contains(&*data.join(path).to_string_lossy()));
                    assert!(is_named, "{} at {at}: {text}", file.display());
                    assert_eq!(said.unwrap_err().to_string(), text, "{} at {at}", file.display());
                    refused += 1;
                }
            }
        }
    }
    refused
}

#[tokio::test]
async fn of_a_page_file_no_byte_is_damaged_unnoticed() {
    let disk = small().await;
    let file = Path::new("pages/0000000001.pages");
    let length = fs::read(disk.directory.path().join(file)).unwrap().len();
    let refused = damage_each_byte(&disk, file, &[file]).await;
    assert!(refused > length, "of {length} bytes only {refused} flips and cuts were noticed");
}

#[tokio::test]
async fn what_only_helps_to_tell_damage_from_a_torn_end_may_be_damaged_itself() {
    let disk = small().await;
    let refused = damage_each_byte(&disk, Path::new("journal/answered"), &[]).await;
    assert_eq!(refused, 0);
}

#[tokio::test]
async fn a_format_that_does_not_read_is_refused() {
    let disk = small().await;
    let format = Path::new("FORMAT");
    // A line break more or less says the same.
    assert!(damage_each_byte(&disk, format, &[format]).await >= 16);
}

#[tokio::test]
async fn a_page_file_that_is_not_there_is_refused_by_name() {
    let disk = small().await;
    let file = disk.directory.path().join("pages/0000000001.pages");
    fs::remove_file(&file).unwrap();
    let error = EmbeddedStore::open(disk.directory.path(), Options::default()).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { path, .. } if *path == file), "{error}");
}

#[tokio::test]
async fn a_check_tells_what_is_there_and_changes_nothing() {
    let disk = small().await;
    let before = files(disk.directory.path());
    let found = checked(disk.directory.path()).unwrap();
    assert_eq!(files(disk.directory.path()), before);
    assert_eq!((found.conversations, found.messages, found.pages, found.torn_bytes), (1, 2, 2, 0));
    assert!(found.records >= 2, "{found:?}");

    let store = open(disk.directory.path());
    let error = checked(disk.directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    drop(store);

    let empty = tempfile::tempdir().unwrap();
    let error = checked(empty.path()).unwrap_err();
    assert!(matches!(error, OpenError::Empty { .. }), "{error}");
}

#[tokio::test]
async fn a_torn_end_is_told_and_left() {
    let disk = small().await;
    let journal = disk.directory.path().join("journal");
    let mut segments: Vec<_> = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "journal"));
    let last = segments.into_iter().max().unwrap();
    let mut whole = fs::read(&last).unwrap();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    // The room behind the last frame is no torn end, and is not counted as part of one.
    for (torn, room) in [(0, 0), (33, 0), (33, 4096), (0, 4096)] {
        whole.truncate(end);
        whole.extend([1].repeat(torn));
        whole.extend([0].repeat(room));
        fs::write(&last, &whole).unwrap();
        assert_eq!(checked(disk.directory.path()).unwrap().torn_bytes, torn as u64);
        assert_eq!(fs::read(&last).unwrap(), whole);
    }
}

#[tokio::test]
async fn a_refused_start_leaves_everything_as_it_was() {
    let stray = |data: &Path| fs::create_dir(data.join("base.7")).unwrap();
    let cut = |data: &Path| fs::write(home(data).join("db"), []).unwrap();
    let flip = |data: &Path| {
        let file = data.join("pages/0000000001.pages");
        let mut bytes = fs::read(&file).unwrap();
        // In the head, which every start reads.
        bytes[3] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    let damages: [&dyn Fn(&Path); 3] = [&stray, &cut, &flip];
    for damage in damages {
        let disk = small().await;
        damage(disk.directory.path());
        let before = files(disk.directory.path());
        for _ in 0..2 {
            EmbeddedStore::open(disk.directory.path(), Options::default()).unwrap_err();
            assert_eq!(files(disk.directory.path()), before);
        }
    }
}
