//! A socket that tells its [`Watch`] what moves.
//!
//! What hyper writes before a request has come to us is withheld here; everything else passes.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{line::Line, listener::Socket, watch::Watch};

/// So many bytes or fewer, an answer's head and most bodies, cost less to be copied together than to be written as parts.
const JOINED_BYTES_MAX: usize = 4 << 10;

/// A socket that tells its [`Watch`] what moves.
#[derive(Debug)]
pub(super) struct Watched {
    stream: Socket,
    watch: Arc<Watch>,
    /// Read while finding out which protocol is spoken, and not yet given to hyper.
    sniffed: Bytes,
    /// Whether shutting down is left to the driver, which may have something to say first.
    stays_open: bool,
}

impl Watched {
    /// A socket that reads beyond a turn's worth only after it has stood in `line`.
    pub(super) fn new(stream: Socket, line: Line) -> Self {
        Self { stream, watch: Arc::new(Watch::new(line)), sniffed: Bytes::new(), stays_open: true }
    }

    pub(super) fn watch(&self) -> Arc<Watch> {
        self.watch.clone()
    }

    /// Gives back what was read ahead.
    pub(super) fn unread(&mut self, sniffed: Bytes) {
        self.sniffed = sniffed;
    }

    /// Lets whoever holds the socket shut it down.
    pub(super) fn may_shut_down(&mut self) {
        self.stays_open = false;
    }

    /// The bare socket.
    pub(super) fn into_stream(self) -> Socket {
        self.stream
    }
}

impl Watched {
    /// Reads from the socket, when it is the connection's turn.
    fn poll_read_on(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.watch.poll_may_read(cx));
        let before = into.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, into);
        if matches!(outcome, Poll::Ready(Ok(()))) {
            self.watch.state().has_read(into.filled().len() - before);
        }
        outcome
    }

    /// Writes so many bytes to the socket, unless they are to be withheld.
    fn write_with(
        &mut self,
        count: usize,
        write: impl FnOnce(Pin<&mut Socket>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if !self.watch.state().may_write() {
            return Poll::Ready(Ok(count));
        }
        let outcome = write(Pin::new(&mut self.stream));
        if outcome.is_ready() {
            self.watch.state().has_written();
        }
        outcome
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.sniffed.is_empty() {
            return this.poll_read_on(cx, into);
        }
        let count = this.sniffed.len().min(into.remaining());
        into.put_slice(&this.sniffed[..count]);
        this.sniffed.advance(count);
        // hyper doubles its buffer for a head that comes in two pieces.
        if this.sniffed.is_empty() && into.remaining() > 0 {
            let _ = this.poll_read_on(cx, into);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().write_with(bytes.len(), |stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = parts.iter().map(|part| part.len()).sum();
        let this = self.get_mut();
        match parts {
            [part] => this.write_with(count, |stream| stream.poll_write(cx, part)),
            _ if count <= JOINED_BYTES_MAX => {
                let mut joined = Vec::with_capacity(count);
                parts.iter().for_each(|part| joined.extend_from_slice(part));
                this.write_with(count, |stream| stream.poll_write(cx, &joined))
            }
            _ => this.write_with(count, |stream| stream.poll_write_vectored(cx, parts)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = ready!(Pin::new(&mut this.stream).poll_flush(cx));
        let streams = this.watch.state().has_flushed();
        // hyper reads no further while an answer is on its way, and would go on for nobody.
        if streams && this.stream.poll_hung_up(cx).is_ready() {
            this.watch.state().hung_up = true;
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.stays_open { Poll::Ready(Ok(())) } else { Pin::new(&mut this.stream).poll_shutdown(cx) }
    }
}
