// SPDX-License-Identifier: GPL-2.0-only
//! In the kernel a panic is the end of the machine: the compiled crate must not even contain a call
//! to one.

use std::path::Path;
use std::process::Command;

/// What the symbols of the panic machinery have in their names: its module, or a function like
/// `slice_error_fail`.
const PANICS: [&[u8]; 2] = [b"4core9panicking", b"_fail"];

/// Compiles `source` as the kernel does (optimised, overflow checked) and says whether the object
/// refers to a panic.
fn refers_to_a_panic(source: &Path, object: &str) -> bool {
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join(object);
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler)
        .args(["--edition", "2021", "--crate-type", "lib", "--emit", "obj"])
        .args([
            "-C",
            "opt-level=2",
            "-C",
            "overflow-checks=on",
            "-C",
            "panic=abort",
        ])
        // Incremental, small functions are compiled here too and not left to the crates that call
        // them.
        .args(["-C", "codegen-units=1", "-C"])
        .arg(format!("incremental={}.incremental", object.display()))
        .arg("-o")
        .arg(&object)
        .arg(source)
        .output()
        .expect("rustc runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let object = std::fs::read(object).expect("the object was written");
    PANICS
        .iter()
        .any(|panic| object.windows(panic.len()).any(|window| window == *panic))
}

#[test]
fn the_compiled_crate_has_no_panic_in_it() {
    let probe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probe/lib.rs");
    assert!(
        !refers_to_a_panic(&probe, "probe.o"),
        "a function can panic: find the symbol with `nm -C {}/probe.o | grep panicking`, and its caller with `objdump -dr`",
        env!("CARGO_TARGET_TMPDIR")
    );
}

#[test]
fn a_panic_would_be_seen() {
    let panics = [
        ("adds", "pub fn add(a: u64, b: u64) -> u64 { a + b }"),
        ("indexes", "pub fn at(a: &[u8], b: usize) -> u8 { a[b] }"),
        (
            "slices",
            "pub fn from(a: &[u8], b: usize) -> &[u8] { &a[b..] }",
        ),
        ("cuts", "pub fn cut(a: &str, b: usize) -> &str { &a[..b] }"),
        ("unwraps", "pub fn some(a: Option<u8>) -> u8 { a.unwrap() }"),
        (
            "copies",
            "pub fn copy(a: &mut [u8], b: &[u8]) { a.copy_from_slice(b) }",
        ),
    ];
    for (name, function) in panics {
        let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.rs"));
        std::fs::write(&source, format!("#![no_std]\n{function}\n")).expect("written");
        assert!(
            refers_to_a_panic(&source, &format!("{name}.o")),
            "{function}"
        );
    }
}
