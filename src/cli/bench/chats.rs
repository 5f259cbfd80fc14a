//! Chats that never were: who is in them, who writes, and who has read what. All follows from the seed and a place,
//! so that nothing has to be kept, and any part can be made again.

use std::ops::Range;

/// How readers read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// 65 % read everything, the others stop for good at a random message; all in 5 to 20 visits, each up to a place.
    InOrder,
    /// Each has read each message with 65 % chance, independently.
    Random,
}

/// Messages of a conversation of usual length.
pub(super) const CONVERSATION: usize = 1_000;
/// Members of a conversation of usual size.
pub(super) const MEMBERS: usize = 2_000;
/// How often a member reads everything, or a message.
pub(super) const READS_SHARE: f64 = 0.65;
/// Conversations take their members from a population so many times as large.
const POPULATION_TIMES: usize = 10;
/// The population is at least so large.
const POPULATION_MIN: usize = 100_000;
/// When the first message is sent, in milliseconds of Unix time. Ids begin with a time.
const FIRST_MS: u64 = 1_767_225_600_000;
/// How many milliseconds lie between two messages of a conversation, on average.
const EVERY_MS: u64 = 60_000;

/// A number of alike conversations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chats {
    pub(super) seed: u64,
    pub(super) conversations: usize,
    /// Of each conversation.
    pub(super) members: usize,
    /// Of each conversation.
    pub(super) messages: usize,
    /// Readers in order begin anew after so many messages: all of them, or those of a day.
    pub(super) period: usize,
    pub(super) reads: Reads,
}

impl Chats {
    /// Conversations of usual length and size with so many messages together, read in order.
    pub(super) fn usual(seed: u64, messages: u32) -> Self {
        let messages = usize::try_from(messages).unwrap_or(usize::MAX);
        let conversations = messages.div_ceil(CONVERSATION);
        let each = messages / conversations;
        Self { seed, conversations, members: MEMBERS, messages: each, period: each, reads: Reads::InOrder }
    }

    /// The conversation's name.
    pub(super) fn name(&self, conversation: usize) -> String {
        format!("{}{}", base32(self.mixed(&[1, conversation]).into(), 4), base32(conversation as u128, 6))
    }

    /// A member's name: 10 characters without a pattern. Another set in each conversation, of one population.
    pub(super) fn member(&self, conversation: usize, member: usize) -> String {
        let population = (POPULATION_TIMES * self.members).max(POPULATION_MIN);
        let first = below(self.mixed(&[2, conversation]), population);
        base32(self.mixed(&[3, (first + member) % population]).into(), 10)
    }

    /// A message's id as chats make them: 20 characters of time, counter and 24 random bits.
    pub(super) fn message(&self, conversation: usize, message: usize) -> String {
        let mixed = self.mixed(&[4, conversation, message]);
        let at_ms = FIRST_MS + message as u64 * EVERY_MS + (mixed >> 32) % EVERY_MS;
        let counter = (message * self.conversations + conversation) as u64 & 0xff_ffff;
        base32(u128::from(at_ms) << 48 | u128::from(counter) << 24 | u128::from(mixed & 0xff_ffff), 20)
    }

    /// The member who sends the message.
    pub(super) fn sender(&self, conversation: usize, message: usize) -> usize {
        below(self.mixed(&[5, conversation, message]), self.members)
    }

    /// Where a member reads in order in a period: up to and including these messages, one visit after the other.
    pub(super) fn visits(&self, conversation: usize, member: usize, period: usize) -> Vec<usize> {
        let mut chance = self.chance(&[6, conversation, member, period]);
        let reads_all = chance.f64() < READS_SHARE;
        let stop = if reads_all { self.period } else { chance.usize(..self.period) };
        if stop == 0 {
            return Vec::new();
        }
        let visits = chance.usize(5..=20);
        let mut places: Vec<usize> = (1..visits).map(|_| chance.usize(..stop)).collect();
        places.push(stop - 1);
        places.sort_unstable();
        places.dedup();
        places.iter().map(|place| period * self.period + place).collect()
    }

    /// Which of these messages a member reads at random. Nobody reads what they sent.
    pub(super) fn picked(&self, conversation: usize, member: usize, messages: Range<usize>) -> Vec<usize> {
        let mut chance = self.chance(&[7, conversation, member, messages.start]);
        let read = messages.filter(|_| chance.f64() < READS_SHARE);
        read.filter(|&message| self.sender(conversation, message) != member).collect()
    }

    /// All chances that belong to a place.
    pub(super) fn chance(&self, place: &[usize]) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.mixed(place))
    }

    fn mixed(&self, place: &[usize]) -> u64 {
        place.iter().fold(mix(self.seed), |mixed, &part| mix(mixed ^ part as u64))
    }
}

/// The finalizer of `SplitMix64`: each bit of `value` changes about half of the bits.
fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// `value` as a number below `end`.
fn below(value: u64, end: usize) -> usize {
    usize::try_from(value % end as u64).expect("invariant: less than a usize")
}

/// The last `characters` digits in base32hex.
fn base32(value: u128, characters: u32) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let digits = (0..characters).rev().map(|place| DIGITS[(value >> (5 * place) & 31) as usize]);
    digits.map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const CHATS: Chats =
        Chats { seed: 1, conversations: 3, members: 400, messages: 300, period: 300, reads: Reads::InOrder };

    #[test]
    fn names_and_ids_are_unique_and_as_long_as_they_should_be() {
        let ids: HashSet<_> = (0..300).map(|message| CHATS.message(1, message)).collect();
        assert!(ids.len() == 300 && ids.iter().all(|id| id.len() == 20), "{ids:?}");
        let names: HashSet<_> = (0..400).map(|member| CHATS.member(2, member)).collect();
        assert!(names.len() == 400 && names.iter().all(|name| name.len() == 10), "{names:?}");
        assert_ne!(CHATS.name(0), CHATS.name(1));
        assert!(CHATS.message(0, 1) > CHATS.message(0, 0), "ids begin with a time");
        assert_ne!(CHATS.message(0, 0), Chats { seed: 2, ..CHATS }.message(0, 0));
    }

    #[test]
    fn about_65_in_100_read_everything_in_5_to_20_visits() {
        let visits: Vec<_> = (0..400).map(|member| CHATS.visits(0, member, 0)).collect();
        assert!(visits.iter().all(|visits| visits.len() <= 20 && visits.is_sorted()));
        let all = visits.iter().filter(|visits| visits.last() == Some(&299)).count();
        assert!((220..300).contains(&all), "{all}");
        assert!(CHATS.visits(0, 7, 2).iter().all(|place| (600..900).contains(place)));
    }

    #[test]
    fn about_65_in_100_messages_are_picked_and_none_of_the_own() {
        let picked: usize = (0..400).map(|member| CHATS.picked(0, member, 0..100).len()).sum();
        assert!((25_000..27_000).contains(&picked), "{picked}");
        let own = |message| CHATS.picked(0, CHATS.sender(0, message), 0..100).contains(&message);
        assert!(!(0..100).any(own));
    }
}
