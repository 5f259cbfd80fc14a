//! Calls on rosters and conversations.
//!
//! Down from here: `receipts/register` and `receipts/forget`. The shapes are in `wire/rosters`.

use std::collections::HashSet;

use super::{
    answer::{self, Outcome},
    cursor::List,
    exchange::Exchange,
    fields::{self, Place},
    problem::Failure,
};
use crate::{
    domain::{RosterChange, UserId},
    wire::{
        Code, ConversationsResponse, RosterChangeRequest, RosterReplaceRequest, RosterResponse, RosterVersion,
    },
};

/// `PUT /v1/conversations/{c}/members`
pub(super) async fn replace(exchange: &Exchange<'_>) -> Outcome {
    let conversation = exchange.conversation()?;
    let request: RosterReplaceRequest = exchange.json().await?;
    let members = users(exchange, "members", &request.members)?;
    version(exchange, exchange.ledger().replace_roster(conversation, members).await?)
}

/// `PATCH /v1/conversations/{c}/members`
pub(super) async fn change(exchange: &Exchange<'_>) -> Outcome {
    let conversation = exchange.conversation()?;
    let request: RosterChangeRequest = exchange.json().await?;
    let add = users(exchange, "add", &request.add)?;
    let remove = users(exchange, "remove", &request.remove)?;
    let joins: HashSet<&UserId> = add.iter().collect();
    if let Some(both) = remove.iter().find(|user| joins.contains(user)) {
        return Err(fields::bad(format!("'{both}' is in 'add' and in 'remove'")));
    }
    version(exchange, exchange.ledger().change_roster(conversation, add, remove).await?)
}

fn users(exchange: &Exchange<'_>, field: &str, texts: &[String]) -> Result<Vec<UserId>, Failure> {
    fields::at_most(Place::Top, field, texts.len(), exchange.ledger().limits().members_max)?;
    fields::ids(Place::Top, field, texts)
}

fn version(exchange: &Exchange<'_>, change: RosterChange) -> Outcome {
    match change {
        RosterChange::Now { members, version } => answer::json(&RosterVersion { members, version }),
        RosterChange::TooManyMembers => {
            let most = exchange.ledger().limits().members_max;
            Err(Failure::new(Code::TooManyItems, format!("'add': a roster has at most {most} members")))
        }
    }
}

/// `GET /v1/conversations/{c}/members`
pub(super) async fn list(exchange: &Exchange<'_>) -> Outcome {
    let conversation = exchange.conversation()?;
    let limit = exchange.limit()?;
    let after = List::Members.after(&exchange.query)?;
    let part =
        exchange.ledger().roster(&conversation, after, limit).await?.ok_or_else(|| {
            Failure::new(Code::UnknownConversation, Code::UnknownConversation.explanation())
        })?;
    answer::json(&RosterResponse {
        members: part.members.iter().map(ToString::to_string).collect(),
        version: part.version,
        next: part.next.map(|slot| List::Members.write(&slot)),
    })
}

/// `GET /v1/conversations`
pub(super) async fn conversations(exchange: &Exchange<'_>) -> Outcome {
    let limit = exchange.limit()?;
    let after = List::Conversations.after(&exchange.query)?;
    let (part, more) = exchange.ledger().conversations(after.as_ref(), limit, exchange.now).await?;
    let last = part.last().filter(|_| more);
    answer::json(&ConversationsResponse {
        next: last.map(|conversation| List::Conversations.write(conversation)),
        conversations: part.iter().map(ToString::to_string).collect(),
    })
}

/// `DELETE /v1/conversations/{c}`
pub(super) async fn forget(exchange: &Exchange<'_>) -> Outcome {
    exchange.ledger().forget_conversation(exchange.conversation()?).await?;
    Ok(answer::no_content())
}
