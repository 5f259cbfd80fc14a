//! A recording as it is judged: its calls, and when each write was sent and answered.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use seenby::domain::Timestamp;

use super::{
    record::{NUMBER_FIELD, lives},
    trace::{self, Call},
};

/// When a write was sent and answered, in lines of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// The server had some of it.
    pub(super) sent: usize,
    /// The server began to answer.
    pub(super) answered: Option<usize>,
}

/// One life of the server.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) calls: Vec<Call>,
    /// The line behind its last.
    pub(super) end: usize,
    /// The directory as it was left.
    pub(super) left: PathBuf,
}

#[derive(Debug)]
pub(super) struct Run {
    pub(super) seed: u64,
    /// The directory that the data directory was made in.
    pub(super) work: PathBuf,
    pub(super) lives: Vec<Life>,
    /// An instant after the end of all messages that were to end soon, and before that of the others.
    pub(super) now: Timestamp,
    /// The writes of each writer that the server ever saw.
    pub(super) asked: Vec<Vec<Asked>>,
}

impl Run {
    /// Reads a recording.
    pub(super) fn read(directory: &Path) -> Self {
        let number = |name: &str| fs::read_to_string(directory.join(name)).unwrap().parse::<u64>().unwrap();
        let mut run = Self {
            seed: number("seed"),
            work: directory.join("work"),
            lives: Vec::new(),
            now: Timestamp { unix_ms: number("begun_ms") + 3_600_000 },
            asked: vec![Vec::new(); usize::try_from(number("writers")).unwrap()],
        };
        let mut first = 0;
        for life in lives(directory) {
            let text = fs::read_to_string(life.join("trace")).unwrap();
            let (calls, lines) = trace::read(&text, first);
            first += lines;
            run.hear(&calls);
            run.lives.push(Life { calls, end: first, left: life.join("left") });
        }
        run
    }

    /// Takes down what was asked and answered in a life.
    fn hear(&mut self, calls: &[Call]) {
        let mut heard: HashMap<u64, (usize, Vec<u8>)> = HashMap::new();
        for call in calls.iter().filter(|call| is_socket(call)) {
            let Some(number) = call.descriptor(0) else { continue };
            match call.name.as_str() {
                "recvfrom" | "read" if !call.failed() => {
                    let Some((ended, _)) = call.ended else { continue };
                    let (_, text) = heard.entry(number).or_insert_with(|| (ended, Vec::new()));
                    text.extend(call.bytes());
                }
                "write" | "writev" | "sendto" | "sendmsg" => {
                    let bytes = call.bytes();
                    if let Some(status) = bytes.strip_prefix(b"HTTP/1.1 ")
                        && let Some((sent, text)) = heard.remove(&number)
                        && let Some((writer, write)) = numbers(&text)
                    {
                        self.note(writer, write, sent, (status[0] != b'5').then_some(call.began));
                    }
                }
                "close" => {
                    if let Some((sent, text)) = heard.remove(&number)
                        && let Some((writer, write)) = numbers(&text)
                    {
                        self.note(writer, write, sent, None);
                    }
                }
                _ => {}
            }
        }
        for (sent, text) in heard.into_values() {
            if let Some((writer, write)) = numbers(&text) {
                self.note(writer, write, sent, None);
            }
        }
    }

    fn note(&mut self, writer: usize, write: usize, sent: usize, answered: Option<usize>) {
        let asked = &mut self.asked[writer];
        if write == asked.len() {
            asked.push(Asked { sent, answered });
        } else {
            // Asked for again, since there was no answer.
            let last = asked.last_mut().expect("writes are numbered from 0");
            last.answered = last.answered.or(answered);
        }
    }

    /// How many writes of each writer were answered before a line, and how many were sent.
    pub(super) fn bounds(&self, line: usize) -> Vec<(usize, usize)> {
        let bounds = |asked: &Vec<Asked>| {
            let answered =
                asked.iter().filter(|asked| asked.answered.is_some_and(|answered| answered <= line));
            (answered.count(), asked.iter().filter(|asked| asked.sent <= line).count())
        };
        self.asked.iter().map(bounds).collect()
    }
}

fn is_socket(call: &Call) -> bool {
    let target = call.target();
    ["socket:", "TCP:"].iter().any(|kind| target.starts_with(kind))
}

/// The writer and the number that a request names.
fn numbers(request: &[u8]) -> Option<(usize, usize)> {
    let text = String::from_utf8_lossy(request);
    let (_, rest) = text.split_once(NUMBER_FIELD)?;
    let (writer, number) = rest.split_once(';')?.0.split_once(' ')?;
    Some((writer.parse().ok()?, number.parse().ok()?))
}
