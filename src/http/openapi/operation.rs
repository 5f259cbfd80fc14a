//! One operation of the document: a row of the route table with its parameters, its body and its answers.

use serde_json::{Map, Value, json};

use super::{
    about, links,
    problems::{self, Shared},
    shapes::{self, Content, Schemas, Shape},
};
use crate::{
    domain::Limits,
    http::{
        query::Parameter,
        route::{Access, Call, Route},
    },
};

/// The names of the two ways to say who calls.
pub(super) const APP: &str = "apiKey";
pub(super) const USER: &str = "userToken";

pub(super) fn operation(route: &Route, schemas: &mut Schemas, shared: &mut Shared) -> Value {
    let shape = shapes::of(route.call, schemas);
    let mut operation = json!({
        "operationId": format!("{:?}", route.call),
        "tags": [shape.tag],
        "summary": route.summary,
        "description": about::call(route.call),
        "security": security(route.access),
        "parameters": parameters(route),
        "responses": responses(route, &shape, schemas, shared),
    });
    if let Some(schema) = shape.takes {
        let mut content = json!({ "schema": schema });
        if let Some(example) = about::example(route.call) {
            content["example"] = example;
        }
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": content } });
    }
    operation
}

/// Any one of these is enough; none at all is needed where the list is empty.
fn security(access: Access) -> Value {
    match access {
        Access::Open => json!([]),
        Access::App => json!([{ APP: [] }]),
        Access::User | Access::Yourself => json!([{ APP: [] }, { USER: [] }]),
    }
}

/// The names in braces of a route's path.
fn names_in_path(route: &Route) -> impl Iterator<Item = &'static str> {
    route.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = names_in_path(route).map(|name| {
        let (schema, example) = match name {
            "conversation" => (id(), "hikers"),
            "message" => (id(), "m1"),
            "user" => (id(), "bob"),
            _ => (json!({ "$ref": "#/components/schemas/Code" }), "bad-id"),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema, "example": example })
    });
    let in_query = route.query.iter().map(|parameter| {
        let mut said = json!({
            "name": parameter.name,
            "in": "query",
            "required": parameter.repeats,
            "description": parameter.about,
            "schema": query_schema(parameter).unwrap_or_else(|| json!({ "type": "string" })),
        });
        if parameter.repeats {
            said["example"] = json!(["m1"]);
        }
        said
    });
    let in_header = header_parameter(route.call).map(|(name, about)| {
        json!({ "name": name, "in": "header", "description": about, "schema": { "type": "string" } })
    });
    in_path.chain(in_query).chain(in_header).collect()
}

/// The header field that a call reads, and what it is for.
fn header_parameter(call: Call) -> Option<(&'static str, &'static str)> {
    match call {
        Call::Pull => Some((
            "If-None-Match",
            "The ETag of the answer before, or several; what cannot be read is passed over.",
        )),
        Call::Stream => {
            Some(("Last-Event-ID", "The id of the last event; what cannot be read is passed over."))
        }
        _ => None,
    }
}

fn id() -> Value {
    json!({ "$ref": "#/components/schemas/Id" })
}

/// What may be given for a parameter; none for one that is not known here.
pub(super) fn query_schema(parameter: &Parameter) -> Option<Value> {
    let Limits { list_items_max, list_items_default, pull_messages_max, .. } = Limits::default();
    Some(match parameter.name {
        "limit" => {
            json!({ "type": "integer", "minimum": 1, "maximum": list_items_max, "default": list_items_default })
        }
        // Opaque: that it comes from an answer's `next` is all that may be known of it.
        "after" => json!({ "type": "string", "minLength": 1 }),
        // At most what stream_for says.
        "for_ms" => json!({ "type": "integer", "minimum": 1 }),
        "changed" => json!({ "type": "string", "enum": ["1"] }),
        "message" => {
            json!({ "type": "array", "items": id(), "minItems": 1, "maxItems": pull_messages_max, "uniqueItems": true })
        }
        _ => return None,
    })
}

fn responses(route: &Route, shape: &Shape, schemas: &Schemas, shared: &mut Shared) -> Map<String, Value> {
    let takes = |keyword| shape.takes.as_ref().is_some_and(|it| schemas.request_mentions(it, keyword));
    // Of a path's names only the problem page's is no id, and the pattern of ids is the only one in a request.
    let takes_ids = (route.path.contains('{') && route.call != Call::ProblemPage) || takes("pattern");
    let takes_lists = route.query.iter().any(|parameter| parameter.repeats) || takes("maxItems");
    let mut responses = shared.refusals(&problems::codes(route, takes_ids, takes_lists));
    for status in route.success {
        responses.insert(status.to_string(), success(route, *status, &shape.answers));
    }
    responses
}

fn success(route: &Route, status: u16, answers: &Content) -> Value {
    let mut response = json!({ "description": about::success(route.call, status) });
    let content = match answers {
        Content::Json(schema) => Some(json!({ "application/json": { "schema": schema } })),
        Content::Events(schema) => Some(json!({ "text/event-stream": { "schema": schema } })),
        Content::Text(media_type) => Some(json!({ *media_type: { "schema": { "type": "string" } } })),
        Content::None => None,
    };
    if let Some(content) = content.filter(|_| !matches!(status, 204 | 304)) {
        response["content"] = content;
    }
    let headers: &[(&str, &str)] = match route.call {
        Call::Pull => &[("ETag", "ETag"), ("Cache-Control", "Cache-Control"), ("Vary", "Vary")],
        Call::Stream if status == 200 => &[("Cache-Control", "No-Cache"), ("Vary", "Vary")],
        Call::Healthz | Call::Readyz => &[("Cache-Control", "No-Store")],
        _ => &[],
    };
    if !headers.is_empty() {
        let headers = headers.iter().map(|(name, component)| {
            ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{component}") }))
        });
        response["headers"] = headers.collect::<Map<_, _>>().into();
    }
    let links = links::of(route);
    if status != 304 && !links.is_empty() {
        response["links"] = links.into();
    }
    response
}
