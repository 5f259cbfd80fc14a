//! What a power cut may leave of a `disk`: of all that was not synced, some is there and some is not, some is torn.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use fastrand::Rng;

use super::disk::{Apply, Change, Disk, Entry, Node, Object, Write};

/// A disk's smallest unit: what is torn is torn here, but at the end of a file.
const SECTOR_BYTES: usize = 512;

/// What is left of all that was not synced.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Nothing,
    Everything,
    /// Names, but no bytes.
    Names,
    /// Bytes, but no names.
    Bytes,
    /// All but the one change of this number.
    AllBut(usize),
    /// Nothing but the one change of this number.
    Only(usize),
    /// Each file and directory has a rule of its own.
    Mixed,
}

/// What is left of one file's or directory's changes.
#[derive(Debug, Clone, Copy)]
enum Part {
    None,
    All,
    First(usize),
    AllBut(usize),
    Only(usize),
    Some { percent: u8 },
}

/// Decides what is left, and notes what was not.
pub(super) struct Cut<'a> {
    rng: &'a mut Rng,
    rule: Rule,
    /// How many changes were decided on.
    decided: usize,
    /// What was lost or torn, in words.
    pub(super) lost: Vec<String>,
}

impl<'a> Cut<'a> {
    /// A power cut that `rng` decides on.
    pub(super) fn new(disk: &Disk, rng: &'a mut Rng) -> Self {
        let pending = |object: &Object| match object {
            Object::File(file) => file.pending.len(),
            Object::Directory(directory) => directory.pending.len(),
        };
        let changes = disk.objects.iter().map(pending).sum::<usize>().max(1);
        let rule = match rng.u8(..16) {
            0..2 => Rule::Nothing,
            2 => Rule::Everything,
            3 => Rule::Names,
            4 => Rule::Bytes,
            5..8 => Rule::AllBut(rng.usize(..changes)),
            8..10 => Rule::Only(rng.usize(..changes)),
            _ => Rule::Mixed,
        };
        Self { rng, rule, decided: 0, lost: Vec::new() }
    }

    /// Which of an object's changes are left.
    fn left<C: fmt::Debug>(&mut self, path: &str, pending: &[Change<C>], is_directory: bool) -> Vec<bool> {
        let count = pending.len();
        let part = match self.rule {
            Rule::Everything => Part::All,
            Rule::Names if is_directory => Part::All,
            Rule::Bytes if !is_directory => Part::All,
            Rule::Nothing | Rule::Names | Rule::Bytes => Part::None,
            Rule::AllBut(one) => Part::AllBut(one.wrapping_sub(self.decided)),
            Rule::Only(one) => Part::Only(one.wrapping_sub(self.decided)),
            Rule::Mixed => self.any_part(count),
        };
        self.decided += count;
        let left: Vec<_> = (0..count)
            .map(|at| match part {
                Part::None => false,
                Part::All => true,
                Part::First(end) => at < end,
                Part::AllBut(one) => at != one,
                Part::Only(one) => at == one,
                Part::Some { percent } => self.rng.u8(..100) < percent,
            })
            .collect();
        for (change, _) in pending.iter().zip(&left).filter(|(_, left)| !**left) {
            self.lost.push(format!("{path}: {:?} of line {}", change.what, change.ended + 1));
        }
        left
    }

    fn any_part(&mut self, count: usize) -> Part {
        match self.rng.u8(..7) {
            0 => Part::None,
            1 => Part::All,
            2 => Part::First(self.rng.usize(..=count)),
            3 => Part::AllBut(self.rng.usize(..count.max(1))),
            4 => Part::Only(self.rng.usize(..count.max(1))),
            _ => Part::Some { percent: [10, 50, 90][self.rng.usize(..3)] },
        }
    }

    fn is_mixed(&self) -> bool {
        matches!(self.rule, Rule::Mixed)
    }

    /// Tears a write: some of its sectors are there, or what is there ends amid it.
    fn torn(&mut self, write: &Write, is_last: bool) -> Vec<Write> {
        let Write::Bytes { at, bytes } = write else { return vec![write.clone()] };
        if is_last && self.rng.bool() {
            return vec![Write::Bytes { at: *at, bytes: bytes[..self.rng.usize(..bytes.len())].to_vec() }];
        }
        let mut sectors = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let end = (start + SECTOR_BYTES - (at + start) % SECTOR_BYTES).min(bytes.len());
            if self.rng.bool() {
                sectors.push(Write::Bytes { at: at + start, bytes: bytes[start..end].to_vec() });
            }
            start = end;
        }
        sectors
    }

    /// A file's bytes after the cut.
    fn bytes(&mut self, path: &str, sure: &[u8], seen_bytes: usize, pending: &[Change<Write>]) -> Vec<u8> {
        let left = self.left(path, pending, false);
        let mut bytes = sure.to_vec();
        for (at, (change, _)) in pending.iter().zip(left).enumerate().filter(|(_, (_, left))| *left) {
            if self.is_mixed() && self.rng.u8(..4) == 0 {
                self.lost.push(format!("{path}: parts of {:?} of line {}", change.what, change.ended + 1));
                let torn = self.torn(&change.what, at + 1 == pending.len());
                torn.iter().for_each(|write| write.apply(&mut bytes));
            } else {
                change.what.apply(&mut bytes);
            }
        }
        // A file may have become longer before its bytes were there.
        if bytes.len() < seen_bytes && self.rng.u8(..3) == 0 {
            let length = if self.rng.bool() { seen_bytes } else { self.rng.usize(bytes.len()..seen_bytes) };
            self.lost.push(format!("{path}: zeros from {} to {length}", bytes.len()));
            bytes.resize(length, 0);
        }
        bytes
    }

    /// Writes what is left below `path`, which must not be there.
    pub(super) fn write(&mut self, disk: &Disk, to: &Path) {
        self.write_object(disk, 0, "", to);
    }

    fn write_object(&mut self, disk: &Disk, node: Node, path: &str, to: &Path) {
        match &disk.objects[node] {
            Object::File(file) => {
                let bytes = self.bytes(path, &file.sure, file.seen.len(), &file.pending);
                fs::write(to, bytes).unwrap();
            }
            Object::Directory(directory) => {
                fs::create_dir(to).unwrap();
                let left = self.left(path, &directory.pending, true);
                for (name, node) in entries(&directory.sure, &directory.pending, &left) {
                    self.write_object(disk, node, &format!("{path}/{name}"), &to.join(name));
                }
            }
        }
    }
}

fn entries(
    sure: &BTreeMap<String, Node>,
    pending: &[Change<Entry>],
    left: &[bool],
) -> BTreeMap<String, Node> {
    let mut entries = sure.clone();
    let left = pending.iter().zip(left).filter(|(_, left)| **left);
    left.for_each(|(change, _)| change.what.apply(&mut entries));
    entries
}
