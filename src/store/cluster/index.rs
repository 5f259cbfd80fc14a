//! The list of conversations, and walks over all of them.
//!
//! It stands in [`LISTS`] sorted sets, apart from the conversations: an entry is the conversation's id, a zero byte, and the
//! number of its life. A life is listed before it begins, so that a walk finds all there is. An entry of a life that has ended,
//! or never began, is of no meaning: the next life has an entry of its own, and a sweep removes it once it is old.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{StreamExt as _, TryStreamExt as _, future::join_all, stream};
use redis::{Cmd, Value};

use super::{
    engine::ClusterStore,
    keys::LISTS,
    link::Link,
    marks::PART,
    pulls::unix_s,
    reply::{array, int, text},
    script,
};
use crate::{
    domain::{ConversationId, Timestamp},
    store::StoreError,
};

/// A conversation's entry in its list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) id: ConversationId,
    pub(super) life: String,
}

/// What scripts answer to a write that would begin a life that is not listed.
const LIST_FIRST: i64 = -2;

/// How long after it was listed a life may begin: far longer than any call takes, and clocks are apart.
const LISTED_AHEAD_MAX: Duration = Duration::from_hours(1);

/// How many conversations are looked at together.
const TOGETHER: usize = 64;
/// How many entries are read from a list at once.
const ENTRIES: usize = 1_000;

/// How many times so many are swept at once.
const SWEEP_PARTS: usize = 2;

/// A sweep, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    walk: Walk,
    found: Walked,
}

/// What a walk over all conversations found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) conversations: u64,
    pub(super) messages: u64,
}

impl ClusterStore {
    /// Carries out a write that may begin the conversation's life; `command` makes it of the number of a life that is listed, or
    /// of '' as long as none is.
    pub(super) async fn write_or_begin(
        &self,
        conversation: &ConversationId,
        head: &str,
        command: impl Fn(&str) -> Cmd,
    ) -> Result<Value, StoreError> {
        let mut life = String::new();
        loop {
            let answer = self.write(conversation, head, command(&life)).await?;
            if !says_list_first(&answer) {
                return Ok(answer);
            }
            life = self.list(conversation).await?.life;
        }
    }

    /// Lists a life that is to begin.
    pub(super) async fn list(&self, conversation: &ConversationId) -> Result<Entry, StoreError> {
        let entry = Entry { id: conversation.clone(), life: life() };
        let list = self.link.keys.list_of(&entry.id);
        let mut add = redis::cmd("ZADD");
        add.arg(&list).arg(0).arg(entry.text());
        self.link.write(&list, add).await?;
        Ok(entry)
    }

    /// Forgets a conversation: its head goes at once, and what is left of it in parts.
    pub(super) async fn forget(&self, conversation: ConversationId) -> Result<(), StoreError> {
        let head = self.link.keys.head(&conversation);
        let answer = self.write(&conversation, &head, script::END_LIFE.on(&head)).await?;
        let Some(life) = text(&answer) else { return Ok(()) };
        self.clear(&Entry { id: conversation, life }).await
    }

    /// Removes what a life that has ended left behind, and its entry last.
    pub(super) async fn clear(&self, entry: &Entry) -> Result<(), StoreError> {
        let head = self.link.keys.head(&entry.id);
        loop {
            let mut command = script::CLEAR.on(&head);
            command.arg(&entry.life).arg(PART);
            let answer = self.link.write(&head, command).await?;
            if Link::expect(&answer, int)? == 0 {
                break;
            }
        }
        let list = self.link.keys.list_of(&entry.id);
        let mut remove = redis::cmd("ZREM");
        remove.arg(&list).arg(entry.text());
        self.link.write(&list, remove).await.map(drop)
    }

