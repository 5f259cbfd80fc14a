//! A recording: lives of the real binary on one data directory, under strace, with writers that it answers.
//!
//! ```text
//!   seed  writers  begun_ms  work/data  0/trace  0/left  1/trace …    a trace of each life, and the data directory at its end
//! ```

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use super::{
    script::{Op, Writes},
    trace::STRACE,
};
use crate::{
    harness::{PATIENCE, Running, wait_for},
    process::calls::whole,
    store::crash::copy,
};

/// The field of a request that numbers it, for whoever reads the trace.
pub(super) const NUMBER_FIELD: &str = "x-write: ";

/// How a recording is made.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) writers: usize,
    /// How many answers each life gives before it ends, and how it ends.
    pub(super) lives: Vec<(usize, End)>,
    /// Settings of the server.
    pub(super) args: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Killed,
    Terminated,
}

/// A writer between two of its writes.
struct Writer {
    number: usize,
    writes: Writes,
    /// How many of them were asked for.
    asked: usize,
    /// What was asked for and not answered.
    unanswered: Option<Op>,
}

impl Plan {
    /// Makes the recording in `directory`, which is there and empty.
    pub(super) fn record(&self, directory: &Path) {
        let work = directory.join("work");
        fs::create_dir(&work).unwrap();
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let facts = [
            ("seed", self.seed.to_string()),
            ("writers", self.writers.to_string()),
            ("begun_ms", begun.to_string()),
        ];
        facts.iter().for_each(|(name, value)| fs::write(directory.join(name), value).unwrap());
        let mut writers: Vec<_> = (0..self.writers)
            .map(|number| Writer {
                number,
                writes: Writes::new(self.seed, number),
                asked: 0,
                unanswered: None,
            })
            .collect();
        for (life, (answers, end)) in self.lives.iter().enumerate() {
            let life = directory.join(life.to_string());
            fs::create_dir(&life).unwrap();
            writers = self.live(&life, &work, writers, *answers, *end);
            copy(&work, &life.join("left"));
        }
    }

    /// One life of the server.
    fn live(&self, life: &Path, work: &Path, writers: Vec<Writer>, answers: usize, end: End) -> Vec<Writer> {
        let trace = life.join("trace");
        let under = [&STRACE[..], &[trace.to_str().unwrap()]].concat();
        let data = work.join("data");
        let args = [&["--data", data.to_str().unwrap(), "--log", "warn"], &self.args[..]].concat();
        let server = Running::start_under(&under, &args);
        let address = server.url().strip_prefix("http://").unwrap().to_owned();
        let pid = server.pid();
        let (answered, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let back = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for writer in writers {
                let (address, answered, is_over, back) = (&address, &answered, &is_over, &back);
                scope.spawn(move || {
                    let writer = writer.write(address, answered, is_over);
                    back.lock().unwrap().push(writer);
                });
            }
            wait_for("answers", || (answered.load(Ordering::SeqCst) >= answers).then_some(()));
            is_over.store(end == End::Terminated, Ordering::SeqCst);
            match end {
                End::Killed => {
                    server.kill();
                }
                End::Terminated => assert!(server.terminate().success()),
            }
        });
        whole(&trace, pid);
        let mut writers = back.into_inner().unwrap();
        writers.sort_by_key(|writer| writer.number);
        writers
    }
}

impl Writer {
    /// Writes until the server is gone.
    fn write(mut self, address: &str, answered: &AtomicUsize, is_over: &AtomicBool) -> Self {
        let Ok(mut connection) = Connection::open(address) else { return self };
        while !is_over.load(Ordering::SeqCst) {
            let op = self.unanswered.take().unwrap_or_else(|| {
                self.asked += 1;
                self.writes.next().expect("writes never end")
            });
            match connection.ask(self.number, self.asked - 1, &op) {
                Ok(status) if status < 500 => {
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                Ok(503) => {
                    self.unanswered = Some(op);
                    thread::sleep(Duration::from_millis(5));
                }
                Ok(status) => panic!("{op:?} was answered with {status}"),
                Err(_) => {
                    self.unanswered = Some(op);
                    break;
                }
            }
        }
        self
    }
}

/// A connection of a writer.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Asks for a write and returns the answer's status.
    fn ask(&mut self, writer: usize, number: usize, op: &Op) -> io::Result<u16> {
        let (method, target, body) = op.request();
        let body = body.as_ref().map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let length = body.len();
        write!(
            self.0.get_mut(),
            "{method} {target} HTTP/1.1\r\nhost: test\r\n{NUMBER_FIELD}{writer} {number};\r\n{kind}\
             content-length: {length}\r\n\r\n{body}"
        )?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim_end().parse().unwrap();
            }
        }
        self.0.read_exact(&mut vec![0; length])?;
        status.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// The directories of a recording's lives, in their order.
pub(super) fn lives(directory: &Path) -> Vec<PathBuf> {
    let mut lives = Vec::new();
    loop {
        let life = directory.join(lives.len().to_string());
        if !life.exists() {
            return lives;
        }
        lives.push(life);
    }
}
