//! Pulls: what is known of messages, and who has read one.

use redis::Value;

use super::{
    engine::ClusterStore,
    link::Link,
    reply::{array, bytes},
    rosters::{after_slot, next_slot, users},
    script, state,
};
use crate::{
    domain::{ConversationId, MessageId, MessageIdRef, Receipts, Timestamp, Viewer, Visibility},
    store::{Half, ReadersPart, ReadersWanted, StoreError},
};

impl ClusterStore {
    pub(super) async fn receipts_of(
        &self,
        conversation: &ConversationId,
        messages: &[MessageIdRef<'_>],
        viewer: &Viewer,
        now: Timestamp,
    ) -> Result<Vec<Option<Receipts>>, StoreError> {
        let head = self.link.keys.head(conversation);
        let mut command = script::PULL.on(&head);
        let (user, audience_too) = by(viewer);
        command.arg(unix_s(now)).arg(user).arg(audience_too);
        command.arg(messages.iter().map(|message| message.as_str()).collect::<Vec<_>>());
        let answer = self.read_known(conversation, &head, command).await?;
        Link::expect(&answer, |answer| {
            let known = array(answer).filter(|known| known.len() == messages.len())?;
            known.iter().map(known_of).collect()
        })
    }

    pub(super) async fn readers_of(
        &self,
        conversation: &ConversationId,
        message: &MessageId,
        viewer: &Viewer,
        wanted: ReadersWanted,
        now: Timestamp,
    ) -> Result<Option<ReadersPart>, StoreError> {
        let head = self.link.keys.head(conversation);
        let mut command = script::READERS.on(&head);
        let (user, audience_too) = by(viewer);
        let read = if wanted.half == Half::Read { "1" } else { "0" };
        command.arg(unix_s(now)).arg(user).arg(audience_too).arg(message.as_str());
        command.arg(read).arg(after_slot(wanted.after)).arg(wanted.limit);
        let answer = self.read_known(conversation, &head, command).await?;
        if answer == Value::Nil {
            return Ok(None);
        }
        Link::expect(&answer, |answer| {
            let [known, next, names @ ..] = array(answer)? else { return None };
            let receipts = state::receipts(bytes(known)?)?;
            Some(Some(ReadersPart { receipts, users: users(names)?, next: next_slot(next) }))
        })
    }
}

/// What is known of a message, if anything is; none if that does not read.
#[expect(clippy::option_option, reason = "whether it reads, and whether it is known")]
fn known_of(value: &Value) -> Option<Option<Receipts>> {
    if *value == Value::Nil { Some(None) } else { state::receipts(bytes(value)?).map(Some) }
}

/// Who looks, as scripts take it.
fn by(viewer: &Viewer) -> (&str, &'static str) {
    match viewer {
        Viewer::App => ("", "0"),
        Viewer::User { user, sees: Visibility::Sender } => (user.as_str(), "0"),
        Viewer::User { user, sees: Visibility::Audience } => (user.as_str(), "1"),
    }
}

/// An instant in the seconds that ends of messages are in.
pub(super) fn unix_s(now: Timestamp) -> u64 {
    now.unix_ms / 1_000
}
