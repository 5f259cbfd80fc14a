//! A disk of files and directories that remembers what was synced and what was not.
//!
//! Each file has the bytes that are sure, those that a process sees, and the changes between the two. So has each
//! directory with its entries. A sync makes sure what had ended before the sync began. `image` makes of it what a power
//! cut may leave.
//!
//! It takes for granted no more than POSIX and ext4 promise: a sync of a file says nothing of its name, changes of one
//! file or directory that were not synced may be there or not, each on its own, and a rename is there as a whole or not
//! at all.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// The number of a file or directory.
pub(super) type Node = usize;

/// A change that a power cut may take back.
#[derive(Debug, Clone)]
pub(super) struct Change<T> {
    pub(super) what: T,
    /// The line of the trace where the call ended that made it.
    pub(super) ended: usize,
}

/// A change of a file.
#[derive(Clone)]
pub(super) enum Write {
    Bytes { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl fmt::Debug for Write {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { at, bytes } => write!(out, "{} bytes at {at}", bytes.len()),
            Self::Length(length) => write!(out, "length {length}"),
        }
    }
}

/// A change of a directory.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Set { name: String, node: Node },
    Remove { name: String },
    Move { from: String, to: String, node: Node },
}

/// What is sure, what is seen, and the changes between the two.
#[derive(Debug)]
pub(super) struct State<T, C> {
    pub(super) sure: T,
    pub(super) seen: T,
    pub(super) pending: Vec<Change<C>>,
}

pub(super) type File = State<Vec<u8>, Write>;
pub(super) type Directory = State<BTreeMap<String, Node>, Entry>;

/// How a change is done to what it changes.
pub(super) trait Apply<T> {
    fn apply(&self, to: &mut T);
}

impl Apply<Vec<u8>> for Write {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Bytes { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
            Self::Length(length) => to.resize(*length, 0),
        }
    }
}

impl Apply<BTreeMap<String, Node>> for Entry {
    fn apply(&self, to: &mut BTreeMap<String, Node>) {
        match self {
            Self::Set { name, node } => {
                to.insert(name.clone(), *node);
            }
            Self::Remove { name } => {
                to.remove(name);
            }
            Self::Move { from, to: name, node } => {
                to.remove(from);
                to.insert(name.clone(), *node);
            }
        }
    }
}

impl<T: Default, C: Apply<T>> State<T, C> {
    fn new() -> Self {
        Self { sure: T::default(), seen: T::default(), pending: Vec::new() }
    }

    fn change(&mut self, what: C, ended: usize) {
        what.apply(&mut self.seen);
        self.pending.push(Change { what, ended });
    }

    /// Makes sure what had ended before the line `began`.
    fn sync(&mut self, began: usize) {
        let (sure, pending) =
            std::mem::take(&mut self.pending).into_iter().partition(|change| change.ended < began);
        self.pending = pending;
        let sure: Vec<Change<C>> = sure;
        sure.iter().for_each(|change| change.what.apply(&mut self.sure));
    }
}

#[derive(Debug)]
pub(super) enum Object {
    File(File),
    Directory(Directory),
}

/// All of it. The first object is the directory that everything stands in.
#[derive(Debug)]
pub(super) struct Disk {
    /// Where the first directory was when the trace was made.
    root: PathBuf,
    pub(super) objects: Vec<Object>,
}

