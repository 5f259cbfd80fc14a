//! A store that cannot answer: what a client is told, and that it is told nothing of the inside.

use std::{future::ready, sync::Arc};

use seenby::{
    domain::{
        ConversationId, Limits, MessageId, MessageIdRef, Order, Receipts, RegisterOutcome, Registration,
        RosterChange, Slot, Timestamp, UserId, Viewer,
    },
    http::HttpLimits,
    store::{
        Answer, Changes, Mark, Marked, MessageReceipts, ReadersPart, ReadersWanted, RosterPart, Store,
        StoreError, Unread, Vitals, dump::Export, model::ModelStore,
    },
    wire::Code,
};

use super::running::Running;

/// A store that answers every call with one error.
struct Broken(StoreError);

impl Broken {
    fn fail<T: Send + 'static>(&self) -> Answer<'static, T> {
        Box::pin(ready(Err(self.0)))
    }
}

impl Store for Broken {
    fn replace_roster(&self, _: ConversationId, _: Vec<UserId>) -> Answer<'_, RosterChange> {
        self.fail()
    }
    fn change_roster(
        &self,
        _: ConversationId,
        _: Vec<UserId>,
        _: Vec<UserId>,
        _: usize,
    ) -> Answer<'_, RosterChange> {
        self.fail()
    }
    fn roster<'a>(
        &'a self,
        _: &'a ConversationId,
        _: Option<Slot>,
        _: usize,
    ) -> Answer<'a, Option<RosterPart>> {
        self.fail()
    }
    fn conversations<'a>(
        &'a self,
        _: Option<&'a ConversationId>,
        _: usize,
        _: Timestamp,
    ) -> Answer<'a, (Vec<ConversationId>, bool)> {
        self.fail()
    }
    fn forget_conversation(&self, _: ConversationId) -> Answer<'_, ()> {
        self.fail()
    }
    fn register(
        &self,
        _: ConversationId,
        _: Vec<Registration>,
        _: Timestamp,
    ) -> Answer<'_, Vec<RegisterOutcome>> {
        self.fail()
    }
    fn message<'a>(
        &'a self,
        _: &'a ConversationId,
        _: &'a MessageId,
        _: Timestamp,
    ) -> Answer<'a, Option<MessageReceipts>> {
        self.fail()
    }
    fn messages<'a>(
        &'a self,
        _: &'a ConversationId,
        _: Option<Order>,
        _: usize,
        _: Timestamp,
    ) -> Answer<'a, (Vec<MessageReceipts>, bool)> {
        self.fail()
    }
    fn forget_message(&self, _: ConversationId, _: MessageId, _: Timestamp) -> Answer<'_, ()> {
        self.fail()
    }
    fn reset_message(&self, _: ConversationId, _: MessageId, _: Timestamp) -> Answer<'_, bool> {
        self.fail()
    }
    fn mark(&self, _: Vec<Mark>, _: Timestamp) -> Answer<'_, Vec<Marked>> {
        self.fail()
    }
    fn unread<'a>(&'a self, _: &'a ConversationId, _: &'a UserId, _: Timestamp) -> Answer<'a, Unread> {
        self.fail()
    }
    fn receipts<'a>(
        &'a self,
        _: &'a ConversationId,
        _: &'a [MessageIdRef<'a>],
        _: &'a Viewer,
        _: Timestamp,
    ) -> Answer<'a, Vec<Option<Receipts>>> {
        self.fail()
    }
    fn changes(&self, conversation: &ConversationId) -> Changes {
        ModelStore::default().changes(conversation)
    }
    fn readers<'a>(
        &'a self,
        _: &'a ConversationId,
        _: &'a MessageId,
        _: &'a Viewer,
        _: ReadersWanted,
        _: Timestamp,
    ) -> Answer<'a, Option<ReadersPart>> {
        self.fail()
    }
    fn set_hidden(&self, _: UserId, _: bool) -> Answer<'_, ()> {
        self.fail()
    }
    fn is_hidden<'a>(&'a self, _: &'a UserId) -> Answer<'a, bool> {
        self.fail()
    }
    fn forget_user(&self, _: UserId) -> Answer<'_, ()> {
        self.fail()
    }
    fn sweep(&self, _: Timestamp) -> Answer<'_, usize> {
        self.fail()
    }
    fn export(&self, _: Option<ConversationId>) -> Answer<'_, Box<dyn Export>> {
        self.fail()
    }
    fn vitals(&self) -> Vitals {
        Vitals::default()
    }
    fn close(&self) -> Answer<'_, ()> {
        self.fail()
    }
}

#[tokio::test]
async fn a_store_that_cannot_answer_has_a_code_for_each_reason_on_every_call() {
    for (error, code) in [
        (StoreError::Failed, Code::StoreFailed),
        (StoreError::Unreadable, Code::StoreFailed),
        (StoreError::Overloaded, Code::Overloaded),
        (StoreError::Closed, Code::NotReady),
    ] {
        let running = Running::over(Arc::new(Broken(error)), HttpLimits::default(), Limits::default()).await;
        let mut client = running.client().await;
        for (method, path, body) in [
            ("PUT", "/v1/conversations/c/members", r#"{"members":[]}"#),
            ("PATCH", "/v1/conversations/c/members", "{}"),
            ("GET", "/v1/conversations/c/members", ""),
            ("GET", "/v1/conversations", ""),
            ("DELETE", "/v1/conversations/c", ""),
            ("PUT", "/v1/conversations/c/messages/m", r#"{"sender":"a"}"#),
            ("POST", "/v1/conversations/c/messages", r#"{"messages":[{"id":"m","sender":"a"}]}"#),
            ("GET", "/v1/conversations/c/messages/m", ""),
            ("GET", "/v1/conversations/c/messages", ""),
            ("DELETE", "/v1/conversations/c/messages/m", ""),
            ("POST", "/v1/conversations/c/messages/m/reset", ""),
            ("POST", "/v1/conversations/c/marks", r#"{"reader":"b","up_to":"m"}"#),
            ("POST", "/v1/marks", r#"{"marks":[{"conversation":"c","reader":"b","up_to":"m"}]}"#),
            ("GET", "/v1/conversations/c/readers/b", ""),
            ("GET", "/v1/conversations/c/receipts?message=m", ""),
            ("POST", "/v1/receipts/query", r#"{"pulls":[{"conversation":"c","messages":["m"]}]}"#),
            ("GET", "/v1/conversations/c/messages/m/readers", ""),
            ("GET", "/v1/conversations/c/messages/m/unread", ""),
            ("PUT", "/v1/users/b/privacy", r#"{"receipts":"off"}"#),
            ("GET", "/v1/users/b/privacy", ""),
            ("DELETE", "/v1/users/b", ""),
        ] {
            client.send_json(method, path, body).await.refuses(code);
        }
    }
}

#[tokio::test]
async fn a_server_that_cannot_commit_lives_and_is_not_ready() {
    let store = Arc::new(Broken(StoreError::Failed));
    let running = Running::over(store, HttpLimits::default(), Limits::default()).await;
    let mut client = running.client().await;
    assert_eq!(client.get("/healthz").await.status, 200);
    client.get("/readyz").await.refuses(Code::NotReady);
    let metrics = String::from_utf8(client.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("seenby_store_can_commit 0"));
}
