//! The engine as a whole: opening, the calls of the contract, telling who watches, closing.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, Value};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::{
    FORMAT, OpenError, Options,
    index::{Sweep, Walked},
    lane::{COMMIT_US, GROUP_WRITES},
    link::{Failure, Link},
    reply::number,
};
use crate::{
    domain::{
        ConversationId, MessageId, MessageIdRef, Order, Receipts, RegisterOutcome, Registration,
        RosterChange, Slot, Timestamp, UserId, Viewer,
    },
    store::{
        Answer, Changes, Mark, Marked, MessageReceipts, ReadersPart, ReadersWanted, RosterPart, Store,
        StoreError, Unread, Vitals, changes::Watchers, dump::Export,
    },
};

/// How often those who watch a conversation are told to look: marks may have come in through another process.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// A store in a Valkey Cluster.
pub struct ClusterStore {
    pub(super) link: Arc<Link>,
    pub(super) watchers: Watchers,
    pub(super) generations: tokio::sync::Mutex<std::ops::Range<u64>>,
    pub(super) sweep: tokio::sync::Mutex<Sweep>,
    counts: Counts,
    tasks: Vec<JoinHandle<()>>,
}

/// How much there was when all of it was last walked over.
#[derive(Debug, Default)]
struct Counts {
    conversations: AtomicU64,
    messages: AtomicU64,
}

impl fmt::Debug for ClusterStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClusterStore").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// Whether the cluster at `options.url` answers and takes us. Writes nothing.
pub async fn probe(options: &Options) -> Result<(), OpenError> {
    Link::new(options).look().await.map_err(|failure| refused(&options.url.to_string(), failure))
}

impl ClusterStore {
    /// Opens the deployment at `options.url`, and makes it if there is none. For a runtime's task: it starts others.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let store = Self::open_for_restore(options).await?;
        let url = options.url.to_string();
        match store.field("restoring").await {
            Ok(None) => Ok(store),
            Ok(Some(_)) => Err(OpenError::HalfRestored { url }),
            Err(source) => Err(OpenError::Store { url, source }),
        }
    }

    /// Opens it to look at it alone: fails if there is none.
    pub async fn open_to_look(options: &Options) -> Result<Self, OpenError> {
        let url = options.url.to_string();
        let link = Arc::new(Link::new(options));
        link.look().await.map_err(|failure| refused(&url, failure))?;
        let key = link.keys.deployment();
        let mut exists = redis::cmd("EXISTS");
        exists.arg(&key);
        match link.read(&key, exists).await {
            Ok(Value::Int(0)) => Err(OpenError::Empty { url }),
            Ok(_) => Self::open(options).await,
            Err(source) => Err(OpenError::Store { url, source }),
        }
    }

    /// The same, also of one that a restore was cut off at.
    pub(super) async fn open_for_restore(options: &Options) -> Result<Self, OpenError> {
        let url = options.url.to_string();
        let link = Arc::new(Link::new(options));
        link.look().await.map_err(|failure| refused(&url, failure))?;
        let looking = link.clone();
        let watchers = Watchers::default();
        let tasks = vec![
            tokio::spawn(async move { looking.keep_looking().await }),
            tokio::spawn(keep_telling(watchers.clone())),
        ];
        let generations = tokio::sync::Mutex::new(0..0);
        let (sweep, counts) = (tokio::sync::Mutex::default(), Counts::default());
        let store = Self { link, watchers, generations, sweep, counts, tasks };
        let format = store.set_once("format", FORMAT.to_string().as_bytes()).await;
        let format = format.map_err(|source| OpenError::Store { url: url.clone(), source })?;
        match number(&format).map(u32::try_from) {
            Some(Ok(format)) if format <= FORMAT => Ok(store),
            format => Err(OpenError::Newer { url, format: format.and_then(Result::ok).unwrap_or(u32::MAX) }),
        }
    }

    /// Hands a write to its conversation's node, and tells who watches.
    pub(super) async fn write(
        &self,
        conversation: &ConversationId,
        head: &str,
        command: Cmd,
    ) -> Result<Value, StoreError> {
        let answer = self.link.write(head, command).await;
        self.watchers.tell(conversation);
        answer
    }

    pub(super) fn count(&self, walked: &Walked) {
        self.counts.conversations.store(walked.conversations, Ordering::Relaxed);
        self.counts.messages.store(walked.messages, Ordering::Relaxed);
    }
}

/// What the first look at a cluster met, as a reason not to start.
fn refused(url: &str, failure: Failure) -> OpenError {
    let url = url.to_owned();
    match failure {
        Failure::Again(what)
            if ["NOAUTH", "WRONGPASS", "AuthenticationFailed"].iter().any(|no| what.contains(no)) =>
        {
            OpenError::Refused { url, what }
        }
        Failure::Broken(what) if what.contains("NOAUTH") || what.contains("NOPERM") => {
            OpenError::Refused { url, what }
        }
        Failure::Broken(what) => OpenError::NotACluster { url, what },
        Failure::Again(what) => OpenError::Unreachable { url, what },
        failure => OpenError::Unreachable { url, what: format!("{failure:?}") },
    }
}

