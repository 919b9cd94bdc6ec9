// SPDX-License-Identifier: MIT OR Apache-2.0
//! `board`: list, check, show and compare board profiles.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use board_profile::{Problems, Stack};
use miette::{IntoDiagnostic as _, WrapErr as _};
use serde::Serialize;

use crate::board::{Board, Boards};
use crate::cli::{BoardVerb, Json};
use crate::ctx::Ctx;
use crate::files;

/// Does what one of the verbs below `board` says.
pub(crate) fn run(ctx: &Ctx, verb: &BoardVerb) -> miette::Result<ExitCode> {
    let boards = Boards::new(ctx);
    match verb {
        BoardVerb::List(json) => list(&boards, *json),
        BoardVerb::New { name } => new(ctx, &boards, name),
        BoardVerb::Check { boards: names, json } => check(&boards, names, *json),
        BoardVerb::Show { board, json } => {
            let board = boards.load(board)?;
            print(*json, &*board, || board.flat())
        }
        BoardVerb::Plan { board, json } => {
            let plan = boards.load(board)?.plan();
            print(*json, &plan, || plan.to_string())
        }
        BoardVerb::Diff { left, right, json } => diff(&boards, left, right, *json),
        BoardVerb::Import { file, name } => import(ctx, &boards, file, name.as_deref()),
        BoardVerb::Export { board, toml } => export(&boards.load(board)?, *toml),
        BoardVerb::Schema => {
            files::write(&Boards::folder(ctx).join("profile.schema.json"), board_profile::json_schema())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn print(json: Json, value: &impl Serialize, text: impl FnOnce() -> String) -> miette::Result<ExitCode> {
    match json.json {
        true => println!("{}", serde_json::to_string_pretty(value).into_diagnostic()?),
        false => print!("{}", text()),
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Listed {
    name: String,
    arch: Option<&'static str>,
    description: String,
    /// Findings of `board check`.
    errors: usize,
}

fn list(boards: &Boards, json: Json) -> miette::Result<ExitCode> {
    let listed: Vec<_> = boards.boards()?.into_iter().map(|name| listed(boards, name)).collect();
    print(json, &listed, || {
        let width = listed.iter().map(|board| board.name.len()).max().unwrap_or_default();
        listed
            .iter()
            .map(|Listed { name, description, .. }| format!("{name:width$}  {description}\n"))
            .collect()
    })
}

fn listed(boards: &Boards, name: String) -> Listed {
    match board_profile::load(&name, boards) {
        Ok(board) => Listed {
            name,
            arch: Some(board.arch().as_str()),
            description: board.description().to_owned(),
            errors: 0,
        },
        Err(problems) => {
            Listed { name, arch: None, description: problems.to_string(), errors: problems.len() }
        }
    }
}

fn new(ctx: &Ctx, boards: &Boards, name: &str) -> miette::Result<ExitCode> {
    write_new(ctx, boards, name, &board_profile::template(name))
}

/// Makes a board of the target stack that a file describes.
fn import(ctx: &Ctx, boards: &Boards, file: &Path, name: Option<&str>) -> miette::Result<ExitCode> {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.unwrap_or(&stem);
    let shown = file.display().to_string();
    let text = fs::read_to_string(file).into_diagnostic().wrap_err_with(|| shown.clone())?;
    let stack = match shown.ends_with(".toml") {
        true => Stack::from_toml(&shown, &text)?,
        false => Stack::import_conf(&shown, &text)?,
    };
    write_new(ctx, boards, name, &board_profile::board_of(name, &shown, &stack))
}

/// Writes the profile of a board that is not there yet, if it is a good one.
fn write_new(ctx: &Ctx, boards: &Boards, name: &str, text: &str) -> miette::Result<ExitCode> {
    let path = Boards::folder(ctx).join(format!("{name}.toml"));
    if path.exists() {
        miette::bail!(help = "give the new board another name", "board/{name}.toml exists already");
    }
    // The profile of a name that no board may have must not be written, so it is checked first.
    let new = |asked: &str| match asked == name {
        true => Ok(board_profile::Source { path: format!("board/{name}.toml"), text: text.to_owned() }),
        false => board_profile::Loader::load(boards, asked),
    };
    board_profile::load(name, &new)?;
    files::write(&path, text)?;
    println!("wrote board/{name}.toml; edit it, then: cargo xtask board check {name}");
    Ok(ExitCode::SUCCESS)
}

fn export(board: &Board, toml: bool) -> miette::Result<ExitCode> {
    let stack = board.stack();
    print!("{}", if toml { stack.toml() } else { stack.conf() });
    let left = if toml { Vec::new() } else { stack.unsaid() };
    left.iter().for_each(|what| eprintln!("note: {what}"));
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Checked {
    board: String,
    errors: Vec<Problems>,
}

/// Prints every finding of every profile; fails if there is one.
fn check(boards: &Boards, names: &[String], json: Json) -> miette::Result<ExitCode> {
    let names = if names.is_empty() { boards.boards()? } else { names.to_vec() };
    let results: Vec<_> =
        names.into_iter().map(|name| (board_profile::load(&name, boards).err(), name)).collect();
    let failed = results.iter().any(|(problems, _)| problems.is_some());
    if json.json {
        let checked: Vec<_> = results
            .into_iter()
            .map(|(problems, board)| Checked { board, errors: problems.into_iter().collect() })
            .collect();
        println!("{}", serde_json::to_string_pretty(&checked).into_diagnostic()?);
    } else {
        for (problems, name) in results {
            match problems {
                None => println!("{name}: good"),
                Some(problems) => eprintln!("{name}: {:?}", miette::Report::from(problems)),
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn diff(boards: &Boards, left: &str, right: &str, json: Json) -> miette::Result<ExitCode> {
    let (left, right) = (boards.load(left)?, boards.load(right)?);
    let changes = board_profile::diff(&left, &right);
    print(json, &changes, || {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not there)".to_owned());
        changes
            .iter()
            .map(|change| {
                format!("{}\n  - {}\n  + {}\n", change.key, or_none(&change.from), or_none(&change.to))
            })
            .collect()
    })
}
