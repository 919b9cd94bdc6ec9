// SPDX-License-Identifier: MIT OR Apache-2.0
//! What says nothing is taken out of both answers before they are compared: times, dates, process numbers, sizes of
//! modules, and help texts but for the lines that programs read.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::transcript::Action;

/// Patterns and what stands for what they match.
const SAYS_NOTHING: [(&str, &str); 12] = [
    // The time that a step took.
    (r"(\[rc=-?\d+\]) \[[\d.]+s\]$", "$1"),
    (r"\) \[[\d.]+s\];", ");"),
    (r"^(real|user|sys)\t.*$", "$1"),
    (r"copied, [\d.e-]+ s, .*$", "copied"),
    // Dates, and the build that answered.
    (r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d+ +(\d\d:\d\d|\d{4})\b", "DATE"),
    (r"SCST build date: [^\\]*", "SCST build date: ..."),
    (r"SCST kver: [^\\]*", "SCST kver: ..."),
    // Process numbers and blocks that a directory takes.
    (r"^ *\d+ (root +\[)", "PID $1"),
    (r"^total \d+$", "total"),
    // Rates and times of tools.
    (r"\b\d+(\.\d+)? [kMG]?B/s", "RATE"),
    // Major numbers that are given out as drivers come.
    (r"\b\d+, +\d+ DATE", "DEV DATE"),
    (r" +$", ""),
];

static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rule =
        |(pattern, stands): (&'static str, &'static str)| (Regex::new(pattern).expect("tested"), stands);
    SAYS_NOTHING.into_iter().map(rule).collect()
});
static MODULE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\w+) +\d+  (-?\d+)(?: ([\w,]+))?$").expect("tested"));

/// The lines of an answer as they are compared.
pub(super) fn lines(action: &Action, answer: &[String]) -> Vec<String> {
    if let Action::List(_) = action {
        return answer.iter().flat_map(|line| names(line)).collect();
    }
    let lists_modules = matches!(action, Action::Shell(command) if command.contains("lsmod"));
    answer
        .iter()
        .filter_map(|line| match lists_modules {
            true => module(line),
            false => Some(Cow::Borrowed(line.as_str())),
        })
        .map(|line| help(&plain(&line)).into_owned())
        .collect()
}

fn plain(line: &str) -> String {
    let replace =
        |text: String, (rule, stands): &(Regex, &str)| rule.replace_all(&text, *stands).into_owned();
    RULES.iter().fold(line.to_owned(), replace)
}

/// The names in `['a', 'b']`, so that one too many is one difference.
fn names(line: &str) -> Vec<String> {
    match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some("") => Vec::new(),
        Some(names) => names.split(", ").map(str::to_owned).collect(),
        None => vec![line.to_owned()],
    }
}

/// A line of lsmod without the size, and none for modules that are not ours: what else is one differs by kernel.
fn module(line: &str) -> Option<Cow<'_, str>> {
    let Some(found) = MODULE.captures(line) else { return Some(line.into()) };
    let mut users: Vec<&str> =
        found.get(3).map(|users| users.as_str().split(',').collect()).unwrap_or_default();
    users.sort_unstable();
    let name = &found[1];
    name.starts_with("scst").then(|| format!("{name} {} {}", &found[2], users.join(",")).into())
}

/// A value with a help text keeps what comes before it and the lines that programs read.
fn help(line: &str) -> Cow<'_, str> {
    let Some((before, text)) = line.split_once("Usage:") else { return line.into() };
    let Some(text) = text.strip_suffix('\'') else { return line.into() };
    let mut kept = before.replace(r"\n\n\n", r"\n");
    kept.push_str(r"Usage: ...\n");
    for read in text.split(r"\n").filter(|line| line.contains("available:")) {
        kept.push_str(read);
        kept.push_str(r"\n");
    }
    kept.push('\'');
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(command: &str, answer: &[&str]) -> Vec<String> {
        let answer: Vec<_> = answer.iter().map(|&line| line.into()).collect();
        lines(&Action::Shell(command.into()), &answer)
    }

    #[test]
    fn times_and_dates_say_nothing() {
        let line = "8192 bytes (8.2 kB, 8.0 KiB) copied, 0.0280961 s, 292 kB/s";
        assert_eq!(shell("dd", &[line]), ["8192 bytes (8.2 kB, 8.0 KiB) copied"]);
        assert_eq!(shell("x", &["[rc=1] [0.2s]", "real\t0m5.583s"]), ["[rc=1]", "real"]);
        assert_eq!(
            shell("ls", &["drwxr-xr-x 2 root root 0 Nov 22 05:22 ."]),
            ["drwxr-xr-x 2 root root 0 DATE ."]
        );
        assert_eq!(shell("ps", &["   62 root     [scst_uid]"]), ["PID root     [scst_uid]"]);
        let write = "WRITE-EAGAIN(11) [15.2s]; last_sysfs_mgmt_res=-17".to_owned();
        let action = Action::Write(String::new(), Vec::new());
        assert_eq!(lines(&action, &[write]), ["WRITE-EAGAIN(11); last_sysfs_mgmt_res=-17"]);
    }

    #[test]
    fn results_stay_as_they_are() {
        for line in
            ["WRITE-EINVAL(22); last_sysfs_mgmt_res=-22", "Aborts: 2, Device Resets: 0", "'0x10\\n[key]\\n'"]
        {
            assert_eq!(shell("x", &[line]), [line]);
        }
    }

    #[test]
    fn modules_are_ours_without_their_sizes() {
        let answer = [
            "Module                  Size  Used by",
            "scst  450560  2 scst_vdisk,scst_local",
            "loop 4 1",
            "brd  45056  0",
        ];
        assert_eq!(
            shell("lsmod", &answer),
            ["Module                  Size  Used by", "scst 2 scst_local,scst_vdisk", "loop 4 1"]
        );
    }

    #[test]
    fn names_in_a_directory_are_a_line_each() {
        let action = Action::List("devices".into());
        assert_eq!(lines(&action, &["['a', 'b']".into()]), ["'a'", "'b'"]);
        assert_eq!(lines(&action, &["[]".into()]), Vec::<String>::new());
        assert_eq!(lines(&action, &["EXCEPTION x".into()]), ["EXCEPTION x"]);
    }

    #[test]
    fn of_a_help_text_only_what_programs_read_is_left() {
        let ours = r"'usage text of ours\nUsage: a\n\nThe following parameters available: tst\n\n'";
        assert_eq!(
            help(ours),
            r"'usage text of ours\nUsage: ...\nThe following parameters available: tst\n'"
        );
        assert_eq!(help(r"'Usage: ...\n'"), r"'Usage: ...\n'");
        assert_eq!(help("'0\\n'"), "'0\\n'");
    }
}
