// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a scenario went.

use std::fmt;

use crate::guest::agent::End;
use crate::vm::console::NotSeen;
use crate::vm::running::{StartError, Vm};

/// The end of a scenario that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A step did something else than it had to.
    Fail(String),
    /// The kernel said that it is unwell.
    Panic(String),
    /// The guest gave no sign of life, or a deadline passed.
    Hang(String),
    /// Something that the scenario needs is not there.
    Missing(String),
}

impl Verdict {
    /// The verdict's name, as it stands in results.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Fail(_) => "fail",
            Self::Panic(_) => "panic",
            Self::Hang(_) => "hang",
            Self::Missing(_) => "missing",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Fail(what) | Self::Panic(what) | Self::Hang(what) | Self::Missing(what)) = self;
        write!(f, "{}: {what}", self.name())
    }
}

impl From<miette::Report> for Verdict {
    fn from(report: miette::Report) -> Self {
        // The chain of causes in one line; a result is read in a list.
        let causes: Vec<_> = report.chain().map(ToString::to_string).collect();
        Self::Fail(causes.join(": "))
    }
}

impl From<StartError> for Verdict {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Missing(what) => Self::Missing(what),
            StartError::Failed(report) => report.into(),
        }
    }
}

/// The verdict for a wait on the console that did not see `what`.
pub(crate) fn not_seen(what: &str, end: NotSeen) -> Verdict {
    match end {
        NotSeen::Deadline => Verdict::Hang(format!("the console did not show {what} in time")),
        NotSeen::Ended => Verdict::Fail(format!("the guest ended before its console showed {what}")),
        NotSeen::Dead(line) => Verdict::Panic(line),
    }
}

/// The verdict for `what`, done by the agent, that ended in another way than with a status.
pub(crate) fn unexpected_end(what: &str, end: End) -> Verdict {
    match end {
        End::Exit(status) => Verdict::Fail(format!("{what} ended with status {status}")),
        End::Dead(line) => Verdict::Panic(line),
        End::Gone => Verdict::Fail(format!("the guest ended during {what}")),
        End::Rebooted => Verdict::Fail(format!("the guest booted again during {what}")),
        End::Silent(time) => Verdict::Hang(format!("no sign of life for {} s during {what}", time.as_secs())),
        End::Deadline => Verdict::Hang(format!("the deadline passed during {what}")),
        End::Broken(why) => Verdict::Fail(format!("the guest cannot run commands: {why}")),
    }
}

/// `verdict`, with how QEMU ended where that explains it.
pub(crate) fn with_crash(verdict: Verdict, vm: &mut Vm) -> Verdict {
    match verdict {
        Verdict::Fail(what) => Verdict::Fail(match vm.crash() {
            Some(crash) => format!("{what}\n{crash}"),
            None => what,
        }),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_end_has_its_verdict() {
        let name = |end| unexpected_end("x", end).name();
        assert_eq!(name(End::Exit(1)), "fail");
        assert_eq!(name(End::Gone), "fail");
        assert_eq!(name(End::Rebooted), "fail");
        assert_eq!(name(End::Broken("y".into())), "fail");
        assert_eq!(name(End::Dead("Kernel panic - not syncing".into())), "panic");
        assert_eq!(name(End::Silent(Duration::from_secs(9))), "hang");
        assert_eq!(name(End::Deadline), "hang");
        assert_eq!(not_seen("x", NotSeen::Deadline).name(), "hang");
        assert_eq!(not_seen("x", NotSeen::Ended).name(), "fail");
        assert_eq!(not_seen("x", NotSeen::Dead("z".into())), Verdict::Panic("z".into()));
        assert_eq!(Verdict::from(StartError::Missing("no qemu".into())), Verdict::Missing("no qemu".into()));
        assert_eq!(Verdict::from(miette::miette!("broken")), Verdict::Fail("broken".into()));
    }
}
