//! One request and its answer: the checks in their order, the dispatch, and what is counted.
//!
//! The order is part of the contract: 404 and 405, then 401 and 403, 429, 413, 415, 400. A call's own checks are in the
//! file of its family.

use std::{convert::Infallible, sync::Arc};

use hyper::{
    HeaderMap, Method, Request, Response, Version,
    body::Incoming,
    header::{ALLOW, CONNECTION, HOST, HeaderValue},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::{
    HttpLimits, Server,
    answer::{self, Content, Outcome, Sealed},
    auth,
    body::{self, Collected},
    demo,
    fields::{self, Id, Place},
    health, marks, members, messages,
    problem::Failure,
    query::Query,
    receipts,
    route::{self, Access, Call, Found, Ids, Route},
    stream,
    trail::{RequestId, Trail},
    users,
    watch::InFlight,
};
use crate::{
    access::Caller,
    domain::{ConversationId, MessageId, Timestamp, UserId, Viewer},
    process::metrics::Limit,
    receipts::{Half, Ledger},
    wire::Code,
};

/// A request whose body is there as a whole, on its way through the call that it is for.
pub(super) struct Exchange<'a> {
    pub(super) server: &'a Server,
    pub(super) version: Version,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: Query<'a>,
    pub(super) body: Collected,
    pub(super) caller: Caller,
    /// When the whole request was there.
    pub(super) now: Timestamp,
    ids: Ids<'a>,
}

impl<'a> Exchange<'a> {
    /// A request of which the whole body is there.
    pub(super) fn begin(
        server: &'a Server,
        head: &'a Parts,
        (route, ids): (&Route, Ids<'a>),
        caller: Caller,
        body: Collected,
    ) -> Result<Self, Failure> {
        if route.takes_body {
            body::check_type(&head.headers)?;
        }
        let query = Query::parse(head.uri.query(), route.query)?;
        let now = server.clock.now();
        Ok(Self { server, version: head.version, headers: &head.headers, query, body, caller, now, ids })
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.server.ledger
    }

    /// The first id of the path.
    pub(super) fn conversation(&self) -> Result<ConversationId, Failure> {
        self.id(0, "conversation")
    }

    /// The second id of the path.
    pub(super) fn message(&self) -> Result<MessageId, Failure> {
        self.id(1, "message")
    }

    /// The second id of the path.
    pub(super) fn user(&self) -> Result<UserId, Failure> {
        self.id(1, "user")
    }

    /// The first id of a path that begins with a user.
    pub(super) fn user_alone(&self) -> Result<UserId, Failure> {
        self.id(0, "user")
    }

    /// The body, as JSON of one shape.
    pub(super) async fn json<T: DeserializeOwned + Send + 'static>(&self) -> Result<T, Failure> {
        self.server.reader.json(&self.body).await
    }

    /// What the caller may see.
    pub(super) fn viewer(&self) -> Viewer {
        auth::viewer(&self.caller, self.server.visibility)
    }

    fn id<'i, I: Id<'i>>(&'i self, at: usize, field: &str) -> Result<I, Failure> {
        let Some(text) = self.segment(at) else {
            let detail = format!("'{field}' in the path is not percent-encoded UTF-8");
            return Err(Failure::new(Code::BadId, detail));
        };
        fields::id(Place::Top, field, text)
    }

    /// What stands in the path where the template has its `at`th brace.
    pub(super) fn segment(&self, at: usize) -> Option<&str> {
        self.ids.get(at)?.as_deref()
    }

    /// The query's `limit`.
    pub(super) fn limit(&self) -> Result<usize, Failure> {
        let limits = self.ledger().limits();
        self.query.limit(limits.list_items_default, limits.list_items_max)
    }
}

