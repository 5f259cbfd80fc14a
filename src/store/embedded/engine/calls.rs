//! The calls of the contract, each handed to the commit thread or looked up in the hot state.

use std::{future::ready, sync::atomic::Ordering};

use crate::store::embedded::{
    commit::draft::Batch,
    commit::forget,
    commit::mark,
    commit::register,
    commit::roster,
    commit::{BATCH_WRITES, COMMIT_US, Command},
    engine::EmbeddedStore,
    hot::read::{MessagesWalk, UnreadWalk},
};
use crate::{
    domain::{
        Audience, ConversationId, MessageId, MessageIdRef, Order, Receipts, RegisterOutcome, Registration,
        RosterChange, Slot, Timestamp, UserId, Viewer,
    },
    store::{
        Answer, Changes, Mark, Marked, MessageReceipts, Read, ReadersPart, ReadersWanted, RosterPart, Store,
        StoreError, Unread, Vitals, dump::Export,
    },
};

/// About what a list of ids takes: a pointer and a length each, the counters, and the text, shared by many.
fn bytes_of<T>(ids: &[T]) -> usize {
    64 * ids.len()
}

fn bytes_of_registrations(registrations: &[Registration]) -> usize {
    let audiences = registrations.iter().map(|sent| match &sent.audience {
        Audience::Roster => 0,
        Audience::Users(users) => bytes_of(users),
    });
    audiences.sum::<usize>() + 4 * bytes_of(registrations)
}

fn bytes_of_marks(marks: &[Mark]) -> usize {
    let read = marks.iter().map(|mark| match &mark.read {
        Read::Messages(messages) => bytes_of(messages),
        Read::UpTo(_) | Read::UpToOrder(_) => 0,
    });
    read.sum::<usize>() + 4 * bytes_of(marks)
}

