//! One connection from its first byte to its last: which protocol it speaks, how long it may take over it, and
//! what it is told when it cannot go on.
//!
//! HTTP/1.1 and prior-knowledge HTTP/2 share the port and are told apart by the first 24 bytes. All waiting here
//! has an end. Knows no route; `exchange` is where a request goes, `watch` is what the deadlines are read from.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::Pin,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use hyper::{
    Request, Response,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    task::{coop::unconstrained, yield_now},
    time::{Instant, Sleep, sleep, sleep_until, timeout, timeout_at},
};

use super::{
    Server,
    answer::{PART_BYTES, Sealed},
    exchange::{self, head_too_large},
    listener::Socket,
    problem::Failure,
    watch::{Phase, Watch},
    watched::Watched,
};
use crate::{process::metrics::Limit, wire::Code};

/// What a client that speaks HTTP/2 with prior knowledge sends first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes that hyper keeps of a connection in HTTP/1.1 each way, beyond the longest head.
const BUFFER_BYTES: usize = 8 << 10;

/// Why hyper stopped being driven.
enum End {
    Done(hyper::Result<()>),
    TimedOut,
}

/// Serves a connection until either side ends it, or `stop` does and what is in flight has been answered.
pub(super) async fn run(server: Arc<Server>, stream: Socket, stop: watch::Receiver<bool>) {
    let mut io = Watched::new(stream, server.line.clone());
    let watch = io.watch();
    let within = Instant::now() + server.limits.head_timeout;
    let sniffing = timeout_at(within, sniff(&mut io));
    let sniffed = tokio::select! {
        biased;
        sniffed = sniffing => sniffed,
        // Who has just come in has its first request on the way, and is answered; who says nothing then is gone.
        () = stopped_long_ago(&server, stop.clone()) => return,
    };
    match sniffed {
        Ok(Ok((true, read))) => {
            io.unread(read);
            serve_http2(&server, io, &watch, stop).await;
        }
        Ok(Ok((false, read))) => {
            io.unread(read);
            serve_http1(&server, io, &watch, stop).await;
        }
        Err(_) if watch.phase() == Phase::Head => {
            refuse(&server, io.into_stream(), too_slow(&server)).await;
        }
        Ok(Err(_)) | Err(_) => {}
    }
}

/// The end of the server, and before that of the time that a connection has for figures.
async fn stopped(server: &Server, mut stop: watch::Receiver<bool>) {
    // An error means that the server itself is gone, which is no less of a stop.
    let stopped = stop.wait_for(|stop| *stop);
    if server.has_figures_alone {
        let _ = timeout(server.limits.head_timeout, stopped).await;
    } else {
        let _ = stopped.await;
    }
}

/// A moment after the stop, which is enough for what was under way.
async fn stopped_long_ago(server: &Server, stop: watch::Receiver<bool>) {
    stopped(server, stop).await;
    sleep(server.limits.linger_timeout).await;
}

/// Reads until it is clear whether this is HTTP/2, and gives back what was read. A client that hangs up before
/// is no HTTP/2 client.
async fn sniff(io: &mut Watched) -> io::Result<(bool, Bytes)> {
    let mut read = BytesMut::with_capacity(PREFACE.len());
    while PREFACE.starts_with(&read) && read.len() < PREFACE.len() {
        let mut byte = (&mut *io).take((PREFACE.len() - read.len()) as u64);
        if byte.read_buf(&mut read).await? == 0 {
            break;
        }
    }
    Ok((*PREFACE == *read, read.freeze()))
}

