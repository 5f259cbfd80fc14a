//! One strategy played on a server of its own: readers mark, senders ask, and what that took is written down.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use super::{
    meter::{Meter, Traffic},
    scene::{Read, Scene, Sent},
    sender::{Seen, Sender},
    strategy::Strategy,
    time::Time,
};
use crate::{
    cli::measure::{
        MeasureError,
        server::{Server, Start},
    },
    client::{Client, Retry},
    wire::RegisterRequest,
};

/// Where the chat's back end and the readers call from, so that a capture can tell them from the senders, who call from
/// 127.0.0.1.
const OTHERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Marks under way at once.
const READERS: usize = 16;
/// For how long a mark is sent again that the server is too busy for.
const GIVE_UP: Duration = Duration::from_mins(1);

/// A strategy, the server that it is played on, and what happens there.
#[derive(Debug)]
pub(super) struct Play {
    pub(super) strategy: Strategy,
    server: Server,
    address: SocketAddr,
    /// Calls of the back end and the readers.
    others: Client,
    scene: Arc<Scene>,
    tail: Duration,
}

/// What came of a play.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) strategy: Strategy,
    pub(super) port: u16,
    /// One a message.
    pub(super) messages: Vec<Followed>,
    /// Of the server, in nanoseconds.
    pub(super) cpu_ns: u64,
    /// Of the server, in bytes.
    pub(super) resident_most: u64,
    /// How much later than planned marks were answered, in simulated time.
    pub(super) late: Vec<Duration>,
}

/// What came of one message.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) seen: Seen,
    pub(super) traffic: Traffic,
    /// When its marks were answered, in order.
    pub(super) answered: Vec<Duration>,
}

impl Play {
    /// Starts a server on the new directory `data`, and has it know the group and its messages.
    pub(super) async fn prepare(
        strategy: Strategy,
        scene: &Arc<Scene>,
        data: PathBuf,
        tail: Duration,
    ) -> Result<Self, MeasureError> {
        let settings = strategy.settings(scene);
        let start =
            settings.into_iter().fold(Start::on(data, &[]), |start, (name, value)| start.with(name, value));
        let server = start.start().await?;
        let address = server.address()?;
        let others = server.client.clone().with_local_address(OTHERS);
        let play = Self { strategy, server, address, others, scene: scene.clone(), tail };
        play.register().await?;
        Ok(play)
    }

    async fn register(&self) -> Result<(), MeasureError> {
        let Scene { conversation, members, messages, .. } = &*self.scene;
        let put = self.others.replace_roster(conversation, members).await;
        put.map_err(MeasureError::call("put the roster"))?;
        for Sent { id, sender, audience, .. } in messages {
            let request = RegisterRequest { audience: audience.clone(), ..sender.as_str().into() };
            let registered = self.others.register(conversation, id, &request).await;
            registered.map_err(MeasureError::call("register a message"))?;
        }
        Ok(())
    }

    /// Plays it from `time`'s beginning to the end.
    pub(super) async fn play(self, time: Time) -> Result<Played, MeasureError> {
        let process = self.server.process();
        time.until(Duration::ZERO).await;
        process.forget_most();
        let cpu_before = process.cpu_ns();
        let (senders, marks) = tokio::join!(self.senders(time), self.readers(time));
        let (followed, marks) = (senders?, marks?);
        // All servers are measured over the same time.
        time.until(self.scene.end()).await;
        let cpu_ns = process.cpu_ns().saturating_sub(cpu_before);
        let resident_most = process.resident_most();
        self.server.kill();
        let Marks { mut answered, late } = marks;
        answered.iter_mut().for_each(|times| times.sort_unstable());
        let messages = followed.into_iter().zip(answered);
        Ok(Played {
            strategy: self.strategy,
            port: self.address.port(),
            messages: messages
                .map(|((seen, traffic), answered)| Followed { seen, traffic, answered })
                .collect(),
            cpu_ns,
            resident_most,
            late,
        })
    }

    /// Every sender follows their message.
    async fn senders(&self, time: Time) -> Result<Vec<(Seen, Traffic)>, MeasureError> {
        let mut following = JoinSet::new();
        for place in 0..self.scene.messages.len() {
            let (scene, strategy) = (self.scene.clone(), self.strategy);
            let id = &scene.messages[place].id;
            let (server, meter) = ((&self.server.client, self.address), Meter::new(time, self.tail));
            let chance = fastrand::Rng::with_seed(scene.seed ^ place as u64);
            let mut sender = Sender::new(server, meter, time, (&scene.conversation, id), chance);
            following.spawn(async move {
                let sent = &scene.messages[place];
                strategy.follow(&mut sender, sent, sent.at + scene.horizon).await?;
                Ok::<_, MeasureError>((place, sender.seen.clone(), sender.meter.read()))
            });
        }
        let mut followed = vec![(Seen::default(), Traffic::default()); following.len()];
        while let Some(done) = following.join_next().await {
            let (place, seen, traffic) = done??;
            followed[place] = (seen, traffic);
        }
        Ok(followed)
    }

    /// Every reader marks at their time, or as soon after it as the server can take it.
    async fn readers(&self, time: Time) -> Result<Marks, MeasureError> {
        let (next, marks) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Marks::of(&self.scene))));
        let mut reading = JoinSet::new();
        for _ in 0..READERS {
            let (next, marks, scene) = (next.clone(), marks.clone(), self.scene.clone());
            let client = self.others.clone();
            reading.spawn(async move {
                let retry = Retry::new(GIVE_UP);
                while let Some(read) = scene.reads.get(next.fetch_add(1, Ordering::Relaxed)) {
                    time.until(read.at).await;
                    mark(&client, &retry, &scene, read).await?;
                    marks.lock().unwrap_or_else(PoisonError::into_inner).note(read, time.now());
                }
                Ok::<_, MeasureError>(())
            });
        }
        while let Some(done) = reading.join_next().await {
            done??;
        }
        Ok(std::mem::take(&mut *marks.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

async fn mark(client: &Client, retry: &Retry, scene: &Scene, read: &Read) -> Result<(), MeasureError> {
    let messages: Vec<_> = read.messages.iter().map(|place| &scene.messages[*place].id).collect();
    let marked = retry.run(|| client.mark_messages(&scene.conversation, &read.reader, &messages)).await;
    let marked = marked.map_err(MeasureError::call("mark"))?;
    if marked.marked + marked.already == messages.len() && marked.refused.is_empty() {
        Ok(())
    } else {
        Err(MeasureError::Wrong(format!("{} marks were sent, and {marked:?} came", messages.len())))
    }
}

/// Marks that were answered.
#[derive(Debug, Default)]
struct Marks {
    /// When, message by message.
    answered: Vec<Vec<Duration>>,
    late: Vec<Duration>,
}

impl Marks {
    fn of(scene: &Scene) -> Self {
        Self { answered: vec![Vec::new(); scene.messages.len()], late: Vec::new() }
    }

    fn note(&mut self, read: &Read, now: Duration) {
        self.late.push(now.saturating_sub(read.at));
        for &place in &read.messages {
            self.answered[place].push(now);
        }
    }
}