/// Answers one request, whatever it is.
pub(super) async fn answer(
    server: Arc<Server>,
    request: Request<Incoming>,
    in_flight: InFlight,
) -> Result<Response<Sealed>, Infallible> {
    let id = server.request_ids.next();
    let (head, body) = request.into_parts();
    let found = find(&server, &head);
    let template = match &found {
        Found::Route(route, _) => route.path,
        Found::File(_) => demo::ROUTE,
        Found::Methods(path, _) => path,
        Found::Nothing => "none",
    };
    let mut trail = Trail::begin(id, &head.method, template);
    let outcome = carry_out(&server, &head, found, body, (&in_flight, &mut trail)).await;
    let held = outcome.and_then(|response| {
        let held = body::hold(&server.bodies, response.body().bytes().len(), head.version)?;
        Ok((response, held))
    });
    let (mut response, held) =
        held.unwrap_or_else(|failure| (refused(&server, failure, head.version, id), None));
    server.cors.answer(&head.method, &head.headers, &mut response);
    let status = response.status().as_u16();
    let took = trail.end(status, response.body().bytes().len());
    server.metrics.answered(trail.route, status, took);
    Ok(answer::seal(response, &head.method, in_flight, held))
}

/// The demo has what the table of routes has not, and a listener of its own for figures has little of it.
fn find<'h>(server: &Server, head: &'h Parts) -> Found<'h> {
    let path = head.uri.path();
    if server.has_figures_alone && !health::FIGURES.contains(&path) {
        return Found::Nothing;
    }
    match route::find(&head.method, path) {
        Found::Nothing if server.has_demo => demo::find(&head.method, path),
        found => found,
    }
}

/// Carries out a request once it is the connection's turn, if its head is within the limits.
///
/// All of its waiting is here and in the calls: each function in between that waits would keep a room for what it is given
/// beside that of the one it waits for, and the whole is copied for each request.
async fn carry_out(
    server: &Server,
    head: &Parts,
    found: Found<'_>,
    body: Incoming,
    (in_flight, trail): (&InFlight, &mut Trail),
) -> Outcome {
    let length = check_head(head, server.limits.head_bytes_max)?;
    let _held = body::hold(&server.bodies, length, head.version)?;
    in_flight.turn().await;
    let (route, ids) = match found {
        Found::Route(route, ids) => (route, ids),
        Found::File(file) => return Ok(demo::answer(file)),
        Found::Methods(_, methods) => return without_call(head, methods),
        Found::Nothing => return Err(Failure::new(Code::NoSuchRoute, Code::NoSuchRoute.explanation())),
    };
    let caller = authorize(server, head, route, &ids, trail)?;
    let body = if route.takes_body {
        let limits = body_limits(server.limits, &caller);
        body::check_length(&head.headers, &limits)?;
        body::collect(body, &limits, &server.bodies, head.version).await?
    } else {
        Collected::default()
    };
    let exchange = Exchange::begin(server, head, (route, ids), caller, body)?;
    call(route, &exchange).await
}

