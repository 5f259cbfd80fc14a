//! The OpenAPI document: the route table and the wire shapes, written out.
//!
//! ```text
//! operation    one row of the route table: parameters, body, answers
//! problems     which codes a row may answer, and the answers that they share
//! shapes       which shapes belong to which call: one exhaustive match
//! links        which calls may follow an answer
//! about        what a call does, in words, and an example of its body
//! ```
//!
//! Nothing in it is written a second time: paths, parameters, statuses and access come from `route::TABLE`, schemas from
//! the types in `wire`, codes from their one list. `openapi.json` at the top of the tree is what comes out.

mod about;
mod links;
mod operation;
mod problems;
mod shapes;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use self::{problems::Shared, shapes::Schemas};
use super::route::TABLE;
use crate::wire::Code;

/// The document as it stands in `openapi.json`: a line for each value, keys in order.
#[must_use]
pub fn openapi_json() -> String {
    serde_json::to_string_pretty(&document()).expect("invariant: a document is JSON")
}

/// The document, OpenAPI 3.1.
pub(super) fn document() -> Value {
    let mut schemas = Schemas::default();
    let mut shared = Shared::new(&mut schemas);
    // In no operation, since it is the answer to a method that a path does not have.
    shared.refusals(&[Code::MethodNotAllowed]);
    let mut paths: Map<String, Value> = Map::new();
    for route in TABLE {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] =
            operation::operation(route, &mut schemas, &mut shared);
    }
    json!({
        "openapi": "3.1.0",
        "info": info(),
        // Wherever the document was read from.
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": schemas.into_definitions(),
            "responses": shared.responses,
            "headers": headers(),
            "securitySchemes": security_schemes(),
        },
    })
}

fn info() -> Value {
    json!({
        "title": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "Who has read a message, at any group size",
        "description": "A read-receipt server. Readers mark messages as read; the sender's client pulls how many have, \
            while the message is on screen, at the pace that the server says.\n\n\
            HEAD works wherever GET does; OPTIONS answers 204 with Allow, and any other method 405 with Allow (method-not-allowed). Every \
            write may be sent again. Unknown fields, doubled fields, null, and unknown or repeated parameters are \
            refused, and so is a whole body for one entry of the wrong shape. In a query + is a space. Bodies of calls \
            that have none are not read. A server without keys has no access control: every caller is the app.",
        "license": { "name": "MIT or Apache-2.0", "identifier": "MIT OR Apache-2.0" },
    })
}

fn tags() -> Value {
    let tag = |name: &str, about: &str| json!({ "name": name, "description": about });
    json!([
        tag(shapes::ROSTERS, "Who is in a conversation."),
        tag(shapes::MESSAGES, "What wants receipts, and from whom."),
        tag(shapes::MARKS, "What readers have read, and what is left to read."),
        tag(shapes::PULLS, "How many have read a message, and who."),
        tag(shapes::USERS, "Whose receipts are off, and who is gone."),
        tag(shapes::SERVER, "What the server says of itself."),
    ])
}

fn headers() -> Value {
    let header =
        |about: &str, schema: Value| json!({ "description": about, "required": true, "schema": schema });
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    json!({
        "ETag": header(
            "Names these receipts as they stand: for If-None-Match.",
            text(r#"^"[\x21\x23-\x7E]+"$"#),
        ),
        "Cache-Control": header(
            "How long a client's own cache may answer: until the next pull, in whole seconds; no-cache where nothing \
             can change any more; no-store where only what has changed is listed.",
            text("^(private, max-age=[0-9]+|private, no-cache|no-store)$"),
        ),
        "No-Cache": header("Not for a cache.", json!({ "type": "string", "const": "no-cache" })),
        "No-Store": header("True at this moment only.", json!({ "type": "string", "const": "no-store" })),
        "Vary": header("What the answer depends on.", json!({ "type": "string", "const": "Authorization, Origin" })),
        "Allow": header("The methods that the path has.", json!({ "type": "string" })),
        "WWW-Authenticate": header("How to say who calls.", text("^Bearer")),
        "Retry-After": header("Seconds to stay away.", json!({ "type": "integer", "minimum": 1 })),
    })
}

fn security_schemes() -> Value {
    json!({
        operation::APP: {
            "type": "http",
            "scheme": "bearer",
            "description": "The chat's own back end, by an API key, which begins with sb_: all calls.",
        },
        operation::USER: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An end user's client, by a signed token whose sub is the user: some calls, on its own \
                behalf only.",
        },
    })
}
