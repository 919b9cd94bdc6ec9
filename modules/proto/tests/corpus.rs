// SPDX-License-Identifier: GPL-2.0-only
//! What fuzzing found worth keeping still holds: each target over its corpus, without a fuzzer.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::path::Path;

/// The inputs of a corpus: one to a line, in hexadecimal digits.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/corpus/{target}.hex"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let byte = |line: &str, at: usize| u8::from_str_radix(&line[at..at + 2], 16);
    text.lines()
        .map(|line| {
            (0..line.len())
                .step_by(2)
                .map(|at| byte(line, at).expect("hexadecimal"))
                .collect()
        })
        .collect()
}

#[test]
fn every_corpus_holds() {
    for (target, any) in fuzz::TARGETS {
        let inputs = inputs(target);
        assert!(inputs.len() >= 10, "{target} has {} inputs", inputs.len());
        for input in &inputs {
            if std::panic::catch_unwind(|| any(input)).is_err() {
                panic!("{target} does not hold for {input:02x?}");
            }
        }
    }
}

/// A folder of bins and the list that this test goes through are the same.
#[test]
fn every_target_can_be_fuzzed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(folder).expect("the folder of targets");
    let mut files: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    files.sort();
    let names: Vec<_> = files
        .iter()
        .map(|f| f.file_stem().and_then(|s| s.to_str()).expect("a name"))
        .collect();
    assert_eq!(names, fuzz::TARGETS.map(|(name, _)| name));
}
