//! A conversation as it is found in an export or a dump, and what is told of it.

use std::{collections::HashSet, io::Read};

use serde::Serialize;

use super::{rfc3339, table};
use crate::{
    domain::{ConversationId, MessageId, Page, Slot, SlotSet, Timestamp, UserId},
    store::dump::{DumpError, Export, Item, Reader},
};

/// Where the pieces come from.
pub(super) enum Pieces<'a> {
    Reader(Box<Reader<Box<dyn Read + 'a>>>),
    Export(Box<dyn Export>),
}

impl Pieces<'_> {
    fn next(&mut self) -> Result<Option<Item>, DumpError> {
        match self {
            Self::Reader(reader) => reader.next(),
            Self::Export(export) => Ok(export.next()?),
        }
    }
}

/// What is told of a conversation.
#[derive(Debug, Serialize)]
pub(super) struct ConversationFound {
    conversation: String,
    /// None without a roster.
    roster: Option<RosterFound>,
    /// Slots that were ever given, and how many of them stand for nobody any more.
    slots: usize,
    slots_of_deleted: usize,
    order_highest: Option<u64>,
    messages: Vec<MessageFound>,
    /// The message that was asked for.
    #[serde(skip)]
    one: Option<OneMessage>,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) conversation: &'a ConversationId,
    pub(super) message: Option<&'a MessageId>,
}

#[derive(Debug, Serialize)]
struct RosterFound {
    members: usize,
    version: u64,
}

/// What is told of a message. Who has read it, and who has not, is told of one alone.
#[derive(Debug, Serialize)]
pub(super) struct MessageFound {
    message: String,
    sender: String,
    order: u64,
    read: usize,
    of: usize,
    expires_at: String,
    is_expired: bool,
    audience: &'static str,
}

/// A message with who has read it.
#[derive(Debug, Serialize)]
pub(super) struct OneMessage {
    conversation: String,
    #[serde(flatten)]
    message: MessageFound,
    readers: Vec<String>,
    unread: Vec<String>,
}

/// Looks for a conversation; none if it is not there.
pub(super) fn find(
    mut pieces: Pieces<'_>,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<Option<ConversationFound>, DumpError> {
    let mut hidden = HashSet::new();
    let mut names: Vec<Option<UserId>> = Vec::new();
    let mut found: Option<ConversationFound> = None;
    let mut is_here = false;
    // To the end, since only there is known that all of it was whole.
    while let Some(item) = pieces.next()? {
        match item {
            Item::Hidden(users) => hidden.extend(users),
            Item::Conversation { id: begun, order_highest } => {
                is_here = begun == *wanted.conversation;
                if is_here {
                    found = Some(ConversationFound {
                        conversation: begun.as_str().to_owned(),
                        roster: None,
                        slots: 0,
                        slots_of_deleted: 0,
                        order_highest: order_highest.map(|order| order.0),
                        messages: Vec::new(),
                        one: None,
                    });
                }
            }
            Item::Names(more) if is_here => names.extend(more),
            Item::Roster { version, members } if is_here => {
                let roster = Some(RosterFound { members: members.len(), version });
                found = found.map(|found| ConversationFound { roster, ..found });
            }
            Item::Run(page) if is_here => {
                if let Some(found) = &mut found {
                    found.take(&page, &names, &hidden, (wanted.message, now));
                }
            }
            _ => {}
        }
    }
    Ok(found.map(|found| ConversationFound {
        slots: names.len(),
        slots_of_deleted: names.iter().filter(|name| name.is_none()).count(),
        ..found
    }))
}

impl ConversationFound {
    fn take(
        &mut self,
        page: &Page,
        names: &[Option<UserId>],
        hidden: &HashSet<UserId>,
        (wanted, now): (Option<&MessageId>, Timestamp),
    ) {
        let shown = |slot: Slot| names.get(slot.index())?.as_ref().filter(|user| !hidden.contains(*user));
        for (position, message) in page.messages() {
            let nobody = SlotSet::default();
            let audience = page.outline().audience(position).map_or(&nobody, |audience| audience);
            let asked = audience.iter().filter(|slot| *slot != message.sender);
            let asked: Vec<_> = asked.filter_map(|slot| Some((slot, shown(slot)?))).collect();
            let (readers, unread): (Vec<_>, Vec<_>) =
                asked.iter().partition(|(slot, _)| page.read_by(*slot).contains(position));
            let sender = names.get(message.sender.index()).and_then(Option::as_ref);
            let told = || MessageFound {
                message: message.id.to_owned(),
                sender: sender.map_or_else(String::new, ToString::to_string),
                order: message.order.0,
                read: readers.len(),
                of: asked.len(),
                expires_at: rfc3339(message.expires_at.unix_s),
                is_expired: message.expires_at.has_come(now),
                audience: if message.audience_asked { "its own" } else { "the roster's" },
            };
            if wanted.is_some_and(|wanted| wanted.as_str() == message.id) {
                let names_of =
                    |users: &[&(Slot, &UserId)]| users.iter().map(|(_, user)| user.to_string()).collect();
                let (readers, unread) = (names_of(&readers), names_of(&unread));
                let conversation = self.conversation.clone();
                self.one = Some(OneMessage { conversation, message: told(), readers, unread });
            }
            self.messages.push(told());
        }
    }

    /// The message that was asked for.
    pub(super) fn into_message(self) -> Option<OneMessage> {
        self.one
    }

    pub(super) fn text(&self) -> String {
        let roster = self.roster.as_ref().map_or_else(
            || "none".to_owned(),
            |roster| format!("{} members, version {}", roster.members, roster.version),
        );
        let highest = self.order_highest.map_or_else(|| "none".to_owned(), |order| order.to_string());
        let rows = [
            ("conversation", self.conversation.clone()),
            ("roster", roster),
            ("slots", format!("{}, {} of them of deleted users", self.slots, self.slots_of_deleted)),
            ("highest order", highest),
            ("messages", self.messages.len().to_string()),
        ];
        let mut lines = vec![table(&rows)];
        lines.extend(self.messages.iter().map(MessageFound::line));
        lines.join("\n")
    }
}

impl MessageFound {
    fn line(&self) -> String {
        let Self { message, sender, order, read, of, expires_at, is_expired, .. } = self;
        let expires = if *is_expired { "expired" } else { "expires" };
        format!("{order:>8}  {message}  from {sender}  read by {read} of {of}  {expires} {expires_at}")
    }
}

impl OneMessage {
    pub(super) fn text(&self) -> String {
        let message = &self.message;
        let list = |users: &[String]| if users.is_empty() { "nobody".to_owned() } else { users.join(" ") };
        let expires = if message.is_expired { "expired at" } else { "expires at" };
        table(&[
            ("message", message.message.clone()),
            ("conversation", self.conversation.clone()),
            ("sender", message.sender.clone()),
            ("order", message.order.to_string()),
            ("audience", message.audience.to_owned()),
            (expires, message.expires_at.clone()),
            ("read", format!("by {} of {}", message.read, message.of)),
            ("readers", list(&self.readers)),
            ("unread by", list(&self.unread)),
        ])
    }
}
