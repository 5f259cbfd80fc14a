//! The pull contract: what is known of a message, and the `ETag` that names it.

use std::{fmt, ptr};

use super::{ConversationId, Generation, MessageIdRef, base64url, sip::sip13_of_words};

/// What is known of one message: how many of its audience have read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipts {
    /// The message's present life.
    pub generation: Generation,
    /// How many of the audience whose receipts are on have read it.
    pub read: u32,
    /// The size of the audience whose receipts are on.
    pub of: u32,
    /// How many marks it has, of hidden users too. Within a generation this only rises, and marks are never taken back.
    pub marks: u32,
    /// Stands for who of the audience is hidden; 0 for nobody. With generation and marks it names a state for good.
    pub hidden: u64,
}

impl Receipts {
    /// Whether nothing about it can change any more: all have read it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.read >= self.of
    }
}

/// A message that was asked for, and what is known of it; none if it is unknown.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The conversation asked about.
    pub conversation: &'a ConversationId,
    /// The message asked about.
    pub message: MessageIdRef<'a>,
    /// What is known of it.
    pub receipts: Option<Receipts>,
}

/// What names of receipts are made with. Whoever knows it can read counts of hidden users' marks out of them, and how many
/// messages there were in between.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct EtagKey(u64, u64);

impl EtagKey {
    /// Of 16 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_le_bytes(bytes);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        Self(both as u64, (both >> 64) as u64)
    }

    /// The bytes that it was made of.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.0) | u128::from(self.1) << 64).to_le_bytes()
    }

    fn name(self, generation: Generation, hidden: u64) -> u64 {
        sip13_of_words([self.0, self.1], [generation.0, hidden])
    }
}

impl fmt::Debug for EtagKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("EtagKey")
    }
}

/// Names the receipts of a screen as they stand, such that a later pull can tell which of them have changed.
///
/// It carries one entry a message, made of the message's generation, its count of marks and who is hidden, which nobody
/// without the server's key can read out of it, and a short hash of what was asked for:
///
/// ```text
///  bits 15..13  bytes of an entry, less 3
///  bits 12..0   hash of the conversations and messages asked for, in the order asked
///  entries      3 to 8 bytes each, low byte first
/// ```
///
/// For the same list, entries are compared place by place: two counts of one generation never look alike as long
/// as they differ by less than 2^24. For another list (the client scrolled) an entry is looked for anywhere.
/// Generations are mixed into the entry, so a reset or a message registered anew looks alike with one chance in
/// 2^24 for each entry that it is compared with, at the worst: a screen of up to 20 messages shares 60 bytes, so
/// that an unchanged answer stays under 240 bytes, and fewer messages have longer entries. More than 20 have 5
/// bytes each.
#[derive(Debug, Clone)]
pub struct Etag {
    list: u16,
    /// Of those that were made here, whole; of those that were read, what was written.
    entries: Vec<u64>,
}

/// A screen, as the byte budget of an answer knows it.
const SCREEN_MESSAGES: usize = 20;
/// What the entries of a screen share.
const SCREEN_BYTES: usize = 60;
const WIDTH_MIN: usize = 3;
const WIDTH_MAX: usize = 8;
/// Of lists longer than a screen, which have no budget: 100 messages against 100 others make 10^4 comparisons, and
/// 2^40 is a hundred million times that.
const WIDTH_LONG: usize = 5;
const HASH_BITS: u32 = 13;

/// Bytes of text that no name is longer than: 100 messages of 5 bytes, and the head, in base64url.
const TEXT_BYTES_MAX: usize = (2 + 100 * WIDTH_LONG).div_ceil(3) * 4;

impl PartialEq for Etag {
    /// Whether they are the same text.
    fn eq(&self, other: &Self) -> bool {
        let same = |(one, other): (&u64, &u64)| (one ^ other) & self.mask() == 0;
        self.list == other.list
            && self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(same)
    }
}

impl Eq for Etag {}

