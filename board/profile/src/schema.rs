// SPDX-License-Identifier: MIT OR Apache-2.0
//! The JSON schema that editors complete and check profiles with, made from the one description of all keys.

use crate::spec::{Attribute, Fallback, Format, Key, Kind, Spec, ROOT};
use serde_json::{json, Map, Value};

/// The JSON schema (draft 7) of a profile, as committed beside the boards, with a line end.
pub fn json_schema() -> String {
    let mut schema = table(&ROOT);
    schema.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".into(), json!("Board profile"));
    let text = serde_json::to_string_pretty(&Value::Object(schema)).expect("a JSON value is always writable");
    text + "\n"
}

/// A table's schema. Which keys must be there is left to the checker: an heir need not repeat what it inherits. Only
/// what tells the entries of a repeated table apart is always needed.
fn table(spec: &Spec) -> Map<String, Value> {
    let attributes = spec.attributes.iter().filter(|attribute| attribute.settable());
    let attributes: Map<String, Value> =
        attributes.map(|attribute| (attribute.name.to_string(), attribute_value(attribute))).collect();
    let mut properties: Map<String, Value> =
        spec.keys.iter().map(|key| (key.name.to_string(), key_value(key))).collect();
    properties.extend(attributes.clone());
    if !attributes.is_empty() {
        let inner = json!({
            "type": "object",
            "description": "SCST attributes by name; they may also stand in the table itself.",
            "additionalProperties": false,
            "properties": attributes,
        });
        properties.insert("attributes".into(), inner);
    }
    let mut map = Map::new();
    map.insert("type".into(), json!("object"));
    map.insert("description".into(), json!(spec.doc));
    map.insert("additionalProperties".into(), json!(false));
    map.insert("properties".into(), Value::Object(properties));
    if let Some(id) = spec.id {
        map.insert("required".into(), json!([id]));
    }
    map
}

fn key_value(key: &Key) -> Value {
    let mut schema = value(key.kind);
    schema.insert("description".into(), json!(key.doc));
    let fallback = match key.fallback {
        Fallback::Flag(flag) => Some(json!(flag)),
        Fallback::Number(number) => Some(json!(number)),
        Fallback::Mib(mib) => Some(json!(crate::Size::from_mib(mib))),
        Fallback::Text(text) => Some(json!(text)),
        Fallback::Required | Fallback::Nothing => None,
    };
    schema.extend(fallback.map(|fallback| ("default".to_string(), fallback)));
    Value::Object(schema)
}

fn attribute_value(attribute: &Attribute) -> Value {
    let mut schema = value(attribute.kind);
    schema.insert("description".into(), json!(attribute.doc));
    Value::Object(schema)
}

fn value(kind: Kind) -> Map<String, Value> {
    let schema = match kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Switch => json!({ "enum": [true, false, 1, 0] }),
        Kind::Number(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Hex(max) => json!({ "type": "integer", "minimum": 0, "maximum": max }),
        Kind::Size(rule) => json!({
            "anyOf": [
                { "type": "string", "pattern": "^[0-9]+ *(B|[KMGT](iB)?)?$" },
                { "type": "integer", "minimum": rule.min },
            ]
        }),
        Kind::Choice(words) => choice(words),
        Kind::Text(format) => text(format),
        Kind::Word(format) => json!({ "anyOf": [text(format), { "type": "integer" }] }),
        Kind::Line(max) => json!({ "type": "string", "maxLength": max }),
        Kind::List(format) => json!({ "type": "array", "items": text(format), "uniqueItems": true }),
        Kind::Table(spec) => Value::Object(table(spec)),
        Kind::Tables(spec) => json!({ "type": "array", "items": table(spec) }),
    };
    match schema {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn text(format: &Format) -> Value {
    json!({ "type": "string", "pattern": format.pattern })
}

/// A choice, with what each word means for editors that show it.
fn choice(words: &[(&str, &str)]) -> Value {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let docs: Vec<&str> = words.iter().map(|(_, doc)| *doc).collect();
    json!({ "type": "string", "enum": names, "x-taplo": { "docs": { "enumValues": docs } } })
}