    pub(super) async fn conversations_after(
        &self,
        after: Option<&ConversationId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<(Vec<ConversationId>, bool), StoreError> {
        let mut found = Vec::new();
        let mut after = after.cloned();
        while found.len() <= limit {
            let entries = self.link.entries(after.as_ref(), ENTRIES.max(limit + 1)).await?;
            let Some(last) = entries.last() else { break };
            after = Some(last.id.clone());
            let is_there: Vec<_> = entries.iter().map(|entry| self.is_there(entry, now)).collect();
            let is_there = together(is_there).await?;
            let there = entries.iter().zip(is_there).filter(|(_, is_there)| *is_there);
            found.extend(there.map(|(entry, _)| entry.id.clone()));
        }
        found.dedup();
        let more = found.len() > limit;
        found.truncate(limit);
        Ok((found, more))
    }

    async fn is_there(&self, entry: &Entry, now: Timestamp) -> Result<bool, StoreError> {
        let head = self.link.keys.head(&entry.id);
        let mut command = script::IS_THERE.on(&head);
        command.arg(unix_s(now)).arg(&entry.life);
        let answer = self.link.read(&head, command).await?;
        Link::expect(&answer, int).map(|there| there == 1)
    }

    /// Gives up what is left of expired messages, and of conversations that were forgotten by a process that then died: in some
    /// conversations now, and in the next ones when it is called again. The nodes expire messages by themselves; what is left is
    /// their places in the order.
    pub(super) async fn sweep_some(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut sweep = self.sweep.lock().await;
        let mut gone = 0;
        for _ in 0..SWEEP_PARTS {
            let Some(entries) = sweep.walk.next(&self.link).await? else {
                self.count(&std::mem::take(&mut *sweep).found);
                break;
            };
            let swept: Vec<_> = entries.iter().map(|entry| self.sweep_one(entry, now)).collect();
            for (swept, left) in together(swept).await? {
                gone += swept;
                sweep.found.messages += left;
            }
            sweep.found.conversations += entries.len() as u64;
        }
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }

    /// How many messages of a conversation were given up, and how many are left.
    async fn sweep_one(&self, entry: &Entry, now: Timestamp) -> Result<(u64, u64), StoreError> {
        let head = self.link.keys.head(&entry.id);
        let mut gone = 0;
        loop {
            let mut command = script::SWEEP.on(&head);
            command.arg(unix_s(now)).arg(PART).arg(&entry.life);
            let answer = self.link.write(&head, command).await?;
            let [swept, left, more] = Link::expect(&answer, |answer| {
                let [swept, left, more] = array(answer)? else { return None };
                Some([int(swept)?, int(left)?, int(more)?])
            })?;
            if more < 0 {
                if entry.is_old() {
                    self.clear(entry).await?;
                }
                return Ok((gone, 0));
            }
            gone += u64::try_from(swept).unwrap_or(0);
            if more == 0 {
                if gone > 0 {
                    self.watchers.tell(&entry.id);
                }
                return Ok((gone, u64::try_from(left).unwrap_or(0)));
            }
        }
    }
}

impl Link {
    /// Up to `limit` entries above `after` in the order of their ids, of all lists.
    pub(super) async fn entries(
        &self,
        after: Option<&ConversationId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let lists = join_all((0..LISTS).map(|list| self.entries_of(list, after, limit))).await;
        let mut entries = BTreeSet::new();
        for list in lists {
            entries.extend(list?);
        }
        let mut entries: Vec<_> = entries.into_iter().collect();
        // Both entries of one conversation, or none: the next part begins behind its id.
        let end = entries.get(limit).map(|cut| cut.id.clone());
        let is_before = |entry: &Entry| end.as_ref().is_none_or(|end| entry.id < *end);
        if entries.iter().any(is_before) {
            entries.retain(is_before);
        }
        Ok(entries)
    }

    async fn entries_of(
        &self,
        list: usize,
        after: Option<&ConversationId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let key = self.keys.list(list);
        // Behind all lives of that id: no id has a byte below 0x20, so none of another is between.
        let from = after.map_or("-".to_owned(), |after| format!("({after}\u{1}"));
        let mut command = redis::cmd("ZRANGE");
        command.arg(&key).arg(from).arg("+").arg("BYLEX").arg("LIMIT").arg(0).arg(limit);
        let answer = self.read(&key, command).await?;
        Self::expect(&answer, |answer| {
            array(answer)?.iter().map(|entry| Entry::read(&text(entry)?)).collect()
        })
    }
}

/// A walk over all conversations, in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct Walk {
    after: Option<ConversationId>,
}

impl Walk {
    /// The next ones; none at the end.
    pub(super) async fn next(&mut self, link: &Link) -> Result<Option<Vec<Entry>>, StoreError> {
        let entries = link.entries(self.after.as_ref(), ENTRIES).await?;
        let Some(last) = entries.last() else { return Ok(None) };
        self.after = Some(last.id.clone());
        Ok(Some(entries))
    }
}

/// Waits for all of these, some at a time; what they come to in their order.
pub(super) async fn together<T>(
    calls: Vec<impl Future<Output = Result<T, StoreError>>>,
) -> Result<Vec<T>, StoreError> {
    stream::iter(calls).buffered(TOGETHER).try_collect().await
}

impl Entry {
    /// Whether nobody is about to begin this life any more.
    fn is_old(&self) -> bool {
        let listed_ms = self.life.get(..11).and_then(|ms| u64::from_str_radix(ms, 16).ok()).unwrap_or(0);
        let old_ms = u64::try_from(LISTED_AHEAD_MAX.as_millis()).expect("invariant: an hour");
        system_ms().saturating_sub(listed_ms) > old_ms
    }

    fn text(&self) -> String {
        format!("{}\0{}", self.id, self.life)
    }

    fn read(text: &str) -> Option<Self> {
        let (id, life) = text.split_once('\0')?;
        Some(Self { id: ConversationId::new(id).ok()?, life: life.to_owned() })
    }
}

/// Whether a script answers that.
fn says_list_first(answer: &Value) -> bool {
    matches!(array(answer), Some([Value::Int(LIST_FIRST)]))
}

/// The number of a life that nobody ever led: when it was listed in milliseconds, and 20 bits at random. By the system's own
/// clock, since it is compared with nothing that clients see.
fn life() -> String {
    let random = getrandom::u32().expect("invariant: the system has randomness");
    format!("{:011x}{:05x}", system_ms(), random >> 12)
}

fn system_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