async fn serve_http1(server: &Arc<Server>, io: Watched, watch: &Arc<Watch>, stop: watch::Receiver<bool>) {
    let service = service_fn(service(server.clone(), watch.clone()));
    let mut connection = http1::Builder::new()
        // The timer is ours: it tells heads from idle time.
        .header_read_timeout(None)
        .max_header_size(server.limits.head_bytes_max)
        // What it reads ahead, and what it keeps of answers that are not taken.
        .max_buf_size(server.limits.head_bytes_max.saturating_add(BUFFER_BYTES))
        // A client may close its side behind its request and wait for the answer, as `nc -N` does.
        .half_close(true)
        .serve_connection(TokioIo::new(io), service);
    let stopping = pin!(stopped(server, stop.clone()));
    let timer = pin!(sleep_until(Instant::now() + server.limits.head_timeout));
    let (mut stopping, mut timer) = (Beside::new(stopping), Beside::new(timer));
    let (mut stops, mut stopped_idle) = (false, false);
    let end = poll_fn(|cx| {
        watch.begin_turn(cx);
        // Before the stop: told of it, hyper closes a connection of which it has read nothing yet.
        if let Poll::Ready(done) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(End::Done(done));
        }
        // Without its sender there is no server either. A connection for figures alone also stops by its own time.
        let has_come = || server.has_figures_alone || stop.has_changed().unwrap_or(true);
        let may_stop = !stops && (!stopping.is_asked(cx) || has_come());
        if may_stop && stopping.ask(cx).is_ready() {
            stops = true;
            watch.leave_by(Instant::now() + server.limits.linger_timeout);
            stopped_idle = matches!(watch.phase(), Phase::Opened | Phase::Idle);
            Pin::new(&mut connection).graceful_shutdown();
            if let Poll::Ready(done) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(End::Done(done));
            }
        }
        poll_deadline(server, watch, &mut timer, cx).map(|()| {
            cut_streams(server, watch, stops);
            End::TimedOut
        })
    })
    .await;
    watch.leave_line();
    let parts = connection.into_parts();
    let stream = parts.io.into_inner().into_stream();
    let begun = watch.phase() == Phase::Head || !parts.read_buf.is_empty();
    match end {
        End::TimedOut if begun && watch.phase() != Phase::Answered => {
            refuse(server, stream, too_slow(server)).await;
        }
        End::TimedOut => {}
        End::Done(Err(error)) if watch.withheld() => refuse(server, stream, unreadable(server, &error)).await,
        End::Done(_) if stopped_idle || watch.hung_up() => {}
        End::Done(_) => linger(server, stream).await,
    }
}

/// Something that a connection waits for beside what moves on it. It is asked anew only once it may have come: to ask at
/// each turn takes as long as what many a turn is for.
struct Beside<F> {
    waits_for: F,
    /// Who is woken by it.
    waker: Option<Waker>,
}

impl<F: Future + Unpin> Beside<F> {
    fn new(waits_for: F) -> Self {
        Self { waits_for, waker: None }
    }

    /// Whether it was asked for `cx`, who is woken then.
    fn is_asked(&self, cx: &Context<'_>) -> bool {
        self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
    }

    fn ask(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        if !self.is_asked(cx) {
            self.waker = Some(cx.waker().clone());
        }
        // One that is not heard since the task has done enough for one turn would wake nobody.
        Pin::new(&mut unconstrained(&mut self.waits_for)).poll(cx)
    }
}

/// Whether the connection's deadline has passed. The timer is set anew only where it would ring too late, so
/// that a busy connection costs none.
fn poll_deadline(
    server: &Server,
    watch: &Watch,
    timer: &mut Beside<Pin<&mut Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        let Some(due) = watch.deadline(&server.limits) else { return Poll::Pending };
        let rings = timer.waits_for.deadline();
        let has_rung = timer.waits_for.is_elapsed();
        if due < rings || has_rung {
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            timer.waits_for.as_mut().reset(due);
        } else if timer.is_asked(cx) {
            return Poll::Pending;
        }
        if timer.ask(cx).is_pending() {
            return Poll::Pending;
        }
    }
}

/// The deadline of a connection has passed: with it end the streams that it carries. When the server goes, that is not
/// the client's doing.
fn cut_streams(server: &Server, watch: &Watch, stops: bool) {
    let streams = watch.streaming();
    if streams > 0 && !stops {
        server.metrics.streams_cut(streams);
    }
}

