//! Calls on messages.

use hyper::Method;

use super::{Client, ClientError, target::Target};
use crate::wire::{
    BulkRegisterRequest, BulkRegisterResponse, MessageResponse, MessagesResponse, RegisterEntry,
    RegisterRequest, RegisterResponse,
};

/// A registration that names only its sender.
impl From<&str> for RegisterRequest {
    fn from(sender: &str) -> Self {
        Self { sender: sender.to_owned(), audience: None, expires_in_s: None, order: None }
    }
}

impl Client {
    /// Registers a message; the same again gets the first answer again.
    pub async fn register(
        &self,
        conversation: &str,
        message: &str,
        request: &RegisterRequest,
    ) -> Result<RegisterResponse, ClientError> {
        self.give(Method::PUT, &message_of(conversation, message), request).await
    }

    /// Registers up to 1,000 messages in their order.
    pub async fn register_bulk(
        &self,
        conversation: &str,
        messages: Vec<RegisterEntry>,
    ) -> Result<BulkRegisterResponse, ClientError> {
        let target = Target::conversation(conversation).then("messages");
        self.give(Method::POST, &target, &BulkRegisterRequest { messages }).await
    }

    /// A message, and how many have read it.
    pub async fn message(&self, conversation: &str, message: &str) -> Result<MessageResponse, ClientError> {
        self.get(&message_of(conversation, message)).await
    }

    /// One part of the live messages; `after` is the `next` of the part before.
    pub async fn messages_part(
        &self,
        conversation: &str,
        after: Option<&str>,
    ) -> Result<MessagesResponse, ClientError> {
        self.get(&Target::conversation(conversation).then("messages").part(after)).await
    }

    /// All live messages, oldest first.
    pub async fn messages(&self, conversation: &str) -> Result<Vec<MessageResponse>, ClientError> {
        walk!(messages, |after| self.messages_part(conversation, after))
    }

    /// Deletes a message and its receipts. One that is not there is deleted already.
    pub async fn delete_message(&self, conversation: &str, message: &str) -> Result<(), ClientError> {
        self.order(Method::DELETE, &message_of(conversation, message)).await
    }

    /// Makes nobody have read the message any more, as after an edit.
    ///
    /// Sent again after marks have come in, it takes those back too: mind that when wrapping it in a retry.
    pub async fn reset_message(&self, conversation: &str, message: &str) -> Result<(), ClientError> {
        self.order(Method::POST, &message_of(conversation, message).then("reset")).await
    }
}

pub(super) fn message_of(conversation: &str, message: &str) -> Target {
    Target::conversation(conversation).then("messages").then(message)
}