fn refused(server: &Server, failure: Failure, version: Version, id: RequestId) -> Response<Content> {
    if let Some(limit) = failure.limit() {
        server.metrics.refused(limit);
    }
    let closes = failure.must_close() && version < Version::HTTP_2;
    let mut response = failure.into_response(id);
    if closes {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Fields of a head, as hyper has it for HTTP/1.1.
const HEAD_FIELDS_MAX: usize = 100;

/// Holds a head to the limit, as long as it would be in HTTP/1.1. There hyper has counted its bytes already, but
/// not looked for the one field that every head has. What of its length is to be counted by us.
fn check_head(head: &Parts, bytes_max: usize) -> Result<usize, Failure> {
    if head.version < Version::HTTP_2 {
        // RFC 9112, section 3.2.
        let hosts = head.headers.get_all(HOST).iter().count();
        if head.version == Version::HTTP_11 && hosts != 1 {
            return Err(Failure::new(
                Code::BadRequest,
                format!("a head has one Host field, and this has {hosts}"),
            ));
        }
        return Ok(0);
    }
    let target = head.uri.path_and_query().map_or(1, |target| target.as_str().len());
    let line = head.method.as_str().len() + " ".len() + target + " HTTP/1.1\r\n".len();
    let host = head.uri.authority().map_or(0, |host| "host: \r\n".len() + host.as_str().len());
    let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    let length = line + host + fields.sum::<usize>() + "\r\n".len();
    if length <= bytes_max && head.headers.len() <= HEAD_FIELDS_MAX {
        return Ok(length);
    }
    Err(head_too_large(bytes_max))
}

/// What a head over the limit is told.
pub(super) fn head_too_large(bytes_max: usize) -> Failure {
    let detail = format!("a head has at most {bytes_max} bytes, and {HEAD_FIELDS_MAX} fields");
    Failure::over(Limit::Head, Code::HeaderTooLarge, detail)
}

/// What is answered where the path has other methods alone.
fn without_call(head: &Parts, methods: String) -> Outcome {
    if head.method == Method::OPTIONS {
        return options(&methods);
    }
    let failure = Failure::new(Code::MethodNotAllowed, format!("this path has {methods}"));
    Err(failure.allow(methods))
}

/// What a user may send is small, so that a few of them do not take up the bytes that all bodies share.
fn body_limits(limits: HttpLimits, caller: &Caller) -> HttpLimits {
    match caller {
        Caller::User(_) => {
            HttpLimits { body_bytes_max: limits.body_bytes_max.min(limits.user_body_bytes_max), ..limits }
        }
        Caller::Anybody | Caller::App(_) => limits,
    }
}

/// Who calls, if the call is theirs to make, and now.
fn authorize(
    server: &Server,
    head: &Parts,
    route: &Route,
    ids: &Ids<'_>,
    trail: &mut Trail,
) -> Result<Caller, Failure> {
    if route.access == Access::Open {
        trail.called_by(&Caller::Anybody);
        return Ok(Caller::Anybody);
    }
    let caller = auth::caller(&server.keys, &head.headers, || server.clock.now())?;
    trail.called_by(&caller);
    if matches!(caller, Caller::Anybody) && !head.method.is_safe() && !server.cors.lets_in(head) {
        let detail = "a page of another origin may not change anything where there are no keys; --cors-origin lets it in";
        return Err(Failure::new(Code::NotAllowed, detail));
    }
    // What is refused counts as well, and is told that first.
    let counted = server.rates.check(&caller);
    auth::permit(route.access, &caller, ids.get(1).and_then(Option::as_deref))?;
    counted.map_err(|wait| {
        let limit = if matches!(caller, Caller::User(_)) { Limit::UserRate } else { Limit::AppRate };
        Failure::over(limit, Code::TooManyRequests, Code::TooManyRequests.explanation()).retry_after(wait)
    })?;
    Ok(caller)
}

fn options(methods: &str) -> Outcome {
    let mut response = answer::no_content();
    let allow = HeaderValue::from_str(methods).map_err(Failure::internal)?;
    response.headers_mut().insert(ALLOW, allow);
    Ok(response)
}

/// Makes the call.
pub(super) async fn call(route: &Route, exchange: &Exchange<'_>) -> Outcome {
    match route.call {
        Call::Pull => receipts::pull(exchange).await,
        Call::Stream => stream::open(exchange).await,
        Call::Query => receipts::query(exchange).await,
        Call::Readers => receipts::users(exchange, Half::Read).await,
        Call::NotReaders => receipts::users(exchange, Half::Unread).await,
        Call::Mark => marks::mark(exchange).await,
        Call::MarkBulk => marks::mark_bulk(exchange).await,
        Call::Unread => marks::unread(exchange).await,
        Call::Register => messages::register(exchange).await,
        Call::RegisterBulk => messages::register_bulk(exchange).await,
        Call::Message => messages::get(exchange).await,
        Call::Messages => messages::list(exchange).await,
        Call::ForgetMessage => messages::forget(exchange).await,
        Call::ResetMessage => messages::reset(exchange).await,
        Call::ReplaceRoster => members::replace(exchange).await,
        Call::ChangeRoster => members::change(exchange).await,
        Call::Roster => members::list(exchange).await,
        Call::Conversations => members::conversations(exchange).await,
        Call::ForgetConversation => members::forget(exchange).await,
        Call::SetPrivacy => users::set_privacy(exchange).await,
        Call::Privacy => users::privacy(exchange).await,
        Call::ForgetUser => users::forget(exchange).await,
        Call::Healthz => Ok(health::lives()),
        Call::Readyz => health::ready(exchange),
        Call::Metrics => health::metrics(exchange),
        Call::OpenApi => Ok(health::openapi()),
        Call::ProblemPage => health::problem(exchange),
    }
}