impl Etag {
    /// Names the receipts of a screen of so many messages.
    #[must_use]
    pub fn of<'a>(screen: impl Iterator<Item = Named<'a>>, count: usize, key: EtagKey) -> Self {
        let width = match count {
            0 => WIDTH_MAX,
            messages if messages <= SCREEN_MESSAGES => (SCREEN_BYTES / messages).min(WIDTH_MAX),
            _ => WIDTH_LONG,
        };
        let width = u16::try_from(width - WIDTH_MIN).expect("invariant: 3 bits");
        let (mut list, mut last) = (LIST, None);
        let mut entries = Vec::with_capacity(count);
        for named in screen {
            // Nearly always it is not only the same one, but the same place.
            if last.is_none_or(|last| !ptr::eq(last, named.conversation) && last != named.conversation) {
                list = hash_conversation(list, named.conversation);
                last = Some(named.conversation);
            }
            list = hash_message(list, named.message);
            entries.push(entry(&named, key));
        }
        let hash = u16::try_from(mix(list) & ((1 << HASH_BITS) - 1)).expect("invariant: 13 bits");
        Self { list: width << HASH_BITS | hash, entries }
    }

    fn width(&self) -> usize {
        WIDTH_MIN + usize::from(self.list >> HASH_BITS)
    }

    fn mask(&self) -> u64 {
        u64::MAX >> (64 - 8 * self.width())
    }

    /// Whether the receipts of the screen's message `at`, which `now` names, are not as this earlier name said, or were not
    /// named by it.
    #[must_use]
    pub fn misses(&self, now: &Self, at: usize) -> bool {
        let is = now.entries[at] & self.mask();
        if self.list == now.list && self.entries.len() == now.entries.len() {
            self.entries[at] & self.mask() != is
        } else {
            !self.entries.iter().any(|entry| entry & self.mask() == is)
        }
    }

    /// The text between quotes, as the header field has it.
    #[must_use]
    pub fn quoted(&self) -> String {
        let mut bytes = Vec::with_capacity(2 + self.entries.len() * WIDTH_MAX);
        bytes.extend_from_slice(&self.list.to_le_bytes());
        let width = self.width();
        for entry in &self.entries {
            // All of it, and less: to copy as many bytes each time is one instruction.
            let end = bytes.len() + width;
            bytes.extend_from_slice(&entry.to_le_bytes());
            bytes.truncate(end);
        }
        let mut text = Vec::with_capacity(2 + bytes.len().div_ceil(3) * 4);
        text.push(b'"');
        base64url::push(&mut text, &bytes);
        text.push(b'"');
        String::from_utf8(text).expect("invariant: base64 is ASCII")
    }

    /// Reads what [`fmt::Display`] wrote, without the quotes of the header field; none if it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let bytes = base64url::decode(text)?;
        let (list, rest) = bytes.split_first_chunk()?;
        let mut etag = Self { list: u16::from_le_bytes(*list), entries: Vec::new() };
        // Of the eight widths that three bits can say, six are ours.
        let whole = etag.width() <= WIDTH_MAX && rest.len() % etag.width() == 0;
        etag.entries = rest
            .chunks(etag.width())
            .map(|bytes| bytes.iter().rev().fold(0, |entry, byte| entry << 8 | u64::from(*byte)))
            .collect();
        whole.then_some(etag)
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.quoted().trim_matches('"'))
    }
}

fn entry(named: &Named<'_>, key: EtagKey) -> u64 {
    match &named.receipts {
        // The count is added after the mixing: neighbouring counts differ in every width.
        Some(receipts) => {
            key.name(receipts.generation, receipts.hidden).wrapping_add(u64::from(receipts.marks))
        }
        None => mix(!hash_message(hash_conversation(LIST, named.conversation), named.message)),
    }
}

/// What the hash of a list begins with.
const LIST: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on with an id, closed by what no id ends with.
fn hash_message(hash: u64, id: MessageIdRef<'_>) -> u64 {
    hash_text(hash, id.as_str(), 0)
}

/// The same, closed by another.
fn hash_conversation(hash: u64, id: &ConversationId) -> u64 {
    hash_text(hash, id.as_str(), 1)
}

fn hash_text(hash: u64, text: &str, close: u8) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks();
    let hash = words.iter().fold(hash, |hash, word| hash_word(hash, u64::from_le_bytes(*word)));
    hash_word(hash, rest.iter().rev().fold(u64::from(close), |word, byte| word << 8 | u64::from(*byte)))
}

/// A step of FNV-1a, over eight bytes at a time. What only rises in a product is brought down by itself.
fn hash_word(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 32)
}

