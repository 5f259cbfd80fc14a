//! What happens in a group, whatever the strategy: who sends what, who reads it when, and when senders look.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use fastrand::Rng;

use super::readers::{Look, Looks, Readers};
use crate::cli::trace::{Act, Event, Name, Trace, expected};

/// When the first message may be sent: who has a stream from the sending on opens it before.
const FIRST: Duration = Duration::from_secs(5);
/// Characters of a message's id, as chats make them.
const ID_CHARACTERS: usize = 20;

/// A message, and how its sender looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) at: Duration,
    pub(super) sender: String,
    /// Whom it is for, if not for the group.
    pub(super) audience: Option<Vec<String>>,
    pub(super) looks: Vec<Look>,
    /// How many read it.
    pub(super) readers: usize,
}

/// A reader reads some messages at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) at: Duration,
    pub(super) reader: String,
    /// Their places among the messages.
    pub(super) messages: Vec<usize>,
}

/// All that happens. The same seed, the same scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scene {
    pub(super) name: String,
    pub(super) conversation: String,
    pub(super) members: Vec<String>,
    pub(super) messages: Vec<Sent>,
    /// In the order of time.
    pub(super) reads: Vec<Read>,
    /// For how long each message is followed.
    pub(super) horizon: Duration,
    /// How many times as fast as real time it is played.
    pub(super) factor: u32,
    /// Whether it was made up, and is no trace.
    pub(super) is_made: bool,
    pub(super) seed: u64,
}

/// What scenes are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Making {
    pub(super) seed: u64,
    pub(super) readers: Readers,
    pub(super) looks: Looks,
    pub(super) horizon: Duration,
    /// How many messages; in a trace, at most so many.
    pub(super) messages: usize,
    /// Over how long they are sent, if nobody has written down when.
    pub(super) spread: Duration,
    /// How many times as fast as real time groups are played that are not larger than [`FULL_SPEED`].
    pub(super) factor: u32,
}

/// So many members can mark as fast as `--factor` says, on all servers at once. Larger groups take their time.
const FULL_SPEED: usize = 2_000;

impl Making {
    fn factor_of(&self, members: usize) -> u32 {
        let slower = u32::try_from(members.div_ceil(FULL_SPEED)).unwrap_or(u32::MAX).max(1);
        (self.factor / slower).max(1)
    }

    fn chance(&self, size: usize) -> Rng {
        Rng::with_seed(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ size as u64)
    }

    fn sent(&self, at: Duration, sender: &str, chance: &mut Rng) -> Sent {
        Sent {
            id: (0..ID_CHARACTERS).map(|_| chance.alphanumeric()).collect(),
            at,
            sender: sender.to_owned(),
            audience: None,
            looks: self.looks.at(at, self.horizon, chance),
            readers: 0,
        }
    }
}

impl Scene {
    /// A group of `size` that never was: each message is of another of its members, and each of the others reads it, or
    /// does not, by itself.
    pub(super) fn made(making: &Making, size: usize) -> Self {
        let mut chance = making.chance(size);
        let members: Vec<_> = (0..size).map(|member| format!("u{member:09}")).collect();
        let part = making.spread / u32::try_from(making.messages).unwrap_or(u32::MAX).max(1);
        let (mut at, mut messages, mut reads) = (FIRST, Vec::new(), Vec::new());
        for place in 0..making.messages {
            let sent = making.sent(at + part.mul_f64(chance.f64()), &members[place], &mut chance);
            at += part;
            for (_, reader) in members.iter().enumerate().filter(|(member, _)| *member != place) {
                if let Some(delay) = making.readers.delay(&mut chance).filter(|delay| *delay < making.horizon)
                {
                    reads.push(Read { at: sent.at + delay, reader: reader.clone(), messages: vec![place] });
                }
            }
            messages.push(sent);
        }
        Self { is_made: true, ..Self::of(format!("{size} members"), members, messages, reads, making) }
    }