async fn serve_http2(server: &Arc<Server>, mut io: Watched, watch: &Arc<Watch>, stop: watch::Receiver<bool>) {
    let limits = &server.limits;
    watch.multiplex();
    io.may_shut_down();
    // Ours is the exact limit, and has a problem document; beyond twice of it h2 answers a bare 431.
    let list_bytes_max = u32::try_from(limits.head_bytes_max.saturating_mul(2)).unwrap_or(u32::MAX);
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.http2_streams_max)
            .max_header_list_size(list_bytes_max)
            // What a client does not take stays with us, where it counts.
            .max_send_buf_size(PART_BYTES)
            .keep_alive_interval(limits.idle_timeout)
            .keep_alive_timeout(limits.head_timeout)
            .serve_connection(TokioIo::new(io), service_fn(service(server.clone(), watch.clone())))
    );
    let mut stopping = pin!(stopped(server, stop));
    let mut stops = false;
    let timer = pin!(sleep_until(Instant::now() + limits.idle_timeout));
    let mut timer = Beside::new(timer);
    poll_fn(|cx| {
        watch.begin_turn(cx);
        if !stops && stopping.as_mut().poll(cx).is_ready() {
            stops = true;
            watch.leave_by(Instant::now() + limits.linger_timeout);
            connection.as_mut().graceful_shutdown();
        }
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        poll_deadline(server, watch, &mut timer, cx).map(|()| cut_streams(server, watch, stops))
    })
    .await;
    watch.leave_line();
    // The client learns which of its requests have been taken, if there are any. Where the connection has ended by
    // itself, this has nothing to do.
    if !watch.hung_up() && !stops {
        connection.as_mut().graceful_shutdown();
        let lingering = poll_fn(|cx| {
            watch.begin_turn(cx);
            connection.as_mut().poll(cx).map(drop)
        });
        let _ = timeout(limits.linger_timeout, lingering).await;
        watch.leave_line();
    }
}

type Answered = Pin<Box<dyn Future<Output = Result<Response<Sealed>, Infallible>> + Send>>;

fn service(server: Arc<Server>, watch: Arc<Watch>) -> impl Fn(Request<Incoming>) -> Answered {
    move |request| {
        let (server, in_flight) = (server.clone(), watch.request());
        Box::pin(exchange::answer(server, request, in_flight))
    }
}

fn too_slow(server: &Server) -> Failure {
    let within = humantime::format_duration(server.limits.head_timeout);
    Failure::over(Limit::HeadTime, Code::TooSlow, format!("the head was not there within {within}"))
}

/// What hyper could not read, as a problem document.
fn unreadable(server: &Server, error: &hyper::Error) -> Failure {
    if error.is_parse_too_large() {
        head_too_large(server.limits.head_bytes_max)
    } else {
        Failure::new(Code::BadRequest, format!("this is not a request in HTTP/1.1: {error}"))
    }
}

/// Counts a request that could not be read as one, and says why.
async fn refuse(server: &Server, stream: Socket, failure: Failure) {
    if let Some(limit) = failure.limit() {
        server.metrics.refused(limit);
    }
    say(server, stream, failure).await;
}

/// Says why the connection ends, and ends it.
pub(super) async fn say(server: &Server, mut stream: Socket, failure: Failure) {
    let (request, code) = (server.request_ids.next(), failure.code());
    tracing::debug!(%request, %code, status = code.status(), "refused before there was a request");
    let bytes = failure.into_bytes(request, server.clock.now());
    let written = timeout(server.limits.linger_timeout, stream.write_all(&bytes)).await;
    if matches!(written, Ok(Ok(()))) {
        linger(server, stream).await;
    }
}

/// Closes our side and waits a moment for the client to close its own: to close both while the client still
/// sends would take away the answer that it has not read.
async fn linger(server: &Server, mut stream: Socket) {
    let waits = async {
        stream.shutdown().await?;
        // Not part of what every connection takes up from its beginning.
        let mut waste = vec![0; 4096];
        while stream.read(&mut waste).await? > 0 {
            // There may be no end of it, and it is nothing.
            yield_now().await;
        }
        Ok::<(), io::Error>(())
    };
    // The client is told all there is to tell; how it takes it changes nothing.
    let _ = timeout(server.limits.linger_timeout, waits).await;
}