impl Store for EmbeddedStore {
    fn replace_roster(&self, conversation: ConversationId, members: Vec<UserId>) -> Answer<'_, RosterChange> {
        self.write(bytes_of(&members), move |batch| roster::replace(batch, &conversation, &members))
    }

    fn change_roster(
        &self,
        conversation: ConversationId,
        add: Vec<UserId>,
        remove: Vec<UserId>,
        members_max: usize,
    ) -> Answer<'_, RosterChange> {
        self.write(bytes_of(&add) + bytes_of(&remove), move |batch| {
            roster::change(batch, &conversation, &add, &remove, members_max)
        })
    }

    fn roster<'a>(
        &'a self,
        conversation: &'a ConversationId,
        after: Option<Slot>,
        limit: usize,
    ) -> Answer<'a, Option<RosterPart>> {
        self.read(conversation, move |known| known?.roster(after, limit))
    }

    fn conversations<'a>(
        &'a self,
        after: Option<&'a ConversationId>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, (Vec<ConversationId>, bool)> {
        Box::pin(ready(Ok(self.hot.conversations_after(after, limit, now))))
    }

    fn forget_conversation(&self, conversation: ConversationId) -> Answer<'_, ()> {
        self.write(0, move |batch| batch.end(&conversation))
    }

    fn register(
        &self,
        conversation: ConversationId,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Answer<'_, Vec<RegisterOutcome>> {
        let bytes = bytes_of_registrations(&registrations);
        Box::pin(async move {
            let messages = registrations.iter().map(|sent| &sent.message);
            self.fetch_for_messages(&conversation, messages, now).await?;
            let decide =
                move |batch: &mut Batch<'_>| register::register(batch, &conversation, &registrations, now);
            self.write(bytes, decide).await
        })
    }

    fn message<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        now: Timestamp,
    ) -> Answer<'a, Option<MessageReceipts>> {
        self.read(conversation, move |known| known?.message(message, now))
    }

    fn messages<'a>(
        &'a self,
        conversation: &'a ConversationId,
        after: Option<Order>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, (Vec<MessageReceipts>, bool)> {
        let mut walk = MessagesWalk::from(after);
        self.read(conversation, move |known| {
            known.iter().for_each(|known| known.messages(&mut walk, limit, now));
            walk.found()
        })
    }

    fn forget_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, ()> {
        Box::pin(async move {
            self.fetch_for_messages(&conversation, std::iter::once(&message), now).await?;
            self.write(0, move |batch| forget::forget_message(batch, &conversation, &message, now)).await
        })
    }

    fn reset_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        Box::pin(async move {
            self.fetch_for_messages(&conversation, std::iter::once(&message), now).await?;
            self.write(0, move |batch| forget::reset_message(batch, &conversation, &message, now)).await
        })
    }

    fn mark(&self, marks: Vec<Mark>, now: Timestamp) -> Answer<'_, Vec<Marked>> {
        let bytes = bytes_of_marks(&marks);
        Box::pin(async move {
            self.fetch_for_marks(&marks, now).await?;
            let decide = move |batch: &mut Batch<'_>| {
                let marked = mark::mark(batch, &marks, now);
                (marked, marks)
            };
            // Ids end where they began: an allocator that gets them back from another thread has far more to do.
            let (marked, marks) = self.write(bytes, decide).await?;
            drop(marks);
            Ok(marked)
        })
    }

    fn unread<'a>(
        &'a self,
        conversation: &'a ConversationId,
        reader: &'a UserId,
        now: Timestamp,
    ) -> Answer<'a, Unread> {
        let mut walk = UnreadWalk::default();
        self.read(conversation, move |known| {
            known.iter().for_each(|known| known.unread(&mut walk, reader, now));
            walk.found()
        })
    }

    fn receipts<'a>(
        &'a self,
        conversation: &'a ConversationId,
        messages: &'a [MessageIdRef<'a>],
        viewer: &'a Viewer,
        now: Timestamp,
    ) -> Answer<'a, Vec<Option<Receipts>>> {
        self.read(conversation, move |known| {
            messages.iter().map(|message| known?.receipts(*message, viewer, now)).collect()
        })
    }

    fn changes(&self, conversation: &ConversationId) -> Changes {
        self.hot.watchers.watch(conversation)
    }

    fn readers<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        viewer: &'a Viewer,
        wanted: ReadersWanted,
        now: Timestamp,
    ) -> Answer<'a, Option<ReadersPart>> {
        self.read(conversation, move |known| known?.readers(message, viewer, wanted, now))
    }

    fn set_hidden(&self, user: UserId, is_hidden: bool) -> Answer<'_, ()> {
        self.write(0, move |batch| batch.hide(&user, is_hidden))
    }

    fn is_hidden<'a>(&'a self, user: &'a UserId) -> Answer<'a, bool> {
        Box::pin(ready(Ok(self.hot.is_hidden(user))))
    }

    fn forget_user(&self, user: UserId) -> Answer<'_, ()> {
        self.command(|answer| Command::ForgetUser(user, answer))
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, usize> {
        self.command(|answer| Command::Sweep(now, answer))
    }

    fn export(&self, only: Option<ConversationId>) -> Answer<'_, Box<dyn Export>> {
        let taken = self.command(|answer| Command::Snapshot(only, answer));
        Box::pin(async move {
            let exported = taken.await?.ok_or(StoreError::TooManyExports)?;
            Ok(Box::new(exported) as Box<dyn Export>)
        })
    }

    fn vitals(&self) -> Vitals {
        Vitals {
            can_commit: !self.pulse.has_failed() && !self.is_waiting_for_a_checkpoint() && self.is_open(),
            conversations: self.hot.conversations(),
            messages: self.hot.messages(),
            commits: self.pulse.commits.load(Ordering::Relaxed),
            writes: self.pulse.writes.load(Ordering::Relaxed),
            writes_waiting: self.pulse.waiting.load(Ordering::Relaxed),
            journal_bytes: self.pulse.journal_bytes.load(Ordering::Relaxed),
            checkpoints: self.pulse.checkpoints.load(Ordering::Relaxed),
            hot_bytes: self.hot.bytes(),
            page_bytes: self.pulse.page_bytes.load(Ordering::Relaxed),
            commit_us: self.pulse.commit_us.spread(&COMMIT_US),
            commit_writes: self.pulse.batch_writes.spread(&BATCH_WRITES),
            expires_first: self.pulse.expires_first(),
            replicas_short: 0,
            since_checkpoint: self.pulse.since_checkpoint(),
        }
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            // Not on a thread of the runtime: the last checkpoint may take a while.
            let _ = tokio::task::spawn_blocking(self.stop(true)).await;
            if self.pulse.has_failed() { Err(StoreError::Failed) } else { Ok(()) }
        })
    }
}
