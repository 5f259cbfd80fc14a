//! Traces: what happened in a group chat, as facts only, and what receipts must come of it.
//!
//! A trace is lines of tab-separated fields, in the order of time: `seconds join user`, `seconds leave user` and
//! `seconds post user number`. [`Trace::read`] reads one strictly, [`Trace::generate`] makes one up, and
//! [`expected()`] works out from the trace alone who must have read what. Nothing here knows the server: no shape
//! of the wire, no slot, no bit; only names and sets of them, so that it can judge the server's answers.

mod expected;
mod generate;

use std::{
    collections::{BTreeSet, HashMap},
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use expected::{Expected, ExpectedMessage, expected};
pub use generate::{Made, MemberCount};

/// A user's name.
pub type Name = Arc<str>;

/// What happened in one group chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The file's name without its ending, or what it was generated from.
    pub name: String,
    /// In the order of time. Who joins is not there, who leaves or posts is, and numbers of posts rise.
    pub events: Vec<Event>,
}

/// One line of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since the first event.
    pub at_ms: u64,
    /// Who did it.
    pub user: Name,
    /// What they did.
    pub act: Act,
}

/// What a user did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Came into the channel.
    Join,
    /// Left it.
    Leave,
    /// Posted the message of this number.
    Post(u64),
}

/// Why a trace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read.
    #[error("cannot read the trace {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line is not one of a trace.
    #[error("{name}, line {line}: {what}")]
    Line {
        /// The trace.
        name: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// Nobody posts anything, so there is nothing to compare.
    #[error("{name}: nobody posts anything in it")]
    NoPosts {
        /// The trace.
        name: String,
    },
}

impl Trace {
    /// Reads the trace in a file.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let file = |source| TraceError::File { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(file)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match Self::parse(&name, &text) {
            Err(TraceError::Line { line, what, .. }) => {
                Err(TraceError::Line { name: path.display().to_string(), line, what })
            }
            done => done,
        }
    }

    /// Reads `text` as the trace called `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self, TraceError> {
        let mut reading = Reading::default();
        for (at, line) in text.lines().enumerate() {
            let wrong = |what| TraceError::Line { name: name.to_owned(), line: at + 1, what };
            reading.line(line).map_err(wrong)?;
        }
        let trace = Self { name: name.to_owned(), events: reading.events };
        if trace.posts() == 0 {
            return Err(TraceError::NoPosts { name: trace.name });
        }
        Ok(trace)
    }

    /// Posts in the trace.
    #[must_use]
    pub fn posts(&self) -> usize {
        self.events.iter().filter(|event| matches!(event.act, Act::Post(_))).count()
    }

    /// Milliseconds from the first event to the last.
    #[must_use]
    pub fn length_ms(&self) -> u64 {
        self.events.last().map_or(0, |event| event.at_ms)
    }
}

/// Writes what [`Trace::parse`] reads.
impl fmt::Display for Trace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Event { at_ms, user, act } in &self.events {
            let (seconds, millis) = (at_ms / 1_000, at_ms % 1_000);
            match act {
                Act::Join => writeln!(out, "{seconds}.{millis:03}\tjoin\t{user}")?,
                Act::Leave => writeln!(out, "{seconds}.{millis:03}\tleave\t{user}")?,
                Act::Post(number) => writeln!(out, "{seconds}.{millis:03}\tpost\t{user}\t{number}")?,
            }
        }
        Ok(())
    }
}

/// A trace as far as it has been read.
#[derive(Default)]
struct Reading {
    events: Vec<Event>,
    names: HashMap<String, Name>,
    present: BTreeSet<Name>,
    highest: Option<u64>,
}

