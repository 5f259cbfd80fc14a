//! A run played back: its calls, one after the other, done to a `disk`, with what was asked and answered in between.

use std::{collections::HashMap, path::Path};

use super::{
    disk::{Disk, Node, Object, Write},
    trace::Call,
};

/// Which syncs the disk of a playback takes for what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syncs {
    All,
    /// Not those of files with such an ending: to show that it would be found.
    AllBut(&'static str),
    /// Not those of directories.
    Files,
}

/// An open file or directory.
#[derive(Debug, Clone, Copy)]
struct Opened {
    node: Node,
    position: usize,
    appends: bool,
}

/// A disk that calls are done to, and the descriptors of the process that makes them.
#[derive(Debug)]
pub(super) struct Playback {
    pub(super) disk: Disk,
    opened: HashMap<u64, Opened>,
    syncs: Syncs,
}

/// A step of a playback: what a call does when it begins, or when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) call: usize,
    is_end: bool,
}

/// The steps of calls by their lines. A call that the process died in has none.
pub(super) fn steps(calls: &[Call]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let Some((ended, _)) = call.ended.filter(|_| !call.failed()) else { continue };
        steps.push(Step { line: call.began, call: at, is_end: false });
        steps.push(Step { line: ended, call: at, is_end: true });
    }
    steps.sort_by_key(|step| step.line);
    steps
}

impl Playback {
    pub(super) fn new(root: &Path, syncs: Syncs) -> Self {
        Self { disk: Disk::new(root), opened: HashMap::new(), syncs }
    }

    /// Does one step. Changes are done at a call's begin: from there on the disk may have them. Syncs count from their
    /// end, and only for what had ended when they began.
    pub(super) fn step(&mut self, step: Step, call: &Call) {
        let (ended, returned) = call.ended.expect("steps are of calls that ended");
        match (call.name.as_str(), step.is_end) {
            ("open" | "creat" | "openat2" | "dup" | "dup2" | "dup3", _) => self.is_elsewhere(call),
            ("openat", false) => self.make(call, ended),
            ("openat", true) => self.open(call, returned),
            ("close", false) => {
                self.opened.remove(&call.descriptor(0).expect("a descriptor"));
            }
            ("read", true) => self.move_on(call, returned),
            ("lseek", true) => {
                if let Some(opened) = self.behind(call, 0) {
                    opened.position = size(returned);
                }
            }
            ("write" | "pwrite64" | "ftruncate" | "fallocate" | "copy_file_range", false) => {
                self.write(call, ended, returned);
            }
            ("fsync" | "fdatasync", true) => self.sync(call),
            ("rename" | "mkdir" | "mkdirat" | "unlink" | "unlinkat" | "rmdir", false) => {
                self.rename_or_so(call, ended);
            }
            (
                "writev" | "pwritev" | "pwritev2" | "readv" | "sendto" | "sendmsg" | "recvfrom" | "sendfile"
                | "splice",
                _,
            ) => {
                let is_ours = (0..2.min(call.arguments.len())).any(|at| self.behind(call, at).is_some());
                assert!(!is_ours, "a call that is not known here: {call:?}");
            }
            ("read" | "lseek" | "fsync" | "fdatasync", false)
            | (
                "close" | "write" | "pwrite64" | "ftruncate" | "fallocate" | "copy_file_range" | "rename"
                | "mkdir" | "mkdirat" | "unlink" | "unlinkat" | "rmdir",
                true,
            ) => {}
            _ => panic!("a call that is not known here: {call:?}"),
        }
    }

    /// Calls that are known only where they do nothing to this disk.
    fn is_elsewhere(&self, call: &Call) {
        let is_ours = call.arguments[0].starts_with('"') && self.disk.has(&call.path(0))
            || call.descriptor(0).is_some_and(|number| self.opened.contains_key(&number));
        assert!(!is_ours, "a call that is not known here: {call:?}");
    }

    /// What is open behind an argument of a call, if it is on this disk.
    fn behind(&mut self, call: &Call, at: usize) -> Option<&mut Opened> {
        self.opened.get_mut(&call.descriptor(at)?)
    }

    /// The part of an `openat` that changes the disk.
    fn make(&mut self, call: &Call, ended: usize) {
        let (path, flags) = (call.path(1), &call.arguments[2]);
        if !self.disk.has(&path) {
            return;
        }
        let node = self.disk.find(&path).unwrap_or_else(|| {
            assert!(flags.contains("O_CREAT"), "{path} was opened and is not there");
            self.disk.make_file(&path, ended)
        });
        if flags.contains("O_TRUNC") && !self.disk.file(node).seen.is_empty() {
            self.disk.write(node, Write::Length(0), ended);
        }
    }

