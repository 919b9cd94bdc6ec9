// SPDX-License-Identifier: MIT OR Apache-2.0
//! Is this output still the output of these inputs? Decided by content, and always with a reason.
//!
//! A stage names its inputs, each with a digest or a value. Its stamp records them beside the size, time and digest
//! of every output, and is the last thing that the stage writes: whatever ends a stage early leaves no stamp.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::{Deserialize, Serialize};

use crate::files;

/// Raise this when the outputs of a stage that does not count its own code as an input change with that code.
const FORMAT: &str = "1";

/// What a stage reads: names for people, digests or values for comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inputs(BTreeMap<String, String>);

impl Inputs {
    /// The inputs that every stage has.
    pub(crate) fn new() -> Self {
        Self(BTreeMap::from([("stamp format".to_owned(), FORMAT.to_owned())]))
    }

    /// Adds a setting, kept as it is so that a change can be printed.
    pub(crate) fn value(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Adds a text whose length makes it unfit for printing.
    pub(crate) fn text(&mut self, name: impl Into<String>, text: impl AsRef<[u8]>) {
        self.0.insert(name.into(), short(&files::digest(text)));
    }

    /// Adds a file's content and its permissions.
    pub(crate) fn file(&mut self, name: impl Into<String>, path: &Path) -> miette::Result<()> {
        self.0.insert(name.into(), fingerprint(path)?);
        Ok(())
    }

    /// Adds every file below `dir`, each under its own name, that `wanted` says yes to.
    pub(crate) fn tree(
        &mut self,
        name: &str,
        dir: &Path,
        wanted: impl Fn(&Path) -> bool,
    ) -> miette::Result<()> {
        for path in files::walk(dir)?.iter().filter(|path| wanted(path)) {
            self.file(format!("{name}/{}", path.display()), &dir.join(path))?;
        }
        Ok(())
    }
}

/// One file's content, kind and permissions in a word; the most common permissions go without saying.
fn fingerprint(path: &Path) -> miette::Result<String> {
    let read = || -> std::io::Result<String> {
        let meta = fs::symlink_metadata(path)?;
        if meta.is_symlink() {
            return Ok(format!("-> {}", fs::read_link(path)?.display()));
        }
        let mode = match files::image_mode(&meta) {
            0o644 => String::new(),
            0o755 => "+x ".to_owned(),
            other => format!("{other:o} "),
        };
        Ok(format!("{mode}{}", short(&files::digest_file(path)?)))
    };
    read().into_diagnostic().wrap_err_with(|| format!("cannot read {}", path.display()))
}

/// Enough of a digest to tell two contents apart, and short enough to print.
fn short(digest: &str) -> String {
    digest[..32].to_owned()
}

/// One output file as it was when the stage finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Output {
    size: u64,
    mtime_ns: i128,
    sha256: String,
}

/// The record of a finished stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    inputs: BTreeMap<String, String>,
    outputs: BTreeMap<PathBuf, Output>,
    /// Why the stage ran when it wrote this.
    pub(crate) reason: String,
    /// How long it took, in milliseconds.
    pub(crate) took_ms: u64,
}

impl Stamp {
    /// One word that changes whenever an output does: what the stages downstream take as their input.
    pub(crate) fn digest(&self) -> String {
        let lines =
            self.outputs.iter().map(|(path, output)| format!("{} {}\n", path.display(), output.sha256));
        short(&files::digest(lines.collect::<String>()))
    }

    /// The digest of one output, in full.
    pub(crate) fn output(&self, path: impl AsRef<Path>) -> Option<&str> {
        self.outputs.get(path.as_ref()).map(|output| output.sha256.as_str())
    }

    /// Every output with its digest.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.outputs.iter().map(|(path, output)| (path.as_path(), output.sha256.as_str()))
    }

    /// The size of one output, in bytes.
    pub(crate) fn size(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.outputs.get(path.as_ref()).map(|output| output.size)
    }

    /// The recorded inputs, for manifests.
    pub(crate) fn inputs(&self) -> &BTreeMap<String, String> {
        &self.inputs
    }
}

/// Why a stage has to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// No stamp: it never ran, or was interrupted.
    NeverFinished,
    /// Inputs that differ, each with what it was and what it is now.
    Inputs(Vec<Change>),
    /// An output that is not as the stage left it.
    Output(PathBuf, &'static str),
}

