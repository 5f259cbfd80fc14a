//! What all attacks have: the one server that they may meet, addresses of this machine to come from, a bound on how
//! much they do, and threads that stand back for the load that is measured.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{process::setpriority_process, thread::gettid};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream, tcp::OwnedWriteHalf},
    time::{Instant, sleep, timeout},
};

use super::{super::BenchError, kinds::Kind};

/// The priority of an attack's thread: the system's lowest, so that the load that is measured does not wait for it.
const PRIORITY: i32 = 19;
/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Between two attempts to connect, after a failed one.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two connections that are opened at the beginning, so that they do not overflow the listener's queue.
const STAGGER: Duration = Duration::from_micros(100);

/// How large the attacks are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Connections that say nothing.
    pub(super) idle: u64,
    /// Connections that send a byte at a time, or are held by a flood.
    pub(super) slow: u64,
    /// Connections of the other attacks.
    pub(super) busy: u64,
    /// Bytes of a JSON bomb.
    pub(super) bomb_bytes: usize,
    /// Of whatever an attack counts, at most so many a second.
    pub(super) rate: u64,
}

/// One attack's side of the fight.
#[derive(Debug)]
pub(super) struct Front {
    address: SocketAddr,
    pub(super) sizes: Sizes,
    /// Answers of many bytes.
    pub(super) paths: [String; 2],
    began: Instant,
    sent: AtomicU64,
    opened: AtomicU64,
    ended: AtomicU64,
    refused: AtomicU64,
}

/// What an attack came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// What it counts: see [`Kind::counts`].
    pub(super) sent: u64,
    /// Connections that the server closed.
    pub(super) ended: u64,
    /// Connections that did not come about.
    pub(super) refused: u64,
}

impl Front {
    /// Against the server at `url`, which must be an address of this machine.
    pub(super) fn new(url: &str, sizes: Sizes, paths: [String; 2]) -> Result<Self, BenchError> {
        let address = url.strip_prefix("http://").and_then(|address| address.parse::<SocketAddr>().ok());
        let Some(address) = address.filter(|address| address.ip().is_loopback()) else {
            return Err(BenchError::Wrong(format!("{url} is not this machine")));
        };
        let zero = AtomicU64::default;
        let (sent, opened, ended, refused) = (zero(), zero(), zero(), zero());
        Ok(Self { address, sizes, paths, began: Instant::now(), sent, opened, ended, refused })
    }

    /// Counts what was done, and waits if that is more than the rate allows.
    pub(super) async fn sent(&self, count: u64) {
        let sent = self.sent.fetch_add(count, Ordering::Relaxed) + count;
        let due = Duration::from_nanos(sent.saturating_mul(1_000_000_000 / self.sizes.rate.max(1)));
        let early = due.saturating_sub(self.began.elapsed());
        // Also what is allowed comes in small bursts, so that other tasks of this thread have their turn.
        sleep(early.max(Duration::from_millis(1))).await;
    }

    /// A connection from an address of its own, so that ports do not run out. Closing it leaves nothing waiting.
    pub(super) async fn connect(&self, at: u64) -> io::Result<TcpStream> {
        let [_, .., third, fourth] = at.to_be_bytes();
        let from = Ipv4Addr::new(127, 1 + third % 100, fourth % 250, 1 + third / 100);
        let socket = TcpSocket::new_v4()?;
        socket.set_zero_linger()?;
        socket.bind(SocketAddrV4::new(from, 0).into())?;
        let connected = timeout(CONNECT_MAX, socket.connect(self.address)).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match &connected {
            Ok(_) => self.opened.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.refused.fetch_add(1, Ordering::Relaxed),
        };
        connected
    }

    /// Keeps so many connections at the attack; each is opened anew when it has ended.
    pub(super) fn keep<F, A>(self: &Arc<Self>, count: u64, attack: F)
    where
        F: Fn(Arc<Self>, TcpStream) -> A + Clone + Send + 'static,
        A: Future<Output = io::Result<()>> + Send + 'static,
    {
        for at in 0..count {
            let (front, attack) = (self.clone(), attack.clone());
            tokio::spawn(async move {
                sleep(STAGGER * u32::try_from(at).unwrap_or_default()).await;
                loop {
                    if let Ok(stream) = front.connect(at).await {
                        // However it ends, it begins again.
                        let _ = attack(front.clone(), stream).await;
                        front.ended.fetch_add(1, Ordering::Relaxed);
                    }
                    sleep(PAUSE).await;
                }
            });
        }
    }

    fn tally(&self) -> Tally {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally { sent: of(&self.sent), ended: of(&self.ended), refused: of(&self.refused) }
    }
}

/// Reads and forgets whatever comes, in a task of its own, so that a server is never held up by its answers.
pub(super) fn drain(stream: TcpStream) -> OwnedWriteHalf {
    let (mut from, to) = stream.into_split();
    tokio::spawn(async move {
        let mut waste = vec![0; 64 << 10];
        while matches!(from.read(&mut waste).await, Ok(1..)) {}
    });
    to
}

/// Waits for the server to close.
pub(super) async fn until_closed(mut stream: TcpStream) -> io::Result<()> {
    let mut waste = [0; 512];
    while stream.read(&mut waste).await? > 0 {}
    Ok(())
}

/// Sends a byte at a time, so many a second, until the server closes.
pub(super) async fn trickle(front: &Front, stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes.iter().cycle() {
        stream.write_all(&[*byte]).await?;
        front.sent(1).await;
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// A running attack, in a thread of its own. Ends when dropped.
#[derive(Debug)]
pub(super) struct Attacker {
    front: Arc<Front>,
    kind: Kind,
    enough: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Attacker {
    pub(super) fn begin(kind: Kind, front: Front) -> Result<Self, BenchError> {
        let (front, enough) = (Arc::new(front), Arc::new(AtomicBool::new(false)));
        let (at, until) = (front.clone(), enough.clone());
        let attack = move || {
            setpriority_process(Some(gettid()), PRIORITY)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                kind.begin(&at);
                while !until.load(Ordering::Relaxed) {
                    sleep(Duration::from_millis(5)).await;
                }
            });
            Ok(())
        };
        let thread = thread::Builder::new().name("attack".to_owned()).spawn(attack);
        let thread = Some(thread.map_err(BenchError::io("begin a thread"))?);
        Ok(Self { front, kind, enough, thread })
    }

    /// Waits until all its connections have been opened, or for as long as that may take.
    pub(super) async fn in_place(&self, at_most: Duration) {
        let (began, wanted) = (Instant::now(), self.kind.connections(&self.front.sizes));
        while self.front.opened.load(Ordering::Relaxed) < wanted && began.elapsed() < at_most {
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) fn tally(&self) -> Tally {
        self.front.tally()
    }

    /// Ends it, connections and all.
    pub(super) fn end(mut self) -> Result<(), BenchError> {
        self.enough.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("invariant: taken here only");
        let ended = thread.join().map_err(|_| BenchError::Wrong("an attack panicked".to_owned()))?;
        ended.map_err(BenchError::io("attack"))
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}
