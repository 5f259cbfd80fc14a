//! Who waits for a conversation to change, and is told when a write to it can be seen.
//!
//! Both engines that live in this process have a [`Watchers`] each. It holds nothing of what changed: who is told looks
//! again. Who does not look for a while is told once for all that happened meanwhile.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::watch;

use crate::domain::ConversationId;

/// Changes of one conversation, from when this was made on.
#[derive(Debug)]
pub struct Changes {
    watchers: Watchers,
    conversation: ConversationId,
    /// Always there, but at its end.
    told: Option<watch::Receiver<()>>,
}

impl Changes {
    /// Ready once something may have changed since this was made, or was last ready. May be dropped while it waits; no
    /// change is lost by that.
    pub async fn next(&mut self) {
        if let Some(told) = &mut self.told {
            // The sender stays for as long as this is there.
            let _ = told.changed().await;
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        let mut known = self.watchers.lock();
        // Under the lock: of two that go at once, one must see that it is the last.
        self.told = None;
        if let Entry::Occupied(tells) = known.entry(self.conversation.clone())
            && tells.get().receiver_count() == 0
        {
            tells.remove();
            self.watchers.0.conversations.store(known.len(), Ordering::SeqCst);
        }
    }
}

/// All who wait, by conversation.
#[derive(Debug, Clone, Default)]
pub(super) struct Watchers(Arc<Watched>);

#[derive(Debug, Default)]
struct Watched {
    tells: Mutex<HashMap<ConversationId, watch::Sender<()>>>,
    /// How many there are in it, for those who have nobody to tell to see without the lock.
    conversations: AtomicUsize,
}

impl Watchers {
    /// The changes of a conversation, which need not be there.
    pub(super) fn watch(&self, conversation: &ConversationId) -> Changes {
        let mut known = self.lock();
        let tells = known.entry(conversation.clone()).or_default();
        let told = Some(tells.subscribe());
        self.0.conversations.store(known.len(), Ordering::SeqCst);
        Changes { watchers: self.clone(), conversation: conversation.clone(), told }
    }

    /// Whether nobody waits for anything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.conversations.load(Ordering::SeqCst) == 0
    }

    /// Tells those who wait for this conversation. To be called once what changed can be seen.
    pub(super) fn tell(&self, conversation: &ConversationId) {
        if self.is_empty() {
            return;
        }
        if let Some(tells) = self.lock().get(conversation) {
            tells.send_replace(());
        }
    }

    /// Tells all who wait.
    pub(super) fn tell_all(&self) {
        self.lock().values().for_each(|tells| tells.send_replace(()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, watch::Sender<()>>> {
        self.0.tells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn id(text: &str) -> ConversationId {
        ConversationId::new(text).unwrap()
    }

    fn is_told(changes: &mut Changes) -> bool {
        pin!(changes.next()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn who_waits_is_told_once_of_all_that_happened_and_of_nothing_else() {
        let watchers = Watchers::default();
        watchers.tell(&id("c"));
        let (mut one, mut two) = (watchers.watch(&id("c")), watchers.watch(&id("c")));
        assert!(!is_told(&mut one), "what was before does not count");
        watchers.tell(&id("d"));
        assert!(!is_told(&mut one));
        watchers.tell(&id("c"));
        watchers.tell(&id("c"));
        assert!(is_told(&mut one) && !is_told(&mut one));
        assert!(is_told(&mut two));
    }

    #[test]
    fn nothing_is_left_of_those_who_go_at_once() {
        let watchers = Watchers::default();
        let goes = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for at in 0..20_000 {
                        let changes = watchers.watch(&id(&at.to_string()));
                        goes.wait();
                        drop(changes);
                    }
                });
            }
        });
        assert!(watchers.is_empty() && watchers.lock().is_empty());
    }

    #[test]
    fn nothing_is_left_of_those_who_have_gone() {
        let watchers = Watchers::default();
        let (one, two) = (watchers.watch(&id("c")), watchers.watch(&id("c")));
        drop(one);
        assert!(!watchers.is_empty());
        drop(two);
        assert!(watchers.is_empty() && watchers.lock().is_empty());
    }
}