/// One input that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The input's name.
    pub(crate) name: String,
    /// Its recorded digest or value; none if it is new.
    pub(crate) was: Option<String>,
    /// Its digest or value now; none if it is gone.
    pub(crate) now: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, was, now } = self;
        match (was, now) {
            (None, _) => write!(f, "{name} is new"),
            (_, None) => write!(f, "{name} is gone"),
            (Some(was), Some(now)) if is_digest(was) && is_digest(now) => write!(f, "{name} changed"),
            (Some(was), Some(now)) => write!(f, "{name} changed from \"{was}\" to \"{now}\""),
        }
    }
}

fn is_digest(text: &str) -> bool {
    let digest = text.rsplit(' ').next().unwrap_or(text);
    [32, 64].contains(&digest.len()) && digest.bytes().all(|b| b.is_ascii_hexdigit())
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverFinished => f.write_str("it has not finished before"),
            Self::Output(path, what) => write!(f, "its output {} {what}", path.display()),
            Self::Inputs(changes) => {
                let named: Vec<_> = changes.iter().take(3).map(Change::to_string).collect();
                f.write_str(&named.join(", "))?;
                match changes.len().saturating_sub(3) {
                    0 => Ok(()),
                    more => write!(f, ", and {more} more"),
                }
            }
        }
    }
}

/// Where a stage's outputs and its stamp are.
#[derive(Debug, Clone)]
pub(crate) struct StampFile {
    path: PathBuf,
    outputs: PathBuf,
}

impl StampFile {
    /// The stamp at `path` for outputs whose names are relative to `outputs`.
    pub(crate) fn new(path: impl Into<PathBuf>, outputs: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), outputs: outputs.into() }
    }

    /// The stamp, if every input and every output is as it was recorded; else why the stage has to run.
    pub(crate) fn check(&self, inputs: &Inputs) -> Result<Stamp, Reason> {
        let stamp = self.load().ok_or(Reason::NeverFinished)?;
        let changes = changes(&stamp.inputs, &inputs.0);
        if !changes.is_empty() {
            return Err(Reason::Inputs(changes));
        }
        for (path, output) in &stamp.outputs {
            check_output(&self.outputs.join(path), output)
                .map_err(|what| Reason::Output(path.clone(), what))?;
        }
        Ok(stamp)
    }

    /// What an earlier run recorded. A stamp that cannot be read is none.
    pub(crate) fn load(&self) -> Option<Stamp> {
        serde_json::from_slice(&fs::read(&self.path).ok()?).ok()
    }

    /// Takes the stamp away: from now on, and until [`StampFile::record`], the outputs count as unfinished.
    pub(crate) fn invalidate(&self) -> miette::Result<()> {
        files::remove(&self.path)
    }

    /// Records `outputs`, relative paths of files that the stage just finished.
    pub(crate) fn record(
        &self,
        inputs: &Inputs,
        outputs: &[PathBuf],
        reason: &Reason,
        started: Instant,
    ) -> miette::Result<Stamp> {
        let observe = |path: &PathBuf| Ok((path.clone(), observe(&self.outputs.join(path))?));
        let outputs = outputs.iter().map(observe).collect::<miette::Result<_>>()?;
        let stamp = Stamp {
            inputs: inputs.0.clone(),
            outputs,
            reason: reason.to_string(),
            took_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        };
        files::write(&self.path, serde_json::to_vec_pretty(&stamp).into_diagnostic()?)?;
        Ok(stamp)
    }
}

fn changes(was: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<Change> {
    let mut names: Vec<_> = was.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| was.get(*name) != now.get(*name))
        .map(|name| Change { name: name.clone(), was: was.get(name).cloned(), now: now.get(name).cloned() })
        .collect()
}

fn observe(path: &Path) -> miette::Result<Output> {
    let read = || -> std::io::Result<Output> {
        let meta = fs::symlink_metadata(path)?;
        let sha256 = match meta.is_symlink() {
            true => files::digest(fs::read_link(path)?.as_os_str().as_encoded_bytes()),
            false => files::digest_file(path)?,
        };
        Ok(Output { size: meta.len(), mtime_ns: mtime_ns(&meta), sha256 })
    };
    read().into_diagnostic().wrap_err_with(|| format!("the stage left no {}", path.display()))
}

