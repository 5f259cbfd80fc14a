//! The route table: every call, under which method and path, and what it takes. Data, read by the dispatch, by
//! `Allow`, by the metrics and by the OpenAPI document.
//!
//! Knows no call's inside. A path is split first and percent-decoded afterwards, one segment at a time, so that
//! an id may hold a slash. An empty segment where an id stands still is that route, with a bad id.

use std::borrow::Cow;

use hyper::Method;

use super::{
    demo::File,
    query::{Parameter, decoded},
};
use crate::wire::Code;

/// A call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Pull,
    Stream,
    Mark,
    MarkBulk,
    Query,
    Unread,
    Register,
    RegisterBulk,
    Message,
    Messages,
    ForgetMessage,
    ResetMessage,
    Readers,
    NotReaders,
    ReplaceRoster,
    ChangeRoster,
    Roster,
    Conversations,
    ForgetConversation,
    SetPrivacy,
    Privacy,
    ForgetUser,
    Healthz,
    Readyz,
    Metrics,
    OpenApi,
    ProblemPage,
}

/// A method that a row may have. `HEAD` and `OPTIONS` every path has by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Put,
    Post,
    Patch,
    Delete,
}

impl Verb {
    /// What a method asks for; none if no row has it.
    fn asked(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::PUT => Some(Self::Put),
            Method::POST => Some(Self::Post),
            Method::PATCH => Some(Self::Patch),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    /// The method as it travels.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody, without credentials.
    Open,
    /// The chat's own back end, with an API key.
    App,
    /// An end user's client as well, with a token. What is not its own does not exist for it.
    User,
    /// The same, where the path names a user: only that one.
    Yourself,
}

/// One row of the table.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) call: Call,
    pub(super) method: Verb,
    /// Segments in braces are ids, in the order in which a call asks for them.
    pub(super) path: &'static str,
    pub(super) access: Access,
    /// Whether it has a body, which is JSON then.
    pub(super) takes_body: bool,
    pub(super) query: &'static [Parameter],
    /// The statuses of success.
    pub(super) success: &'static [u16],
    /// The codes that are its own, beside those that any call has.
    pub(super) codes: &'static [Code],
    pub(super) summary: &'static str,
}

const LIST: &[Parameter] = &[
    Parameter { name: "limit", repeats: false, is_id: false, about: "1 to 1,000 items; 200 if left out" },
    Parameter { name: "after", repeats: false, is_id: false, about: "the 'next' of the part before" },
];

const SCREEN: &[Parameter] = &[
    Parameter { name: "message", repeats: true, is_id: true, about: "1 to 100 messages, each once" },
    Parameter {
        name: "changed",
        repeats: false,
        is_id: false,
        about: "1: only what has changed since the receipts that If-None-Match names",
    },
];

const STREAM: &[Parameter] = &[
    Parameter { name: "message", repeats: true, is_id: true, about: "1 to 100 messages, each once" },
    Parameter {
        name: "for_ms",
        repeats: false,
        is_id: false,
        about: "for how many milliseconds at most; stream_for, which is also the most, if left out",
    },
];

/// A row for apps alone, without body, query, or codes of its own.
const fn route(call: Call, method: Verb, path: &'static str, summary: &'static str) -> Route {
    let access = Access::App;
    Route { call, method, path, access, takes_body: false, query: &[], success: &[200], codes: &[], summary }
}

/// The same for anybody.
const fn open(call: Call, path: &'static str, summary: &'static str) -> Route {
    Route { access: Access::Open, ..route(call, Verb::Get, path, summary) }
}

const MEMBERS: &str = "/v1/conversations/{conversation}/members";
const CONVERSATION: &str = "/v1/conversations/{conversation}";
const MESSAGES: &str = "/v1/conversations/{conversation}/messages";
const MESSAGE: &str = "/v1/conversations/{conversation}/messages/{message}";
const MARKS: &str = "/v1/conversations/{conversation}/marks";
const RECEIPTS: &str = "/v1/conversations/{conversation}/receipts";
const RECEIPTS_STREAM: &str = "/v1/conversations/{conversation}/receipts/stream";
const RESET: &str = "/v1/conversations/{conversation}/messages/{message}/reset";
const READERS: &str = "/v1/conversations/{conversation}/messages/{message}/readers";
const NOT_READERS: &str = "/v1/conversations/{conversation}/messages/{message}/unread";
const READER: &str = "/v1/conversations/{conversation}/readers/{user}";

const USER: &str = "/v1/users/{user}";
const PRIVACY: &str = "/v1/users/{user}/privacy";

