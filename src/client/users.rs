//! Calls on users.

use hyper::Method;

use super::{Client, ClientError, target::Target};
use crate::wire::{Privacy, Switch};

impl Client {
    /// Switches a user's receipts off, or on again.
    pub async fn set_receipts(&self, user: &str, receipts: Switch) -> Result<(), ClientError> {
        self.give(Method::PUT, &privacy_of(user), &Privacy { receipts }).await.map(|Privacy { .. }| ())
    }

    /// Whether a user's receipts are on.
    pub async fn receipts_of(&self, user: &str) -> Result<Switch, ClientError> {
        self.get(&privacy_of(user)).await.map(|Privacy { receipts }| receipts)
    }

    /// Deletes a user everywhere, with the messages that the user sent. One who is not there is deleted already.
    pub async fn delete_user(&self, user: &str) -> Result<(), ClientError> {
        self.order(Method::DELETE, &Target::v1("users").then(user)).await
    }
}

fn privacy_of(user: &str) -> Target {
    Target::v1("users").then(user).then("privacy")
}
