//! Where an answer ends, and what it says, in the three protocols: HTTP/1.1, Valkey's RESP and PostgreSQL's version 3.
//!
//! Only as much of each as the servers here answer with.

use std::io::{Error, ErrorKind};

/// How a side speaks, and what a good answer is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Protocol {
    /// An answer with this status; where its units are marks, its body says how many were new.
    Http { status: u16, has_marks: bool },
    /// So many integers; where its units are marks, 0 says that one was new.
    Resp { replies: usize, has_marks: bool },
    /// Whatever it takes until the server is ready for more; the units are new rows, or those of an answer together are one.
    Postgres { has_marks: bool },
}

/// An answer that is all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Bytes.
    pub(crate) length: usize,
    /// New marks; or 1.
    pub(crate) units: usize,
}

impl Protocol {
    /// The answer that `received` begins with, once all of it is there. One that is not good is an error.
    pub(crate) fn answer(self, received: &[u8]) -> Result<Option<Answer>, Error> {
        match self {
            Self::Http { status, has_marks } => http(received, status, has_marks),
            Self::Resp { replies, has_marks } => resp(received, replies, has_marks),
            Self::Postgres { has_marks } => postgres(received, has_marks),
        }
    }
}

fn http(received: &[u8], wanted: u16, has_marks: bool) -> Result<Option<Answer>, Error> {
    let Some(head_end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = received.split_at(head_end + 4);
    let status = received.get(9..12).map_or(0, number);
    // A 304 may tell the length that its 200 would have.
    let length = if status == 304 { 0 } else { content_length(head).ok_or_else(|| bad(received))? };
    let Some(body) = body.get(..length) else { return Ok(None) };
    if status != usize::from(wanted) {
        return Err(bad(received));
    }
    // `{"marked":17,...}`: 17.
    let units = if has_marks { number(body.get(10..).unwrap_or_default()) } else { 1 };
    Ok(Some(Answer { length: head.len() + length, units }))
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length: ";
    let mut lines = head.split(|&byte| byte == b'\n');
    lines.find_map(|line| {
        let name = line.get(..NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then(|| number(&line[NAME.len()..]))
    })
}

fn resp(received: &[u8], replies: usize, has_marks: bool) -> Result<Option<Answer>, Error> {
    let (mut at, mut new) = (0, 0);
    for _ in 0..replies {
        let rest = &received[at..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
        if rest[0] != b':' {
            return Err(bad(received));
        }
        new += usize::from(rest[1] == b'0');
        at += end + 1;
    }
    Ok(Some(Answer { length: at, units: if has_marks { new } else { usize::from(new == 0) } }))
}

fn postgres(received: &[u8], has_marks: bool) -> Result<Option<Answer>, Error> {
    let (mut at, mut rows, mut inserted) = (0, 0_usize, 0);
    while let Some(message) = received.get(at..).filter(|rest| rest.len() >= 5) {
        let length = 1 + u32::from_be_bytes([message[1], message[2], message[3], message[4]]) as usize;
        let Some(content) = message.get(5..length) else { return Ok(None) };
        at += length;
        match message[0] {
            b'E' => return Err(bad(content)),
            b'D' => rows += 1,
            // `INSERT 0 20`, with a NUL behind it.
            b'C' => inserted = content.strip_prefix(b"INSERT 0 ").map_or(0, number),
            b'Z' => {
                let units = if has_marks { inserted } else { usize::from(rows > 0) };
                return Ok(Some(Answer { length: at, units }));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The digits that `text` begins with.
fn number(text: &[u8]) -> usize {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

fn bad(received: &[u8]) -> Error {
    Error::new(ErrorKind::InvalidData, format!("answered with {:?}", String::from_utf8_lossy(received)))
}

/// Appends `number` in digits: what `write!` does, in a quarter of its time.
pub(crate) fn push_number(out: &mut Vec<u8>, mut number: usize) {
    let (mut digits, mut at) = ([0; 20], 20);
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).expect("invariant: a digit");
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

/// A command of `parts`, as RESP.
pub(crate) fn push_command(out: &mut Vec<u8>, parts: &[&[u8]]) {
    out.push(b'*');
    push_number(out, parts.len());
    for part in parts {
        out.extend_from_slice(b"\r\n$");
        push_number(out, part.len());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n");
}

/// What a connection to PostgreSQL begins with: who and where, and a statement that is prepared once.
pub(crate) fn postgres_opening(user: &str, database: &str, statement: &str) -> Vec<Vec<u8>> {
    const VERSION: [u8; 4] = [0, 3, 0, 0];
    let who = format!("user\0{user}\0database\0{database}\0\0");
    let startup = [&length(8 + who.len())[..], &VERSION, who.as_bytes()].concat();
    let mut prepare = Vec::new();
    push_message(&mut prepare, b'P', format!("work\0{statement}\0\0\0").as_bytes());
    push_message(&mut prepare, b'S', b"");
    vec![startup, prepare]
}

/// A simple query.
pub(crate) fn push_query(out: &mut Vec<u8>, query: &str) {
    push_message(out, b'Q', format!("{query}\0").as_bytes());
}

/// Executes the prepared statement with these parameters, each in binary, and asks for the rows in binary.
pub(crate) fn push_execute(out: &mut Vec<u8>, parameters: &[&[u8]]) {
    // No name of a portal; the statement; one format for all parameters: binary.
    let mut bind = b"\0work\0\0\x01\0\x01".to_vec();
    bind.extend_from_slice(&u16::try_from(parameters.len()).expect("invariant: two at most").to_be_bytes());
    for parameter in parameters {
        bind.extend_from_slice(&length(parameter.len()));
        bind.extend_from_slice(parameter);
    }
    bind.extend_from_slice(b"\0\x01\0\x01");
    push_message(out, b'B', &bind);
    push_message(out, b'E', b"\0\0\0\0\0");
    push_message(out, b'S', b"");
}

/// A one-dimensional bigint[] of `count` numbers from `first` on, in binary.
pub(crate) fn bigints(first: i64, count: usize) -> Vec<u8> {
    const BIGINT: usize = 20;
    let mut array = [length(1), length(0), length(BIGINT), length(count), length(1)].concat();
    for number in (first..).take(count) {
        array.extend_from_slice(&length(8));
        array.extend_from_slice(&number.to_be_bytes());
    }
    array
}

fn push_message(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&length(4 + content.len()));
    out.extend_from_slice(content);
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("invariant: a few kilobytes").to_be_bytes()
}