    fn open(&mut self, call: &Call, returned: i64) {
        if let Some(node) = self.disk.find(&call.path(1)) {
            let appends = call.arguments[2].contains("O_APPEND");
            let number = u64::try_from(returned).expect("it succeeded");
            self.opened.insert(number, Opened { node, position: 0, appends });
        }
    }

    fn move_on(&mut self, call: &Call, returned: i64) {
        if let Some(opened) = self.behind(call, 0) {
            opened.position += size(returned);
        }
    }

    fn write(&mut self, call: &Call, ended: usize, returned: i64) {
        let into = if call.name == "copy_file_range" { 2 } else { 0 };
        let Some(&mut Opened { node, position, appends }) = self.behind(call, into) else { return };
        let write = match call.name.as_str() {
            "ftruncate" | "fallocate" => Write::Length(length(call, self.disk.file(node).seen.len())),
            "pwrite64" => {
                Write::Bytes { at: size(call.number(3).cast_signed()), bytes: written(call, returned) }
            }
            "write" => {
                let at = if appends { self.disk.file(node).seen.len() } else { position };
                let bytes = written(call, returned);
                self.behind(call, into).expect("it is open").position = at + bytes.len();
                Write::Bytes { at, bytes }
            }
            _ => {
                assert!(call.arguments[1] == "NULL" && call.arguments[3] == "NULL", "{call:?}");
                let from = self.behind(call, 0).expect("files are copied within the disk");
                let (source, start) = (from.node, from.position);
                let bytes = self.disk.file(source).seen[start..start + size(returned)].to_vec();
                self.behind(call, 0).expect("it is open").position += bytes.len();
                self.behind(call, into).expect("it is open").position += bytes.len();
                Write::Bytes { at: position, bytes }
            }
        };
        self.disk.write(node, write, ended);
    }

    fn sync(&mut self, call: &Call) {
        let Some(&mut Opened { node, .. }) = self.behind(call, 0) else { return };
        let counts = match (self.syncs, &self.disk.objects[node]) {
            (Syncs::Files, Object::Directory(_)) => false,
            (Syncs::AllBut(ending), Object::File(_)) => {
                !self.name(node).is_some_and(|name| name.ends_with(ending))
            }
            _ => true,
        };
        if counts {
            self.disk.sync(node, call.began);
        }
    }

    /// The name that a process sees a file under.
    fn name(&self, node: Node) -> Option<&str> {
        let entries = self.disk.objects.iter().filter_map(|object| match object {
            Object::Directory(directory) => Some(&directory.seen),
            Object::File(_) => None,
        });
        entries.flatten().find_map(|(name, at)| (*at == node).then_some(name.as_str()))
    }

    fn rename_or_so(&mut self, call: &Call, ended: usize) {
        let path = call.path(usize::from(call.name.ends_with("at")));
        if !self.disk.has(&path) {
            return;
        }
        match call.name.as_str() {
            "rename" => self.disk.rename(&path, &call.path(1), ended),
            "mkdir" | "mkdirat" => {
                self.disk.make_directory(&path, ended);
            }
            _ => self.disk.remove(&path, ended),
        }
    }

    /// The process has ended, and left `left` on the disk. `calls` are those that it died in: what it left says how far
    /// each came.
    pub(super) fn end(&mut self, calls: &[&Call], left: &Path, line: usize) {
        for call in calls {
            self.settle(call, left, line);
        }
        self.opened.clear();
        self.compare(0, left);
    }

    /// How far a call came that the process died in.
    fn settle(&mut self, call: &Call, left: &Path, line: usize) {
        let real = |disk: &Disk, path: &str| disk.below(path).map(|path| left.join(path));
        match call.name.as_str() {
            "write" | "pwrite64" => {
                let Some(&mut Opened { node, position, appends }) = self.behind(call, 0) else { return };
                let path = call.target();
                let Some(real) = real(&self.disk, &path) else { return };
                let Ok(found) = std::fs::read(real) else { return };
                let at = match call.name.as_str() {
                    "pwrite64" => size(call.number(3).cast_signed()),
                    _ if appends => self.disk.file(node).seen.len(),
                    _ => position,
                };
                let mut bytes = call.bytes();
                let same =
                    bytes.iter().zip(found.get(at..).unwrap_or_default()).take_while(|(a, b)| a == b).count();
                bytes.truncate(same);
                if !bytes.is_empty() {
                    self.disk.write(node, Write::Bytes { at, bytes }, line);
                }
            }
            "openat" | "mkdir" | "unlink" | "unlinkat" | "rmdir" | "rename" => {
                let path = call.path(usize::from(call.name.ends_with("at")));
                let Some(real) = real(&self.disk, &path) else { return };
                if real.exists() == self.disk.find(&path).is_some() {
                    return;
                }
                if call.name == "openat" { self.make(call, line) } else { self.rename_or_so(call, line) }
            }
            "ftruncate" | "fallocate" => {
                let Some(&mut Opened { node, .. }) = self.behind(call, 0) else { return };
                let Some(real) = real(&self.disk, &call.target()) else { return };
                let Ok(found) = std::fs::metadata(real) else { return };
                let (before, found) = (self.disk.file(node).seen.len(), size(found.len().cast_signed()));
                if found != before && found == length(call, before) {
                    self.disk.write(node, Write::Length(found), line);
                }
            }
            "copy_file_range" => panic!("the process died in {call:?}: record again"),
            _ => {}
        }
    }

