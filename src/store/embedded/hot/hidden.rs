//! Users who count in no receipts: one set for all conversations, and in each the slots that they have there.

use std::sync::PoisonError;

use crate::domain::{ConversationId, Slot, UserId};
use crate::store::embedded::{
    hot::conversation::Conversation,
    hot::keyed::ById,
    hot::{Hot, Watch},
};

/// What a name takes beside its text: its place in a tree, a pointer, and counters.
const USER_BYTES: u64 = 64;

fn bytes_of(user: &UserId) -> u64 {
    user.as_str().len() as u64 + USER_BYTES
}

impl Hot {
    /// Whether the user's receipts are off.
    pub(in crate::store::embedded) fn is_hidden(&self, user: &UserId) -> bool {
        self.hidden.read().unwrap_or_else(PoisonError::into_inner).contains(user)
    }

    /// The users whose receipts are off, and that `is_wanted` wants.
    pub(in crate::store::embedded) fn hidden_users(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let hidden = self.hidden.read().unwrap_or_else(PoisonError::into_inner);
        hidden.iter().map(UserId::as_str).filter(|user| is_wanted(user)).map(str::to_owned).collect()
    }

    /// Hides a user everywhere, or shows them again. Looks at each conversation, and keeps pulls out only of the shards that
    /// know the user; `step` is called for each shard.
    pub(in crate::store::embedded) fn publish_hidden(
        &self,
        user: &UserId,
        is_hidden: bool,
        watch: &mut impl Watch,
        mut step: impl FnMut(),
    ) {
        watch.hidden(user);
        self.snapshots.hides(user, self.is_hidden(user));
        for shard in &self.shards {
            step();
            // Only the commit thread, which this is, changes names.
            let known = knowing_in(&shard.read().unwrap_or_else(PoisonError::into_inner), user);
            if known.is_empty() {
                continue;
            }
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            for id in &known {
                let Some(conversation) = shard.get_mut(id) else { continue };
                let Some(slot) = conversation.names.slot(user.as_str()) else { continue };
                let before = conversation.bytes();
                conversation.hidden.set(slot, is_hidden);
                self.room.grew(before, conversation.bytes());
            }
            drop(shard);
            known.iter().for_each(|id| self.watchers.tell(id));
        }
        let bytes = bytes_of(user);
        let mut hidden = self.hidden.write().unwrap_or_else(PoisonError::into_inner);
        if is_hidden && hidden.insert(user.clone()) {
            self.room.grew(0, bytes);
        } else if !is_hidden && hidden.remove(user) {
            self.room.grew(bytes, 0);
        }
    }

    /// Takes in what recovery found, before any conversation.
    pub(in crate::store::embedded) fn insert_hidden(&self, user: UserId) {
        self.room.grew(0, bytes_of(&user));
        self.hidden.write().unwrap_or_else(PoisonError::into_inner).insert(user);
    }

    /// Hides whom a conversation that recovery found must not show.
    pub(super) fn hide_in(&self, conversation: &mut Conversation) {
        let hidden = self.hidden.read().unwrap_or_else(PoisonError::into_inner);
        for (slot, name) in (0..).map(Slot).zip(conversation.names.names_from(0)) {
            if name.is_empty() || !hidden.is_empty() && hidden.contains(name) {
                conversation.hidden.set(slot, true);
            }
        }
    }

    /// The conversations that know a user.
    pub(in crate::store::embedded) fn knowing(&self, user: &UserId) -> Vec<ConversationId> {
        let mut ids = Vec::new();
        for shard in &self.shards {
            ids.extend(knowing_in(&shard.read().unwrap_or_else(PoisonError::into_inner), user));
        }
        ids
    }
}

fn knowing_in(shard: &ById<ConversationId, Conversation>, user: &UserId) -> Vec<ConversationId> {
    let knows = |known: &Conversation| known.names.slot(user.as_str()).is_some();
    shard.iter().filter(|(_, known)| knows(known)).map(|(id, _)| id.clone()).collect()
}
