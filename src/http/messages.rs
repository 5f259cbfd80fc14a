//! Calls on messages: registering them, listing them, forgetting them.
//!
//! Down from here: `receipts/register` and `receipts/forget`. The shapes are in `wire/messages`.

use hyper::StatusCode;

use super::{
    answer::{self, Outcome},
    cursor::List,
    exchange::Exchange,
    fields::{self, Place},
    problem::{Failure, message_refused, rfc3339},
};
use crate::{
    domain::{MessageId, Refusal, RegisterOutcome, Registered, Registration, Retention, UserId},
    receipts::MessageReceipts,
    wire::{
        BulkRegisterRequest, BulkRegisterResponse, MessageResponse, MessagesResponse, RegisterEntry,
        RegisterRequest, RegisterResponse,
    },
};

/// `PUT /v1/conversations/{c}/messages/{m}`
pub(super) async fn register(exchange: &Exchange<'_>) -> Outcome {
    let conversation = exchange.conversation()?;
    let message = exchange.message()?;
    let RegisterRequest { sender, audience, expires_in_s, order } = exchange.json().await?;
    let entry = RegisterEntry { id: message.to_string(), sender, audience, expires_in_s, order };
    let registration = registration(exchange, Place::Top, &entry)?;
    let outcome = exchange.ledger().register(conversation, registration, exchange.now).await?;
    let (status, Registered { of, order, expires_at }) = match outcome {
        RegisterOutcome::New(registered) => (StatusCode::CREATED, registered),
        RegisterOutcome::Same(registered) => (StatusCode::OK, registered),
        RegisterOutcome::Refused(refusal) => return Err(refusal.into()),
    };
    let expires_at = rfc3339(expires_at.unix_s);
    answer::json_with(status, &RegisterResponse { message: entry.id, of, order: order.0, expires_at })
}

/// `POST /v1/conversations/{c}/messages`
pub(super) async fn register_bulk(exchange: &Exchange<'_>) -> Outcome {
    let conversation = exchange.conversation()?;
    let request: BulkRegisterRequest = exchange.json().await?;
    let most = exchange.ledger().limits().registrations_max;
    fields::one_to(Place::Top, "messages", request.messages.len(), most)?;
    let entries = request.messages.iter().enumerate();
    let registrations = entries
        .map(|(at, entry)| registration(exchange, Place::Entry("messages", at), entry))
        .collect::<Result<_, _>>()?;
    let bulk = exchange.ledger().register_bulk(conversation, registrations, exchange.now).await?;
    answer::json(&BulkRegisterResponse {
        registered: bulk.registered,
        same: bulk.same,
        refused: bulk.refused.into_iter().map(message_refused).collect(),
    })
}

fn registration(
    exchange: &Exchange<'_>,
    place: Place,
    entry: &RegisterEntry,
) -> Result<Registration, Failure> {
    let ledger = exchange.ledger();
    let message: MessageId = fields::id(place, "id", &entry.id)?;
    let sender: UserId = fields::id(place, "sender", &entry.sender)?;
    let audience = entry.audience.as_ref().map(|users| {
        fields::at_most(place, "audience", users.len(), ledger.limits().members_max)?;
        fields::ids(place, "audience", users)
    });
    let expires_in_s = entry.expires_in_s.map(|seconds| {
        let known = u32::try_from(seconds).ok().filter(|_| (1..=Retention::LIFE_S_MAX).contains(&seconds));
        known.ok_or_else(|| {
            fields::bad(format!(
                "'{place}expires_in_s' is a whole number from 1 to {}",
                Retention::LIFE_S_MAX
            ))
        })
    });
    let order = entry.order.map(|order| fields::order(place, "order", order));
    Ok(ledger.registration(
        message,
        sender,
        audience.transpose()?,
        expires_in_s.transpose()?,
        order.transpose()?,
        exchange.now,
    ))
}

/// `GET /v1/conversations/{c}/messages/{m}`
pub(super) async fn get(exchange: &Exchange<'_>) -> Outcome {
    let (conversation, message) = (exchange.conversation()?, exchange.message()?);
    let found = exchange.ledger().message(&conversation, &message, exchange.now).await?;
    answer::json(&shape(&found.ok_or(Refusal::UnknownMessage)?))
}

/// `GET /v1/conversations/{c}/messages`
pub(super) async fn list(exchange: &Exchange<'_>) -> Outcome {
    let conversation = exchange.conversation()?;
    let limit = exchange.limit()?;
    let after = List::Messages.after(&exchange.query)?;
    let (part, more) = exchange.ledger().messages(&conversation, after, limit, exchange.now).await?;
    let last = part.last().filter(|_| more);
    answer::json(&MessagesResponse {
        next: last.map(|message| List::Messages.write(&message.order)),
        messages: part.iter().map(shape).collect(),
    })
}

fn shape(message: &MessageReceipts) -> MessageResponse {
    MessageResponse {
        message: message.message.to_string(),
        sender: message.sender.to_string(),
        read: message.receipts.read,
        of: message.receipts.of,
        order: message.order.0,
        expires_at: rfc3339(message.expires_at.unix_s),
    }
}

/// `DELETE /v1/conversations/{c}/messages/{m}`
pub(super) async fn forget(exchange: &Exchange<'_>) -> Outcome {
    let (conversation, message) = (exchange.conversation()?, exchange.message()?);
    exchange.ledger().forget_message(conversation, message, exchange.now).await?;
    Ok(answer::no_content())
}

/// `POST /v1/conversations/{c}/messages/{m}/reset`
pub(super) async fn reset(exchange: &Exchange<'_>) -> Outcome {
    let (conversation, message) = (exchange.conversation()?, exchange.message()?);
    if exchange.ledger().reset_message(conversation, message, exchange.now).await? {
        Ok(answer::no_content())
    } else {
        Err(Refusal::UnknownMessage.into())
    }
}
