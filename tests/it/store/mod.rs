//! The store's contract: one suite for all engines, dumps between them, and random operations judged by the model.

mod clock;
mod contract;
pub(crate) mod crash;
mod damage;
pub(crate) mod dumps;
mod property;
mod threads;

use seenby::{
    domain::{
        Audience, ConversationId, ExpiresAt, MessageId, MessageIdRef, Order, RegisterOutcome, Registered,
        Registration, Role, Timestamp, UserId, Viewer,
    },
    store::{Half, Mark, Marked, Read, ReadersWanted, Store},
};

/// An instant that most tests happen at.
pub(crate) const NOW: Timestamp = Timestamp { unix_ms: 1_000_000 };

/// When messages of these tests expire, unless they say otherwise.
pub(crate) const END: ExpiresAt = ExpiresAt { unix_s: 2_000 };

pub(crate) fn conversation(id: &str) -> ConversationId {
    ConversationId::new(id).unwrap()
}

pub(crate) fn message(id: &str) -> MessageId {
    MessageId::new(id).unwrap()
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

pub(crate) fn users(ids: &[&str]) -> Vec<UserId> {
    ids.iter().map(|id| user(id)).collect()
}

pub(crate) fn registration(id: &str, sender: &str) -> Registration {
    Registration {
        message: message(id),
        sender: user(sender),
        audience: Audience::Roster,
        expires_in_s: None,
        expires_at: END,
        order: None,
    }
}

/// Registers one message, and says what became of it.
pub(crate) async fn register(store: &dyn Store, c: &str, registration: Registration) -> RegisterOutcome {
    let outcomes = store.register(conversation(c), vec![registration], NOW).await.unwrap();
    assert_eq!(outcomes.len(), 1);
    outcomes[0]
}

/// Registers one message that is new, at `now`.
pub(crate) async fn register_at(
    store: &dyn Store,
    c: &str,
    registration: Registration,
    now: Timestamp,
) -> Registered {
    let outcomes = store.register(conversation(c), vec![registration], now).await.unwrap();
    let [RegisterOutcome::New(registered)] = outcomes[..] else { panic!("{outcomes:?}") };
    registered
}

/// A conversation with these members and messages, all from the first member.
pub(crate) async fn group(store: &dyn Store, c: &str, members: &[&str], messages: &[&str]) {
    store.replace_roster(conversation(c), users(members)).await.unwrap();
    for id in messages {
        let outcome = register(store, c, registration(id, members[0])).await;
        assert!(matches!(outcome, RegisterOutcome::New(_)), "{id}: {outcome:?}");
    }
}

pub(crate) fn read_messages(ids: &[&str]) -> Read {
    Read::Messages(ids.iter().map(|id| message(id)).collect())
}

pub(crate) async fn mark(store: &dyn Store, c: &str, reader: &str, read: Read) -> Marked {
    let mark = Mark { conversation: conversation(c), reader: user(reader), read, by: Role::App };
    let marked = store.mark(vec![mark], NOW).await.unwrap();
    assert_eq!(marked.len(), 1);
    marked.into_iter().next().unwrap()
}

/// How many have read each message, and how many were asked.
pub(crate) async fn counts(store: &dyn Store, c: &str, ids: &[&str]) -> Vec<Option<(u32, u32)>> {
    counts_at(store, c, ids, NOW).await
}

/// The same, at `now`.
pub(crate) async fn counts_at(
    store: &dyn Store,
    c: &str,
    ids: &[&str],
    now: Timestamp,
) -> Vec<Option<(u32, u32)>> {
    let ids: Vec<_> = ids.iter().map(|id| MessageIdRef::new(id).unwrap()).collect();
    let receipts = store.receipts(&conversation(c), &ids, &Viewer::App, now).await.unwrap();
    receipts.into_iter().map(|known| known.map(|known| (known.read, known.of))).collect()
}

/// Everybody of one half, walked in parts of `limit`.
pub(crate) async fn walk(store: &dyn Store, c: &str, id: &str, half: Half, limit: usize) -> Vec<UserId> {
    let (c, id) = (conversation(c), message(id));
    let mut users = Vec::new();
    let mut after = None;
    loop {
        let part = store
            .readers(&c, &id, &Viewer::App, ReadersWanted { half, after, limit }, NOW)
            .await
            .unwrap()
            .unwrap();
        assert!(part.users.len() <= limit);
        users.extend(part.users);
        after = part.next;
        if after.is_none() {
            return users;
        }
    }
}

pub(crate) fn new(of: u32, order: u64) -> RegisterOutcome {
    RegisterOutcome::New(Registered { of, order: Order(order), expires_at: END })
}

pub(crate) fn same(of: u32, order: u64) -> RegisterOutcome {
    RegisterOutcome::Same(Registered { of, order: Order(order), expires_at: END })
}
