//! Bodies that are dear to read.

use std::{io, sync::Arc};

use bytes::Bytes;
use tokio::{io::AsyncWriteExt, net::TcpStream, task::yield_now};

use super::front::{Front, until_closed};

/// Bytes that are sent at a time.
const PIECE_BYTES: usize = 32 << 10;

/// Each of about `bytes`.
fn bombs(bytes: usize) -> [Bytes; 6] {
    let deep = bytes / 2;
    let repeated = |start: &str, part: &str, end: &str| {
        let count = bytes.saturating_sub(start.len() + end.len()) / part.len();
        format!("{start}{}{end}", part.repeat(count))
    };
    let bombs = [
        format!("{{\"members\":{}{}}}", "[".repeat(deep), "]".repeat(deep)),
        repeated(r#"{"members":["a""#, r#","a""#, "]}"),
        repeated(r#"{"members":[""#, r"\u00e9", "\"]}"),
        repeated(r#"{"members":[1"#, "1", "]}"),
        repeated(r#"{"members":[]"#, r#","members":[]"#, "}"),
        repeated(r#"{"members":[{}"#, ",{}", "]}"),
    ];
    bombs.map(Bytes::from)
}

/// Sends them by turns over `count` connections.
pub(super) fn begin(front: &Arc<Front>, count: u64) {
    let bombs = bombs(front.sizes.bomb_bytes);
    front.keep(count, move |front, stream| {
        let bomb = bombs[fastrand::usize(..bombs.len())].clone();
        send(front, stream, bomb)
    });
}

/// Sends one on a connection, as all of them are answered with a refusal, and some of those close.
async fn send(front: Arc<Front>, mut stream: TcpStream, bomb: Bytes) -> io::Result<()> {
    let head = "PUT /v1/conversations/bomb/members HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let length = bomb.len();
    let head = format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    for piece in bomb.chunks(PIECE_BYTES) {
        stream.write_all(piece).await?;
        // The system does not interrupt itself while it takes a piece: the load must not wait for a large one.
        yield_now().await;
    }
    front.sent(1).await;
    until_closed(stream).await
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize as _, de::IgnoredAny};

    use super::*;

    #[test]
    fn bombs_are_json_as_large_as_they_should_be() {
        for bomb in bombs(3_000) {
            assert!((2_900..=3_100).contains(&bomb.len()), "{}", bomb.len());
            let mut reader = serde_json::Deserializer::from_slice(&bomb);
            assert!(IgnoredAny::deserialize(&mut reader).is_ok());
        }
    }
}
