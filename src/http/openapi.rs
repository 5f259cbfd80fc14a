//! The OpenAPI document: the route table, written out.
//!
//! Everything in it comes from `route::TABLE` and the list of codes, so that it cannot fall behind them.

use serde_json::{Map, Value, json};

use super::route::{Route, TABLE};
use crate::wire::Code;

/// What any call may answer, whatever it does.
const ANY_CALL: &[Code] = &[
    Code::BadRequest,
    Code::BadId,
    Code::TooSlow,
    Code::HeaderTooLarge,
    Code::Internal,
    Code::NotReady,
    Code::StoreFailed,
    Code::Overloaded,
];

/// What any call with a body may answer besides.
const ANY_BODY: &[Code] =
    &[Code::BadJson, Code::TooManyItems, Code::BodyTooLarge, Code::UnsupportedMediaType];

/// The document, OpenAPI 3.1.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in TABLE {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A read-receipt server. HEAD works wherever GET does; OPTIONS answers 204 with Allow. \
                Every write may be sent again. Unknown fields, doubled fields, null, and unknown or repeated \
                parameters are refused. An entry of a list in the wrong shape refuses the whole body. 'next' is opaque, and \
                good for 'after' of the same list only. Each pull of a query names a message at least. Bodies of \
                calls that have none are not read.",
        },
        "paths": paths,
        "components": { "schemas": { "Problem": problem_schema() } },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": format!("{:?}", route.call),
        "summary": route.summary,
        "parameters": parameters(route),
        "responses": responses(route),
    });
    if route.takes_body {
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": { "type": "object" } } } });
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let in_path = names.map(|name| {
        json!({ "name": name, "in": "path", "required": true,
            "schema": { "type": "string", "minLength": 1, "maxLength": 128 } })
    });
    let in_query = route.query.iter().map(|parameter| {
        let schema = if parameter.repeats {
            json!({ "type": "array", "items": { "type": "string" } })
        } else {
            json!({ "type": "string" })
        };
        json!({ "name": parameter.name, "in": "query", "required": parameter.repeats,
            "description": parameter.about, "schema": schema })
    });
    in_path.chain(in_query).collect()
}

fn responses(route: &Route) -> Map<String, Value> {
    let mut responses = Map::new();
    for status in route.success {
        responses.insert(status.to_string(), json!({ "description": "done" }));
    }
    let body_codes = if route.takes_body { ANY_BODY } else { &[] };
    for code in ANY_CALL.iter().chain(body_codes).chain(route.codes) {
        let response = responses.entry(code.status().to_string()).or_insert_with(|| {
            json!({ "description": "", "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" } } } })
        });
        let said = response["description"].as_str().unwrap_or_default();
        let joined = if said.is_empty() { code.to_string() } else { format!("{said}, {code}") };
        response["description"] = Value::from(joined);
    }
    responses
}

fn problem_schema() -> Value {
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "code": { "type": "string", "enum": codes },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document_and_nothing_else_is() {
        let document = document();
        let mut operations = 0;
        for route in TABLE {
            let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
            assert_eq!(operation["summary"], route.summary, "{:?} {}", route.method, route.path);
            for status in route.success {
                assert!(operation["responses"][status.to_string()].is_object(), "{} {status}", route.path);
            }
            for code in route.codes {
                let said = operation["responses"][code.status().to_string()]["description"].as_str();
                assert!(said.unwrap().contains(code.as_str()), "{} {code}", route.path);
            }
        }
        for path in document["paths"].as_object().unwrap().values() {
            operations += path.as_object().unwrap().len();
        }
        assert_eq!(operations, TABLE.len());
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut names: Vec<_> = TABLE.iter().map(|route| format!("{:?}", route.call)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }
}
