// SPDX-License-Identifier: MIT OR Apache-2.0
//! The committed JSON schema is the one that the crate makes, and it knows what the shipped profiles say.
#![cfg(feature = "schema")]

mod common;

use board_profile::{json_schema, template};
use common::{boards_folder, compare_or_write, toml_files};
use serde_json::Value;
use std::fs;

#[test]
fn the_committed_schema_is_fresh() {
    compare_or_write(&boards_folder().join("profile.schema.json"), &json_schema());
}

/// Every key, type, range and word that the schema does not allow.
fn complaints(schema: &Value, value: &Value, path: &str, all: &mut Vec<String>) {
    if let Some(options) = schema["anyOf"].as_array() {
        let fits = options.iter().any(|option| {
            let mut inner = Vec::new();
            complaints(option, value, path, &mut inner);
            inner.is_empty()
        });
        if !fits {
            all.push(format!("{path}: {value} fits nothing"));
        }
        return;
    }
    if let Some(words) = schema["enum"].as_array() {
        if !words.contains(value) {
            all.push(format!("{path}: {value} is none of {words:?}"));
        }
        return;
    }
    let fits = match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(map)) => {
            for (key, value) in map {
                match &schema["properties"][key] {
                    Value::Null => all.push(format!("{path}.{key} is not in the schema")),
                    inner => complaints(inner, value, &format!("{path}.{key}"), all),
                }
            }
            true
        }
        (Some("array"), Value::Array(items)) => {
            items.iter().for_each(|item| complaints(&schema["items"], item, path, all));
            true
        }
        (Some("integer"), Value::Number(number)) => {
            let number = number.as_i64().unwrap_or(i64::MAX);
            number >= schema["minimum"].as_i64().unwrap_or(i64::MIN)
                && number <= schema["maximum"].as_i64().unwrap_or(i64::MAX)
        }
        (Some("boolean"), Value::Bool(_)) | (Some("string"), Value::String(_)) => true,
        _ => false,
    };
    if !fits {
        all.push(format!("{path}: {value} is not {}", schema["type"]));
    }
}

fn complaints_about(text: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(&json_schema()).expect("the schema is JSON");
    let profile: Value = toml::from_str(text).expect("the profile is TOML");
    let mut all = Vec::new();
    complaints(&schema, &profile, "", &mut all);
    all
}

#[test]
fn shipped_profiles_fit_the_schema_and_name_it() {
    for path in toml_files(&boards_folder()) {
        let text = fs::read_to_string(&path).expect("a readable profile");
        assert_eq!(text.lines().next(), Some("#:schema ./profile.schema.json"), "{}", path.display());
        assert_eq!(complaints_about(&text), Vec::<String>::new(), "{}", path.display());
    }
    assert_eq!(complaints_about(&template("x")), Vec::<String>::new());
    assert_eq!(complaints_about(include_str!("everything.toml")), Vec::<String>::new());
}

#[test]
fn the_schema_refuses_what_it_should() {
    let base = "schema = 1\n";
    for (text, part) in [
        ("[vm]\nmemroy = 1", "memroy"),
        ("[vm]\ncpus = 0", "cpus"),
        ("[vm]\ndisk_bus = \"ide\"", "ide"),
        ("[console]\nshell = 1", "boolean"),
        ("[[device]]\ntype = 1", "type"),
    ] {
        let all = complaints_about(&format!("{base}{text}"));
        assert!(all.len() == 1 && all[0].contains(part), "{text}: {all:?}");
    }
}

/// Editors show descriptions while a profile is written, so no key may be without one.
#[test]
fn every_key_has_a_description() {
    fn walk(schema: &Value, path: &str) {
        for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            assert!(
                inner["description"].as_str().is_some_and(|text| text.len() > 3),
                "{path} has no description"
            );
            walk(inner, &path);
            walk(&inner["items"], &path);
        }
    }
    walk(&serde_json::from_str(&json_schema()).expect("the schema is JSON"), "");
}
