//! All that the API shows of a conversation, asked of a server and of the model.

use seenby::{
    client::{Client, ClientError},
    domain::{MessageIdRef, Timestamp, Viewer},
    receipts::{Half, Ledger, ReadersWanted},
    wire::Code,
};

use super::{
    judge::rfc3339,
    op::{IDS, USERS},
};
use crate::store::{conversation, message, user};

/// A message, as it is listed, and who has read it and who has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownMessage {
    id: String,
    sender: String,
    order: u64,
    expires_at: String,
    read: u32,
    of: u32,
    readers: Vec<String>,
    unread: Vec<String>,
}

/// A conversation, as far as anybody can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    is_listed: bool,
    roster: Option<(Vec<String>, u64)>,
    messages: Vec<ShownMessage>,
    /// What each user has left to read.
    badges: Vec<(usize, Option<String>)>,
    /// The receipts of each message, if it is known.
    pulled: Vec<Option<(u32, u32)>>,
}

/// None for what is not there, instead of the refusal.
fn known<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ClientError::Problem { problem, .. })
            if [Code::UnknownConversation, Code::UnknownMessage].contains(&problem.code) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What a server shows.
pub(crate) async fn shown(client: &Client, conversations: &[String]) -> Result<Vec<Shown>, ClientError> {
    let listed = client.conversations().await?;
    let mut all = Vec::new();
    for c in conversations {
        let roster = known(client.roster_part(c, None).await)?;
        let mut messages = Vec::new();
        for listed in client.messages(c).await? {
            messages.push(ShownMessage {
                readers: known(client.readers(c, &listed.message).await)?.unwrap_or_default(),
                unread: known(client.unread(c, &listed.message).await)?.unwrap_or_default(),
                id: listed.message,
                sender: listed.sender,
                order: listed.order,
                expires_at: listed.expires_at,
                read: listed.read,
                of: listed.of,
            });
        }
        let mut badges = Vec::new();
        for reader in USERS {
            let badge = client.badge(c, reader).await?;
            badges.push((badge.unread, badge.first_unread));
        }
        let pulled = client.pull(c, &IDS).await?.receipts;
        all.push(Shown {
            is_listed: listed.contains(c),
            roster: roster.map(|roster| (roster.members, roster.version)),
            messages,
            badges,
            pulled: pulled.into_iter().map(|entry| entry.read.zip(entry.of)).collect(),
        });
    }
    Ok(all)
}

/// What the model shows.
pub(super) async fn shown_by(model: &Ledger, conversations: &[String], now: Timestamp) -> Vec<Shown> {
    const ALL: usize = 1_000;
    let (listed, _) = model.conversations(None, ALL, now).await.unwrap();
    let mut all = Vec::new();
    for name in conversations {
        let c = conversation(name);
        let half = async |id: &str, half| {
            let wanted = ReadersWanted { half, after: None, limit: ALL };
            let part = model.readers(&c, &message(id), &Viewer::App, wanted, now).await.unwrap().unwrap();
            part.users.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let mut messages = Vec::new();
        for known in model.messages(&c, None, ALL, now).await.unwrap().0 {
            let id = known.message.to_string();
            messages.push(ShownMessage {
                readers: half(&id, Half::Read).await,
                unread: half(&id, Half::Unread).await,
                id,
                sender: known.sender.to_string(),
                order: known.order.0,
                expires_at: rfc3339(known.expires_at),
                read: known.receipts.read,
                of: known.receipts.of,
            });
        }
        let mut badges = Vec::new();
        for reader in USERS {
            let unread = model.unread(&c, &user(reader), now).await.unwrap();
            badges.push((unread.unread, unread.first.map(|first| first.to_string())));
        }
        let screen = IDS.iter().map(|id| MessageIdRef::new(id).unwrap()).collect();
        let pulled = model.pull(vec![(c.clone(), screen)], &Viewer::App, now).await.unwrap();
        let roster = model.roster(&c, None, ALL).await.unwrap();
        all.push(Shown {
            is_listed: listed.contains(&c),
            roster: roster.map(|part| (part.members.iter().map(ToString::to_string).collect(), part.version)),
            messages,
            badges,
            pulled: pulled.named().map(|named| named.receipts.map(|known| (known.read, known.of))).collect(),
        });
    }
    all
}
