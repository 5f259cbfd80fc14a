//! What keys are called, and in which hash slot they lie.

use crate::domain::{ConversationId, mix};

/// Hash slots of a cluster.
pub(super) const SLOTS: u16 = 16_384;

/// How many lists the conversations are spread over.
pub(super) const LISTS: usize = 16;

/// The names of one deployment's keys.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The head of a conversation. All its other keys begin with this.
    pub(super) fn head(&self, conversation: &ConversationId) -> String {
        // A brace in the id would end the tag, or begin another.
        let mut key = format!("{}{{", self.prefix);
        for char in conversation.as_str().chars() {
            match char {
                '%' => key.push_str("%25"),
                '{' => key.push_str("%7B"),
                '}' => key.push_str("%7D"),
                char => key.push(char),
            }
        }
        key.push('}');
        key
    }

    /// One of the lists of conversations.
    pub(super) fn list(&self, at: usize) -> String {
        self.global(&format!("list-{at}"))
    }

    /// The list that a conversation stands in.
    pub(super) fn list_of(&self, conversation: &ConversationId) -> String {
        let hash = conversation.as_str().bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        self.list(usize::try_from(hash % LISTS as u64).expect("invariant: less than the lists"))
    }

    /// The users whose receipts are off.
    pub(super) fn hidden(&self) -> String {
        self.global("hidden")
    }

    /// What holds for the deployment: its format, the secret of `ETag`s, the next generation.
    pub(super) fn deployment(&self) -> String {
        self.global("deployment")
    }

    /// The tag is no conversation's: what stands before it has a colon, which no prefix has.
    fn global(&self, name: &str) -> String {
        format!("{}:{{{name}}}", self.prefix)
    }
}

/// The hash slot of a key: CRC-16 (XMODEM) of its hash tag, or of all of it where it has none (Valkey's cluster specification).
pub(super) fn slot_of(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key).as_bytes()) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8)
            .fold(crc ^ u16::from(*byte) << 8, |crc, _| crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_is_that_of_the_tag() {
        // The specification's own check value.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of("{user1000}.following"), slot_of("{user1000}.followers"));
        assert_eq!(slot_of("foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot_of("foo{{bar}}zap"), crc16(b"{bar") % SLOTS);
    }

    #[test]
    fn every_conversation_has_a_tag_of_its_own() {
        let keys = Keys::new("sb");
        let head = |id: &str| keys.head(&ConversationId::new(id).unwrap());
        assert_eq!(head("c1"), "sb{c1}");
        assert_eq!(head("}{%"), "sb{%7D%7B%25}");
        assert_ne!(head("}"), head("%7D"));
        assert_eq!(slot_of(&head("}")), crc16(b"%7D") % SLOTS);
        assert_ne!(head("hidden"), keys.hidden());
    }
}
