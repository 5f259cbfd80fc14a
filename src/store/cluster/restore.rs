//! Restore: an empty deployment made to hold what a dump does.
//!
//! The deployment says from the beginning that it is being restored to, and no store opens it until that is over.

use std::{collections::HashSet, io::Read};

use super::{
    OpenError, Options,
    engine::ClusterStore,
    index::{Entry, Walk, together},
    messages::keep_ms,
    reply::number,
    script, state,
};
use crate::{
    domain::{Hidden, Page, SlotSet, Timestamp, UserId},
    store::{
        StoreError,
        dump::{DumpError, Item, Reader},
    },
};

/// How far the generations of a restored store are from those of the dump: further than the store that it was taken of can
/// have come since, so that an `ETag` of what was lost names nothing new.
const GENERATIONS_APART: u64 = 1 << 40;

/// Generations up to here are exact in scripts.
const GENERATION_MAX: u64 = 1 << 52;

/// Why a dump cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is a store already, and it is not empty.
    #[error("{0}: there is data under this prefix already; give another one, as in valkey://…/prefix")]
    NotEmpty(String),
    /// The dump is of no use.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// Its generations are too many.
    #[error("it has generations up to {0}, and a cluster has room for {GENERATION_MAX} of them")]
    Generations(u64),
    /// The cluster is of no use.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be written.
    #[error("{url}")]
    Write {
        /// The cluster.
        url: String,
        /// Why.
        source: StoreError,
    },
}

/// Makes the deployment at `options.url`, which is empty, hold what the dump does; calls `each` with the number of messages in
/// every piece. Whatever goes wrong leaves it empty, or so that no store opens it and a restore begins anew.
pub async fn restore(
    options: &Options,
    reader: &mut Reader<impl Read>,
    now: Timestamp,
    mut each: impl FnMut(usize),
) -> Result<(), RestoreError> {
    let url = options.url.to_string();
    let store = ClusterStore::open_for_restore(options).await?;
    let at = |source| RestoreError::Write { url: url.clone(), source };
    if store.is_half_restored().await.map_err(at)? {
        store.wipe().await.map_err(at)?;
    } else if Walk::default().next(&store.link).await.map_err(at)?.is_some()
        || !store.link.all_hidden().await.map_err(at)?.is_empty()
    {
        return Err(RestoreError::NotEmpty(url));
    }
    store.set("restoring", b"1").await.map_err(at)?;
    let restored = take_all(&store, reader, now, &mut each, &at).await;
    if restored.is_err() {
        store.wipe().await.map_err(at)?;
    }
    store.unset("restoring").await.map_err(at)?;
    restored
}

async fn take_all(
    store: &ClusterStore,
    reader: &mut Reader<impl Read>,
    now: Timestamp,
    each: &mut impl FnMut(usize),
    at: &impl Fn(StoreError) -> RestoreError,
) -> Result<(), RestoreError> {
    let next = reader.head().generation_next.saturating_add(GENERATIONS_APART);
    if next > GENERATION_MAX {
        return Err(RestoreError::Generations(reader.head().generation_next));
    }
    let mut restoring = Restoring { store, now, hidden: HashSet::new(), open: None };
    while let Some(item) = reader.next()? {
        each(item.messages());
        restoring.take(item).await.map_err(at)?;
    }
    // Those that the store was opened with are behind it, if it was used before.
    store.reserve(0, next).await.map_err(at)?;
    if let Some(etag_key) = reader.label().etag_key {
        store.set("etag", &etag_key).await.map_err(at)?;
    }
    Ok(())
}

struct Restoring<'a> {
    store: &'a ClusterStore,
    now: Timestamp,
    hidden: HashSet<UserId>,
    open: Option<Open>,
}

/// The conversation that is being written.
struct Open {
    entry: Entry,
    head: String,
    slots: u32,
}

