//! Calls that say who has read what, and the badge of what is left to read.

use hyper::Method;

use super::{Client, ClientError, rosters::owned, target::Target};
use crate::wire::{
    BulkMarkEntry, BulkMarkRequest, BulkMarkResponse, MarkRequest, MarkResponse, UnreadResponse,
};

impl Client {
    /// Marks what `request` says. Durable when answered.
    pub async fn mark(&self, conversation: &str, request: &MarkRequest) -> Result<MarkResponse, ClientError> {
        self.give(Method::POST, &Target::conversation(conversation).then("marks"), request).await
    }

    /// Marks up to 1,000 messages as read by `reader`.
    pub async fn mark_messages(
        &self,
        conversation: &str,
        reader: &str,
        messages: &[impl AsRef<str>],
    ) -> Result<MarkResponse, ClientError> {
        let request = MarkRequest {
            reader: Some(reader.to_owned()),
            messages: Some(owned(messages)),
            ..MarkRequest::default()
        };
        self.mark(conversation, &request).await
    }

    /// Marks everything up to and including `message` as read by `reader`.
    pub async fn mark_up_to(
        &self,
        conversation: &str,
        reader: &str,
        message: &str,
    ) -> Result<MarkResponse, ClientError> {
        let request = MarkRequest {
            reader: Some(reader.to_owned()),
            up_to: Some(message.to_owned()),
            ..MarkRequest::default()
        };
        self.mark(conversation, &request).await
    }

    /// Marks everything up to and including the place `order` as read by `reader`.
    pub async fn mark_up_to_order(
        &self,
        conversation: &str,
        reader: &str,
        order: u64,
    ) -> Result<MarkResponse, ClientError> {
        let request = MarkRequest {
            reader: Some(reader.to_owned()),
            up_to_order: Some(order),
            ..MarkRequest::default()
        };
        self.mark(conversation, &request).await
    }

    /// Marks for many readers, in up to 1,000 entries.
    pub async fn mark_bulk(&self, marks: Vec<BulkMarkEntry>) -> Result<BulkMarkResponse, ClientError> {
        self.give(Method::POST, &Target::v1("marks"), &BulkMarkRequest { marks }).await
    }

    /// How many messages `reader` was sent and has not read, and the first of them.
    pub async fn badge(&self, conversation: &str, reader: &str) -> Result<UnreadResponse, ClientError> {
        self.get(&Target::conversation(conversation).then("readers").then(reader)).await
    }
}
