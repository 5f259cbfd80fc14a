//! Which codes a call may answer, and the answers that calls share: one for each set of codes under one status.

use serde_json::{Map, Value, json};

use super::shapes::Schemas;
use crate::{
    http::route::{Access, Route},
    wire::{Code, Problem},
};

/// What any call may answer, whatever it does.
const ANY_CALL: &[Code] =
    &[Code::BadRequest, Code::TooSlow, Code::HeaderTooLarge, Code::Internal, Code::Overloaded];

/// What the calls under `/v1` may answer besides, since they ask the store.
const ANY_STORED: &[Code] = &[Code::NotReady, Code::StoreFailed];

/// What any call with a body may answer besides.
const ANY_BODY: &[Code] = &[Code::BadJson, Code::BodyTooLarge, Code::UnsupportedMediaType];

/// The codes that a call may answer, in the order of their statuses.
pub(super) fn codes(route: &Route, takes_ids: bool, takes_lists: bool) -> Vec<Code> {
    let access: &[Code] = match route.access {
        Access::Open => &[],
        Access::App => &[Code::Unauthenticated, Code::NotAllowed, Code::TooManyRequests],
        Access::User => &[Code::Unauthenticated, Code::TooManyRequests],
        Access::Yourself => &[Code::Unauthenticated, Code::NotYourself, Code::TooManyRequests],
    };
    let mut codes = [ANY_CALL, access, route.codes].concat();
    if route.path.starts_with("/v1/") {
        codes.extend(ANY_STORED);
    }
    if route.takes_body {
        codes.extend(ANY_BODY);
    }
    if takes_ids {
        codes.push(Code::BadId);
    }
    if takes_lists {
        codes.push(Code::TooManyItems);
    }
    Code::ALL.iter().copied().filter(|code| codes.contains(code)).collect()
}

/// The answers that several calls give, by name.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) responses: Map<String, Value>,
    problem: Value,
}

impl Shared {
    pub(super) fn new(schemas: &mut Schemas) -> Self {
        Self { responses: Map::new(), problem: schemas.answer::<Problem>() }
    }

    /// The answers of 400 and above that say one of `codes`, by status.
    pub(super) fn refusals(&mut self, codes: &[Code]) -> Map<String, Value> {
        let mut refusals = Map::new();
        for same_status in codes.chunk_by(|a, b| a.status() == b.status()) {
            let status = same_status[0].status();
            let names: Vec<_> = same_status.iter().map(|code| code.as_str()).collect();
            let name = format!("{status}.{}", names.join("."));
            refusals.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }));
            self.responses.entry(name).or_insert_with(|| refusal(&self.problem, same_status));
        }
        refusals
    }
}

/// One answer: a problem with one of these codes, which have one status.
fn refusal(problem: &Value, codes: &[Code]) -> Value {
    let status = codes[0].status();
    let said = codes.iter().map(|code| format!("- `{code}`: {}", code.explanation()));
    let mut schema = problem.clone();
    schema["properties"] = json!({ "status": { "const": status }, "code": { "enum": codes } });
    let mut response = json!({
        "description": said.collect::<Vec<_>>().join("\n"),
        "content": { "application/problem+json": { "schema": schema } },
    });
    let header = match status {
        401 => Some("WWW-Authenticate"),
        405 => Some("Allow"),
        429 | 503 => Some("Retry-After"),
        _ => None,
    };
    if let Some(name) = header {
        response["headers"] = json!({ name: { "$ref": format!("#/components/headers/{name}") } });
    }
    response
}