impl Reading {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let mut fields = line.split('\t');
        let (Some(seconds), Some(word), Some(user)) = (fields.next(), fields.next(), fields.next()) else {
            return Err("a line is 'seconds, what, user', separated by tabs".to_owned());
        };
        let at_ms = millis(seconds).ok_or_else(|| format!("'{seconds}' is not a time in seconds"))?;
        if self.events.last().is_some_and(|before| at_ms < before.at_ms) {
            return Err(format!("the time {seconds} is before that of the line above"));
        }
        if user.is_empty() {
            return Err("there is no user".to_owned());
        }
        let user = self.names.entry(user.to_owned()).or_insert_with(|| user.into()).clone();
        let act = match word {
            "join" => Act::Join,
            "leave" => Act::Leave,
            "post" => {
                let number = fields.next().ok_or("a post has a number")?;
                Act::Post(number.parse().map_err(|_| format!("'{number}' is not the number of a post"))?)
            }
            other => return Err(format!("'{other}' is none of join, leave and post")),
        };
        if let Some(more) = fields.next() {
            return Err(format!("'{more}' is one field too many"));
        }
        self.happen(Event { at_ms, user, act })
    }

    /// Takes the event if it can have happened.
    fn happen(&mut self, event: Event) -> Result<(), String> {
        let user = &event.user;
        match event.act {
            Act::Join if !self.present.insert(user.clone()) => {
                return Err(format!("{user} joins, and is there already"));
            }
            Act::Leave if !self.present.remove(user) => {
                return Err(format!("{user} leaves, and is not there"));
            }
            Act::Post(_) if !self.present.contains(user) => {
                return Err(format!("{user} posts, and is not there"));
            }
            Act::Post(number) if self.highest.is_some_and(|highest| number <= highest) => {
                return Err(format!("the number {number} is not above that of the post before"));
            }
            Act::Post(number) => self.highest = Some(number),
            Act::Join | Act::Leave => {}
        }
        self.events.push(event);
        Ok(())
    }
}

/// `6.7`: 6,700. At most three decimals.
fn millis(seconds: &str) -> Option<u64> {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 3 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000)?.checked_add(format!("{part:0<3}").parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_as_written() {
        let text = "0.0\tjoin\tu1\n6.7\tpost\tu1\t1\n6.75\tjoin\tu 2\n8\tleave\tu1\n";
        let trace = Trace::parse("t", text).unwrap();
        let at: Vec<_> = trace.events.iter().map(|event| event.at_ms).collect();
        assert_eq!(at, [0, 6_700, 6_750, 8_000]);
        assert_eq!(trace.events[1].act, Act::Post(1));
        assert_eq!(&*trace.events[2].user, "u 2");
        assert_eq!((trace.posts(), trace.length_ms()), (1, 8_000));
        assert_eq!(Trace::parse("t", &trace.to_string()).unwrap(), trace);
    }

    #[test]
    fn whatever_is_wrong_is_told_with_its_line() {
        let there = "0.0\tjoin\tu1\n1.0\tpost\tu1\t5\n";
        for (line, what) in [
            ("", "separated by tabs"),
            ("2.0 join u2", "separated by tabs"),
            ("2.0\tjoin", "separated by tabs"),
            ("2.0\tjoin\t", "no user"),
            ("2.0\tjump\tu2", "none of join, leave and post"),
            ("0.9\tjoin\tu2", "before that of the line above"),
            ("-1\tjoin\tu2", "not a time"),
            ("1e3\tjoin\tu2", "not a time"),
            ("2.0001\tjoin\tu2", "not a time"),
            ("2.\tjoin\tu2", "not a time"),
            ("99999999999999999999\tjoin\tu2", "not a time"),
            ("2.0\tjoin\tu1", "is there already"),
            ("2.0\tleave\tu2", "is not there"),
            ("2.0\tpost\tu2\t6", "is not there"),
            ("2.0\tpost\tu1\t5", "not above"),
            ("2.0\tpost\tu1\tsix", "not the number"),
            ("2.0\tpost\tu1", "has a number"),
            ("2.0\tpost\tu1\t6\tx", "one field too many"),
            ("2.0\tjoin\tu2\tx", "one field too many"),
        ] {
            let error = Trace::parse("t", &format!("{there}{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with("t, line 3: ") && error.contains(what), "{line:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Trace::read(Path::new("no/such.tsv")).unwrap_err().to_string();
        assert!(error.contains("no/such.tsv"), "{error}");
    }
}