async fn keep_telling(watchers: Watchers) {
    let mut ticks = interval(TELL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if !watchers.is_empty() {
            watchers.tell_all();
        }
    }
}

impl Store for ClusterStore {
    fn replace_roster(&self, conversation: ConversationId, members: Vec<UserId>) -> Answer<'_, RosterChange> {
        Box::pin(self.replace_roster_of(conversation, members))
    }

    fn change_roster(
        &self,
        conversation: ConversationId,
        add: Vec<UserId>,
        remove: Vec<UserId>,
        members_max: usize,
    ) -> Answer<'_, RosterChange> {
        Box::pin(self.change_roster_of(conversation, add, remove, members_max))
    }

    fn roster<'a>(
        &'a self,
        conversation: &'a ConversationId,
        after: Option<Slot>,
        limit: usize,
    ) -> Answer<'a, Option<RosterPart>> {
        Box::pin(self.roster_of(conversation, after, limit))
    }

    fn conversations<'a>(
        &'a self,
        after: Option<&'a ConversationId>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, (Vec<ConversationId>, bool)> {
        Box::pin(self.conversations_after(after, limit, now))
    }

    fn forget_conversation(&self, conversation: ConversationId) -> Answer<'_, ()> {
        Box::pin(self.forget(conversation))
    }

    fn register(
        &self,
        conversation: ConversationId,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Answer<'_, Vec<RegisterOutcome>> {
        Box::pin(self.register_all(conversation, registrations, now))
    }

    fn message<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        now: Timestamp,
    ) -> Answer<'a, Option<MessageReceipts>> {
        Box::pin(self.message_of(conversation, message, now))
    }

    fn messages<'a>(
        &'a self,
        conversation: &'a ConversationId,
        after: Option<Order>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, (Vec<MessageReceipts>, bool)> {
        Box::pin(self.messages_of(conversation, after, limit, now))
    }

    fn forget_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, ()> {
        Box::pin(self.forget_one(conversation, message, now))
    }

    fn reset_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        Box::pin(self.reset_one(conversation, message, now))
    }

    fn mark(&self, marks: Vec<Mark>, now: Timestamp) -> Answer<'_, Vec<Marked>> {
        Box::pin(self.mark_all(marks, now))
    }

    fn unread<'a>(
        &'a self,
        conversation: &'a ConversationId,
        reader: &'a UserId,
        now: Timestamp,
    ) -> Answer<'a, Unread> {
        Box::pin(self.unread_of(conversation, reader, now))
    }

    fn receipts<'a>(
        &'a self,
        conversation: &'a ConversationId,
        messages: &'a [MessageIdRef<'a>],
        viewer: &'a Viewer,
        now: Timestamp,
    ) -> Answer<'a, Vec<Option<Receipts>>> {
        Box::pin(self.receipts_of(conversation, messages, viewer, now))
    }

    fn changes(&self, conversation: &ConversationId) -> Changes {
        self.watchers.watch(conversation)
    }

    fn readers<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        viewer: &'a Viewer,
        wanted: ReadersWanted,
        now: Timestamp,
    ) -> Answer<'a, Option<ReadersPart>> {
        Box::pin(self.readers_of(conversation, message, viewer, wanted, now))
    }

    fn set_hidden(&self, user: UserId, is_hidden: bool) -> Answer<'_, ()> {
        Box::pin(self.hide(user, is_hidden))
    }

    fn is_hidden<'a>(&'a self, user: &'a UserId) -> Answer<'a, bool> {
        Box::pin(async move { Ok(self.are_hidden(std::slice::from_ref(user)).await?[0]) })
    }

    fn forget_user(&self, user: UserId) -> Answer<'_, ()> {
        Box::pin(self.delete_user(user))
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, usize> {
        Box::pin(self.sweep_some(now))
    }

    fn export(&self, only: Option<ConversationId>) -> Answer<'_, Box<dyn Export>> {
        Box::pin(self.export_all(only))
    }

    fn vitals(&self) -> Vitals {
        let shared = &self.link.shared;
        let count = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        Vitals {
            can_commit: self.link.can_commit(),
            conversations: count(&self.counts.conversations),
            messages: count(&self.counts.messages),
            commits: count(&shared.groups),
            writes: count(&shared.writes),
            writes_waiting: count(&shared.waiting),
            commit_us: shared.commit_us.spread(&COMMIT_US),
            commit_writes: shared.group_writes.spread(&GROUP_WRITES),
            replicas_short: count(&shared.short),
            ..Vitals::default()
        }
    }

    fn close(&self) -> Answer<'_, ()> {
        self.link.close();
        self.tasks.iter().for_each(JoinHandle::abort);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Drop for ClusterStore {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