impl Disk {
    /// An empty directory at `root`, which was there for ever.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), objects: vec![Object::Directory(State::new())] }
    }

    /// The names that lead from the first directory to `path`; none if that is elsewhere.
    fn names<'a>(&self, path: &'a str) -> Option<Vec<&'a str>> {
        let inside = Path::new(path).strip_prefix(&self.root).ok()?;
        inside.iter().map(|name| name.to_str()).collect()
    }

    /// A path as it is below the first directory; none if it is elsewhere.
    pub(super) fn below(&self, path: &str) -> Option<PathBuf> {
        Some(self.names(path)?.into_iter().collect())
    }

    /// Whether a path is on this disk.
    pub(super) fn has(&self, path: &str) -> bool {
        self.names(path).is_some()
    }

    /// What is at a path, as a process sees it.
    pub(super) fn find(&self, path: &str) -> Option<Node> {
        self.names(path)?.into_iter().try_fold(0, |above, name| self.directory(above).seen.get(name).copied())
    }

    /// The directory that a path stands in, and its name there.
    fn place<'a>(&self, path: &'a str) -> (Node, &'a str) {
        let (above, name) = path.trim_end_matches('/').rsplit_once('/').expect("paths are absolute");
        (self.find(above).unwrap_or_else(|| panic!("{above} is not there")), name)
    }

    pub(super) fn file(&mut self, node: Node) -> &mut File {
        match &mut self.objects[node] {
            Object::File(file) => file,
            Object::Directory(_) => panic!("a directory is written to"),
        }
    }

    pub(super) fn directory(&self, node: Node) -> &Directory {
        match &self.objects[node] {
            Object::Directory(directory) => directory,
            Object::File(_) => panic!("a file has entries"),
        }
    }

    fn change_entry(&mut self, above: Node, entry: Entry, ended: usize) {
        match &mut self.objects[above] {
            Object::Directory(directory) => directory.change(entry, ended),
            Object::File(_) => panic!("a file has entries"),
        }
    }

    fn put(&mut self, path: &str, object: Object, ended: usize) -> Node {
        let node = self.objects.len();
        self.objects.push(object);
        let (above, name) = self.place(path);
        self.change_entry(above, Entry::Set { name: name.to_owned(), node }, ended);
        node
    }

    pub(super) fn make_file(&mut self, path: &str, ended: usize) -> Node {
        self.put(path, Object::File(State::new()), ended)
    }

    pub(super) fn make_directory(&mut self, path: &str, ended: usize) -> Node {
        self.put(path, Object::Directory(State::new()), ended)
    }

    pub(super) fn remove(&mut self, path: &str, ended: usize) {
        let (above, name) = self.place(path);
        self.change_entry(above, Entry::Remove { name: name.to_owned() }, ended);
    }

    pub(super) fn rename(&mut self, from: &str, to: &str, ended: usize) {
        let node = self.find(from).unwrap_or_else(|| panic!("{from} is not there"));
        let ((above, from), (above_after, to)) = (self.place(from), self.place(to));
        assert_eq!(above, above_after, "renames from one directory to another are not known here");
        self.change_entry(above, Entry::Move { from: from.to_owned(), to: to.to_owned(), node }, ended);
    }

    pub(super) fn write(&mut self, node: Node, write: Write, ended: usize) {
        if matches!(&write, Write::Bytes { bytes, .. } if bytes.is_empty()) {
            return;
        }
        self.file(node).change(write, ended);
    }

    pub(super) fn sync(&mut self, node: Node, began: usize) {
        match &mut self.objects[node] {
            Object::File(file) => file.sync(began),
            Object::Directory(directory) => directory.sync(began),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sure(disk: &Disk, node: Node) -> &[u8] {
        match &disk.objects[node] {
            Object::File(file) => &file.sure,
            Object::Directory(_) => panic!("a directory"),
        }
    }

    #[test]
    fn a_sync_makes_sure_what_had_ended_before_it_began_and_no_names() {
        let mut disk = Disk::new(Path::new("/d"));
        let node = disk.make_file("/d/a", 1);
        disk.write(node, Write::Bytes { at: 0, bytes: b"abc".to_vec() }, 2);
        disk.write(node, Write::Bytes { at: 5, bytes: b"d".to_vec() }, 4);
        disk.sync(node, 3);
        assert_eq!(sure(&disk, node), b"abc");
        assert_eq!(disk.file(node).seen, b"abc\0\0d");
        assert!(disk.directory(0).sure.is_empty(), "its name is not sure");
        disk.sync(0, 5);
        assert_eq!(disk.directory(0).sure.len(), 1);
        disk.rename("/d/a", "/d/b", 6);
        assert_eq!((disk.find("/d/a"), disk.find("/d/b")), (None, Some(node)));
        assert!(disk.directory(0).sure.contains_key("a"), "nor is its new one");
        disk.write(node, Write::Length(1), 7);
        disk.sync(node, 8);
        assert_eq!(sure(&disk, node), b"a");
    }
}