/// All routes, the frequent ones first.
pub(super) static TABLE: &[Route] = &[
    Route {
        access: Access::User,
        query: SCREEN,
        success: &[200, 304],
        ..route(Call::Pull, Verb::Get, RECEIPTS, "Pull the receipts of the messages on a screen")
    },
    Route {
        access: Access::User,
        query: STREAM,
        success: &[200, 204],
        codes: &[Code::UnknownMessage, Code::TooManyStreams],
        ..route(Call::Stream, Verb::Get, RECEIPTS_STREAM, "Stream the receipts of the messages on a screen")
    },
    Route {
        access: Access::User,
        takes_body: true,
        codes: &[Code::NotYourself],
        ..route(Call::Mark, Verb::Post, MARKS, "Mark messages of one conversation as read by one reader")
    },
    Route {
        takes_body: true,
        ..route(Call::MarkBulk, Verb::Post, "/v1/marks", "Mark for many readers and conversations")
    },
    Route {
        access: Access::User,
        takes_body: true,
        ..route(Call::Query, Verb::Post, "/v1/receipts/query", "Pull receipts across conversations")
    },
    Route {
        access: Access::Yourself,
        ..route(Call::Unread, Verb::Get, READER, "What a reader still has to read")
    },
    Route {
        takes_body: true,
        success: &[200, 201],
        codes: &[Code::MessageDiffers, Code::OrderPassed, Code::NoAudience],
        ..route(Call::Register, Verb::Put, MESSAGE, "Register a message that wants receipts")
    },
    Route { takes_body: true, ..route(Call::RegisterBulk, Verb::Post, MESSAGES, "Register messages") },
    Route {
        codes: &[Code::UnknownMessage],
        ..route(Call::Message, Verb::Get, MESSAGE, "A message and what is known of it")
    },
    Route { query: LIST, ..route(Call::Messages, Verb::Get, MESSAGES, "Live messages, oldest first") },
    Route { success: &[204], ..route(Call::ForgetMessage, Verb::Delete, MESSAGE, "Forget a message") },
    Route {
        success: &[204],
        codes: &[Code::UnknownMessage],
        ..route(Call::ResetMessage, Verb::Post, RESET, "Nobody has read the message any more")
    },
    Route {
        access: Access::User,
        query: LIST,
        codes: &[Code::UnknownMessage],
        ..route(Call::Readers, Verb::Get, READERS, "Who has read a message")
    },
    Route {
        access: Access::User,
        query: LIST,
        codes: &[Code::UnknownMessage],
        ..route(Call::NotReaders, Verb::Get, NOT_READERS, "Who has not read a message")
    },
    Route { takes_body: true, ..route(Call::ReplaceRoster, Verb::Put, MEMBERS, "Replace a roster") },
    Route { takes_body: true, ..route(Call::ChangeRoster, Verb::Patch, MEMBERS, "Change a roster") },
    Route {
        query: LIST,
        codes: &[Code::UnknownConversation],
        ..route(Call::Roster, Verb::Get, MEMBERS, "The members of a roster, in slot order")
    },
    Route {
        query: LIST,
        ..route(
            Call::Conversations,
            Verb::Get,
            "/v1/conversations",
            "Conversations with a roster or a live message",
        )
    },
    Route {
        success: &[204],
        ..route(Call::ForgetConversation, Verb::Delete, CONVERSATION, "Forget a conversation and all it has")
    },
    Route {
        takes_body: true,
        ..route(Call::SetPrivacy, Verb::Put, PRIVACY, "Switch a user's receipts off, or on again")
    },
    route(Call::Privacy, Verb::Get, PRIVACY, "Whether a user's receipts are on"),
    Route { success: &[204], ..route(Call::ForgetUser, Verb::Delete, USER, "Delete a user everywhere") },
    open(Call::Healthz, "/healthz", "The process lives"),
    Route { codes: &[Code::NotReady], ..open(Call::Readyz, "/readyz", "The server can commit") },
    route(Call::Metrics, Verb::Get, "/metrics", "Metrics in the OpenMetrics text format"),
    open(Call::OpenApi, "/openapi.json", "This document"),
    Route {
        codes: &[Code::NoSuchRoute],
        ..open(Call::ProblemPage, "/problems/{code}", "What a problem's code means")
    },
];

/// Ids that a path has at the most.
pub(super) const IDS_MAX: usize = 2;

/// The ids of a path, in their order; none where a segment is not percent-encoded UTF-8, and behind the last.
pub(super) type Ids<'p> = [Option<Cow<'p, str>>; IDS_MAX];

