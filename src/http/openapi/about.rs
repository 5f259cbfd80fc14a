//! What each call does, in words, and an example of each body: for people who read the document, and for programs
//! that try it.

use serde_json::Value;

use crate::http::route::Call;

const PULL: &str = "How many of each message's audience have read it, in the order asked. What is unknown, or not the \
    caller's to see, carries the code unknown-message in place of counts. Pull again after poll.every_ms for as long as \
    the messages are on screen, for at most poll.for_ms; where poll is null nothing can change any more. A user pulls \
    messages that it sent, and with --visibility audience also those that it was sent.";
const STREAM: &str = "Server-sent events, for at most for_ms. First an event 'receipts', whose data is the body of a pull; then one with \
    the messages that have changed, whenever one has, at most one each stream_every (or, where that is 0, one for each \
    mark). Its id is the ETag of the whole. A comment each stream_keep_alive shows that it is alive. Last-Event-ID, also \
    the ETag of a pull, resumes: the first event lists what has changed since, and there is none if nothing has. In the end comes \
    an event 'end'; resuming behind it is answered 204: stop. A stream that ends without it may be resumed at once. A client \
    that closes its side has left. That a message expires is told with the next sign of life at the latest.";
const QUERY: &str = "The same as a pull, over several conversations: for a list of chats with a tick each. With the etag \
    of an earlier answer only what has changed since is listed, maybe nothing. 1 to 100 messages in all, at least one in \
    each pull; a pair of conversation and message may stand there once.";
const READERS: &str =
    "In slot order. A walk over 'next' gives each user once who was on the list the whole time.";
const MARK: &str = "Says what one reader has read: some messages by their ids, or every live message up to and including a \
    message or a place whose audience the reader is in. What could not be marked stands in refused and does not stop the \
    rest. A user may leave out reader; an app may not. A message named twice counts once as marked and then as already.";
const MARK_BULK: &str = "For a gateway that gathers many readers: entries are done in their order, and one that cannot be \
    done stands in refused and does not stop the rest.";
const UNREAD: &str = "How many live messages were sent to a reader and not read, and the first of them: for a badge and \
    for a second device. A reader that nobody mentioned has none.";
const REGISTER: &str = "Whom the message is for is fixed now: who is in the roster, or in 'audience', less the sender. The \
    same again answers 200 with the first answer; a live message that was registered otherwise stays as it is. 'order' \
    must be above the conversation's highest so far; left out, it is one more.";
const REGISTER_BULK: &str = "Entries are done in their order, and one that cannot be done stands in refused and does not \
    stop the rest.";
const MESSAGE: &str = "Who sent it, its place, how many have read it, and until when it is known.";
const MESSAGES: &str = "The messages of a conversation that have not expired, by their place in the order.";
const FORGET_MESSAGE: &str =
    "Also where there is no such message. The id may be registered again: it is a new message.";
const RESET: &str = "For a message that was edited: its audience stays, and nobody has read it any more.";
const REPLACE: &str =
    "A set: the same members in any order change nothing, the version included. May be empty.";
const CHANGE: &str = "Creates the roster if there was none. Nobody may stand in both lists.";
const ROSTER: &str = "The members in slot order, with the roster's version.";
const CONVERSATIONS: &str = "In byte order.";
const FORGET: &str =
    "Roster, messages and receipts are gone, and the highest order with them. Also where there is none.";
const SET_PRIVACY: &str = "Off: the user counts in no read and no of, and is on no list; marks of the user are checked and answered as \
    ever, and not kept. On again: what was read before it was off shows again. Of a user whom nobody mentioned yet as well.";
const PRIVACY: &str = "On for a user whom nobody mentioned yet.";
const FORGET_USER: &str = "The user is in no roster, no count and no list any more, and messages that the user sent are \
    deleted; within a day the name has left the disk. Also where there is no such user. The same name later is a new user.";
const HEALTHZ: &str = "Answers as long as the process does.";
const READYZ: &str = "Refuses while the server is starting, shutting down, or unable to write.";
const METRICS: &str = "For Prometheus.";
const OPENAPI: &str = "What the server serves is what stands here.";
const PROBLEM: &str =
    "Where the 'type' of a problem leads: what its code means and what to do, in plain text.";

/// What a call does.
pub(super) fn call(call: Call) -> &'static str {
    match call {
        Call::Pull => PULL,
        Call::Stream => STREAM,
        Call::Query => QUERY,
        Call::Readers | Call::NotReaders => READERS,
        Call::Mark => MARK,
        Call::MarkBulk => MARK_BULK,
        Call::Unread => UNREAD,
        Call::Register => REGISTER,
        Call::RegisterBulk => REGISTER_BULK,
        Call::Message => MESSAGE,
        Call::Messages => MESSAGES,
        Call::ForgetMessage => FORGET_MESSAGE,
        Call::ResetMessage => RESET,
        Call::ReplaceRoster => REPLACE,
        Call::ChangeRoster => CHANGE,
        Call::Roster => ROSTER,
        Call::Conversations => CONVERSATIONS,
        Call::ForgetConversation => FORGET,
        Call::SetPrivacy => SET_PRIVACY,
        Call::Privacy => PRIVACY,
        Call::ForgetUser => FORGET_USER,
        Call::Healthz => HEALTHZ,
        Call::Readyz => READYZ,
        Call::Metrics => METRICS,
        Call::OpenApi => OPENAPI,
        Call::ProblemPage => PROBLEM,
    }
}

/// What a status of success means.
pub(super) fn success(call: Call, status: u16) -> &'static str {
    match (call, status) {
        (Call::Register, 200) => "It was registered the same way before: the first answer.",
        (Call::Stream, 204) => "The stream that Last-Event-ID names has come to its end.",
        (_, 201) => "It is new.",
        (_, 204) => "It is done.",
        (_, 304) => "Nothing has changed since the receipts that If-None-Match names.",
        _ => "The answer.",
    }
}

/// A body that a call takes.
pub(super) fn example(call: Call) -> Option<Value> {
    let text = match call {
        Call::Query => r#"{"pulls":[{"conversation":"hikers","messages":["m1"]}]}"#,
        Call::Mark => r#"{"reader":"bob","messages":["m1"]}"#,
        Call::MarkBulk => r#"{"marks":[{"conversation":"hikers","reader":"carol","up_to":"m1"}]}"#,
        Call::Register => r#"{"sender":"alice"}"#,
        Call::RegisterBulk => r#"{"messages":[{"id":"m2","sender":"alice","expires_in_s":86400}]}"#,
        Call::ReplaceRoster => r#"{"members":["alice","bob","carol"]}"#,
        Call::ChangeRoster => r#"{"add":["dave"],"remove":["carol"]}"#,
        Call::SetPrivacy => r#"{"receipts":"off"}"#,
        Call::Pull
        | Call::Stream
        | Call::Readers
        | Call::NotReaders
        | Call::Unread
        | Call::Message
        | Call::Messages
        | Call::ForgetMessage
        | Call::ResetMessage
        | Call::Roster
        | Call::Conversations
        | Call::ForgetConversation
        | Call::Privacy
        | Call::ForgetUser
        | Call::Healthz
        | Call::Readyz
        | Call::Metrics
        | Call::OpenApi
        | Call::ProblemPage => return None,
    };
    Some(serde_json::from_str(text).expect("invariant: the examples are JSON"))
}
