// SPDX-License-Identifier: MIT OR Apache-2.0
//! `menuconfig`: the kernel's own editor on a board's configuration; what was changed becomes a fragment of boards.

use std::collections::BTreeMap;
use std::process::ExitCode;

use miette::IntoDiagnostic as _;

use crate::board::{Boards, Own};
use crate::cli::Menuconfig;
use crate::ctx::Ctx;
use crate::files;
use crate::lock::Lock;
use crate::sources::Sources;
use crate::stage::kernel::Request;
use crate::stage::{kernel, source, tools};
use crate::stamp::Reason;
use crate::step::Step;

const HEADER: &str = "# SPDX-License-Identifier: MIT OR Apache-2.0\n";

/// Opens the editor, then saves the difference.
pub(crate) fn run(ctx: &Ctx, args: &Menuconfig) -> miette::Result<ExitCode> {
    let _lock = Lock::of_outputs(ctx)?;
    let sources = Sources::read(ctx)?;
    let tools = tools::build(ctx, &sources)?;
    let source = source::build(ctx, &sources, &tools)?;
    let board = Boards::new(ctx).load(&args.board.board)?;
    let step = Step::start(ctx, "menuconfig", &Reason::NeverFinished)?;
    let fragment = format!("{}.config", args.save);
    let path = Boards::folder(ctx).join(&fragment);
    let mut request = Request::of(&board, args.board.flavor);
    let named = request.fragments.iter().any(|own| own.path == path);
    // What an earlier run saved is in front of the user again, so that it can be taken back.
    if path.exists() && !named {
        request.fragments.push(Own { name: format!("board/{fragment}"), path: path.clone() });
    }
    let editor = kernel::Editor::open(ctx, &sources, &tools, &source, &request, &step)?;
    drop(step);
    let before = files::read(&editor.config())?;
    let status = editor
        .make(&tools)
        .arg("menuconfig")
        .env("TERM", terminal())
        .to_command()
        .status()
        .into_diagnostic()?;
    if !status.success() {
        miette::bail!("menuconfig failed ({status})");
    }
    let lines = difference(&before, &files::read(&editor.config())?);
    if lines.is_empty() {
        eprintln!("nothing changed");
        return Ok(ExitCode::SUCCESS);
    }
    let old = if path.exists() { files::read(&path)? } else { HEADER.to_owned() };
    files::write(&path, merge(&old, &lines))?;
    eprintln!("{} changed options are in board/{fragment}", lines.len());
    if !named {
        eprintln!(
            "no build uses it yet: write fragments = [\"{fragment}\"] into a board's [kernel], or move its lines into \
             kernel-config/fragments"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads `--save`: a file's name without its ending, never a way into another folder.
pub(crate) fn parse_save(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(good) {
        true => Ok(text.strip_suffix(".config").unwrap_or(text).to_owned()),
        false => Err("a name of letters, digits, `-`, `_` and `.`; the file is board/NAME.config".into()),
    }
}

fn terminal() -> String {
    std::env::var("TERM").unwrap_or_else(|_| "linux".to_owned())
}

/// The lines of `after` that `before` does not have, by symbol; an option that is gone counts as switched off.
fn difference(before: &str, after: &str) -> BTreeMap<String, String> {
    let (before, after) = (options(before), options(after));
    let off = |symbol: &String| (symbol.clone(), format!("# CONFIG_{symbol} is not set"));
    let gone = before.iter().filter(|(symbol, line)| !after.contains_key(*symbol) && !line.starts_with('#'));
    let mut lines: BTreeMap<_, _> = gone.map(|(symbol, _)| off(symbol)).collect();
    // An option that came up switched off was not asked for: it came with another.
    let asked = |symbol: &String, line: &String| !line.starts_with('#') || before.contains_key(symbol);
    let changed = after.into_iter().filter(|(symbol, line)| before.get(symbol) != Some(line));
    lines.extend(changed.filter(|(symbol, line)| asked(symbol, line)));
    lines
}

fn options(config: &str) -> BTreeMap<String, String> {
    let lines =
        config.lines().filter_map(|line| Some((crate::kconfig::symbol(line)?.to_owned(), line.to_owned())));
    lines.collect()
}

/// The fragment's text with `lines` in it: a line about the same option is replaced, another is added at the end.
fn merge(old: &str, lines: &BTreeMap<String, String>) -> String {
    let mut open = lines.clone();
    let mut text: Vec<String> = Vec::new();
    for line in old.lines() {
        let new = crate::kconfig::symbol(line).and_then(|symbol| open.remove(symbol));
        text.push(new.unwrap_or_else(|| line.to_owned()));
    }
    text.extend(open.into_values());
    text.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_becomes_lines() {
        let before = "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=y\n";
        let after = "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=m\n# CONFIG_NEW is not set\nCONFIG_E=3\n";
        let lines: Vec<_> = difference(before, after).into_values().collect();
        assert_eq!(lines, ["CONFIG_B=y", "CONFIG_C=m", "# CONFIG_D is not set", "CONFIG_E=3"]);
        assert!(difference(before, before).is_empty());
    }

    #[test]
    fn a_second_run_adds_to_the_first_and_can_take_it_back() {
        let first = merge(HEADER, &difference("CONFIG_A=m\n", "CONFIG_A=y\nCONFIG_B=y\n"));
        // The second starts from the board's configuration with the first one's lines.
        let second = difference("CONFIG_A=y\nCONFIG_B=y\n", "CONFIG_A=y\nCONFIG_C=y\n");
        let lines = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=y\n";
        assert_eq!(merge(&first, &second), format!("{HEADER}{lines}"));
    }

    #[test]
    fn a_fragments_name_leads_nowhere_else() {
        assert_eq!(parse_save("local"), Ok("local".into()));
        assert_eq!(parse_save("my-nvme.config"), Ok("my-nvme".into()));
        for bad in ["", "../x", "a/b", "/etc/x", ".hidden", "-x", "a b"] {
            assert!(parse_save(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_fragment_keeps_its_comments() {
        let lines = difference("CONFIG_B=m\n", "CONFIG_B=y\nCONFIG_C=y\n");
        assert_eq!(
            merge("# why\nCONFIG_B=m\nCONFIG_X=y\n", &lines),
            "# why\nCONFIG_B=y\nCONFIG_X=y\nCONFIG_C=y\n"
        );
    }
}
