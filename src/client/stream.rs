//! Receipts as they change: the stream of events, for as long as messages are on screen.

use std::{fmt, time::Duration};

use http_body_util::BodyExt;
use hyper::{Method, StatusCode, body::Incoming, header};

use super::{
    Client, ClientError, Receipts,
    error::Silent,
    events::{Event, EventReader},
    receipts::asked,
    target::Target,
};
use crate::wire::PullResponse;

/// After so long without a byte there is nobody any more at the other end: a comment comes every 15 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// What a stream brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEvent {
    /// First all that was asked for, or what has changed since the event that the stream goes on from; then, whenever
    /// something changes, that. The `etag` may be given to [`Client::pull_again`].
    Receipts(Receipts),
    /// The server ends the stream in good order: it has lasted for as long as was asked for.
    End,
}

/// A stream of receipts. Dropped before its end, it ends with its connection.
pub struct Stream {
    client: Client,
    /// None when there is nothing (more) to come.
    body: Option<Incoming>,
    reader: EventReader,
    last_event_id: Option<String>,
}

impl Client {
    /// Has the server tell of changes to the receipts of 1 to 100 messages.
    ///
    /// `last_event_id` goes on from an earlier stream's event, or from the `etag` of a pull. The id of the event that ended a
    /// stream is not one to go on from: the stream is empty then, for good; a new look begins with an `etag`, or with none. It
    /// lasts for `for_ms`, 1 to what the server allows, and for that long if left out.
    ///
    /// Refused with `unknown-message` if none of the messages is known, and with `too-many-streams`, after whose wait it may
    /// be tried again.
    pub async fn stream(
        &self,
        conversation: &str,
        messages: &[impl AsRef<str>],
        last_event_id: Option<&str>,
        for_ms: Option<u64>,
    ) -> Result<Stream, ClientError> {
        let mut target = asked(Target::conversation(conversation).then("receipts").then("stream"), messages);
        if let Some(for_ms) = for_ms {
            target = target.with("for_ms", &for_ms.to_string());
        }
        let mut request = self.request(&Method::GET, target.as_str());
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id.trim_matches('"'));
        }
        let response = self.begin(request).await?;
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        let body = match response.status() {
            StatusCode::OK if is_stream => Some(response.into_body()),
            StatusCode::NO_CONTENT => None,
            StatusCode::OK => {
                return Err(unreadable("it is no stream of events".to_owned()));
            }
            _ => return Err(self.whole(response).await?.into_error()),
        };
        let last_event_id = last_event_id.map(str::to_owned);
        Ok(Stream { client: self.clone(), body, reader: EventReader::default(), last_event_id })
    }
}

impl Stream {
    /// Waits for the next event; none when the stream has ended. Without a [`StreamEvent::End`] before that, the server went or
    /// cut it off, and it may be resumed at once from its last event.
    /// May be given up on and called again: no event is lost.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, ClientError> {
        loop {
            while let Some(event) = self.reader.next().map_err(unreadable)? {
                if let Some(event) = self.take(event)? {
                    return Ok(Some(event));
                }
            }
            let Some(body) = &mut self.body else { return Ok(None) };
            match tokio::time::timeout(SILENCE_MAX, body.frame()).await {
                Err(_) => return Err(self.client.silence(Silent(SILENCE_MAX))),
                Ok(None) => self.body = None,
                Ok(Some(Err(error))) => return Err(self.client.silence(error)),
                Ok(Some(Ok(frame))) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.reader.take(bytes);
                    }
                }
            }
        }
    }

    /// What a further stream goes on from, once there was an event.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// What the event means; nothing if it is of a kind that only later versions know.
    fn take(&mut self, event: Event) -> Result<Option<StreamEvent>, ClientError> {
        let meaning = match event.name.as_str() {
            "receipts" => {
                let id = event.id.as_ref().ok_or_else(|| unreadable("an event has no id".to_owned()))?;
                let shape: Result<PullResponse, _> = serde_json::from_str(&event.data);
                let PullResponse { receipts, poll } = shape.map_err(|error| unreadable(error.to_string()))?;
                StreamEvent::Receipts(Receipts { receipts, poll, etag: format!("\"{id}\""), max_age: None })
            }
            "end" => StreamEvent::End,
            _ => return Ok(None),
        };
        self.last_event_id = event.id;
        Ok(Some(meaning))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Stream").field("last_event_id", &self.last_event_id).finish_non_exhaustive()
    }
}

fn unreadable(why: String) -> ClientError {
    ClientError::Unreadable { status: StatusCode::OK, why, retry_after: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        let client = Client::new("http://localhost:7400").unwrap();
        Stream { client, body: None, reader: EventReader::default(), last_event_id: None }
    }

    #[tokio::test]
    async fn events_bring_receipts_with_the_name_that_a_pull_would_bring() {
        let mut stream = stream();
        stream.reader.take(
            b"event: receipts\nid: abc\ndata: {\"receipts\":[{\"message\":\"m\",\"read\":1,\"of\":2}],\"poll\":null}\n\n\
              event: weather\ndata: fine\n\nevent: end\nid: abc.end\ndata: {}\n\n",
        );
        match stream.next().await.unwrap() {
            Some(StreamEvent::Receipts(receipts)) => {
                assert_eq!((receipts.etag.as_str(), receipts.receipts[0].read), ("\"abc\"", Some(1)));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(stream.last_event_id(), Some("abc"));
        assert_eq!(stream.next().await.unwrap(), Some(StreamEvent::End));
        assert_eq!(stream.last_event_id(), Some("abc.end"));
        assert_eq!(stream.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_event_of_this_api_is_unreadable() {
        for text in [
            "event: receipts\ndata: {\"receipts\":[],\"poll\":null}\n\n",
            "id: a\nevent: receipts\ndata: x\n\n",
        ] {
            let mut stream = stream();
            stream.reader.take(text.as_bytes());
            assert!(matches!(stream.next().await, Err(ClientError::Unreadable { .. })), "{text}");
        }
    }
}
