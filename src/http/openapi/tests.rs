//! What is checked of the document: that nothing is missing from it, and that it says what the code does.

use std::collections::HashSet;

use super::*;
use crate::{
    domain::{ID_BYTES_MAX, Limits, ORDER_MAX, Retention},
    http::route::{Access, Call},
    wire::{
        BulkMarkRequest, BulkRegisterRequest, Code, MarkRequest, Privacy, QueryRequest, RegisterRequest,
        RosterChangeRequest, RosterReplaceRequest,
    },
};

/// Codes that are in no answer.
const IN_NO_ANSWER: [Code; 1] = [
    // Stands in `refused` only.
    Code::NotInAudience,
];

/// All values of a document, the inner ones too.
fn values<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(value);
    match value {
        Value::Object(fields) => fields.values().for_each(|value| values(value, found)),
        Value::Array(items) => items.iter().for_each(|item| values(item, found)),
        _ => {}
    }
}

fn operation_of(document: &Value, call: Call) -> &Value {
    let route = TABLE.iter().find(|route| route.call == call).unwrap();
    &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()]
}

#[test]
fn the_file_in_the_repository_is_what_the_code_makes() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let committed = std::fs::read_to_string(committed).unwrap();
    assert!(
        committed == openapi_json() + "\n",
        "make it anew: cargo run -- serve --print-openapi > openapi.json"
    );
}

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let document = document();
    let operation = |path: &str, method: &str| (path.to_owned(), method.to_owned());
    let routes: HashSet<_> = TABLE
        .iter()
        .map(|route| operation(route.path, &route.method.as_str().to_ascii_lowercase()))
        .collect();
    let paths = document["paths"].as_object().unwrap().iter();
    let described: HashSet<_> = paths
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(|method| operation(path, method)))
        .collect();
    assert_eq!(described, routes);
    for route in TABLE {
        let operation = operation_of(&document, route.call);
        assert_eq!(operation["summary"], route.summary, "{:?} {}", route.method, route.path);
        assert_eq!(operation["requestBody"].is_object(), route.takes_body, "{}", route.path);
        let secured = operation["security"].as_array().unwrap().len();
        let ways = match route.access {
            Access::Open => 0,
            Access::App => 1,
            Access::User | Access::Yourself => 2,
        };
        assert_eq!(secured, ways, "{}", route.path);
    }
}

#[test]
fn every_status_and_code_of_a_route_is_in_its_operation() {
    let document = document();
    for route in TABLE {
        let responses = &operation_of(&document, route.call)["responses"];
        for status in route.success {
            assert!(responses[status.to_string()].is_object(), "{} {status}", route.path);
        }
        for code in route.codes {
            let reference = responses[code.status().to_string()]["$ref"].as_str().unwrap();
            let response = document.pointer(&reference[1..]).unwrap();
            let schema = &response["content"]["application/problem+json"]["schema"];
            let codes = schema["properties"]["code"]["enum"].as_array().unwrap();
            assert!(codes.iter().any(|known| known == code.as_str()), "{} {code}", route.path);
        }
    }
}

#[test]
fn every_code_is_in_some_answer() {
    let document = document();
    let shared = document["components"]["responses"].as_object().unwrap().values();
    let said: HashSet<&str> = shared
        .flat_map(|it| {
            it["content"]["application/problem+json"]["schema"]["properties"]["code"]["enum"]
                .as_array()
                .unwrap()
        })
        .map(|code| code.as_str().unwrap())
        .collect();
    for code in Code::ALL {
        assert_ne!(said.contains(code.as_str()), IN_NO_ANSWER.contains(code), "{code}");
    }
}

