//! Marks, and what a reader still has to read.

use futures_util::future::join_all;
use redis::Value;

use super::{
    engine::ClusterStore,
    link::Link,
    messages::after_order,
    pulls::unix_s,
    reply::{array, bytes, id, int, number, text},
    script,
};
use crate::{
    domain::{ConversationId, MessageId, Order, Refusal, Role, Timestamp, UserId},
    store::{Mark, Marked, Read, StoreError, Unread},
};

/// How many messages one script looks at: as long as it runs the node does nothing else.
pub(super) const PART: usize = 500;

impl ClusterStore {
    pub(super) async fn mark_all(&self, marks: Vec<Mark>, now: Timestamp) -> Result<Vec<Marked>, StoreError> {
        // Marks of one reader in one conversation one after the other: of two that name a message the first is new.
        let mut runs: Vec<Vec<(usize, &Mark)>> = Vec::new();
        let mut of = std::collections::HashMap::new();
        for (at, mark) in marks.iter().enumerate() {
            let run = *of.entry((&mark.conversation, &mark.reader)).or_insert_with(|| {
                runs.push(Vec::new());
                runs.len() - 1
            });
            runs[run].push((at, mark));
        }
        let mut marked: Vec<_> = marks.iter().map(|_| Marked::default()).collect();
        let answers = join_all(runs.into_iter().map(|run| self.mark_run(run, now))).await;
        for answer in answers {
            answer?.into_iter().for_each(|(at, answer)| marked[at] = answer);
        }
        Ok(marked)
    }

    async fn mark_run(
        &self,
        run: Vec<(usize, &Mark)>,
        now: Timestamp,
    ) -> Result<Vec<(usize, Marked)>, StoreError> {
        let mut marked = Vec::with_capacity(run.len());
        for (at, mark) in run {
            marked.push((at, self.mark_one(mark, now).await?));
        }
        Ok(marked)
    }

    async fn mark_one(&self, mark: &Mark, now: Timestamp) -> Result<Marked, StoreError> {
        let Mark { conversation, reader, read, by } = mark;
        match read {
            Read::Messages(messages) => self.mark_messages(mark, messages, now).await,
            Read::UpToOrder(order) => self.mark_up_to(conversation, reader, *order, now).await,
            Read::UpTo(message) => match self.place(mark, message, *by, now).await? {
                Some(order) => self.mark_up_to(conversation, reader, order, now).await,
                None => Ok(Marked {
                    refused: vec![(message.clone(), Refusal::UnknownMessage)],
                    ..Marked::default()
                }),
            },
        }
    }

    async fn mark_messages(
        &self,
        mark: &Mark,
        messages: &[MessageId],
        now: Timestamp,
    ) -> Result<Marked, StoreError> {
        let head = self.link.keys.head(&mark.conversation);
        let mut command = script::MARK.on(&head);
        command.arg(unix_s(now)).arg(mark.reader.as_str());
        command.arg(messages.iter().map(MessageId::as_str).collect::<Vec<_>>());
        let answer = self.write_known(&mark.conversation, &head, command).await?;
        let not_asked = if mark.by == Role::App { Refusal::NotInAudience } else { Refusal::UnknownMessage };
        let letters =
            Link::expect(&answer, |answer| bytes(answer).filter(|letters| letters.len() == messages.len()))?;
        let mut marked = Marked::default();
        for (letter, message) in letters.iter().zip(messages) {
            match letter {
                b'n' => marked.marked += 1,
                b'a' => marked.already += 1,
                b'x' => marked.refused.push((message.clone(), not_asked)),
                _ => marked.refused.push((message.clone(), Refusal::UnknownMessage)),
            }
        }
        Ok(marked)
    }

    /// The order of a message; none if it is unknown to whoever marks.
    async fn place(
        &self,
        mark: &Mark,
        message: &MessageId,
        by: Role,
        now: Timestamp,
    ) -> Result<Option<Order>, StoreError> {
        let head = self.link.keys.head(&mark.conversation);
        let mut command = script::PLACE.on(&head);
        let by_user = if by == Role::User { "1" } else { "0" };
        command.arg(unix_s(now)).arg(mark.reader.as_str()).arg(by_user).arg(message.as_str());
        let answer = self.link.read(&head, command).await?;
        if answer == Value::Nil {
            Ok(None)
        } else {
            Link::expect(&answer, |order| Some(Some(Order(number(order)?))))
        }
    }

    async fn mark_up_to(
        &self,
        conversation: &ConversationId,
        reader: &UserId,
        order: Order,
        now: Timestamp,
    ) -> Result<Marked, StoreError> {
        let head = self.link.keys.head(conversation);
        let mut marked = Marked::default();
        let mut after = after_order(None);
        loop {
            let mut command = script::MARK_UP_TO.on(&head);
            command.arg(unix_s(now)).arg(reader.as_str()).arg(order.0).arg(&after).arg(PART);
            let answer = self.write_known(conversation, &head, command).await?;
            let (new, already, next) = Link::expect(&answer, |answer| {
                let [new, already, next] = array(answer)? else { return None };
                Some((usize::try_from(int(new)?).ok()?, usize::try_from(int(already)?).ok()?, text(next)?))
            })?;
            marked.marked += new;
            marked.already += already;
            if next.is_empty() {
                return Ok(marked);
            }
            after = next;
        }
    }

    pub(super) async fn unread_of(
        &self,
        conversation: &ConversationId,
        reader: &UserId,
        now: Timestamp,
    ) -> Result<Unread, StoreError> {
        let head = self.link.keys.head(conversation);
        let mut unread = Unread::default();
        let mut after = after_order(None);
        loop {
            let mut command = script::UNREAD.on(&head);
            command.arg(unix_s(now)).arg(reader.as_str()).arg(&after).arg(PART);
            let answer = self.link.read(&head, command).await?;
            let (count, first, next) = Link::expect(&answer, |answer| {
                let [count, first, next] = array(answer)? else { return None };
                let first = id(first, |text| MessageId::new(text).ok());
                Some((usize::try_from(int(count)?).ok()?, first, text(next)?))
            })?;
            unread.unread += count;
            unread.first = unread.first.or(first);
            if next.is_empty() {
                return Ok(unread);
            }
            after = next;
        }
    }
}
