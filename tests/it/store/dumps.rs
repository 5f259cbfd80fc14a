//! Dumps: what one engine exports, each restores; what was cut, damaged or made by a newer version is refused.

use std::{fs, path::Path};

use seenby::{
    domain::{Audience, MessageIdRef, Order, SlotSet},
    store::{
        Half, Read, Store,
        dump::{self, DumpError, Head, Item, Label, Reader, VERSION, Writer},
        embedded::{EmbeddedStore, Options, RestoreError, restore},
        model::ModelStore,
    },
};

use super::{
    conversation, counts, crash::Disk, group, mark, new, property::futures, read_messages, register,
    registration, same, user, users, walk,
};

pub(super) const LABEL: Label = Label { taken_at_unix_ms: 1, etag_key: Some([7; 16]) };

/// All that a store holds.
pub(super) fn dump(store: &dyn Store) -> Vec<u8> {
    let mut export = futures(store.export(None)).unwrap();
    // A cluster is waited for.
    tokio::task::block_in_place(|| dump::write(Vec::new(), LABEL, &mut *export, |_| {})).unwrap()
}

pub(super) fn restored(dump: &[u8]) -> ModelStore {
    ModelStore::restore(&mut Reader::begin(dump).unwrap()).unwrap()
}

/// A store with something of everything.
async fn fill(store: &dyn Store) {
    group(store, "c", &["alice", "bob", "carol", "dave", "erin"], &["m1", "m2", "m3"]).await;
    group(store, "d", &["bob", "alice"], &["m1"]).await;
    mark(store, "c", "bob", read_messages(&["m1", "m3"])).await;
    mark(store, "c", "carol", Read::UpTo(super::message("m2"))).await;
    mark(store, "c", "dave", read_messages(&["m1"])).await;
    let own = Audience::Users(users(&["zoe", "bob"]));
    let sent = seenby::domain::Registration {
        audience: own,
        expires_in_s: Some(60),
        order: Some(Order(9)),
        ..registration("m9", "alice")
    };
    register(store, "c", sent).await;
    store.change_roster(conversation("c"), vec![], users(&["erin"]), 99).await.unwrap();
    store.set_hidden(user("carol"), true).await.unwrap();
    store.forget_user(user("dave")).await.unwrap();
}

/// A small dump of the embedded engine.
fn small() -> Vec<u8> {
    let disk = Disk::new();
    futures(fill(disk.store()));
    dump(disk.store())
}

