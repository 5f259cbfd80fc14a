//! Calls on users: whether their receipts are on, and deleting them.
//!
//! Down from here: `receipts/user`. The shapes are in `wire/users`.

use super::{
    answer::{self, Outcome},
    exchange::Exchange,
};
use crate::wire::{Privacy, Switch};

/// `PUT /v1/users/{u}/privacy`
pub(super) async fn set_privacy(exchange: &Exchange<'_>) -> Outcome {
    let user = exchange.user_alone()?;
    let request: Privacy = exchange.json().await?;
    exchange.ledger().set_receipts(user, request.receipts == Switch::On).await?;
    answer::json(&request)
}

/// `GET /v1/users/{u}/privacy`
pub(super) async fn privacy(exchange: &Exchange<'_>) -> Outcome {
    let are_on = exchange.ledger().are_receipts_on(&exchange.user_alone()?).await?;
    answer::json(&Privacy { receipts: if are_on { Switch::On } else { Switch::Off } })
}

/// `DELETE /v1/users/{u}`
pub(super) async fn forget(exchange: &Exchange<'_>) -> Outcome {
    exchange.ledger().forget_user(exchange.user_alone()?).await?;
    Ok(answer::no_content())
}
