//! Rosters.

use std::collections::HashSet;

use redis::Value;

use super::{
    engine::ClusterStore,
    link::Link,
    reply::{array, id, int, number},
    script,
};
use crate::{
    domain::{ConversationId, RosterChange, Slot, UserId},
    store::{RosterPart, StoreError},
};

impl ClusterStore {
    pub(super) async fn replace_roster_of(
        &self,
        conversation: ConversationId,
        mut members: Vec<UserId>,
    ) -> Result<RosterChange, StoreError> {
        drop_doubles(&mut members);
        let head = self.link.keys.head(&conversation);
        let names: Vec<_> = members.iter().map(UserId::as_str).collect();
        let replace = |life: &str| {
            let mut command = script::ROSTER_REPLACE.on(&head);
            command.arg(life).arg(&names);
            command
        };
        let answer = self.write_or_begin(&conversation, &head, replace).await?;
        self.changed(&conversation, &answer).await
    }

    pub(super) async fn change_roster_of(
        &self,
        conversation: ConversationId,
        mut add: Vec<UserId>,
        mut remove: Vec<UserId>,
        members_max: usize,
    ) -> Result<RosterChange, StoreError> {
        drop_doubles(&mut add);
        drop_doubles(&mut remove);
        let head = self.link.keys.head(&conversation);
        let names: Vec<_> = add.iter().chain(&remove).map(UserId::as_str).collect();
        let change = |life: &str| {
            let mut command = script::ROSTER_CHANGE.on(&head);
            command.arg(life).arg(members_max).arg(add.len()).arg(&names);
            command
        };
        let answer = self.write_or_begin(&conversation, &head, change).await?;
        self.changed(&conversation, &answer).await
    }

    async fn changed(
        &self,
        conversation: &ConversationId,
        answer: &Value,
    ) -> Result<RosterChange, StoreError> {
        let [members, version, fresh] = Link::expect(answer, array)? else {
            return Ok(RosterChange::TooManyMembers);
        };
        let members = Link::expect(members, |members| usize::try_from(int(members)?).ok())?;
        let version = Link::expect(version, number)?;
        self.look_up(conversation, &Link::expect(fresh, |fresh| users(array(fresh)?))?).await?;
        Ok(RosterChange::Now { members, version })
    }

    pub(super) async fn roster_of(
        &self,
        conversation: &ConversationId,
        after: Option<Slot>,
        limit: usize,
    ) -> Result<Option<RosterPart>, StoreError> {
        let head = self.link.keys.head(conversation);
        let mut command = script::ROSTER.on(&head);
        command.arg(after_slot(after)).arg(limit);
        let answer = self.link.read(&head, command).await?;
        if answer == Value::Nil {
            return Ok(None);
        }
        Link::expect(&answer, |answer| {
            let [version, next, members @ ..] = array(answer)? else { return None };
            Some(Some(RosterPart {
                version: number(version)?,
                members: users(members)?,
                next: next_slot(next),
            }))
        })
    }
}

pub(super) fn drop_doubles(users: &mut Vec<UserId>) {
    let mut seen = HashSet::with_capacity(users.len());
    users.retain(|user| seen.insert(user.clone()));
}

pub(super) fn after_slot(after: Option<Slot>) -> String {
    after.map_or(String::new(), |slot| slot.0.to_string())
}

/// Where the next part begins; none for what scripts say at the end, which is no slot.
pub(super) fn next_slot(value: &Value) -> Option<Slot> {
    int(value).and_then(|slot| u32::try_from(slot).ok()).map(Slot)
}

pub(super) fn users(values: &[Value]) -> Option<Vec<UserId>> {
    values.iter().map(|value| id(value, |text| UserId::new(text).ok())).collect()
}
