//! A sender's phone: one connection, what it asks for, and what it shows.

use std::{net::SocketAddr, time::Duration};

use tokio::net::TcpStream;

use super::{
    meter::{Meter, Metered},
    time::Time,
};
use crate::{
    cli::measure::MeasureError,
    client::{Client, ClientError, Pulled, Receipts, Stream},
    wire::{Poll, ReceiptsEntry},
};

/// What a phone has seen of its message.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) requests: u64,
    /// Answers whole, and heads of streams.
    pub(super) answers: u64,
    pub(super) events: u64,
    /// Of the events, those that tell of marks: not the one that a stream begins with if it goes on from nothing.
    pub(super) pushed: u64,
    pub(super) connections: u64,
    /// Pulls, look by look.
    pub(super) pulls: Vec<u64>,
    /// What it has shown, and from when on.
    pub(super) shown: Vec<(Duration, u32)>,
}

impl Seen {
    /// The count that is on the screen in the end.
    pub(super) fn last(&self) -> u32 {
        self.shown.last().map_or(0, |(_, read)| *read)
    }
}

/// How to go on after a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    /// The server's pace; none when nothing can change any more.
    pub(super) poll: Option<Poll>,
    /// For how long the answer is as good as asking again.
    pub(super) max_age: Duration,
}

/// The phone of one message's sender.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) time: Time,
    pub(super) address: SocketAddr,
    /// Of the server; its own connections are not used.
    pub(super) client: Client,
    pub(super) conversation: String,
    pub(super) message: String,
    pub(super) meter: Meter,
    pub(super) seen: Seen,
    /// When within its pace it pulls.
    pub(super) chance: fastrand::Rng,
    line: Option<Client>,
    etag: Option<String>,
    poll: Option<Poll>,
}

impl Sender {
    pub(super) fn new(
        (client, address): (&Client, SocketAddr),
        meter: Meter,
        time: Time,
        (conversation, message): (&str, &str),
        chance: fastrand::Rng,
    ) -> Self {
        Self {
            time,
            address,
            client: client.clone(),
            conversation: conversation.to_owned(),
            message: message.to_owned(),
            meter,
            seen: Seen::default(),
            chance,
            line: None,
            etag: None,
            poll: None,
        }
    }

    /// Pulls, with what it knows already; once more if the connection had been idle for too long.
    pub(super) async fn pull(&mut self) -> Result<Next, MeasureError> {
        let had_line = self.line.is_some();
        match self.pull_once().await {
            Err(MeasureError::Call { source: ClientError::Unreachable { .. }, .. }) if had_line => {
                self.hang_up();
                self.pull_once().await
            }
            done => done,
        }
    }

    async fn pull_once(&mut self) -> Result<Next, MeasureError> {
        let line = self.line().await?;
        self.seen.requests += 1;
        let asked = [&self.message];
        let pulled = match &self.etag {
            Some(etag) => line.pull_again(&self.conversation, &asked, etag).await,
            None => line.pull(&self.conversation, &asked).await.map(Pulled::Receipts),
        };
        let pulled = pulled.map_err(MeasureError::call("pull"))?;
        self.seen.answers += 1;
        let max_age = match pulled {
            Pulled::Unchanged { max_age } => max_age,
            Pulled::Receipts(receipts) => self.take(receipts)?,
        };
        Ok(Next { poll: self.poll, max_age: max_age.unwrap_or_default() })
    }

    /// Opens a stream, from what it knows already. The connection is the stream's until it is hung up.
    pub(super) async fn stream(&mut self) -> Result<Stream, MeasureError> {
        let line = self.line().await?;
        self.seen.requests += 1;
        let stream = line.stream(&self.conversation, &[&self.message], self.etag.as_deref(), None).await;
        let stream = stream.map_err(MeasureError::call("open a stream"))?;
        self.seen.answers += 1;
        Ok(stream)
    }

    /// Shows what came, and keeps what is needed to go on.
    pub(super) fn take(&mut self, came: Receipts) -> Result<Option<Duration>, MeasureError> {
        let now = self.time.now();
        for ReceiptsEntry { message, read, .. } in &came.receipts {
            match read {
                Some(read) if *message == self.message => self.seen.shown.push((now, *read)),
                _ => {
                    return Err(MeasureError::Wrong(format!(
                        "{} was asked for, and {message} came",
                        self.message
                    )));
                }
            }
        }
        (self.etag, self.poll) = (Some(came.etag), came.poll);
        Ok(came.max_age)
    }

    /// Ends its connection.
    pub(super) fn hang_up(&mut self) {
        self.line = None;
    }

    async fn line(&mut self) -> Result<Client, MeasureError> {
        if let Some(line) = &self.line {
            return Ok(line.clone());
        }
        let stream = TcpStream::connect(self.address).await.map_err(MeasureError::io("connect"))?;
        stream.set_nodelay(true).map_err(MeasureError::io("set up a connection"))?;
        self.seen.connections += 1;
        let metered = Metered { stream, meter: self.meter.clone() };
        let line = self.client.over(metered).await.map_err(MeasureError::call("begin a connection"))?;
        self.line = Some(line.clone());
        Ok(line)
    }
}
