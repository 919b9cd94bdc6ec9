// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one program on the appliance: brings the board's profile up, shows what is served, and looks after the
//! image's own disk. Every verb is one module; this file only chooses and prints.

mod block;
mod cli;
mod errno;
mod execute;
mod export;
#[cfg(test)]
mod fake;
mod gpt;
mod grow;
mod links;
mod live;
mod load;
mod machine;
mod rates;
mod report;
mod root;
mod snapshot;
mod status;
mod uevent;
mod unload;

use cli::{Cli, Form, LinksMode, Verb};
use load::Source;
use report::{Report, State};
use root::Root;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The program that loads and unloads modules.
const MODPROBE: &str = "modprobe";

fn main() -> ExitCode {
    let status = match Cli::parse(std::env::args_os().skip(1)) {
        Ok(cli) => run(&cli.root, cli.verb),
        Err(error) => {
            eprintln!("appliance: {error}\n  help: `appliance --help` lists the verbs");
            2
        }
    };
    ExitCode::from(status)
}

fn run(root: &Root, verb: Verb) -> u8 {
    match verb {
        Verb::Load { source, dry_run: true, json, .. }
        | Verb::Apply { source, dry_run: true, json }
        | Verb::Plan { source, json } => plan(root, &source, json),
        Verb::Load { source, json, wait, .. } => record(root, &load(root, &source, wait, json)),
        Verb::Apply { source, json, .. } => load(root, &source, Duration::ZERO, json).exit_status(),
        Verb::Export(form) => export(root, form),
        Verb::Unload => complain(unload::unload(root, MODPROBE)),
        Verb::Status { json, watch: None } => status(root, json),
        Verb::Status { json, watch: Some(pause) } => watch(root, pause, json),
        Verb::Links(mode) => links(root, mode),
        Verb::Grow { image } => grow(root, image.as_deref()),
        Verb::Verdict => verdict(root),
        Verb::Version => show(&format!("appliance {}\n", env!("CARGO_PKG_VERSION")), 0),
        Verb::Help(text) => show(text, 0),
    }
}

/// Prints an answer. A reader that went away is no error of ours.
fn show(text: &str, status: u8) -> u8 {
    let _ = std::io::stdout().write_all(text.as_bytes());
    status
}

/// Prints what is wrong, if anything.
fn complain(messages: Vec<String>) -> u8 {
    for message in &messages {
        eprintln!("appliance: {message}");
    }
    u8::from(!messages.is_empty())
}

fn plan(root: &Root, source: &Source, json: bool) -> u8 {
    match source.plan(root) {
        Ok(plan) if json => show(&pretty(&plan), 0),
        Ok(plan) if plan.steps.is_empty() => {
            show(&format!("{plan}# nothing to do: all {} objects are there\n", plan.present.len()), 0)
        }
        Ok(plan) => show(&plan.to_string(), 0),
        Err(errors) => {
            eprint!("{errors}");
            2
        }
    }
}

/// JSON for programs.
fn pretty(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("only text and numbers");
    text + "\n"
}

fn load(root: &Root, source: &Source, wait: Duration, json: bool) -> Report {
    let report = source.load(root, wait, MODPROBE);
    for failure in &report.failures {
        eprintln!("appliance: {failure}");
    }
    for sentence in report.skipped_sentences() {
        eprintln!("appliance: {sentence}");
    }
    for note in &report.notes {
        eprintln!("appliance: note: {note}");
    }
    eprint!("{}", report.profile_errors);
    match json {
        true => show(&report.json(), 0),
        false => show(&format!("appliance: {}\n", report.summary()), 0),
    };
    report
}

/// Prints what is running, in one of the two forms that `apply` takes back.
fn export(root: &Root, form: Form) -> u8 {
    let snapshot = snapshot::read(root);
    if snapshot.version.is_empty() {
        return complain(vec!["the target core `scst` is not loaded: `appliance load` loads it".into()]);
    }
    let export::Export { text, notes, refused } = export::export(&snapshot, form);
    for sentence in notes {
        eprintln!("appliance: note: {sentence}");
    }
    if !refused.is_empty() {
        eprintln!("appliance: note: `apply` refuses what runs, as it stands in scst.conf:\n{refused}");
    }
    match text {
        Some(text) => show(&text, 0),
        None => {
            complain(vec!["what runs cannot be said in TOML; `appliance export` writes scst.conf".into()])
        }
    }
}

/// Writes the report where programs find it, and gives back its exit status.
fn record(root: &Root, report: &Report) -> u8 {
    if let Err(error) = report.write(root) {
        eprintln!("appliance: {}: {error}", report::STATUS_FILE);
        return report.exit_status().max(1);
    }
    report.exit_status()
}

fn status(root: &Root, json: bool) -> u8 {
    let status = status::Status { live: live::Live::read(root), rates: None, last_load: Report::read(root) };
    let text = if json { status.json() } else { status.text() };
    show(&text, status.exit_status())
}

/// The status again and again, until the reader goes away.
fn watch(root: &Root, pause: Duration, json: bool) -> u8 {
    let mut last: Option<(live::Live, Instant)> = None;
    loop {
        let (live, at) = (live::Live::read(root), Instant::now());
        let since = last.as_ref().map(|(before, then)| rates::between(before, &live, at - *then));
        let status = status::Status { live, rates: since, last_load: Report::read(root) };
        // Home, and clear what is below: the table stays where it is, and a log of it has no noise.
        let text = if json { status.json() } else { format!("\x1b[H\x1b[J{}", status.text()) };
        let mut out = std::io::stdout();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return status.exit_status();
        }
        last = Some((status.live, at));
        std::thread::sleep(pause);
    }
}

fn links(root: &Root, mode: LinksMode) -> u8 {
    let missing = match mode {
        LinksMode::Once => links::refresh(root).map(|links| {
            complain(links.warnings());
            vec![]
        }),
        LinksMode::Follow => links::follow(root).map(|()| vec![]),
        LinksMode::Wait { limit } => links::wait_for_image(root, limit).map(|found| {
            let message = format!("no disk with this image after {} s", limit.as_secs());
            if found {
                vec![]
            } else {
                vec![message]
            }
        }),
    };
    complain(missing.unwrap_or_else(|error| vec![format!("links: {error}")]))
}

fn grow(root: &Root, image: Option<&std::path::Path>) -> u8 {
    let said = match image {
        Some(image) => grow::grow_table(image),
        None => grow::grow(root),
    };
    match said {
        Ok(said) => {
            said.iter().for_each(|line| println!("appliance: {line}"));
            0
        }
        Err(error) => complain(vec![error]),
    }
}

fn verdict(root: &Root) -> u8 {
    let report = Report::read(root).unwrap_or_else(|| Report::new(State::Unusable));
    let report = report.with_scripts(report::failed_scripts(root));
    println!("{}", report.verdict());
    record(root, &report)
}
