// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks of the sources, each of them a verb that a person can run.

use std::path::Path;
use std::process::Command;

use super::queue::Test;
use super::report::Failure;
use crate::ctx::Ctx;

/// A verb, and how it must end.
#[derive(Debug, Clone, Copy)]
struct Check {
    name: &'static str,
    verb: &'static [&'static str],
    end: End,
    /// What to do where it ends otherwise.
    help: &'static str,
}

/// How a verb must end.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It succeeds.
    Success,
    /// It fails and says all of this.
    Refusal(&'static [&'static str]),
}

const CHECKS: [Check; 5] = [
    Check {
        name: "check/profiles",
        verb: &["board", "check"],
        end: End::Success,
        help: "the message names file, line and cause",
    },
    Check {
        name: "check/own-kernel",
        verb: &["build-image", "--board", "ci/boards/own-kernel.toml", "--until", "config"],
        end: End::Success,
        help: "a board's own fragment does not become its kernel's configuration",
    },
    Check {
        name: "check/dropped-option",
        verb: &["build-image", "--board", "ci/boards/dropped-option.toml", "--until", "config"],
        end: End::Refusal(&[
            "dropped 1 of the requested lines",
            "ci/boards/dropped-option.config:3: CONFIG_NFS_V4=m",
            "unmet: depends on NFS_FS",
        ]),
        help: "an option of a board's own fragment may be dropped and nobody hears of it",
    },
    Check {
        name: "check/format",
        verb: &["fmt", "--check"],
        end: End::Success,
        help: "run `cargo xtask fmt`",
    },
    Check {
        name: "check/lint",
        verb: &["lint"],
        end: End::Success,
        help: "see the lines above; `cargo xtask lint` prints them again",
    },
];

/// Every check.
pub(crate) fn tests(ctx: &Ctx) -> Vec<Test<'static>> {
    let test = |check: Check| {
        let (global, root) = (ctx.global_args(), ctx.root.clone());
        Test { name: check.name.to_owned(), work: Box::new(move || run(check, &global, &root)) }
    };
    CHECKS.into_iter().map(test).collect()
}

fn run(Check { verb, end, help, .. }: Check, global: &[String], root: &Path) -> Result<(), Failure> {
    // The running program itself: its file may have been replaced by a build meanwhile.
    let output = Command::new("/proc/self/exe")
        .args(verb)
        .args(global)
        .current_dir(root)
        .output()
        .map_err(|error| Failure::fail(format!("cannot run xtask again: {error}")))?;
    let said = [output.stdout, output.stderr].concat();
    judge(end, output.status.success(), &String::from_utf8_lossy(&said))
        .map_err(|why| Failure::fail(format!("{}\n{why}{help}", String::from_utf8_lossy(&said).trim_end())))
}

/// Whether a verb ended as it must; else what is wrong, beside what it said.
fn judge(end: End, success: bool, said: &str) -> Result<(), String> {
    match end {
        End::Success if success => Ok(()),
        End::Success => Err(String::new()),
        End::Refusal(_) if success => Err("it should have been refused: ".into()),
        End::Refusal(words) => {
            // Messages are folded where the terminal ends.
            let plain = said.replace("│", " ").split_whitespace().collect::<Vec<_>>().join(" ");
            match words.iter().find(|words| !plain.contains(*words)) {
                None => Ok(()),
                Some(words) => Err(format!("it should have said \"{words}\": ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_needs_its_words_and_a_failure() {
        let end = End::Refusal(&["f.config:3: CONFIG_X=m", "unmet: depends on Y"]);
        let said = "  × dropped 1:\n  │ f.config:3:\n  │ CONFIG_X=m\n  │     unmet: depends on Y\n";
        assert_eq!(judge(end, false, said), Ok(()));
        assert!(judge(end, true, said).unwrap_err().contains("refused"));
        assert!(judge(end, false, "× the network is down").unwrap_err().contains("f.config:3"));
        assert_eq!(judge(End::Success, true, ""), Ok(()));
        assert!(judge(End::Success, false, "").is_err());
    }
}
