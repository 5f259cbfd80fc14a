//! A sender's connection, counted: bytes each way, and when the radio has to be awake for them.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::time::Time;

/// What has gone over a sender's connections, one after the other: what TCP carries, without its own headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) bytes_up: u64,
    pub(super) bytes_down: u64,
    pub(super) wakes: u64,
    /// For how long the radio was awake: from each byte on for its tail.
    pub(super) awake: Duration,
    last: Option<Duration>,
}

impl Traffic {
    /// Something moves at `now`, when the radio stays awake for `tail`. Times do not go back.
    fn moved(&mut self, now: Duration, tail: Duration) {
        match self.last.map(|last| now.saturating_sub(last)) {
            Some(since) if since <= tail => self.awake += since,
            _ => {
                self.wakes += 1;
                self.awake += tail;
            }
        }
        self.last = Some(now);
    }
}

/// Counts what goes over all connections of one sender.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    time: Time,
    tail: Duration,
    traffic: Arc<Mutex<Traffic>>,
}

impl Meter {
    pub(super) fn new(time: Time, tail: Duration) -> Self {
        Self { time, tail, traffic: Arc::default() }
    }

    pub(super) fn read(&self) -> Traffic {
        *self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, up: usize, down: usize) {
        if up + down > 0 {
            let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
            traffic.moved(self.time.now(), self.tail);
            traffic.bytes_up += up as u64;
            traffic.bytes_down += down as u64;
        }
    }
}

/// A connection, and who counts what goes over it.
#[derive(Debug)]
pub(super) struct Metered<S> {
    pub(super) stream: S,
    pub(super) meter: Meter,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.meter.count(0, buffer.filled().len() - before);
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = done {
            self.meter.count(written, 0);
        }
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    use super::*;

    const TAIL: Duration = Duration::from_secs(5);

    #[test]
    fn the_radio_wakes_when_its_tail_is_over() {
        let mut traffic = Traffic::default();
        for at_ms in [1_000, 1_050, 4_000, 9_000, 14_001, 100_000] {
            traffic.moved(Duration::from_millis(at_ms), TAIL);
        }
        // 1 to 14 s, 14.001 to 19.001 s, 100 to 105 s: 9 s is just in the tail of 4 s, 14.001 s just not in that of 9 s.
        assert_eq!((traffic.wakes, traffic.awake), (3, Duration::from_secs(13 + 5 + 5)));
        assert_eq!(Traffic::default().awake, Duration::ZERO);
    }

    #[tokio::test]
    async fn bytes_are_counted_each_way_and_over_all_connections() {
        let meter = Meter::new(Time::new(Instant::now(), 1), TAIL);
        for _ in 0..2 {
            let (stream, mut far) = duplex(64);
            let mut near = Metered { stream, meter: meter.clone() };
            near.write_all(b"hello").await.unwrap();
            far.write_all(b"you too").await.unwrap();
            let mut answer = [0; 7];
            near.read_exact(&mut answer).await.unwrap();
        }
        let traffic = meter.read();
        assert_eq!((traffic.bytes_up, traffic.bytes_down, traffic.wakes), (10, 14, 1));
    }
}
