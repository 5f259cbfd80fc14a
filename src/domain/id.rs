//! Ids of conversations, messages and users: three types, so that one never stands in for another.
//!
//! An id is opaque to seenby: the chat's own name for a thing, compared byte by byte.

use std::{borrow::Borrow, fmt, sync::Arc};

/// The longest id, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 128;

/// Why a string is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdError {
    /// No bytes at all.
    Empty,
    /// More than [`ID_BYTES_MAX`] bytes.
    TooLong,
    /// One of U+0000-1F or U+007F-9F.
    Control,
    /// `.` or `..`, which a path cannot carry.
    Dots,
}

impl fmt::Display for IdError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => out.write_str("an id has at least 1 byte"),
            Self::TooLong => write!(out, "an id has at most {ID_BYTES_MAX} bytes of UTF-8"),
            Self::Control => out.write_str("an id has no control characters (U+0000-1F, U+007F-9F)"),
            Self::Dots => out.write_str("'.' and '..' are not ids, since no path can carry them"),
        }
    }
}

impl std::error::Error for IdError {}

fn check(text: &str) -> Result<(), IdError> {
    match text {
        "" => Err(IdError::Empty),
        "." | ".." => Err(IdError::Dots),
        _ if text.len() > ID_BYTES_MAX => Err(IdError::TooLong),
        _ if has_control(text) => Err(IdError::Control),
        _ => Ok(()),
    }
}

/// Whether one of its characters is of the category Cc, which is exactly U+0000-1F and U+007F-9F.
fn has_control(text: &str) -> bool {
    // Nearly all ids are of ASCII, which need not be decoded.
    text.bytes().any(|byte| !matches!(byte, b' '..=b'~')) && text.chars().any(char::is_control)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 128 bytes of UTF-8 without control characters, and not `.` or `..`. Cloning shares the text.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and takes it as an id.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, IdError> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The id as the chat wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, out)
            }
        }
    };
}

id! {
    /// A chat, one-to-one or a group: the unit of order, of locality and of sharding.
    ConversationId
}
id! {
    /// A message, unique within its conversation.
    MessageId
}

impl MessageId {
    /// The same id, for calls that only look it up.
    #[must_use]
    pub fn borrowed(&self) -> MessageIdRef<'_> {
        MessageIdRef(&self.0)
    }
}

/// A [`MessageId`] where its text stands already: nothing is copied to look a message up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageIdRef<'a>(&'a str);

impl<'a> MessageIdRef<'a> {
    /// Checks `text` and takes it as an id.
    pub fn new(text: &'a str) -> Result<Self, IdError> {
        check(text)?;
        Ok(Self(text))
    }

    /// The id as the chat wrote it.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

impl From<MessageIdRef<'_>> for MessageId {
    fn from(id: MessageIdRef<'_>) -> Self {
        Self(id.0.into())
    }
}

impl fmt::Display for MessageIdRef<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}
id! {
    /// A user: a member, a sender, a reader.
    UserId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_1_to_128_bytes() {
        assert_eq!(UserId::new(""), Err(IdError::Empty));
        assert!(UserId::new("a").is_ok());
        assert!(UserId::new("a".repeat(128)).is_ok());
        assert_eq!(UserId::new("a".repeat(129)), Err(IdError::TooLong));
        assert!(UserId::new("é".repeat(64)).is_ok());
        assert_eq!(UserId::new(format!("{}a", "é".repeat(64))), Err(IdError::TooLong));
    }

    #[test]
    fn an_id_has_no_control_characters_and_is_no_dot_segment() {
        for bad in ["a\u{0}", "\u{1f}", "\u{7f}", "x\u{80}", "\u{9f}y"] {
            assert_eq!(MessageId::new(bad), Err(IdError::Control), "{bad:?}");
        }
        for good in [" ", "\u{a0}", "...", "a/b?c#d%", "消息", "\u{ad}"] {
            assert!(MessageId::new(good).is_ok(), "{good:?}");
        }
        assert_eq!(MessageId::new("."), Err(IdError::Dots));
        assert_eq!(MessageId::new(".."), Err(IdError::Dots));
    }

    #[test]
    fn ids_are_compared_byte_by_byte() {
        assert_ne!(UserId::new("Bob"), UserId::new("bob"));
        // The same letter, composed and decomposed, is two ids.
        assert_ne!(UserId::new("\u{e9}"), UserId::new("e\u{301}"));
    }
}
