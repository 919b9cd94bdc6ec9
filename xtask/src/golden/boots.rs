// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which transcripts are replayed in which boot, and which are not expected to agree yet: `ci/golden/boots.toml`.

use std::path::Path;

use miette::miette;
use serde::Deserialize;

use super::transcript::Transcript;
use crate::files;

/// One boot and what is replayed in it, in this order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Boot {
    /// Its name, for folders and messages.
    pub(super) name: String,
    /// The transcripts by name. One that loads the modules itself is given a guest in which nothing is loaded;
    /// the others go on where the one before ended.
    pub(super) transcripts: Vec<String>,
    /// Seconds of an unhurried machine that it may take.
    #[serde(default = "deadline")]
    pub(super) deadline_s: f64,
}

fn deadline() -> f64 {
    120.0
}

/// A transcript whose differences are known and do not fail a run yet.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    /// Its name.
    pub(super) transcript: String,
    /// What is missing.
    pub(super) missing: String,
}

/// The file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Boots {
    /// Every boot.
    #[serde(rename = "boot")]
    pub(super) boots: Vec<Boot>,
    /// The transcripts that wait for something.
    #[serde(default)]
    pub(super) pending: Vec<Pending>,
}

impl Boots {
    /// Reads the file in `folder` and checks it against the transcripts beside it.
    pub(super) fn read(folder: &Path) -> miette::Result<Self> {
        let path = folder.join("boots.toml");
        let boots: Self =
            toml::from_str(&files::read(&path)?).map_err(|error| miette!("{}: {error}", path.display()))?;
        boots
            .check(&names(&folder.join("transcripts"))?)
            .map_err(|why| miette!("{}: {why}", path.display()))?;
        Ok(boots)
    }

    fn check(&self, there: &[String]) -> Result<(), String> {
        let mut named: Vec<&String> = self.boots.iter().flat_map(|boot| &boot.transcripts).collect();
        named.sort();
        if let Some(twice) = named.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("`{}` is replayed twice", twice[0]));
        }
        if let Some(missing) = named.iter().find(|name| !there.contains(name)) {
            return Err(format!("there is no transcript `{missing}`"));
        }
        if let Some(left) = there.iter().find(|name| !named.contains(name)) {
            return Err(format!("`{left}` is replayed in no boot"));
        }
        match self.pending.iter().find(|pending| !named.contains(&&pending.transcript)) {
            Some(pending) => Err(format!("`{}` is pending and is no transcript", pending.transcript)),
            None => Ok(()),
        }
    }

    /// What `transcript` waits for, if it does.
    pub(super) fn pending(&self, transcript: &str) -> Option<&str> {
        self.pending
            .iter()
            .find(|pending| pending.transcript == transcript)
            .map(|pending| pending.missing.as_str())
    }
}

impl Boot {
    /// The transcripts, parsed.
    pub(super) fn read(&self, folder: &Path) -> miette::Result<Vec<Transcript>> {
        let path = |name: &String| folder.join("transcripts").join(format!("{name}.txt"));
        self.transcripts.iter().map(|name| Transcript::read(&path(name))).collect()
    }
}

/// The names of the transcripts in `folder`.
fn names(folder: &Path) -> miette::Result<Vec<String>> {
    let files = files::walk(folder)?;
    Ok(files
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.strip_suffix(".txt")?.to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        toml::from_str::<Boots>(text).unwrap().check(&["a".into(), "b".into()])
    }

    #[test]
    fn every_transcript_is_replayed_exactly_once() {
        let boot = "[[boot]]\nname='x'\ntranscripts=";
        assert_eq!(check(&format!("{boot}['a','b']")), Ok(()));
        for bad in
            ["['a']", "['a','b','b']", "['a','b','c']", "['a','b']\n[[pending]]\ntranscript='c'\nmissing='x'"]
        {
            assert!(check(&format!("{boot}{bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_committed_file_is_good() {
        Boots::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/golden")).unwrap();
    }
}
