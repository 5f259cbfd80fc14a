//! Where an answer leads: which calls may follow one, and what they take from it. For people who read the document,
//! and for programs that try calls in chains.

use serde_json::{Map, Value, json};

use crate::http::route::{Call, Route};

/// A parameter of the call that follows, and where its value stands in the call before.
type Taken = &'static [(&'static str, &'static str)];

const CONVERSATION: Taken = &[("conversation", "$request.path.conversation")];
const MESSAGE: Taken =
    &[("conversation", "$request.path.conversation"), ("message", "$request.path.message")];
const FIRST_CONVERSATION: Taken = &[("conversation", "$response.body#/conversations/0")];
const FIRST_MESSAGE: Taken =
    &[("conversation", "$request.path.conversation"), ("message", "$response.body#/messages/0/message")];
const FIRST_MEMBER: Taken =
    &[("conversation", "$request.path.conversation"), ("user", "$response.body#/members/0")];
const READER: Taken = &[("conversation", "$request.path.conversation"), ("user", "$request.body#/reader")];

/// From a call to those that may follow.
const TABLE: &[(Call, &[Call], Taken)] = &[
    (Call::Conversations, &[Call::Roster, Call::Messages, Call::ReplaceRoster], FIRST_CONVERSATION),
    (
        Call::ReplaceRoster,
        &[Call::Roster, Call::Register, Call::RegisterBulk, Call::ForgetConversation],
        CONVERSATION,
    ),
    (Call::ChangeRoster, &[Call::Roster, Call::Register, Call::RegisterBulk], CONVERSATION),
    (Call::Roster, &[Call::Unread], FIRST_MEMBER),
    (Call::Roster, &[Call::ChangeRoster], CONVERSATION),
    (Call::RegisterBulk, &[Call::Messages, Call::Mark], CONVERSATION),
    (
        Call::Register,
        &[
            Call::Message,
            Call::Pull,
            Call::Stream,
            Call::Readers,
            Call::NotReaders,
            Call::ResetMessage,
            Call::ForgetMessage,
        ],
        MESSAGE,
    ),
    (Call::Messages, &[Call::Message, Call::Pull, Call::Readers, Call::NotReaders], FIRST_MESSAGE),
    (Call::Mark, &[Call::Unread], READER),
    (Call::ResetMessage, &[Call::Readers], MESSAGE),
    // What has gone is gone.
    (Call::ForgetMessage, &[Call::Message], MESSAGE),
    (Call::ForgetConversation, &[Call::Roster], CONVERSATION),
];

/// The links of a call's answers.
pub(super) fn of(route: &Route) -> Map<String, Value> {
    let rows = TABLE.iter().filter(|(from, ..)| *from == route.call);
    let mut links: Map<String, Value> =
        rows.flat_map(|(_, to, taken)| to.iter().map(|to| link(*to, taken))).collect();
    if route.query.iter().any(|parameter| parameter.name == "after") {
        let (name, mut next) = link(route.call, &[("after", "$response.body#/next")]);
        for part in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            next["parameters"][part] = json!(format!("$request.path.{part}"));
        }
        next["description"] = json!("The next part of the list; there is none where 'next' is absent.");
        links.insert(name, next);
    }
    links
}

fn link(to: Call, taken: Taken) -> (String, Value) {
    let parameters: Map<String, Value> =
        taken.iter().map(|(name, from)| ((*name).to_owned(), json!(from))).collect();
    let name = format!("{to:?}");
    (name.clone(), json!({ "operationId": name, "parameters": parameters }))
}
