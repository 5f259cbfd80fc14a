//! How a cluster sees itself: which node has which slots, and whom it follows.

use std::{collections::BTreeMap, ops::RangeInclusive};

/// How many slots there are.
pub(crate) const SLOTS: u16 = 16_384;

/// The slot of keys with the hash tag `{tag}`: its CRC-16 (XMODEM), as every client of a cluster reckons it.
pub(crate) fn slot_of(tag: &str) -> u16 {
    let mut crc = 0_u16;
    for byte in tag.bytes() {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    crc % SLOTS
}

/// A node, as another sees it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) id: String,
    /// Whose replica it is.
    pub(crate) follows: Option<String>,
    pub(crate) is_failing: bool,
    pub(crate) slots: Vec<RangeInclusive<u16>>,
}

impl Seen {
    pub(crate) fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|range| range.contains(&slot))
    }
}

/// What `CLUSTER NODES` says, by port or, where all ports are the same, by address: whatever `host:port` is.
pub(crate) fn seen(text: &str) -> BTreeMap<String, Seen> {
    let node = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let slots = words[8..].iter().filter(|word| !word.starts_with('[')).map(|word| {
            let (from, to) = word.split_once('-').unwrap_or((word, word));
            from.parse().unwrap()..=to.parse().unwrap()
        });
        let seen = Seen {
            id: words[0].to_owned(),
            follows: (words[3] != "-").then(|| words[3].to_owned()),
            is_failing: words[2].contains("fail"),
            slots: slots.collect(),
        };
        (words[1].split('@').next().unwrap().to_owned(), seen)
    };
    text.lines().map(node).collect()
}

#[test]
fn slots_are_reckoned_as_the_cluster_does() {
    assert_eq!(slot_of("123456789"), 0x31c3, "the check value of the specification");
    assert_eq!(slot_of("c"), 7_365);
}

#[test]
fn what_a_node_says_of_all_is_read() {
    let text = "a1 127.0.0.1:7101@17101,host master - 0 1 2 connected 0-5460 9000 [77->-b2]\n\
                b2 127.0.0.1:7102@17102 slave,fail a1 0 1 2 disconnected\n";
    let seen = seen(text);
    let (one, other) = (&seen["127.0.0.1:7101"], &seen["127.0.0.1:7102"]);
    assert!(one.has(5_460) && one.has(9_000) && !one.has(5_461) && !one.is_failing);
    assert!(other.is_failing && other.follows.as_deref() == Some("a1") && other.slots.is_empty());
}