/// Spreads every bit over all (the finalizer of `SplitMix64`, Steele and others, OOPSLA 2014).
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MessageId;

    const KEY: EtagKey = EtagKey(1, 2);

    /// A message of a screen, and what is known of it.
    type Known = (MessageId, Option<Receipts>);

    fn known(message: &str, receipts: Option<(u64, u32)>) -> Known {
        let receipts = receipts.map(|(generation, read)| Receipts {
            generation: Generation(generation),
            read,
            of: 9_999,
            marks: read,
            hidden: 0,
        });
        (MessageId::new(message).unwrap(), receipts)
    }

    fn screen(size: u64) -> Vec<Known> {
        (0..size).map(|at| known(&format!("m{at}"), Some((at + 1, 5)))).collect()
    }

    fn etag_with(screen: &[Known], key: EtagKey) -> Etag {
        let conversation = ConversationId::new("c").unwrap();
        let conversation = &conversation;
        let named = screen.iter().map(|(message, receipts)| Named {
            conversation,
            message: message.borrowed(),
            receipts: *receipts,
        });
        Etag::of(named, screen.len(), key)
    }

    fn etag_of(screen: &[Known]) -> Etag {
        etag_with(screen, KEY)
    }

    fn changed(earlier: &Etag, screen: &[Known]) -> Vec<usize> {
        let now = etag_of(screen);
        (0..screen.len()).filter(|&at| earlier.misses(&now, at)).collect()
    }

    #[test]
    fn a_key_is_the_bytes_that_it_was_made_of() {
        let bytes = *b"0123456789abcdef";
        assert_eq!(EtagKey::from_bytes(bytes).to_bytes(), bytes);
    }

    #[test]
    fn a_name_is_read_back_as_written() {
        for size in [1, 3, 4, 5, 20, 100] {
            let etag = etag_of(&screen(size));
            assert_eq!(Etag::parse(&etag.to_string()), Some(etag));
        }
        assert!((1..=20).all(|size| etag_of(&screen(size)).to_string().len() <= 83));
        assert_eq!(etag_of(&screen(100)).to_string().len(), 670);
        assert_eq!(Etag::parse(&"A".repeat(16 << 20)), None);
        for bad in ["", "A", "x", "*", "\"\"", "AAAAA", "AAAB", "not an etag", "é"] {
            assert_eq!(Etag::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_what_changed_is_missed() {
        for size in [2, 9, 20, 100] {
            let before = screen(size);
            let etag = etag_of(&before);
            assert_eq!(changed(&etag, &before), [0_usize; 0]);
            let mut after = before.clone();
            after[1] = known("m1", Some((2, 6)));
            assert_eq!(changed(&etag, &after), [1]);
            after[1] = known("m1", Some((77, 5)));
            assert_eq!(changed(&etag, &after), [1], "the same count of another generation is a change");
            let hide = |screen: &mut Vec<Known>, who| {
                screen[1].1.iter_mut().for_each(|receipts| receipts.hidden = who);
            };
            after[1] = known("m1", Some((2, 5)));
            hide(&mut after, 7);
            assert_eq!(changed(&etag, &after), [1], "somebody is hidden");
            hide(&mut after, 0);
            assert_eq!(etag_of(&after), etag, "and shown again");
            after[1] = known("m1", None);
            assert_eq!(changed(&etag, &after), [1]);
            assert_eq!(changed(&etag_of(&after), &before), [1]);
        }
    }

    #[test]
    fn another_key_makes_another_name() {
        let screen = screen(3);
        let (etag, other) = (etag_of(&screen), etag_with(&screen, EtagKey(1, 3)));
        assert!((0..3).all(|at| etag.misses(&other, at)));
    }

    /// Servers behind one balancer may be of two versions, and restored data keeps its names.
    #[test]
    fn a_name_is_the_same_in_every_version() {
        let mut screen = screen(2);
        screen.push(known("a message with a longer id", None));
        assert_eq!(etag_of(&screen).quoted(), "\"VLuom1i73Y3qbcWA-T-qI0nVRpCEW-pss5A\"");
    }

    #[test]
    fn where_a_conversation_ends_is_part_of_what_was_asked_for() {
        let conversations = ["c", "d"].map(|id| ConversationId::new(id).unwrap());
        let ids = ["m", "n", "o"].map(|id| MessageId::new(id).unwrap());
        let list = |of: [usize; 3]| {
            let named = of.iter().zip(&ids).map(|(at, message)| Named {
                conversation: &conversations[*at],
                message: message.borrowed(),
                receipts: None,
            });
            Etag::of(named, ids.len(), KEY).list
        };
        let lists = [[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 1, 0], [1, 1, 1]].map(list);
        assert!((0..lists.len()).all(|at| !lists[..at].contains(&lists[at])), "{lists:?}");
    }

    #[test]
    fn after_scrolling_only_the_new_messages_are_missed() {
        let all = screen(30);
        assert_eq!(changed(&etag_of(&all[..20]), &all[2..22]), [18, 19]);
        assert_eq!(
            changed(&etag_of(&all[..20]), &all[2..4]),
            [0_usize; 0],
            "wide entries against narrow ones"
        );
        assert_eq!(changed(&etag_of(&all[..2]), &all[..20]).len(), 18);
    }

    #[test]
    fn every_count_of_a_large_group_has_a_name_of_its_own() {
        let mut names: Vec<_> =
            (0..100_000).map(|read| etag_of(&[known("m", Some((3, read)))]).entries[0] & 0xff_ffff).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 100_000);
    }
}