impl Restoring<'_> {
    async fn take(&mut self, item: Item) -> Result<(), StoreError> {
        match item {
            Item::Hidden(users) => {
                let key = self.store.link.keys.hidden();
                let mut add = redis::cmd("SADD");
                add.arg(&key);
                add.arg(users.iter().map(UserId::as_str).collect::<Vec<_>>());
                self.store.link.write(&key, add).await?;
                self.hidden.extend(users);
                Ok(())
            }
            Item::Conversation { id, order_highest } => {
                let entry = self.store.list(&id).await?;
                let open = Open { head: self.store.link.keys.head(&id), entry, slots: 0 };
                let order = order_highest.map_or(String::new(), |order| order.0.to_string());
                let mut begin = script::RESTORE_HEAD.on(&open.head);
                begin.arg(&open.entry.life).arg(order);
                self.store.link.write(&open.head, begin).await?;
                self.open = Some(open);
                Ok(())
            }
            Item::Names(names) => self.names(&names).await,
            Item::Roster { version, members } => self.roster(version, &members).await,
            Item::Run(page) => self.run(&page).await,
        }
    }

    fn open(&mut self) -> &mut Open {
        self.open.as_mut().expect("invariant: a reader checks what follows what")
    }

    async fn names(&mut self, names: &[Option<UserId>]) -> Result<(), StoreError> {
        let told: Vec<_> = names.iter().map(|name| self.told(name.as_ref())).collect();
        let open = self.open();
        let mut command = script::RESTORE_NAMES.on(&open.head);
        command.arg(&open.entry.life).arg(open.slots);
        command.arg(&told);
        open.slots += u32::try_from(names.len()).expect("invariant: a thousand at the most");
        let head = open.head.clone();
        self.store.link.write(&head, command).await.map(drop)
    }

    fn told(&self, name: Option<&UserId>) -> String {
        match name {
            None => "d".to_owned(),
            Some(name) if self.hidden.contains(name) => format!("h{name}"),
            Some(name) => format!("n{name}"),
        }
    }

    async fn roster(&mut self, version: u64, members: &SlotSet) -> Result<(), StoreError> {
        let open = self.open();
        let mut command = script::RESTORE_ROSTER.on(&open.head);
        command.arg(&open.entry.life).arg(version).arg(members.len()).arg(state::bits(members));
        let head = open.head.clone();
        self.store.link.write(&head, command).await.map(drop)
    }

    async fn run(&mut self, page: &Page) -> Result<(), StoreError> {
        let now = self.now;
        let open = self.open();
        let mut command = script::RESTORE_RUN.on(&open.head);
        let audiences: Vec<_> = page.outline().audiences().collect();
        command.arg(&open.entry.life).arg(audiences.len());
        command.arg(audiences.iter().map(|(slots, _)| state::bits(slots)).collect::<Vec<_>>());
        for (position, message) in page.messages() {
            let audience = audiences.iter().position(|(_, of)| of.contains(position)).map_or(0, |at| at + 1);
            let asked = page.receipts(position, &Hidden::default()).map_or(0, |known| known.of);
            let read: SlotSet =
                page.rows().filter(|(_, row)| row.contains(position)).map(|(slot, _)| slot).collect();
            command.arg(message.id).arg(state::header(&message, asked)).arg(audience).arg(state::bits(&read));
            command.arg(keep_ms(message.expires_at, now)).arg(message.order.0).arg(message.expires_at.unix_s);
        }
        let head = open.head.clone();
        self.store.link.write(&head, command).await.map(drop)
    }
}

impl ClusterStore {
    /// Removes all that a restore that was cut off left.
    async fn wipe(&self) -> Result<(), StoreError> {
        let mut walk = Walk::default();
        while let Some(entries) = walk.next(&self.link).await? {
            together(entries.iter().map(|entry| self.wipe_one(entry)).collect()).await?;
        }
        let key = self.link.keys.hidden();
        let mut remove = redis::cmd("DEL");
        remove.arg(&key);
        self.link.write(&key, remove).await.map(drop)
    }

    async fn wipe_one(&self, entry: &Entry) -> Result<(), StoreError> {
        self.forget(entry.id.clone()).await?;
        // Also where its life has not begun.
        self.clear(entry).await
    }

    async fn is_half_restored(&self) -> Result<bool, StoreError> {
        Ok(self.field("restoring").await?.is_some_and(|value| number(&value).is_some()))
    }
}