#[test]
fn operations_have_names_of_their_own() {
    let document = document();
    let names: HashSet<&str> = TABLE
        .iter()
        .map(|route| operation_of(&document, route.call)["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), TABLE.len());
}

#[test]
fn every_reference_and_every_link_leads_somewhere() {
    let document = document();
    let mut found = Vec::new();
    values(&document, &mut found);
    for reference in found.iter().filter_map(|value| value.get("$ref")?.as_str()) {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    for links in found.iter().filter_map(|value| value.get("links")?.as_object()) {
        for link in links.values() {
            let route =
                TABLE.iter().find(|route| link["operationId"] == format!("{:?}", route.call)).unwrap();
            let known = operation_of(&document, route.call)["parameters"].as_array().unwrap();
            for name in link["parameters"].as_object().unwrap().keys() {
                assert!(known.iter().any(|known| known["name"] == *name), "{link}");
            }
        }
    }
}

#[test]
fn every_parameter_of_a_query_is_known() {
    for parameter in TABLE.iter().flat_map(|route| route.query) {
        assert!(operation::query_schema(parameter).is_some(), "{}", parameter.name);
    }
}

#[test]
fn the_bounds_are_those_that_the_calls_hold_to() {
    let document = document();
    let limits = Limits::default();
    for (shape, field, keyword, bound) in [
        ("RosterReplaceRequest", "members", "maxItems", limits.members_max),
        ("RosterChangeRequest", "add", "maxItems", limits.members_max),
        ("RosterChangeRequest", "remove", "maxItems", limits.members_max),
        ("RegisterRequest", "audience", "maxItems", limits.members_max),
        ("RegisterEntry", "audience", "maxItems", limits.members_max),
        ("BulkRegisterRequest", "messages", "maxItems", limits.registrations_max),
        ("MarkRequest", "messages", "maxItems", limits.mark_messages_max),
        ("BulkMarkEntry", "messages", "maxItems", limits.mark_messages_max),
        ("BulkMarkRequest", "marks", "maxItems", limits.mark_entries_max),
        ("QueryRequest", "pulls", "maxItems", limits.pull_messages_max),
        ("QueryPull", "messages", "maxItems", limits.pull_messages_max),
    ] {
        let schema = &document["components"]["schemas"][shape];
        assert_eq!(schema["properties"][field][keyword], bound, "{shape} {field}");
        assert_eq!(schema["additionalProperties"], false, "{shape}");
    }
    let schemas = &document["components"]["schemas"];
    for shape in ["RegisterRequest", "RegisterEntry"] {
        let life = &schemas[shape]["properties"]["expires_in_s"];
        assert_eq!((&life["minimum"], &life["maximum"]), (&json!(1), &json!(Retention::LIFE_S_MAX)));
    }
    assert_eq!(schemas["Order"]["maximum"], ORDER_MAX.0);
    assert_eq!(schemas["Id"]["maxLength"], ID_BYTES_MAX);
}

#[test]
fn what_may_be_left_out_may_not_be_null() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let Some(fields) = schema["properties"].as_object() else { continue };
        for (field, schema) in fields {
            let mut found = Vec::new();
            values(schema, &mut found);
            // `poll` is null where there is nothing to wait for.
            assert_eq!(found.contains(&&json!("null")), field == "poll", "{name} {field}");
        }
    }
}

#[test]
fn the_example_of_a_body_is_one() {
    for route in TABLE.iter().filter(|route| route.takes_body) {
        let example = about::example(route.call).unwrap_or_else(|| panic!("{:?} has no example", route.call));
        let read = match route.call {
            Call::Mark => serde_json::from_value::<MarkRequest>(example).map(drop),
            Call::MarkBulk => serde_json::from_value::<BulkMarkRequest>(example).map(drop),
            Call::Query => serde_json::from_value::<QueryRequest>(example).map(drop),
            Call::Register => serde_json::from_value::<RegisterRequest>(example).map(drop),
            Call::RegisterBulk => serde_json::from_value::<BulkRegisterRequest>(example).map(drop),
            Call::ReplaceRoster => serde_json::from_value::<RosterReplaceRequest>(example).map(drop),
            Call::ChangeRoster => serde_json::from_value::<RosterChangeRequest>(example).map(drop),
            Call::SetPrivacy => serde_json::from_value::<Privacy>(example).map(drop),
            call => panic!("{call:?} takes a body, and nothing is known of it here"),
        };
        read.unwrap_or_else(|error| panic!("{:?}: {error}", route.call));
    }
}