    /// What the disk was played back to must be what there is.
    fn compare(&self, node: Node, real: &Path) {
        match &self.disk.objects[node] {
            Object::File(file) => {
                let left = std::fs::read(real).unwrap();
                let first = file.seen.iter().zip(&left).take_while(|(seen, left)| seen == left).count();
                assert!(
                    file.seen == left,
                    "{}, of {} bytes, has {} in the playback, and differs from {first} on",
                    real.display(),
                    left.len(),
                    file.seen.len()
                );
            }
            Object::Directory(directory) => {
                let mut names: Vec<_> = std::fs::read_dir(real)
                    .unwrap()
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .collect();
                names.sort();
                assert!(
                    directory.seen.keys().eq(&names),
                    "{}: {names:?}, not {:?}",
                    real.display(),
                    directory.seen
                );
                directory.seen.iter().for_each(|(name, node)| self.compare(*node, &real.join(name)));
            }
        }
    }
}

/// How long a file is after a call that says so, if it was so long `before`.
fn length(call: &Call, before: usize) -> usize {
    if call.name == "ftruncate" {
        return size(call.number(1).cast_signed());
    }
    assert!(call.number(1) == 0, "room that a file is not longer for: {call:?}");
    size((call.number(2) + call.number(3)).cast_signed()).max(before)
}

/// The bytes that a write wrote.
fn written(call: &Call, returned: i64) -> Vec<u8> {
    let mut bytes = call.bytes();
    bytes.truncate(size(returned));
    bytes
}

fn size(number: i64) -> usize {
    usize::try_from(number).expect("a size")
}

#[cfg(test)]
mod tests {
    use super::{super::trace, *};

    /// As strace writes text.
    fn hexadecimal(text: &str) -> String {
        text.bytes().fold(String::new(), |text, byte| text + &format!("\\x{byte:02x}"))
    }

    /// A life that makes a file of five bytes and dies in a call that changes its length, and leaves it so.
    fn dies_in((call, arguments): (&str, &str), left: &[u8]) -> Playback {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("f"), left).unwrap();
        let file = hexadecimal("/disk/f");
        let trace = format!(
            "1 openat(AT_FDCWD<{0}>, \"{file}\", O_RDWR|O_CREAT, 0666) = 3<{file}>\n\
             1 write(3<{file}>, \"{1}\", 5) = 5\n\
             1 {call}(3<{file}>, {arguments} <unfinished ...>\n",
            hexadecimal("/"),
            hexadecimal("hello"),
        );
        let (calls, lines) = trace::read(&trace, 0);
        let mut playback = Playback::new(Path::new("/disk"), Syncs::All);
        steps(&calls).into_iter().for_each(|step| playback.step(step, &calls[step.call]));
        let died_in: Vec<_> = calls.iter().filter(|call| call.ended.is_none()).collect();
        playback.end(&died_in, directory.path(), lines);
        playback
    }

    #[test]
    fn what_a_process_left_says_whether_the_length_it_died_setting_was_set() {
        for (call, left, is_set) in [
            (("ftruncate", "2"), &b"he"[..], true),
            (("ftruncate", "2"), b"hello", false),
            (("fallocate", "0, 5, 3"), b"hello\0\0\0", true),
            (("fallocate", "0, 5, 3"), b"hello", false),
            (("fallocate", "0, 0, 5"), b"hello", false),
        ] {
            let mut playback = dies_in(call, left);
            let node = playback.disk.find("/disk/f").unwrap();
            let file = playback.disk.file(node);
            assert_eq!(file.seen, left, "{call:?}");
            assert_eq!(file.pending.len(), 1 + usize::from(is_set), "{call:?}");
        }
    }
}
