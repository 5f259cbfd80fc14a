//! What a trace must come to: who was asked, who has read, worked out from the trace alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Act, Event, Name, Trace};

/// What must be true in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// In the order posted.
    pub messages: Vec<ExpectedMessage>,
    /// Who is in the channel.
    pub members: BTreeSet<Name>,
    /// Who ever was.
    pub users: BTreeSet<Name>,
}

/// What must be true of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedMessage {
    /// The number it was posted under.
    pub number: u64,
    /// Who posted it.
    pub sender: Name,
    /// Who was in the channel, the sender too. Messages between which nobody came or went share it.
    present: Arc<BTreeSet<Name>>,
    /// Who has read it.
    pub readers: BTreeSet<Name>,
}

impl ExpectedMessage {
    /// Whether it was for `user`.
    #[must_use]
    pub fn is_for(&self, user: &str) -> bool {
        *self.sender != *user && self.present.contains(user)
    }

    /// How many it was for.
    #[must_use]
    pub fn of(&self) -> usize {
        self.present.len() - 1
    }

    /// Whom it was for.
    pub fn audience(&self) -> impl Iterator<Item = &Name> {
        self.present.iter().filter(|user| **user != self.sender)
    }

    /// Whom it was for, and who has not read it.
    #[must_use]
    pub fn unread(&self) -> BTreeSet<Name> {
        self.audience().filter(|user| !self.readers.contains(*user)).cloned().collect()
    }
}

impl Expected {
    /// What `user` was sent and has not read: how many, and the number of the first.
    #[must_use]
    pub fn badge(&self, user: &str) -> (usize, Option<u64>) {
        let mut unread =
            self.messages.iter().filter(|message| message.is_for(user) && !message.readers.contains(user));
        let first = unread.next();
        (unread.count() + usize::from(first.is_some()), first.map(|message| message.number))
    }
}

/// Works out from the trace alone what its receipts must be: a message is for everybody who was in the channel
/// when it was posted, less its sender; and whoever posts has read everything posted before that was for them.
#[must_use]
pub fn expected(trace: &Trace) -> Expected {
    let mut expected = Expected::default();
    let mut present = Arc::new(BTreeSet::new());
    // What was posted when a user last did, so that a user reads each message once.
    let mut read_before: BTreeMap<Name, usize> = BTreeMap::new();
    for Event { user, act, .. } in &trace.events {
        match act {
            Act::Join => {
                Arc::make_mut(&mut present).insert(user.clone());
                expected.users.insert(user.clone());
            }
            Act::Leave => {
                Arc::make_mut(&mut present).remove(user);
            }
            Act::Post(number) => {
                let begin = read_before.insert(user.clone(), expected.messages.len()).unwrap_or(0);
                for earlier in &mut expected.messages[begin..] {
                    if earlier.is_for(user) {
                        earlier.readers.insert(user.clone());
                    }
                }
                expected.messages.push(ExpectedMessage {
                    number: *number,
                    sender: user.clone(),
                    present: present.clone(),
                    readers: BTreeSet::new(),
                });
            }
        }
    }
    expected.members = Arc::unwrap_or_clone(present);
    expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::trace::{Made, MemberCount};

    fn set(names: &[&str]) -> BTreeSet<Name> {
        names.iter().map(|name| Name::from(*name)).collect()
    }

    fn trace(lines: &[&str]) -> Trace {
        let text: Vec<_> = lines.iter().map(|line| format!("0\t{}", line.replace(' ', "\t"))).collect();
        Trace::parse("t", &text.join("\n")).unwrap()
    }

    #[test]
    fn a_message_is_for_who_is_there_and_read_by_who_posts_later() {
        let is = expected(&trace(&[
            "join a", "join b", "post a 1", "join c", "post c 2", "leave b", "post a 3", "join b", "post b 4",
        ]));
        let [first, second, third, fourth] = &is.messages[..] else { panic!("{is:?}") };
        assert_eq!(first.audience().cloned().collect::<BTreeSet<_>>(), set(&["b"]));
        assert_eq!((first.readers.clone(), first.unread()), (set(&["b"]), set(&[])));
        assert_eq!(second.audience().cloned().collect::<BTreeSet<_>>(), set(&["a", "b"]));
        assert_eq!(second.readers, set(&["a", "b"]), "b left and came back; the message stayed for b");
        assert_eq!(third.audience().cloned().collect::<BTreeSet<_>>(), set(&["c"]), "b was away");
        assert_eq!((third.readers.clone(), third.unread()), (set(&[]), set(&["c"])));
        assert_eq!((fourth.of(), fourth.unread()), (2, set(&["a", "c"])));
        assert_eq!(is.members, set(&["a", "b", "c"]));
    }

    #[test]
    fn a_badge_counts_what_is_left_to_read() {
        let is =
            expected(&trace(&["join a", "join b", "join c", "post a 4", "post b 5", "post a 9", "leave c"]));
        assert_eq!(is.badge("a"), (0, None));
        assert_eq!(is.badge("b"), (1, Some(9)));
        assert_eq!(is.badge("c"), (3, Some(4)));
        assert_eq!(is.badge("nobody"), (0, None));
        assert_eq!((is.members, is.users), (set(&["a", "b"]), set(&["a", "b", "c"])));
    }

    #[test]
    fn alone_in_the_room_there_is_nobody_to_ask() {
        let is = expected(&trace(&["join a", "post a 1"]));
        assert_eq!((is.messages[0].of(), is.messages[0].unread()), (0, set(&[])));
    }

    /// The rules once more, as slowly and plainly as can be.
    #[test]
    fn it_agrees_with_the_rules_read_word_by_word() {
        let trace = Trace::generate(Made { seed: 3, members: MemberCount(30), posts: 120 });
        let is = expected(&trace);
        let posts: Vec<usize> =
            (0..trace.events.len()).filter(|at| matches!(trace.events[*at].act, Act::Post(_))).collect();
        for (message, &at) in is.messages.iter().zip(&posts) {
            for user in &is.users {
                let moves = trace.events[..at]
                    .iter()
                    .rev()
                    .find(|event| event.user == *user && !matches!(event.act, Act::Post(_)));
                let is_there = moves.is_some_and(|event| event.act == Act::Join);
                let is_asked = is_there && *user != trace.events[at].user;
                let posts_later = posts.iter().any(|later| *later > at && trace.events[*later].user == *user);
                assert_eq!(message.is_for(user), is_asked);
                assert_eq!(message.readers.contains(user), is_asked && posts_later);
            }
        }
    }
}
