//! A door for the fuzzer in `fuzz/`, and for the test that runs its corpus. Not for use.

use super::{Item, MAGIC, Reader, VERSION, Writer};
use crate::store::model::ModelStore;

/// The bytes as a dump: one that reads to its end is read again as it was once it is written, and restores.
///
/// The first byte says how the others are meant. Odd: as they are. Even: as blocks without their checksums, each a kind, a
/// length of one byte and so many bytes; they are given the right ones, which no search would find.
pub fn dump(bytes: &[u8]) {
    let Some((how, rest)) = bytes.split_first() else { return };
    let bytes = if how % 2 == 1 { rest.to_vec() } else { framed(rest) };
    let Some((items, written)) = read(&bytes) else { return };
    let (again, twice) = read(&written).expect("what was written reads");
    assert_eq!(again, items, "read a second time");
    assert_eq!(twice, written, "written a second time");
    let mut reader = Reader::begin(&written[..]).expect("it began before");
    ModelStore::restore(&mut reader).expect("what reads to its end restores");
}

/// What a dump holds, and the same written anew; none if it is refused.
fn read(bytes: &[u8]) -> Option<(Vec<String>, Vec<u8>)> {
    let mut reader = Reader::begin(bytes).ok()?;
    let mut writer = Writer::begin(Vec::new(), reader.head(), reader.label()).ok()?;
    let mut items = Vec::new();
    while let Some(item) = reader.next().ok()? {
        writer.put(&item).ok()?;
        items.push(shown(&item));
    }
    Some((items, writer.end().ok()?))
}

fn shown(item: &Item) -> String {
    match item {
        Item::Run(page) => {
            let messages: Vec<_> = page.messages().collect();
            format!("{messages:?} {:?}", page.rows().collect::<Vec<_>>())
        }
        item => format!("{item:?}"),
    }
}

fn framed(mut rest: &[u8]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &[VERSION]].concat();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes);
    while let [kind, length, after @ ..] = rest {
        let (payload, after) = after.split_at(after.len().min(usize::from(*length)));
        let length = u32::from(u8::try_from(payload.len()).expect("invariant: its length was a byte"));
        let block = [&[*kind][..], &length.to_le_bytes(), payload].concat();
        crc.update(&block);
        bytes.extend_from_slice(&block);
        bytes.extend_from_slice(&crc.clone().finalize().to_le_bytes());
        rest = after;
    }
    bytes
}
