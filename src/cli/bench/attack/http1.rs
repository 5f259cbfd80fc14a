//! Attacks over HTTP/1.1, and with bare connections.

use std::{io, sync::Arc, time::Duration};

use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use super::front::{Front, drain, trickle, until_closed};

/// Requests that are sent in one piece.
const BATCH: usize = 50;
/// Tasks of a flood that open and drop.
const DROPPING: u64 = 64;

/// Says nothing.
pub(super) async fn idle(front: Arc<Front>, stream: TcpStream) -> io::Result<()> {
    front.sent(1).await;
    until_closed(stream).await
}

/// Sends a head a byte at a time.
pub(super) async fn slow_head(front: Arc<Front>, mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await?;
    trickle(&front, &mut stream, b"a: b\r\n").await
}

/// Sends a body a byte at a time.
pub(super) async fn slow_body(front: Arc<Front>, mut stream: TcpStream) -> io::Result<()> {
    let head = "POST /v1/marks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    stream.write_all(format!("{head}content-length: 1000000\r\n\r\n").as_bytes()).await?;
    trickle(&front, &mut stream, b" ").await
}

/// Asks for large answers without end, and reads none.
pub(super) async fn pipeline(front: Arc<Front>, mut stream: TcpStream) -> io::Result<()> {
    let request = |path: &String| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let batch: String = front.paths.iter().map(request).collect::<String>().repeat(BATCH / 2);
    loop {
        stream.write_all(batch.as_bytes()).await?;
        front.sent(BATCH as u64).await;
    }
}

/// Opens connections and drops them, and holds `held` others.
pub(super) fn flood(front: &Arc<Front>, held: u64) {
    front.keep(held, idle);
    for at in 0..DROPPING {
        let front = front.clone();
        tokio::spawn(async move {
            for round in 0_u64.. {
                match front.connect(at + DROPPING * round).await {
                    // One of two is dropped before the server can look at it, the other just after.
                    Ok(stream) if round % 2 == 0 => drop(stream),
                    Ok(mut stream) => {
                        // The server may have been faster to close.
                        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\n").await;
                    }
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
                front.sent(1).await;
            }
        });
    }
}

/// Sends heads at the limits: of 100 fields, of 64 KiB, and of more.
pub(super) async fn large_heads(front: Arc<Front>, stream: TcpStream) -> io::Result<()> {
    let head = |fields: &str| format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{fields}\r\n");
    let many = head(&"a: b\r\n".repeat(99));
    let large = head(&format!("a: {}\r\n", "b".repeat(60 << 10)));
    let both = head(&format!("a: {}\r\n", "b".repeat(600)).repeat(99));
    let over = head(&format!("a: {}\r\n", "b".repeat(70 << 10)));
    let mut to = drain(stream);
    for round in 0_u32.. {
        for head in [&many, &large, &both] {
            to.write_all(head.as_bytes()).await?;
            front.sent(1).await;
        }
        if round % 64 == 63 {
            // After this one the server closes.
            to.write_all(over.as_bytes()).await?;
            front.sent(1).await;
        }
    }
    Ok(())
}