    /// A group that was: whoever posts has read, at that moment, all that was posted before and was for them.
    pub(super) fn of_trace(making: &Making, trace: &Trace) -> Self {
        let mut chance = making.chance(0);
        let expected = expected(trace);
        let asked = &expected.messages[..making.messages.min(expected.messages.len())];
        let (mut messages, mut reads) = (Vec::<Sent>::new(), Vec::new());
        let (mut begin, mut read_before) = (None, BTreeMap::<&Name, usize>::new());
        for Event { at_ms, user, act } in &trace.events {
            if !matches!(act, Act::Post(_)) {
                continue;
            }
            let at = Duration::from_millis(*at_ms);
            let at = FIRST + at.saturating_sub(*begin.get_or_insert(at));
            let from = read_before.insert(user, messages.len()).unwrap_or(0);
            let lately =
                |place: &usize| asked[*place].is_for(user) && at < messages[*place].at + making.horizon;
            let read: Vec<_> = (from..messages.len()).filter(lately).collect();
            if !read.is_empty() {
                reads.push(Read { at, reader: user.to_string(), messages: read });
            }
            if let Some(message) = asked.get(messages.len()) {
                let audience = message.audience().map(ToString::to_string).collect();
                messages.push(Sent { audience: Some(audience), ..making.sent(at, user, &mut chance) });
            }
        }
        let members: BTreeSet<_> =
            asked.iter().flat_map(|message| message.audience().chain([&message.sender])).collect();
        let members = members.into_iter().map(ToString::to_string).collect();
        Self::of(trace.name.clone(), members, messages, reads, making)
    }

    fn of(
        name: String,
        members: Vec<String>,
        mut messages: Vec<Sent>,
        mut reads: Vec<Read>,
        making: &Making,
    ) -> Self {
        reads.sort_by_key(|read| read.at);
        for place in reads.iter().flat_map(|read| &read.messages) {
            messages[*place].readers += 1;
        }
        let (factor, conversation) = (making.factor_of(members.len()), "simulated".to_owned());
        let Making { seed, horizon, .. } = *making;
        Self { name, conversation, members, messages, reads, horizon, factor, is_made: false, seed }
    }

    /// When nothing happens any more.
    pub(super) fn end(&self) -> Duration {
        self.messages.iter().map(|sent| sent.at).max().unwrap_or_default() + self.horizon
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn making(messages: usize) -> Making {
        let second = Duration::from_secs;
        Making {
            factor: 60,
            seed: 1,
            readers: Readers {
                reach: 0.65,
                median: second(369),
                sigma: 1.92,
                fast_share: 0.2,
                fast_mean: second(5),
            },
            looks: Looks { first: second(30), more: 3, between: (second(5), second(60)) },
            horizon: second(3_600),
            messages,
            spread: second(300),
        }
    }

    #[test]
    fn a_scene_follows_from_its_seed() {
        let scene = Scene::made(&making(5), 200);
        assert_eq!(scene, Scene::made(&making(5), 200));
        assert_ne!(scene.reads, Scene::made(&Making { seed: 2, ..making(5) }, 200).reads);
        assert_eq!(scene.messages.iter().map(|sent| sent.readers).sum::<usize>(), scene.reads.len());
        // 65 % of 199, of whom about 9 in 10 come within the hour.
        assert!(scene.messages.iter().all(|sent| (90..150).contains(&sent.readers)), "{:?}", scene.messages);
        assert!(scene.reads.is_sorted_by_key(|read| read.at));
        assert!(scene.reads.iter().all(|read| scene.messages[read.messages[0]].sender != read.reader));
        assert!(
            scene.messages.is_sorted_by_key(|sent| sent.at)
                && scene.messages[4].at < Duration::from_secs(305)
        );
    }

    #[test]
    fn who_posts_in_a_trace_has_read_what_was_for_them() {
        let text = "0\tjoin\ta\n0\tjoin\tb\n10\tpost\ta\t1\n11\tjoin\tc\n12\tpost\tb\t2\n20\tpost\tc\t3\n\
                    30\tpost\ta\t4\n9000\tpost\tb\t5\n";
        let trace = Trace::parse("chat", text).unwrap();
        let scene = Scene::of_trace(&making(3), &trace);
        let read = |at, reader: &str, messages: &[usize]| Read {
            at: FIRST + Duration::from_secs(at),
            reader: reader.to_owned(),
            messages: messages.to_vec(),
        };
        // The last post comes after the hour; the fourth message is one too many.
        assert_eq!(scene.reads, [read(2, "b", &[0]), read(10, "c", &[1]), read(20, "a", &[1, 2])]);
        assert_eq!(scene.messages.len(), 3);
        assert_eq!(scene.messages[0].audience, Some(vec!["b".to_owned()]), "c came later");
        assert_eq!(scene.members, ["a", "b", "c"]);
    }

    #[test]
    fn larger_groups_are_played_more_slowly() {
        let factors = [20, 2_000, 2_001, 10_000, 1_000_000].map(|size| making(5).factor_of(size));
        assert_eq!(factors, [60, 60, 30, 12, 1]);
    }
}
