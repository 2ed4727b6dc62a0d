//! The API's description, OpenAPI 3.1, made from the list of paths and from the types of their answers. Never written by hand.

use axum::http::Method;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::endpoint::{Answers, Endpoint, Form, Parameter, Takes};
use super::problem::{Kind, MEDIA_TYPE, Problem};

/// The same bytes for the same program.
pub fn document(endpoints: &[Endpoint]) -> Value {
    // Answers and bodies apart: what a body may leave out, an answer always has.
    let settings = || {
        SchemaSettings::draft2020_12().with(|s| {
            s.definitions_path = "/components/schemas".into();
            s.meta_schema = None;
        })
    };
    let mut out = settings().for_serialize().into_generator();
    let mut taken = settings().for_deserialize().into_generator();
    let problem = out.subschema_for::<Problem>();
    let mut paths = Map::new();
    for endpoint in endpoints {
        let path = format!("/api/v1{}", endpoint.path);
        let item = paths.entry(path).or_insert_with(|| json!({})).as_object_mut().expect("made so above");
        item.insert(endpoint.method.as_str().to_lowercase(), operation(endpoint, &mut out, &mut taken, &problem));
    }
    let mut schemas = out.take_definitions(true);
    for (name, schema) in taken.take_definitions(true) {
        schemas.entry(name).or_insert(schema);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Buttonwatch",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Keeps a city's emergency buttons alive. docs/api.md describes this API in words.",
            "license": { "name": "see the source" },
        },
        "servers": [{ "url": "/" }],
        // Without a token on loopback, where everyone on the machine may ask.
        "security": [{ "token": [] }, {}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(
    endpoint: &Endpoint,
    out: &mut SchemaGenerator,
    taken: &mut SchemaGenerator,
    problem: &schemars::Schema,
) -> Value {
    let path_names = endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = path_names.map(path_parameter).collect();
    parameters.extend(endpoint.parameters.iter().map(query_parameter));
    let mut responses = Map::new();
    responses.insert(endpoint.status.as_u16().to_string(), answer(&endpoint.answers, out));
    if matches!(endpoint.answers, Answers::List(_) | Answers::Whole(_)) {
        responses.insert("304".to_owned(), json!({ "description": "You have it already (If-None-Match)" }));
    }
    let refused = json!({ "description": "Why not, and what to do", "content": { MEDIA_TYPE: { "schema": problem } } });
    for kind in refusals(endpoint) {
        responses.insert(kind.status().as_u16().to_string(), refused.clone());
    }
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        "description": format!("For the role `{}` and those above it.", endpoint.role),
        "parameters": parameters,
        "responses": responses,
    });
    let body = match &endpoint.takes {
        Takes::Nothing => None,
        Takes::Json(describe) => Some(json!({ "application/json": { "schema": describe(taken) } })),
        Takes::Csv => Some(json!({ "text/csv": { "schema": { "type": "string" } } })),
    };
    if let Some(content) = body {
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// `getUnitsUnitHistory`.
fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.split(['/', '{', '}', '.', '-']).filter(|w| !w.is_empty());
    words.fold(endpoint.method.as_str().to_lowercase(), |mut id, word| {
        let mut letters = word.chars();
        id.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        id.push_str(letters.as_str());
        id
    })
}

fn refusals(endpoint: &Endpoint) -> Vec<Kind> {
    let mut kinds =
        vec![Kind::BadRequest, Kind::Unauthorized, Kind::Forbidden, Kind::NotFound, Kind::Invalid, Kind::Unavailable];
    if endpoint.method == Method::POST {
        kinds.extend([Kind::Conflict, Kind::TooLarge, Kind::UnsupportedMediaType]);
    }
    kinds
}

fn answer(answers: &Answers, out: &mut SchemaGenerator) -> Value {
    match answers {
        Answers::Json(describe) => {
            json!({ "description": "The answer", "content": { "application/json": { "schema": describe(out) } } })
        }
        Answers::List(describe) => json!({
            "description": "A page",
            "headers": {
                "ETag": { "schema": { "type": "string" } },
                "X-Total-Count": { "schema": { "type": "integer" }, "description": "Rows on all pages" },
                "Link": { "schema": { "type": "string" }, "description": "The next page: <…>; rel=\"next\"" },
            },
            "content": { "application/json": { "schema": { "type": "array", "items": describe(out) } } },
        }),
        Answers::Whole(describe) => json!({
            "description": "All rows",
            "headers": {
                "ETag": { "schema": { "type": "string" } },
                "X-Total-Count": { "schema": { "type": "integer" }, "description": "Rows" },
            },
            "content": { "application/json": { "schema": { "type": "array", "items": describe(out) } } },
        }),
        Answers::Csv => json!({ "description": "Rows", "content": { "text/csv": { "schema": { "type": "string" } } } }),
    }
}

fn path_parameter(name: &str) -> Value {
    let (pattern, example) = match name {
        "unit" => ("^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$", "PSH-001"),
        "command" => ("^[A-Za-z0-9-]{1,64}$", "cmd-1795377723738"),
        "order" => ("^(WO-)?[0-9]{1,9}$", "WO-000042"),
        "metric" => ("^[a-z][a-z0-9._]*$", "battery.voltage"),
        // Message ids, and what else may come.
        _ => ("^[!-~]+$", "wo-000042.1795251600000@example.org"),
    };
    json!({
        "name": name, "in": "path", "required": true, "example": example,
        "schema": { "type": "string", "pattern": pattern },
    })
}

fn query_parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.form {
        Form::Text => json!({ "type": "string" }),
        Form::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::Time => json!({ "type": "string", "format": "date-time" }),
        Form::Count { most } => json!({ "type": "integer", "minimum": 1, "maximum": most }),
        Form::Words(words) => json!({ "type": "string", "enum": words }),
    };
    json!({
        "name": parameter.name, "in": "query", "required": parameter.required, "description": parameter.meaning,
        "schema": schema,
    })
}
