//! One connection to the server, and one pull after the other on it, read no further than a client must that wants to
//! know the pace: what the load takes of its processor, it cannot ask of the server.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection that is kept.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// To `address`: `127.0.0.1:12345`.
    pub(super) async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends `request` and reads the whole answer. After how long to pull again; an error if the answer does not say.
    pub(super) async fn pull(&mut self, request: &[u8]) -> io::Result<Duration> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let answer = Head::read(&self.buffer[..head]).ok_or_else(|| bad("it is no answer"))?;
        while self.buffer.len() < head + answer.length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        match answer.status {
            200 => every(&self.buffer[head..]).ok_or_else(|| bad("it names no pace")),
            304 => answer.max_age.ok_or_else(|| bad("it names no pace")),
            status => Err(bad(&format!("it is a {status}"))),
        }
    }
}

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    length: usize,
    max_age: Option<Duration>,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let status = text.split(' ').nth(1)?.parse().ok()?;
        let number = |after: &str| {
            let (_, rest) = text.split_once(after)?;
            rest[..rest.find(|char: char| !char.is_ascii_digit())?].parse::<u64>().ok()
        };
        let length = usize::try_from(number("\r\ncontent-length: ").unwrap_or(0)).ok()?;
        Some(Self { status, length, max_age: number("max-age=").map(Duration::from_secs) })
    }
}

/// `every_ms` of the `poll` at the end of a body.
fn every(body: &[u8]) -> Option<Duration> {
    const NAME: &[u8] = b"\"every_ms\":";
    let end = &body[body.len().saturating_sub(64)..];
    let digits = &end[find(end, NAME)? + NAME.len()..];
    let digits = &digits[..digits.iter().position(|byte| !byte.is_ascii_digit())?];
    Some(Duration::from_millis(std::str::from_utf8(digits).ok()?.parse().ok()?))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_read_from_a_body_and_from_a_head_without_one() {
        let body =
            br#"{"receipts":[{"message":"m1","read":1,"of":2}],"poll":{"every_ms":4000,"for_ms":20000}}"#;
        assert_eq!(every(body), Some(Duration::from_secs(4)));
        assert_eq!(every(br#"{"receipts":[],"poll":null}"#), None);
        let head = "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncache-control: private, max-age=5\r\n\r\n";
        let read = Head { status: 304, length: 0, max_age: Some(Duration::from_secs(5)) };
        assert_eq!(Head::read(head.as_bytes()), Some(read));
        let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 77\r\n\r\n";
        assert_eq!(Head::read(head.as_bytes()), Some(Head { status: 503, length: 77, max_age: None }));
        assert_eq!(Head::read(b"SSH-2.0\r\n\r\n"), None);
    }
}