/// Reads all of a dump.
fn read(dump: &[u8]) -> Result<Vec<Item>, DumpError> {
    let mut reader = Reader::begin(dump)?;
    let mut items = Vec::new();
    while let Some(item) = reader.next()? {
        items.push(item);
    }
    Ok(items)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_engine_exports_each_engine_restores() {
    let (model, disk) = (ModelStore::default(), Disk::new());
    fill(&model).await;
    fill(disk.store()).await;
    for dump in [dump(&model), dump(disk.store())] {
        let (model, disk) = (restored(&dump), Disk::restored(&dump));
        for store in [&model as &dyn Store, disk.store()] {
            check(store).await;
        }
    }
}

async fn check(store: &dyn Store) {
    assert_eq!(counts(store, "c", &["m1", "m2", "m9"]).await, [Some((1, 2)), Some((0, 2)), Some((0, 2))]);
    assert_eq!(walk(store, "c", "m1", Half::Unread, 9).await, users(&["erin"]));
    let roster = store.roster(&conversation("c"), None, 9).await.unwrap().unwrap();
    assert_eq!((roster.version, roster.members), (3, users(&["alice", "bob", "carol"])));
    // What comes later compares with what was before.
    assert_eq!(register(store, "c", registration("m1", "alice")).await, same(2, 1));
    let own = |audience: &[&str]| seenby::domain::Registration {
        audience: Audience::Users(users(audience)),
        expires_in_s: Some(60),
        order: Some(Order(9)),
        ..registration("m9", "alice")
    };
    assert_eq!(register(store, "c", own(&["bob", "zoe"])).await, same(2, 9));
    let differs = seenby::domain::RegisterOutcome::Refused(seenby::domain::Refusal::MessageDiffers);
    assert_eq!(register(store, "c", own(&["bob"])).await, differs);
    let passed = seenby::domain::Registration { order: Some(Order(8)), ..registration("m8", "alice") };
    let refused = seenby::domain::RegisterOutcome::Refused(seenby::domain::Refusal::OrderPassed);
    assert_eq!(register(store, "c", passed).await, refused);
    assert_eq!(register(store, "c", registration("m10", "alice")).await, new(1, 10));
    store.set_hidden(user("carol"), false).await.unwrap();
    assert_eq!(counts(store, "c", &["m1"]).await, [Some((2, 3))], "what she read before shows again");
    assert_eq!(mark(store, "c", "erin", read_messages(&["m1"])).await.marked, 1, "who left was asked before");
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_are_the_same_to_the_generation_so_that_their_names_are() {
    let disk = Disk::new();
    fill(disk.store()).await;
    let again = Disk::restored(&dump(disk.store()));
    let viewer = seenby::domain::Viewer::App;
    let ids = ["m1", "m2", "m3", "m9"].map(|id| MessageIdRef::new(id).unwrap());
    let ask = async |store: &EmbeddedStore| {
        store.receipts(&conversation("c"), &ids, &viewer, super::NOW).await.unwrap()
    };
    assert_eq!(ask(disk.store()).await, ask(again.store()).await);
    let highest = |receipts: Vec<Option<seenby::domain::Receipts>>| receipts[0].unwrap().generation;
    register(again.store(), "c", registration("n", "alice")).await;
    register(disk.store(), "c", registration("n", "alice")).await;
    let n = [MessageIdRef::new("n").unwrap()];
    let of = async |store: &EmbeddedStore| {
        highest(store.receipts(&conversation("c"), &n, &viewer, super::NOW).await.unwrap())
    };
    assert!(
        of(again.store()).await.0 > of(disk.store()).await.0 + (1 << 39),
        "what is new has another name in each"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_what_was_restored_is_the_same_dump() {
    let whole = small();
    let again = dump(Disk::restored(&whole).store());
    let shown = |dump: &[u8]| read(dump).unwrap().iter().map(shown).collect::<Vec<_>>();
    assert_eq!(shown(&whole), shown(&again));
}

/// A piece without what is counted anew.
fn shown(item: &Item) -> String {
    match item {
        Item::Run(page) => format!(
            "{:?} {:?} {:?}",
            page.messages().collect::<Vec<_>>(),
            page.outline().audiences().collect::<Vec<_>>(),
            page.rows().collect::<Vec<_>>()
        ),
        item => format!("{item:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_conversation_is_exported_alone() {
    for store in
        [Box::new(ModelStore::default()) as Box<dyn Store>, Box::new(Disk::new().store.take().unwrap())]
    {
        fill(&*store).await;
        let mut export = store.export(Some(conversation("d"))).await.unwrap();
        assert_eq!((export.head().conversations, export.head().messages), (1, 1));
        let mut ids = Vec::new();
        while let Some(item) = export.next().unwrap() {
            ids.extend(if let Item::Conversation { id, .. } = item { Some(id) } else { None });
        }
        assert_eq!(ids, [conversation("d")]);
        let none = store.export(Some(conversation("x"))).await.unwrap().head();
        assert_eq!((none.conversations, none.messages), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_deleted_is_in_no_dump_by_name() {
    let contains = |dump: &[u8], name: &str| dump.windows(name.len()).any(|bytes| bytes == name.as_bytes());
    let whole = small();
    assert!(contains(&whole, "erin") && !contains(&whole, "dave"));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_exports_at_once_are_refused_and_one_that_ends_makes_room() {
    let disk = Disk::new();
    let mut exports = Vec::new();
    let refused = loop {
        match disk.store().export(None).await {
            Ok(export) => exports.push(export),
            Err(refused) => break refused,
        }
    };
    assert_eq!((refused, exports.len()), (seenby::store::StoreError::TooManyExports, 4));
    exports.pop();
    assert!(disk.store().export(None).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_is_cut_anywhere_is_refused() {
    let whole = small();
    assert!(read(&whole).is_ok());
    for length in 0..whole.len() {
        let error = read(&whole[..length]).expect_err("a cut");
        assert!(matches!(error, DumpError::Cut { at } if at == length as u64), "{length}: {error}");
    }
    let longer = [&whole[..], b"x"].concat();
    assert!(matches!(read(&longer), Err(DumpError::Damaged { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_with_any_bit_changed_is_refused() {
    let whole = small();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            assert!(read(&damaged).is_err(), "bit {bit} of byte {at}");
        }
    }
}

/// The blocks of a dump, behind its head.
fn blocks(dump: &[u8]) -> Vec<&[u8]> {
    let mut rest = &dump[8..];
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[1..5].try_into().unwrap()) as usize;
        let (block, after) = rest.split_at(5 + length + 4);
        blocks.push(block);
        rest = after;
    }
    blocks
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_are_missing_doubled_or_out_of_place_are_found() {
    let whole = small();
    let blocks = blocks(&whole);
    let joined = |blocks: &[&[u8]]| [&whole[..8], &blocks.concat()[..]].concat();
    assert_eq!(joined(&blocks), whole);
    for at in 0..blocks.len() {
        let mut fewer = blocks.clone();
        fewer.remove(at);
        assert!(read(&joined(&fewer)).is_err(), "without block {at}");
        let mut more = blocks.clone();
        more.insert(at, blocks[at]);
        assert!(read(&joined(&more)).is_err(), "block {at} twice");
        let mut swapped = blocks.clone();
        swapped.swap(at, 0);
        assert!(at == 0 || read(&joined(&swapped)).is_err(), "block {at} first");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_and_a_file_of_somebody_else_are_told_by_what_they_are() {
    let mut newer = small();
    newer[7] = VERSION + 1;
    let error = Reader::begin(&newer[..]).unwrap_err();
    assert!(matches!(error, DumpError::Newer { version } if version == VERSION + 1), "{error}");
    assert!(matches!(Reader::begin(&b"PK\x03\x04 and more"[..]), Err(DumpError::NotADump)));
    assert!(matches!(Reader::begin(&b""[..]), Err(DumpError::Cut { at: 0 })));
}

/// Who counts on from there would come to the end of the numbers.
#[test]
fn a_dump_whose_counts_have_come_where_none_comes_is_refused() {
    let dump = |generation_next, version| {
        let head = Head { generation_next, conversations: 1, messages: 0 };
        let mut writer = Writer::begin(Vec::new(), head, LABEL).unwrap();
        writer.put(&Item::Conversation { id: conversation("c"), order_highest: None }).unwrap();
        writer.put(&Item::Roster { version, members: SlotSet::default() }).unwrap();
        writer.end().unwrap()
    };
    let most = 1 << 63;
    assert!(read(&dump(most, most)).is_ok());
    for (generation_next, version) in [(most + 1, 1), (u64::MAX, 1), (1, most + 1), (1, u64::MAX)] {
        let error = read(&dump(generation_next, version)).unwrap_err();
        assert!(matches!(error, DumpError::Damaged { .. }), "{generation_next}, {version}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_fails_leaves_nothing_that_opens_with_less_in_it() {
    let whole = small();
    for length in [whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        let directory = tempfile::tempdir().unwrap();
        let mut reader = Reader::begin(&whole[..length]).unwrap();
        let error = restore(directory.path(), &mut reader, |_| {}).unwrap_err();
        assert!(matches!(error, RestoreError::Dump(DumpError::Cut { .. })), "{error}");
        assert_is_empty(directory.path());
    }
}

fn assert_is_empty(path: &Path) {
    let store = EmbeddedStore::open(path, Options::default()).unwrap();
    assert_eq!((store.vitals().conversations, store.vitals().messages), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_empty_is_not_restored_to() {
    let whole = small();
    let disk = Disk::new();
    futures(group(disk.store(), "c", &["alice"], &["m1"]));
    disk.store().close().await.unwrap();
    let error = restore(disk.directory.path(), &mut Reader::begin(&whole[..]).unwrap(), |_| {}).unwrap_err();
    assert!(matches!(error, RestoreError::NotEmpty(_)), "{error}");
    let store = EmbeddedStore::open(disk.directory.path(), Options::default()).unwrap();
    assert_eq!(counts(&store, "c", &["m1"]).await, [Some((0, 0))]);
}

/// The bytes of version 1, for good: a later version must go on reading them.
#[test]
fn the_bytes_of_a_dump_stay_as_they_are() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dump-1.seenby");
    let bytes = fs::read(&golden).unwrap();
    let items = read(&bytes).unwrap();
    let reader = Reader::begin(&bytes[..]).unwrap();
    let mut writer = Writer::begin(Vec::new(), reader.head(), reader.label()).unwrap();
    items.iter().for_each(|item| writer.put(item).unwrap());
    assert_eq!(writer.end().unwrap(), bytes, "what was read is written as it was");
    let Head { conversations, messages, .. } = reader.head();
    assert_eq!((conversations, messages), (2, 5));
    assert_eq!(reader.label(), LABEL);
    let store = restored(&bytes);
    tokio::runtime::Runtime::new().unwrap().block_on(check(&store));
}
