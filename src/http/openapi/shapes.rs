//! Which shapes belong to which call, and the schemas that are made of them.

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde_json::{Map, Value};

use crate::{
    http::route::Call,
    wire::{
        BulkMarkRequest, BulkMarkResponse, BulkRegisterRequest, BulkRegisterResponse, ConversationsResponse,
        MarkRequest, MarkResponse, MessageResponse, MessagesResponse, Privacy, PullResponse, QueryRequest,
        QueryResponse, ReadersResponse, RegisterRequest, RegisterResponse, RosterChangeRequest,
        RosterReplaceRequest, RosterResponse, RosterVersion, UnreadResponse,
    },
};

pub(super) const ROSTERS: &str = "rosters";
pub(super) const MESSAGES: &str = "messages";
pub(super) const MARKS: &str = "marks";
pub(super) const PULLS: &str = "pulls";
pub(super) const USERS: &str = "users";
pub(super) const SERVER: &str = "server";

/// What a call is among, takes and answers.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) tag: &'static str,
    /// The schema of its body, if it has one.
    pub(super) takes: Option<Value>,
    pub(super) answers: Content,
}

/// What is in an answer that is a success, if it has a body.
#[derive(Debug)]
pub(super) enum Content {
    None,
    Json(Value),
    /// Server-sent events, each of this schema.
    Events(Value),
    /// A text of this media type.
    Text(&'static str),
}

const PLAIN: Content = Content::Text("text/plain; charset=utf-8");
const OPEN_METRICS: Content = Content::Text("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The shapes of a call.
pub(super) fn of(call: Call, schemas: &mut Schemas) -> Shape {
    let shape = |tag, answers| Shape { tag, takes: None, answers };
    match call {
        Call::Pull => shape(PULLS, schemas.json::<PullResponse>()),
        Call::Stream => shape(PULLS, Content::Events(event(&schemas.answer::<PullResponse>()))),
        Call::Query => schemas.takes::<QueryRequest, QueryResponse>(PULLS),
        Call::Readers | Call::NotReaders => shape(PULLS, schemas.json::<ReadersResponse>()),
        Call::Mark => schemas.takes::<MarkRequest, MarkResponse>(MARKS),
        Call::MarkBulk => schemas.takes::<BulkMarkRequest, BulkMarkResponse>(MARKS),
        Call::Unread => shape(MARKS, schemas.json::<UnreadResponse>()),
        Call::Register => schemas.takes::<RegisterRequest, RegisterResponse>(MESSAGES),
        Call::RegisterBulk => schemas.takes::<BulkRegisterRequest, BulkRegisterResponse>(MESSAGES),
        Call::Message => shape(MESSAGES, schemas.json::<MessageResponse>()),
        Call::Messages => shape(MESSAGES, schemas.json::<MessagesResponse>()),
        Call::ForgetMessage | Call::ResetMessage => shape(MESSAGES, Content::None),
        Call::ReplaceRoster => schemas.takes::<RosterReplaceRequest, RosterVersion>(ROSTERS),
        Call::ChangeRoster => schemas.takes::<RosterChangeRequest, RosterVersion>(ROSTERS),
        Call::Roster => shape(ROSTERS, schemas.json::<RosterResponse>()),
        Call::Conversations => shape(ROSTERS, schemas.json::<ConversationsResponse>()),
        Call::ForgetConversation => shape(ROSTERS, Content::None),
        Call::SetPrivacy => schemas.takes::<Privacy, Privacy>(USERS),
        Call::Privacy => shape(USERS, schemas.json::<Privacy>()),
        Call::ForgetUser => shape(USERS, Content::None),
        Call::Healthz | Call::Readyz | Call::ProblemPage => shape(SERVER, PLAIN),
        Call::Metrics => shape(SERVER, OPEN_METRICS),
        Call::OpenApi => shape(SERVER, Content::Json(serde_json::json!({ "type": "object" }))),
    }
}

/// One event of a stream: some receipts, as JSON in a text, or the end.
fn event(receipts: &Value) -> Value {
    let event = |name: &str, about: &str, data: Value| {
        serde_json::json!({
            "type": "object",
            "description": about,
            "properties": {
                "id": { "type": "string", "description": "For Last-Event-ID." },
                "event": { "const": name },
                "data": data,
            },
            "required": ["id", "event", "data"],
        })
    };
    let json = serde_json::json!({
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": receipts,
    });
    let (some, end) = ("What is known of some messages.", "The time of the stream is over.");
    serde_json::json!({ "oneOf": [
        event("receipts", some, json),
        event("end", end, serde_json::json!({ "type": "string", "const": "{}" })),
    ] })
}

/// Schemas by name, gathered while they are asked for.
#[derive(Debug)]
pub(super) struct Schemas {
    /// As serde reads a shape: unknown fields are refused, and what has a default may be left out.
    requests: SchemaGenerator,
    /// As serde writes one.
    answers: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings =
            SchemaSettings::draft2020_12().with(|it| it.definitions_path = "/components/schemas".into());
        Self {
            requests: settings.clone().for_deserialize().into_generator(),
            answers: settings.for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    fn takes<Q: JsonSchema, A: JsonSchema>(&mut self, tag: &'static str) -> Shape {
        let takes = self.requests.subschema_for::<Q>().to_value();
        Shape { tag, takes: Some(takes), answers: self.json::<A>() }
    }

    fn json<A: JsonSchema>(&mut self) -> Content {
        Content::Json(self.answer::<A>())
    }

    /// A reference to the schema of an answer.
    pub(super) fn answer<A: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<A>().to_value()
    }

    /// Whether a request's schema, or one that it refers to, has this keyword.
    pub(super) fn request_mentions(&self, schema: &Value, keyword: &str) -> bool {
        match schema {
            Value::Object(fields) => fields.iter().any(|(key, value)| {
                let referred = value.as_str().and_then(|value| value.rsplit('/').next());
                let referred =
                    referred.filter(|_| key == "$ref").and_then(|it| self.requests.definitions().get(it));
                key == keyword
                    || self.request_mentions(value, keyword)
                    || referred.is_some_and(|it| self.request_mentions(it, keyword))
            }),
            Value::Array(items) => items.iter().any(|item| self.request_mentions(item, keyword)),
            _ => false,
        }
    }

    /// All schemas that were asked for, by name.
    pub(super) fn into_definitions(mut self) -> Map<String, Value> {
        let mut all = self.requests.take_definitions(true);
        all.extend(self.answers.take_definitions(true));
        for schema in all.values_mut() {
            if let Ok(schema) = <&mut Schema>::try_from(schema) {
                RecursiveTransform(polish).transform(schema);
            }
        }
        all
    }
}

/// Takes out what means something in the code alone.
fn polish(schema: &mut Schema) {
    // The documentation's links to other types lead nowhere in here: ``[`Name`]`` is `Name`.
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace("[`", "`").replace("`]", "`");
    }
    // As wide as the machine's addresses: there is no such format.
    if schema.get("format").is_some_and(|format| format == "uint") {
        schema.insert("format".to_owned(), "uint64".into());
    }
}
