//! Pulls, and the lists of who has read and who has not.

use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode, header};

use super::{Client, ClientError, connection::Answer, messages::message_of, target::Target};
use crate::wire::{
    Poll, PullResponse, QueryPull, QueryRequest, QueryResponse, ReadersResponse, ReceiptsEntry,
};

/// What a pull brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipts {
    /// One entry a message asked for, in the order asked; of [`Client::pull_again`], those that have changed.
    pub receipts: Vec<ReceiptsEntry>,
    /// The server's word on how to go on; none when nothing asked for can change any more.
    pub poll: Option<Poll>,
    /// Names all that was asked for as it stands, quotes included: for the next pull.
    pub etag: String,
    /// How long the answer may be shown without asking again; none if it may not be.
    pub max_age: Option<Duration>,
}

/// What a further pull brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    /// Nothing has changed; the `ETag` and the pace of the last answer stand.
    Unchanged {
        /// How long the last answer may be shown without asking again; none if it may not be.
        max_age: Option<Duration>,
    },
    /// These have.
    Receipts(Receipts),
}

impl Client {
    /// Pulls the receipts of 1 to 100 messages.
    pub async fn pull(
        &self,
        conversation: &str,
        messages: &[impl AsRef<str>],
    ) -> Result<Receipts, ClientError> {
        let target = screen(conversation, messages);
        let answer = self.send(self.request(&Method::GET, target.as_str()), Bytes::new()).await?;
        receipts(answer)
    }

    /// Pulls what has changed since the answer that `etag` came with.
    pub async fn pull_again(
        &self,
        conversation: &str,
        messages: &[impl AsRef<str>],
        etag: &str,
    ) -> Result<Pulled, ClientError> {
        let target = screen(conversation, messages).with("changed", "1");
        self.pull_unless(&target, etag).await
    }

    /// Pulls all of the messages, unless none has changed since the answer that `etag` came with.
    pub async fn pull_all_again(
        &self,
        conversation: &str,
        messages: &[impl AsRef<str>],
        etag: &str,
    ) -> Result<Pulled, ClientError> {
        self.pull_unless(&screen(conversation, messages), etag).await
    }

    async fn pull_unless(&self, target: &Target, etag: &str) -> Result<Pulled, ClientError> {
        let request = self.request(&Method::GET, target.as_str()).header(header::IF_NONE_MATCH, etag);
        let answer = self.send(request, Bytes::new()).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(Pulled::Unchanged { max_age: max_age(&answer) });
        }
        receipts(answer).map(Pulled::Receipts)
    }

    /// Pulls messages of several conversations, 1 to 100 in all; with `etag`, what has changed since the answer
    /// that it came with.
    pub async fn query(
        &self,
        pulls: Vec<QueryPull>,
        etag: Option<&str>,
    ) -> Result<QueryResponse, ClientError> {
        let request = QueryRequest { pulls, etag: etag.map(str::to_owned) };
        self.give(Method::POST, &Target::v1("receipts/query"), &request).await
    }

    /// One part of who has read the message; `after` is the `next` of the part before.
    pub async fn readers_part(
        &self,
        conversation: &str,
        message: &str,
        after: Option<&str>,
    ) -> Result<ReadersResponse, ClientError> {
        self.get(&message_of(conversation, message).then("readers").part(after)).await
    }

    /// All who have read the message, in slot order.
    pub async fn readers(&self, conversation: &str, message: &str) -> Result<Vec<String>, ClientError> {
        walk!(users, |after| self.readers_part(conversation, message, after))
    }

    /// One part of who has not read the message; `after` is the `next` of the part before.
    pub async fn unread_part(
        &self,
        conversation: &str,
        message: &str,
        after: Option<&str>,
    ) -> Result<ReadersResponse, ClientError> {
        self.get(&message_of(conversation, message).then("unread").part(after)).await
    }

    /// All who were sent the message and have not read it, in slot order.
    pub async fn unread(&self, conversation: &str, message: &str) -> Result<Vec<String>, ClientError> {
        walk!(users, |after| self.unread_part(conversation, message, after))
    }
}

fn screen(conversation: &str, messages: &[impl AsRef<str>]) -> Target {
    asked(Target::conversation(conversation).then("receipts"), messages)
}

/// The path `target`, of these messages.
pub(super) fn asked(target: Target, messages: &[impl AsRef<str>]) -> Target {
    messages.iter().fold(target, |target, message| target.with("message", message.as_ref()))
}

fn receipts(answer: Answer) -> Result<Receipts, ClientError> {
    let etag = answer.field(&header::ETAG).map(str::to_owned);
    let max_age = max_age(&answer);
    let missing = answer.unreadable("it has no ETag".to_owned());
    let PullResponse { receipts, poll } = answer.read()?;
    Ok(Receipts { receipts, poll, etag: etag.ok_or(missing)?, max_age })
}

/// `private, max-age=2`: 2 seconds.
fn max_age(answer: &Answer) -> Option<Duration> {
    let directives = answer.field(&header::CACHE_CONTROL)?;
    let seconds = directives.split(',').find_map(|directive| directive.trim().strip_prefix("max-age="))?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;

    use super::*;

    fn answer(fields: &[(header::HeaderName, &str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.insert(name, value.parse().unwrap());
        }
        let body =
            r#"{"receipts":[{"message":"m1","read":1,"of":2}],"poll":{"every_ms":2000,"for_ms":20000}}"#;
        Answer { status: StatusCode::OK, fields: map, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn a_pull_brings_its_name_and_for_how_long_it_holds() {
        let fields = [(header::ETAG, "\"abc\""), (header::CACHE_CONTROL, "private, max-age=2")];
        let pulled = receipts(answer(&fields)).unwrap();
        assert_eq!((pulled.etag.as_str(), pulled.max_age), ("\"abc\"", Some(Duration::from_secs(2))));
        let fields = [(header::ETAG, "\"abc\""), (header::CACHE_CONTROL, "private, no-cache")];
        assert_eq!(receipts(answer(&fields)).unwrap().max_age, None);
    }

    #[test]
    fn a_pull_without_a_name_is_unreadable() {
        assert!(matches!(receipts(answer(&[])), Err(ClientError::Unreadable { .. })));
    }
}
