//! What strace wrote of one life of the server, as calls with a beginning and an end.
//!
//! A line's number is its time: strace stops a thread at each call's begin and end, so what one call causes in another
//! thread comes later in the file. Text and paths are in hexadecimal (`-xx`): nothing in them looks like syntax.

use std::collections::HashMap;

/// What strace is started with, up to the file that it writes to: every call that changes a file or a name, makes one
/// durable, moves a position in a file, or talks over a socket. `-D`: the server is the child, strace is beside it.
pub(super) const STRACE: [&str; 10] = [
    "strace",
    "-D",
    "-f",
    "-y",
    "-xx",
    "-s",
    "33554432",
    "-e",
    "trace=open,openat,openat2,creat,close,dup,dup2,dup3,lseek,read,readv,recvfrom,write,writev,pwrite64,pwritev,pwritev2,\
     sendto,sendmsg,ftruncate,truncate,fallocate,fsync,fdatasync,sync,syncfs,copy_file_range,sendfile,splice,\
     rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,io_uring_setup",
    "-o",
];

/// One system call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    /// The line where it began.
    pub(super) began: usize,
    /// The line where it ended, and what it returned (for a new descriptor its number); none if the process died in it.
    pub(super) ended: Option<(usize, i64)>,
}

impl Call {
    /// An argument that is a descriptor; none for `AT_FDCWD`.
    pub(super) fn descriptor(&self, at: usize) -> Option<u64> {
        self.arguments[at].split('<').next().and_then(|number| number.parse().ok())
    }

    /// An argument that is a number.
    pub(super) fn number(&self, at: usize) -> u64 {
        self.arguments[at].parse().unwrap_or_else(|_| panic!("argument {at} of {self:?} is no number"))
    }

    /// An argument that is a path, made absolute by the descriptor before it, if there is one.
    pub(super) fn path(&self, at: usize) -> String {
        let path = String::from_utf8(quoted(&self.arguments[at])).unwrap();
        if path.starts_with('/') {
            return path;
        }
        let (_, above) = self.arguments[at.saturating_sub(1)].split_once('<').expect("a directory is named");
        format!("{}/{path}", String::from_utf8(plain(above)).unwrap())
    }

    /// The path or socket behind its first argument; empty if that is none.
    pub(super) fn target(&self) -> String {
        let target = self.arguments[0].split_once('<').map_or("", |(_, target)| target);
        String::from_utf8(plain(target)).unwrap()
    }

    /// All bytes in its arguments.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.arguments[1..].iter().flat_map(|argument| quoted(argument)).collect()
    }

    /// Whether it ended well, in so far as it is known.
    pub(super) fn failed(&self) -> bool {
        self.ended.is_some_and(|(_, returned)| returned < 0)
    }
}

/// The text in strace's hexadecimal: `\x61\x62`. What follows it is left aside.
fn plain(hexadecimal: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| u8::try_from(digit).expect("a digit"));
    let four = hexadecimal.as_bytes().chunks_exact(4).take_while(|four| four.starts_with(b"\\x"));
    four.map(|four| digit(four[2]).unwrap() << 4 | digit(four[3]).unwrap()).collect()
}

/// What stands between quotes, one after the other.
fn quoted(argument: &str) -> Vec<u8> {
    argument.split('"').skip(1).step_by(2).flat_map(plain).collect()
}

/// Parts a call's arguments at its commas, those inside of brackets excepted.
fn parted(arguments: &str) -> Vec<String> {
    let mut depth = 0;
    let is_end = |char: char| {
        match char {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        char == ',' && depth == 0
    };
    arguments.split(is_end).map(|part| part.trim().to_owned()).collect()
}

/// A call's arguments and what it returned, from the text behind its opening bracket.
fn finished(text: &str) -> (Vec<String>, Option<i64>) {
    let (arguments, returned) = text.rsplit_once(" = ").unwrap_or_else(|| panic!("no result in {text:.200}"));
    let arguments = arguments.trim_end();
    let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
    let number = returned.split([' ', '<']).next().expect("a first part");
    let number = number
        .strip_prefix("0x")
        .map_or_else(|| number.parse().ok(), |hex| i64::from_str_radix(hex, 16).ok());
    (parted(arguments), number)
}

/// Reads what strace wrote; `first` is the number of its first line. Whatever is not a call (a signal, the end of a
/// thread) is left aside. Also returns how many lines there were.
pub(super) fn read(trace: &str, first: usize) -> (Vec<Call>, usize) {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: HashMap<&str, (usize, String)> = HashMap::new();
    let mut lines = 0;
    for (at, line) in (first..).zip(trace.lines()) {
        lines += 1;
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix("<... ") {
            // A process that is killed may be said to resume what was never shown. Were it a call that matters, the
            // playback would differ from what the process left.
            let Some((call, begun)) = open.remove(thread) else { continue };
            let (_, rest) = rest.split_once(" resumed>").expect("strace says what is resumed");
            let (arguments, returned) = finished(&(begun + rest));
            calls[call].arguments = arguments;
            calls[call].ended = returned.map(|returned| (at, returned));
            continue;
        }
        let Some((name, text)) = rest.split_once('(') else { continue };
        if !name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') {
            continue;
        }
        let (arguments, ended) = if let Some(begun) = text.strip_suffix(" <unfinished ...>") {
            open.insert(thread, (calls.len(), begun.to_owned()));
            (parted(begun), None)
        } else {
            let (arguments, returned) = finished(text);
            (arguments, returned.map(|returned| (at, returned)))
        };
        calls.push(Call { name: name.to_owned(), arguments, began: at, ended });
    }
    (calls, lines)
}