fn mtime_ns(meta: &fs::Metadata) -> i128 {
    i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())
}

/// Size and time decide where they agree with the record; where only the time differs, the content does.
fn check_output(path: &Path, recorded: &Output) -> Result<(), &'static str> {
    let meta = fs::symlink_metadata(path).map_err(|_| "is gone")?;
    if meta.len() != recorded.size {
        return Err("has another size");
    }
    if mtime_ns(&meta) == recorded.mtime_ns || observe(path).is_ok_and(|now| now.sha256 == recorded.sha256) {
        return Ok(());
    }
    Err("has another content")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        dir: tempfile::TempDir,
        stamp: StampFile,
        inputs: Inputs,
    }

    /// A stage that finished: one input file, one setting, one output.
    fn finished() -> Place {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("in.rs"), "fn a() {}").unwrap();
        fs::write(dir.path().join("out.ko"), "object").unwrap();
        let mut inputs = Inputs::new();
        inputs.value("epoch", "1");
        inputs.file("in.rs", &dir.path().join("in.rs")).unwrap();
        let stamp = StampFile::new(dir.path().join("stamp.json"), dir.path());
        stamp.record(&inputs, &["out.ko".into()], &Reason::NeverFinished, Instant::now()).unwrap();
        Place { dir, stamp, inputs }
    }

    impl Place {
        fn reason(&self) -> String {
            self.stamp.check(&self.inputs).expect_err("the stage should be stale").to_string()
        }
    }

    #[test]
    fn same_inputs_and_outputs_are_fresh() {
        let place = finished();
        assert!(place.stamp.check(&place.inputs).is_ok());
    }

    #[test]
    fn a_changed_input_is_named() {
        let mut place = finished();
        fs::write(place.dir.path().join("in.rs"), "fn b() {}").unwrap();
        place.inputs.file("in.rs", &place.dir.path().join("in.rs")).unwrap();
        assert_eq!(place.reason(), "in.rs changed");
        place.inputs.value("epoch", "2");
        assert_eq!(place.reason(), "epoch changed from \"1\" to \"2\", in.rs changed");
    }

    #[test]
    fn a_new_and_a_gone_input_are_named() {
        let mut place = finished();
        place.inputs.value("board", "x");
        assert_eq!(place.reason(), "board is new");
        place.inputs.0.remove("board");
        place.inputs.0.remove("epoch");
        assert_eq!(place.reason(), "epoch is gone");
    }

    #[test]
    fn permissions_are_an_input_and_those_of_a_clone_are_not() {
        use std::os::unix::fs::PermissionsExt as _;
        let mut place = finished();
        let path = place.dir.path().join("in.rs");
        let mut with = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            place.inputs.file("in.rs", &path).unwrap();
            place.stamp.check(&place.inputs).map_or_else(|reason| reason.to_string(), |_| "same".into())
        };
        assert_eq!([0o644, 0o664, 0o640].map(&mut with), ["same"; 3]);
        assert_eq!([0o755, 0o600, 0o4755].map(&mut with), ["in.rs changed"; 3]);
    }

    #[test]
    fn a_truncated_removed_or_altered_output_is_found() {
        let place = finished();
        let out = place.dir.path().join("out.ko");
        fs::write(&out, "obj").unwrap();
        assert_eq!(place.reason(), "its output out.ko has another size");
        fs::write(&out, "tcejbo").unwrap();
        assert_eq!(place.reason(), "its output out.ko has another content");
        fs::write(&out, "object").unwrap();
        assert!(
            place.stamp.check(&place.inputs).is_ok(),
            "the same content at another time is the same output"
        );
        fs::remove_file(&out).unwrap();
        assert_eq!(place.reason(), "its output out.ko is gone");
    }

    #[test]
    fn an_interrupted_stage_does_not_pass() {
        let place = finished();
        place.stamp.invalidate().unwrap();
        assert_eq!(place.reason(), "it has not finished before");
        fs::write(place.dir.path().join("stamp.json"), "{\"inputs\": {").unwrap();
        assert_eq!(place.reason(), "it has not finished before", "half a stamp is none");
    }

    #[test]
    fn what_a_stage_did_not_leave_cannot_be_recorded() {
        let place = finished();
        let missing =
            place.stamp.record(&place.inputs, &["nothing".into()], &Reason::NeverFinished, Instant::now());
        assert!(missing.is_err());
    }
}
