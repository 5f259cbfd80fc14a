//! Calls that readers make: marks, and what is still unread.
//!
//! Down from here: `receipts/mark`. The shapes are in `wire/marks`.

use super::{
    answer::{self, Outcome},
    auth,
    exchange::Exchange,
    fields::{self, Place},
    problem::{Failure, message_refused, refusal_code},
};
use crate::{
    access::Caller,
    receipts::{Mark, Read},
    wire::{
        BulkMarkEntry, BulkMarkRequest, BulkMarkResponse, EntryRefused, MarkRequest, MarkResponse,
        UnreadResponse,
    },
};

/// `POST /v1/conversations/{c}/marks`
pub(super) async fn mark(exchange: &Exchange<'_>) -> Outcome {
    let MarkRequest { reader, messages, up_to, up_to_order } = exchange.json().await?;
    let reader = reader_of(exchange, reader)?;
    let conversation = exchange.conversation()?;
    let entry = BulkMarkEntry { conversation: String::new(), reader, messages, up_to, up_to_order };
    let reader = fields::id(Place::Top, "reader", &entry.reader)?;
    let read = read(exchange, Place::Top, &entry)?;
    let mark = Mark { conversation, reader, read, by: auth::role(&exchange.caller) };
    let marked = exchange.ledger().mark(mark, exchange.now).await?;
    exchange.server.metrics.marked(marked.marked, marked.already, marked.refused.len());
    answer::json(&MarkResponse {
        marked: marked.marked,
        already: marked.already,
        refused: marked.refused.into_iter().map(message_refused).collect(),
    })
}

/// Who has read: a user, if nobody is named; an app has to say.
fn reader_of(exchange: &Exchange<'_>, named: Option<String>) -> Result<String, Failure> {
    match (&exchange.caller, named) {
        (Caller::User(user), Some(named)) if named != user.as_str() => Err(auth::not_yourself()),
        (Caller::User(user), _) => Ok(user.to_string()),
        (_, Some(named)) => Ok(named),
        (_, None) => Err(fields::bad("'reader' is missing: who has read?".to_owned())),
    }
}

/// `POST /v1/marks`
pub(super) async fn mark_bulk(exchange: &Exchange<'_>) -> Outcome {
    let request: BulkMarkRequest = exchange.json().await?;
    let most = exchange.ledger().limits().mark_entries_max;
    fields::one_to(Place::Top, "marks", request.marks.len(), most)?;
    let entries = request.marks.iter().enumerate();
    let marks = entries
        .map(|(at, entry)| {
            let place = Place::Entry("marks", at);
            Ok(Mark {
                conversation: fields::id(place, "conversation", &entry.conversation)?,
                reader: fields::id(place, "reader", &entry.reader)?,
                read: read(exchange, place, entry)?,
                by: auth::role(&exchange.caller),
            })
        })
        .collect::<Result<_, Failure>>()?;
    let bulk = exchange.ledger().mark_bulk(marks, exchange.now).await?;
    exchange.server.metrics.marked(bulk.marked, bulk.already, bulk.refused.len());
    let refused = bulk.refused.into_iter();
    answer::json(&BulkMarkResponse {
        marked: bulk.marked,
        already: bulk.already,
        refused: refused
            .map(|refused| EntryRefused {
                entry: refused.entry,
                message: refused.message.to_string(),
                code: refusal_code(refused.refusal),
            })
            .collect(),
    })
}

/// What an entry says was read: exactly one of the three ways to say it.
fn read(exchange: &Exchange<'_>, place: Place, entry: &BulkMarkEntry) -> Result<Read, Failure> {
    match (&entry.messages, &entry.up_to, entry.up_to_order) {
        (Some(messages), None, None) => {
            let most = exchange.ledger().limits().mark_messages_max;
            fields::one_to(place, "messages", messages.len(), most)?;
            Ok(Read::Messages(fields::ids(place, "messages", messages)?))
        }
        (None, Some(message), None) => Ok(Read::UpTo(fields::id(place, "up_to", message)?)),
        (None, None, Some(order)) => Ok(Read::UpToOrder(fields::order(place, "up_to_order", order)?)),
        _ => Err(fields::bad(format!(
            "exactly one of '{place}messages', '{place}up_to' and '{place}up_to_order' is needed"
        ))),
    }
}

/// `GET /v1/conversations/{c}/readers/{u}`
pub(super) async fn unread(exchange: &Exchange<'_>) -> Outcome {
    let (conversation, reader) = (exchange.conversation()?, exchange.user()?);
    let unread = exchange.ledger().unread(&conversation, &reader, exchange.now).await?;
    answer::json(&UnreadResponse {
        reader: reader.to_string(),
        unread: unread.unread,
        first_unread: unread.first.map(|message| message.to_string()),
    })
}