/// What a method and a path come to.
#[derive(Debug)]
pub(super) enum Found<'p> {
    /// A call.
    Route(&'static Route, Ids<'p>),
    /// A file of the demo, which is not in the table.
    File(&'static File),
    /// A path that exists, and the methods it has.
    Methods(&'static str, String),
    /// No such path.
    Nothing,
}

/// Looks up a call. `HEAD` is `GET`; whether `OPTIONS` is a success is for the caller to say.
pub(super) fn find<'p>(method: &Method, path: &'p str) -> Found<'p> {
    let asked = Verb::asked(method);
    for route in TABLE.iter().filter(|route| Some(route.method) == asked) {
        if let Some(segments) = fits(route.path, path) {
            return Found::Route(route, segments.map(|segment| decoded(segment?, false)));
        }
    }
    let same_path = TABLE.iter().find(|route| fits(route.path, path).is_some());
    same_path.map_or(Found::Nothing, |route| Found::Methods(route.path, allow(route.path)))
}

/// What stands in a path where a template has its braces; none if the path is not that of the template. Both come without
/// decoding: what is literal is compared as sent.
fn fits<'p>(template: &str, path: &'p str) -> Option<[Option<&'p str>; IDS_MAX]> {
    let mut segments = [None; IDS_MAX];
    let (mut template, mut path) = (template, path);
    for segment in &mut segments {
        let Some((literal, named)) = before(template, b'{') else { break };
        path = path.strip_prefix(literal)?;
        let (id, rest) = path.split_at(before(path, b'/').map_or(path.len(), |(id, _)| id.len()));
        *segment = Some(id);
        (template, path) = (before(named, b'}')?.1.get(1..)?, rest);
    }
    (template == path).then_some(segments)
}

/// What stands before the first `byte`, and the rest from it on. Texts are short: to look along them is cheaper than to
/// begin a search.
fn before(text: &str, byte: u8) -> Option<(&str, &str)> {
    text.bytes().position(|known| known == byte).map(|at| text.split_at(at))
}

/// The value of `Allow` for a path of the table.
fn allow(path: &str) -> String {
    let mut methods = Vec::new();
    for route in TABLE.iter().filter(|route| route.path == path) {
        methods.push(route.method.as_str());
        if route.method == Verb::Get {
            methods.push("HEAD");
        }
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'p>(method: &Method, path: &'p str) -> Option<(Call, Ids<'p>)> {
        match find(method, path) {
            Found::Route(route, ids) => Some((route.call, ids)),
            Found::File(_) | Found::Methods(..) | Found::Nothing => None,
        }
    }

    fn ids<'t>(texts: &[&'t str]) -> Ids<'t> {
        std::array::from_fn(|at| texts.get(at).map(|text| (*text).into()))
    }

    #[test]
    fn a_path_is_split_before_it_is_decoded() {
        assert_eq!(
            call(&Method::GET, "/v1/conversations/a%2Fb/messages/%E6%B6%88+"),
            Some((Call::Message, ids(&["a/b", "消+"])))
        );
        assert_eq!(call(&Method::HEAD, "/v1/conversations"), Some((Call::Conversations, ids(&[]))));
    }

    #[test]
    fn an_empty_or_broken_segment_is_still_that_route() {
        assert_eq!(call(&Method::PUT, "/v1/conversations//members"), Some((Call::ReplaceRoster, ids(&[""]))));
        assert_eq!(
            call(&Method::GET, "/v1/conversations/%zz/readers/%ff"),
            Some((Call::Unread, [None, None]))
        );
        assert_eq!(call(&Method::DELETE, "/v1/conversations/"), Some((Call::ForgetConversation, ids(&[""]))));
    }

    #[test]
    fn what_is_not_in_the_table_is_not_found() {
        for path in ["", "/", "*", "/v1", "/v2/marks", "/v1/marks/", "/healthz/", "//healthz", "/v1/users"] {
            assert!(matches!(find(&Method::GET, path), Found::Nothing), "{path}");
        }
    }

    #[test]
    fn a_known_path_says_which_methods_it_has() {
        let Found::Methods(path, methods) = find(&Method::OPTIONS, "/v1/conversations/c/members") else {
            panic!("not found");
        };
        assert_eq!((path, methods.as_str()), (MEMBERS, "PUT, PATCH, GET, HEAD, OPTIONS"));
        let Found::Methods(_, methods) = find(&Method::HEAD, "/v1/marks") else { panic!("not found") };
        assert_eq!(methods, "POST, OPTIONS");
    }

    #[test]
    fn every_route_is_found_under_its_own_path() {
        for route in TABLE {
            let path = route.path.replace(['{', '}'], "");
            assert_eq!(
                call(&route.method.as_str().parse().unwrap(), &path).map(|(call, _)| call),
                Some(route.call),
                "{path}"
            );
        }
    }
}
