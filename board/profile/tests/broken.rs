// SPDX-License-Identifier: MIT OR Apache-2.0
//! A corpus of broken profiles, each with the messages that it must give. A line that must be named ends in `#!`;
//! no other line may be. UPDATE_EXPECTED=1 writes the messages anew, but the marks are the writer's own.

mod common;

use board_profile::{Problems, Source};
use common::{compare_or_write, toml_files};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken")
}

/// Finds a profile of the corpus, or one of its parts.
fn find(name: &str) -> Result<Source, String> {
    for path in [format!("{name}.toml"), format!("parts/{name}.toml")] {
        if let Ok(text) = fs::read_to_string(corpus().join(&path)) {
            return Ok(Source { path, text });
        }
    }
    Err(format!("there is no file {name}.toml"))
}

/// A loader that also knows which names there are.
struct Corpus;

impl board_profile::Loader for Corpus {
    fn load(&self, name: &str) -> Result<Source, String> {
        find(name)
    }

    fn names(&self) -> Vec<String> {
        vec!["base".into(), "broken".into(), "left".into(), "right".into()]
    }
}

fn problems(name: &str) -> Problems {
    match board_profile::load(name, &Corpus) {
        Ok(_) => panic!("{name} is accepted"),
        Err(problems) => problems,
    }
}

fn names() -> Vec<String> {
    let stem = |path: PathBuf| path.file_stem().expect("a file name").to_string_lossy().into_owned();
    toml_files(&corpus()).into_iter().map(stem).collect()
}

/// Every marked line of the given files.
fn marked(files: &BTreeSet<String>) -> BTreeSet<(String, usize)> {
    let mut lines = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(corpus().join(file)).expect("a readable profile");
        let marks = text.lines().enumerate().filter(|(_, line)| line.ends_with("#!"));
        lines.extend(marks.map(|(index, _)| (file.clone(), index + 1)));
    }
    lines
}

#[test]
fn the_corpus_is_large_enough() {
    assert!(names().len() >= 50, "only {}", names().len());
}

#[test]
fn every_message_is_as_committed() {
    for name in names() {
        compare_or_write(&corpus().join(format!("{name}.expected")), &problems(&name).plain());
    }
}

#[test]
fn every_marked_line_is_named_and_no_other() {
    let mut wrong = Vec::new();
    for name in names() {
        let problems = problems(&name);
        let named: BTreeSet<(String, usize)> = problems
            .iter()
            .map(|problem| (problem.file().expect("a file").to_string(), problem.line().expect("a line")))
            .collect();
        let mut files: BTreeSet<String> = named.iter().map(|(file, _)| file.clone()).collect();
        files.insert(format!("{name}.toml"));
        let marked = marked(&files);
        if marked.is_empty() || named != marked {
            wrong.push(format!("{name}: marked {marked:?}, named {named:?}\n{}", problems.plain()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_problem_has_a_next_step() {
    for name in names() {
        for problem in problems(&name).iter() {
            let help = problem.help_text().unwrap_or_default();
            assert!(help.len() > 5, "{name}: {problem}: {help:?}");
        }
    }
}

#[test]
fn no_expected_file_is_left_over() {
    for entry in fs::read_dir(corpus()).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.extension().is_some_and(|extension| extension == "expected") {
            assert!(path.with_extension("toml").exists(), "{} has no profile", path.display());
        }
    }
}

#[test]
fn problems_are_json_for_scripts() {
    let json = serde_json::to_value(problems("unknown-key")).expect("problems serialise");
    let first = &json[0];
    assert_eq!(first["file"], "unknown-key.toml");
    assert_eq!(first["line"], 11);
    assert_eq!(first["column"], 1);
    assert_eq!(first["message"], "[vm] has no key `memroy`");
    assert_eq!(first["help"], "did you mean `memory`?");
}

#[test]
fn a_board_that_does_not_exist_is_a_problem_too() {
    let problems = board_profile::load("brokne", &Corpus).expect_err("there is no such board");
    let text = problems.plain();
    assert!(text.contains("there is no board `brokne`") && text.contains("did you mean `broken`?"), "{text}");
}

#[test]
fn miette_gets_text_labels_and_help() {
    use miette::Diagnostic;
    let problems = problems("everything-at-once");
    let related: Vec<&dyn Diagnostic> = problems.related().expect("related").collect();
    assert_eq!(related.len(), problems.len());
    for diagnostic in related {
        assert!(diagnostic.source_code().is_some() && diagnostic.help().is_some());
        assert!(diagnostic.labels().expect("labels").count() >= 1);
    }
}
