//! Calls on rosters and conversations.

use hyper::Method;

use super::{Client, ClientError, target::Target};
use crate::wire::{
    ConversationsResponse, RosterChangeRequest, RosterReplaceRequest, RosterResponse, RosterVersion,
};

impl Client {
    /// Makes `members` the roster, whatever it was.
    pub async fn replace_roster(
        &self,
        conversation: &str,
        members: &[impl AsRef<str>],
    ) -> Result<RosterVersion, ClientError> {
        let request = RosterReplaceRequest { members: owned(members) };
        self.give(Method::PUT, &members_of(conversation), &request).await
    }

    /// Adds and removes members; creates the roster if there was none.
    pub async fn change_roster(
        &self,
        conversation: &str,
        change: &RosterChangeRequest,
    ) -> Result<RosterVersion, ClientError> {
        self.give(Method::PATCH, &members_of(conversation), change).await
    }

    /// One part of the roster; `after` is the `next` of the part before.
    pub async fn roster_part(
        &self,
        conversation: &str,
        after: Option<&str>,
    ) -> Result<RosterResponse, ClientError> {
        self.get(&members_of(conversation).part(after)).await
    }

    /// All members, in slot order.
    pub async fn roster(&self, conversation: &str) -> Result<Vec<String>, ClientError> {
        walk!(members, |after| self.roster_part(conversation, after))
    }

    /// One part of the conversations; `after` is the `next` of the part before.
    pub async fn conversations_part(
        &self,
        after: Option<&str>,
    ) -> Result<ConversationsResponse, ClientError> {
        self.get(&Target::v1("conversations").part(after)).await
    }

    /// All conversations with a roster or a live message, in byte order.
    pub async fn conversations(&self) -> Result<Vec<String>, ClientError> {
        walk!(conversations, |after| self.conversations_part(after))
    }

    /// Deletes the conversation: roster, messages and receipts. One that is not there is deleted already.
    pub async fn delete_conversation(&self, conversation: &str) -> Result<(), ClientError> {
        self.order(Method::DELETE, &Target::conversation(conversation)).await
    }
}

fn members_of(conversation: &str) -> Target {
    Target::conversation(conversation).then("members")
}

/// Names as the wire's shapes hold them.
pub(super) fn owned(names: &[impl AsRef<str>]) -> Vec<String> {
    names.iter().map(|name| name.as_ref().to_owned()).collect()
}
