//! Conversations that never were: generated, so that sizes and moves can be had that no real trace has.

use super::{Act, Event, Name, Trace};

/// What a generated conversation is made from: the same again makes the same conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Where its chances start.
    pub seed: u64,
    /// How many users it has.
    pub members: MemberCount,
    /// How many messages are posted.
    pub posts: usize,
}

/// How many users a generated conversation has: at least 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberCount(pub usize);

/// How often a post is preceded by a leave, and as often by a join or a return.
const MOVES_SHARE: f64 = 0.08;
/// How often the one who posts is of the few who post much, rather than anybody.
const TALKERS_SHARE: f64 = 0.7;
/// The most milliseconds from one post to the next.
const POST_EVERY_MAX_MS: u64 = 30_000;

impl Trace {
    /// Makes up a conversation: most users are there when it begins, the others join on the way; some leave, and
    /// some of those come back; a few post again and again, and some never do. Some names need escaping in a URL.
    #[must_use]
    pub fn generate(made: Made) -> Self {
        let Made { seed, members: MemberCount(members), posts } = made;
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut away: Vec<Name> = (1..=members.max(2)).map(user_name).collect();
        chance.shuffle(&mut away);
        let mut present = away.split_off((away.len() / 20 + 1).min(away.len() - 2));
        let talkers: Vec<Name> = present[..present.len().div_ceil(10).max(2).min(present.len())].to_vec();
        let event = |at_ms, user: &Name, act| Event { at_ms, user: user.clone(), act };
        let mut events: Vec<Event> = present.iter().map(|user| event(0, user, Act::Join)).collect();
        let mut at_ms = 0;
        for number in 1..=posts as u64 {
            at_ms += chance.u64(0..=POST_EVERY_MAX_MS / 100) * 100;
            if present.len() > 2 && chance.f64() < MOVES_SHARE {
                let leaver = present.swap_remove(chance.usize(..present.len()));
                events.push(event(at_ms, &leaver, Act::Leave));
                away.push(leaver);
            }
            if !away.is_empty() && chance.f64() < MOVES_SHARE {
                let comer = away.swap_remove(chance.usize(..away.len()));
                events.push(event(at_ms, &comer, Act::Join));
                present.push(comer);
            }
            let talker = &talkers[chance.usize(..talkers.len())];
            let talks = chance.f64() < TALKERS_SHARE && present.contains(talker);
            let poster = if talks { talker } else { &present[chance.usize(..present.len())] };
            events.push(event(at_ms, poster, Act::Post(number)));
        }
        Self { name: format!("generated-{seed}-{members}-{posts}"), events }
    }
}

/// Every seventh name has something that a URL must not carry as it is.
fn user_name(number: usize) -> Name {
    if number.is_multiple_of(7) { format!("g{number:04} ü/?&%+#") } else { format!("g{number:04}") }.into()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    const MADE: Made = Made { seed: 7, members: MemberCount(120), posts: 300 };

    #[test]
    fn the_same_seed_makes_the_same_conversation_and_another_another() {
        assert_eq!(Trace::generate(MADE), Trace::generate(MADE));
        assert_ne!(Trace::generate(MADE), Trace::generate(Made { seed: 8, ..MADE }));
    }

    #[test]
    fn what_is_generated_can_be_read_as_a_trace() {
        for members in [0, 2, 3, 40, 2_000] {
            let trace = Trace::generate(Made { members: MemberCount(members), ..MADE });
            assert_eq!(Trace::parse(&trace.name, &trace.to_string()).unwrap(), trace);
            assert_eq!(trace.posts(), MADE.posts);
        }
    }

    #[test]
    fn there_are_leaves_returns_and_some_who_post_often() {
        let trace = Trace::generate(MADE);
        let mut left = HashSet::new();
        let mut returns = 0;
        let mut posts: HashMap<&str, usize> = HashMap::new();
        for Event { user, act, .. } in &trace.events {
            match act {
                Act::Leave => _ = left.insert(user),
                Act::Join => returns += usize::from(left.contains(user)),
                Act::Post(_) => *posts.entry(user).or_default() += 1,
            }
        }
        assert!(left.len() > 10 && returns > 3, "{} left, {returns} came back", left.len());
        assert!(posts.values().filter(|&&posts| posts >= 5).count() >= 3);
        assert!(trace.events.iter().any(|event| event.user.contains('/')), "names that need escaping");
    }
}
