//! Users whose receipts are off, and users who are deleted.
//!
//! Who has their receipts off stands in a set of its own and, by slot, in each conversation that knows them. Whoever changes
//! the set changes all conversations behind it and then looks at the set again; whoever brings a user to a conversation looks
//! at the set afterwards, sets the slot to what is found, and looks again. Whoever is last so leaves what the set says.

use futures_util::future::join_all;
use redis::{Cmd, Value};

use super::{
    engine::ClusterStore,
    index::{Walk, together},
    link::Link,
    marks::PART,
    messages::after_order,
    reply::{array, int, text},
    rosters::users as names,
    script,
};
use crate::{
    domain::{ConversationId, UserId},
    store::StoreError,
};

/// What scripts answer as long as it is not known of users whether their receipts are off, and it depends on that.
const LOOK_UP_FIRST: i64 = -3;

impl ClusterStore {
    /// Whose receipts are off.
    pub(super) async fn are_hidden(&self, users: &[UserId]) -> Result<Vec<bool>, StoreError> {
        let key = self.link.keys.hidden();
        let parts = users.chunks(PART).map(|users| {
            let mut command = redis::cmd("SMISMEMBER");
            command.arg(&key);
            command.arg(users.iter().map(UserId::as_str).collect::<Vec<_>>());
            self.link.read(&key, command)
        });
        let mut hidden = Vec::with_capacity(users.len());
        for answer in join_all(parts).await {
            let answer = answer?;
            let part: Vec<_> = Link::expect(&answer, |answer| {
                array(answer)?.iter().map(|is| Some(int(is)? == 1)).collect()
            })?;
            hidden.extend(part);
        }
        Ok(hidden)
    }

    /// Finds out of users who are new to a conversation whether their receipts are off.
    pub(super) async fn look_up(
        &self,
        conversation: &ConversationId,
        fresh: &[UserId],
    ) -> Result<(), StoreError> {
        if fresh.is_empty() {
            return Ok(());
        }
        let mut found = self.are_hidden(fresh).await?;
        loop {
            for is_hidden in [true, false] {
                let these = fresh.iter().zip(&found).filter(|(_, is)| **is == is_hidden);
                let these: Vec<_> = these.map(|(user, _)| user.clone()).collect();
                for users in these.chunks(PART) {
                    self.hide_in(conversation, users, is_hidden).await?;
                }
            }
            let again = self.are_hidden(fresh).await?;
            if again == found {
                break;
            }
            found = again;
        }
        let head = self.link.keys.head(conversation);
        let mut command = script::LOOKED_UP.on(&head);
        command.arg(fresh.iter().map(UserId::as_str).collect::<Vec<_>>());
        self.link.write(&head, command).await.map(drop)
    }

    /// Reads what depends on who has their receipts off. Whoever brought users to the conversation may have died before it
    /// looked them up.
    pub(super) async fn read_known(
        &self,
        conversation: &ConversationId,
        head: &str,
        command: Cmd,
    ) -> Result<Value, StoreError> {
        loop {
            let answer = self.link.read(head, command.clone()).await?;
            let Some(fresh) = to_look_up(&answer) else { return Ok(answer) };
            self.look_up(conversation, &fresh).await?;
        }
    }

    /// The same of a write.
    pub(super) async fn write_known(
        &self,
        conversation: &ConversationId,
        head: &str,
        command: Cmd,
    ) -> Result<Value, StoreError> {
        loop {
            let answer = self.write(conversation, head, command.clone()).await?;
            let Some(fresh) = to_look_up(&answer) else { return Ok(answer) };
            self.look_up(conversation, &fresh).await?;
        }
    }

    async fn hide_in(
        &self,
        conversation: &ConversationId,
        users: &[UserId],
        is_hidden: bool,
    ) -> Result<(), StoreError> {
        let head = self.link.keys.head(conversation);
        let mut command = script::HIDE.on(&head);
        command.arg(if is_hidden { "1" } else { "0" });
        command.arg(users.iter().map(UserId::as_str).collect::<Vec<_>>());
        self.write(conversation, &head, command).await.map(drop)
    }

    pub(super) async fn hide(&self, user: UserId, is_hidden: bool) -> Result<(), StoreError> {
        let key = self.link.keys.hidden();
        let mut command = redis::cmd(if is_hidden { "SADD" } else { "SREM" });
        command.arg(&key).arg(user.as_str());
        self.link.write(&key, command).await?;
        let mut is_hidden = is_hidden;
        loop {
            let mut walk = Walk::default();
            while let Some(entries) = walk.next(&self.link).await? {
                let one = std::slice::from_ref(&user);
                together(entries.iter().map(|entry| self.hide_in(&entry.id, one, is_hidden)).collect())
                    .await?;
            }
            let now = self.are_hidden(std::slice::from_ref(&user)).await?[0];
            if now == is_hidden {
                return Ok(());
            }
            // Somebody changed it meanwhile, and may have passed us on the way.
            is_hidden = now;
        }
    }

    pub(super) async fn delete_user(&self, user: UserId) -> Result<(), StoreError> {
        let mut walk = Walk::default();
        while let Some(entries) = walk.next(&self.link).await? {
            together(entries.iter().map(|entry| self.part(&entry.id, &user)).collect()).await?;
        }
        // Last: nobody sees a hidden user again on the way. In every conversation: the name may have come back to one meanwhile.
        if self.are_hidden(std::slice::from_ref(&user)).await?[0] {
            self.hide(user, false).await?;
        }
        Ok(())
    }

    /// Takes a user out of a conversation, and the messages that the user sent.
    async fn part(&self, conversation: &ConversationId, user: &UserId) -> Result<(), StoreError> {
        let head = self.link.keys.head(conversation);
        let mut command = script::PART.on(&head);
        command.arg(user.as_str());
        let answer = self.write(conversation, &head, command).await?;
        let gone: Vec<Value> = Link::expect(&answer, |answer| Some(array(answer)?.to_vec()))?;
        let gone: Vec<_> = gone.iter().filter_map(text).collect();
        let mut after = after_order(None);
        while !gone.is_empty() && !after.is_empty() {
            let mut command = script::PURGE.on(&head);
            command.arg(&after).arg(PART);
            command.arg(&gone);
            let answer = self.write(conversation, &head, command).await?;
            after = Link::expect(&answer, text)?;
        }
        Ok(())
    }
}

/// Whom a script wants looked up before it does anything, if that is what it answers.
fn to_look_up(answer: &Value) -> Option<Vec<UserId>> {
    match array(answer) {
        Some([Value::Int(LOOK_UP_FIRST), fresh]) => names(array(fresh)?),
        _ => None,
    }
}
