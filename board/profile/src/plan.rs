// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plan: what the appliance does to bring a board's devices, targets and LUNs up, step by step and in order.
//! Pure: the host prints exactly what the appliance will write, and the loader decides nothing.

use serde::Serialize;
use std::fmt;

/// Where SCST's management files live; paths of [`Action::Write`] are relative to it.
pub const SYSFS_ROOT: &str = "/sys/kernel/scst_tgt";

/// All steps, in the order in which they are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps. Each comes after everything that it needs.
    pub steps: Vec<Step>,
    /// What is there already as it should be, and takes no step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub present: Vec<ObjectId>,
    /// What is left as it is although it differs, each with what to do about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Whose the running configuration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Ours alone: what is not described goes, and what must be made anew to become right is.
    Own,
    /// Not only ours: nothing is taken away and no LUN is interrupted; a note says what that leaves undone.
    Keep,
}

/// One step. Where it fails, everything that needs its object is skipped, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What the step brings about.
    pub object: ObjectId,
    /// What must be there before; always the object of an earlier step.
    pub needs: Vec<ObjectId>,
    /// What is done.
    pub action: Action,
    /// What a reader should know before it is done, such as which LUNs are interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The name of something that a step brings about, such as `device disk1` or `lun scst_local/tgt/0`. No two steps
/// have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ObjectId(String);

impl ObjectId {
    /// An object of a kind; `path` tells it from others of its kind.
    pub(crate) fn new(kind: &str, path: impl fmt::Display) -> Self {
        ObjectId(format!("{kind} {path}"))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind: `module`, `scst`, `file`, `device`, `attribute`, `target`, `group`, `initiator`, `lun`, `session`, …
    pub fn kind(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Load a kernel module.
    Modprobe {
        /// Its name.
        module: String,
        /// Parameters, each `name=value`.
        params: Vec<String>,
    },
    /// Make a sparse file, with its folders, if there is nothing at that path. An existing file is left as it is.
    CreateFile {
        /// The absolute path.
        path: String,
        /// Its size in bytes.
        size: u64,
    },
    /// Write to a management file.
    Write {
        /// The file, relative to [`SYSFS_ROOT`].
        path: String,
        /// What to write, in one write, without a newline.
        data: String,
    },
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.notes.iter().try_for_each(|note| writeln!(f, "# {note}"))?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(note) = &self.note {
            writeln!(f, "# {note}")?;
        }
        self.action.fmt(f)
    }
}

/// As a person would type it in the appliance's shell.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Modprobe { module, params } => {
                write!(f, "modprobe {module}")?;
                params.iter().try_for_each(|param| write!(f, " {}", shell_word(param)))
            }
            Action::CreateFile { path, size } => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let (path, folder) = (shell_word(path), shell_word(folder));
                write!(f, "[ -e {path} ] || {{ mkdir -p {folder} && truncate -s {size} {path}; }}")
            }
            Action::Write { path, data } => {
                write!(f, "echo {} > {}", shell_quoted(data), shell_word(&format!("{SYSFS_ROOT}/{path}")))
            }
        }
    }
}

/// True if the shell takes the character as it is, even between double quotes.
fn plain_in_shell(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/_-.,:=+@%".contains(c)
}

/// A word for the shell, quoted only where it must be.
fn shell_word(text: &str) -> String {
    if !text.is_empty() && text.chars().all(plain_in_shell) {
        text.to_string()
    } else {
        shell_quoted(text)
    }
}

/// Text in quotes: double ones where the shell leaves it alone, else single ones.
fn shell_quoted(text: &str) -> String {
    if text.chars().any(|c| "\"$`\\!".contains(c)) {
        format!("'{}'", text.replace('\'', r"'\''"))
    } else {
        format!("\"{text}\"")
    }
}
