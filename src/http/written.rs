//! The answer to a pull, written by hand: it is most of what the server says, and made of nothing but ids and counts.
//!
//! Its shape is `wire`'s `PullResponse`, which clients read and the OpenAPI document describes; a test holds both to the
//! same bytes.

use memchr::memchr2;

use crate::{
    domain::{Named, Pace},
    wire::Code,
};

/// About how many bytes an answer has, beside the ids.
pub(super) fn bytes_beside_ids(messages: usize) -> usize {
    /// `{"receipts":[],"poll":{"every_ms":10000,"for_ms":20000}}`
    const ALL: usize = 64;
    /// `{"message":"","read":100000,"of":100000},`
    const ENTRY: usize = 48;
    ALL + ENTRY * messages
}

/// Writes what is known of these messages, and how to go on.
pub(super) fn push_pull<'a>(
    text: &mut Vec<u8>,
    named: impl IntoIterator<Item = Named<'a>>,
    poll: Option<Pace>,
) {
    text.extend_from_slice(b"{\"receipts\":[");
    for (at, named) in named.into_iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        text.extend_from_slice(b"{\"message\":\"");
        push_id(text, named.message.as_str());
        if let Some(receipts) = named.receipts {
            text.extend_from_slice(b"\",\"read\":");
            push_number(text, receipts.read);
            text.extend_from_slice(b",\"of\":");
            push_number(text, receipts.of);
            text.push(b'}');
        } else {
            text.extend_from_slice(b"\",\"code\":\"");
            text.extend_from_slice(Code::UnknownMessage.as_str().as_bytes());
            text.extend_from_slice(b"\"}");
        }
    }
    text.extend_from_slice(b"],\"poll\":");
    if let Some(pace) = poll {
        text.extend_from_slice(b"{\"every_ms\":");
        push_number(text, pace.every_ms);
        text.extend_from_slice(b",\"for_ms\":");
        push_number(text, pace.for_ms);
        text.extend_from_slice(b"}}");
    } else {
        text.extend_from_slice(b"null}");
    }
}

/// What stands between the quotes of a JSON string. An id has none of the control characters that must not stand there.
fn push_id(text: &mut Vec<u8>, id: &str) {
    let mut rest = id.as_bytes();
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        text.extend_from_slice(&rest[..at]);
        text.extend_from_slice(&[b'\\', rest[at]]);
        rest = &rest[at + 1..];
    }
    text.extend_from_slice(rest);
}

/// Writes a number in decimal.
pub(super) fn push_number(text: &mut Vec<u8>, number: impl itoa::Integer) {
    text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::{ConversationId, Generation, MessageId, Receipts},
        wire::{Poll, PullResponse, ReceiptsEntry},
    };

    type Known = (MessageId, Option<Receipts>);

    fn derived(screen: &[Known], poll: Option<Pace>) -> String {
        let entry = |(message, receipts): &Known| ReceiptsEntry {
            message: message.to_string(),
            read: receipts.map(|receipts| receipts.read),
            of: receipts.map(|receipts| receipts.of),
            code: receipts.is_none().then_some(Code::UnknownMessage),
        };
        let poll = poll.map(|pace| Poll { every_ms: pace.every_ms, for_ms: pace.for_ms });
        let shape = PullResponse { receipts: screen.iter().map(entry).collect(), poll };
        serde_json::to_string(&shape).unwrap()
    }

    fn known() -> impl Strategy<Value = Known> {
        let message = ".{1,20}".prop_filter_map("an id", |text| MessageId::new(text).ok());
        let receipts = proptest::option::of((any::<u32>(), any::<u32>()));
        (message, receipts).prop_map(|(message, counts)| {
            let receipts =
                |(read, of)| Receipts { generation: Generation(1), read, of, marks: read, hidden: 0 };
            (message, counts.map(receipts))
        })
    }

    proptest! {
        #[test]
        fn by_hand_it_is_what_is_derived_of_the_shape(
            screen in proptest::collection::vec(known(), 0..30),
            pace in proptest::option::of((any::<u64>(), any::<u64>())),
        ) {
            let conversation = ConversationId::new("c").unwrap();
            let poll = pace.map(|(every_ms, for_ms)| Pace { every_ms, for_ms });
            let named = screen.iter().map(|(message, receipts)| Named {
                conversation: &conversation,
                message: message.borrowed(),
                receipts: *receipts,
            });
            let mut text = Vec::new();
            push_pull(&mut text, named, poll);
            prop_assert_eq!(String::from_utf8(text).unwrap(), derived(&screen, poll));
        }
    }
}
