// SPDX-License-Identifier: MIT OR Apache-2.0
//! The verbs and their options.

use crate::load::Source;
use crate::root::Root;
use board_profile::Policy;
use lexopt::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Where the build puts the flat profile.
const PROFILE: &str = "/etc/appliance/profile.toml";
/// Seconds between two looks of `status --watch`.
const WATCH_SECONDS: u64 = 2;

/// The command line, understood.
#[derive(Debug)]
pub(crate) struct Cli {
    /// What to take for `/`.
    pub(crate) root: Root,
    /// What to do.
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Load { source: Source, wait: Duration, dry_run: bool, json: bool },
    Apply { source: Source, dry_run: bool, json: bool },
    Export(Form),
    Unload,
    Plan { source: Source, json: bool },
    Status { json: bool, watch: Option<Duration> },
    Links(LinksMode),
    Grow { image: Option<PathBuf> },
    Verdict,
    Version,
    Help(&'static str),
}

/// How a configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// SCST's own.
    Conf,
    /// The profile's.
    Toml,
}

/// How long to keep the links right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LinksMode {
    /// Once.
    Once,
    /// For ever.
    Follow,
    /// Until the image's own disk is there, or the time is over.
    Wait { limit: Duration },
}

const HELP: &str = "\
appliance: makes this box serve what its board profile says

  appliance load      make what runs be the profile: devices, targets and LUNs
  appliance plan      show what `load` or `apply` would do, as shell commands
  appliance apply     add what a file describes, an scst.conf or a profile
  appliance export    print what runs, as scst.conf or as TOML
  appliance status    show what is served now and how fast, and what the last load could not do
  appliance unload    take the whole target stack down
  appliance links     keep /dev/disk/by-partlabel and by-serial up to date
  appliance grow      let the data partition and its file system fill the disk
  appliance verdict   print the boot's result in one line; init does this
  appliance version   print the version

`appliance VERB --help` tells more. `--root DIR` takes DIR for /, to try things on a made-up system.
";

const LOAD: &str = "\
appliance load [--profile FILE] [--keep] [--wait SECONDS] [--dry-run] [--json]
Makes what runs be what the profile says. Only what differs is written: a second load writes nothing, and a LUN
that did not change is not touched. What the profile does not describe is removed. A device of which something
differs that it only takes when it is made is made anew, which interrupts its LUNs; `appliance plan` says so first.
What fails costs what needs it; all else goes on. Each failure is told with its file, what was written, the error's
name and what to do about it.
  --profile FILE  the flat profile, or an scst.conf (/etc/appliance/profile.toml)
  --keep          remove nothing and interrupt no LUN; notes say what that leaves undone
  --wait SECONDS  how long to wait for disks that the profile names (0)
  --dry-run       only show the steps, as `appliance plan` does
  --json          print the report as JSON; it is also in /run/appliance/status.json
Exit status: 0 everything is there, 1 something failed, 2 the profile cannot be used.
Try: appliance load --dry-run
";

const APPLY: &str = "\
appliance apply FILE [--force] [--dry-run] [--json]
Adds what FILE describes to what runs: an scst.conf, or TOML if its name ends in .toml. Values that differ are
written. Nothing is removed and no LUN is interrupted; notes say what that leaves undone. The next boot loads the
image's own profile again.
  --force    make what runs be FILE and nothing else, as `load` does with the profile
  --dry-run  only show the steps, as shell commands
  --json     print the report, or with --dry-run the steps, as JSON
Exit status: 0 everything is there, 1 something failed, 2 the file cannot be used; then nothing was done.
Try: appliance export >/data/scst.conf; appliance apply /data/scst.conf --dry-run
";

const EXPORT: &str = "\
appliance export [--toml]
Prints what runs, as `scstadmin -write_config` writes it: what was set and is worth saving. `apply` takes it back.
Notes name what was set and is left out, since no configuration can set it.
  --toml  as a profile's sections for the target stack; `cargo xtask board import` makes a board of either
Exit status: 0 printed, 1 the target stack is not loaded, or runs what TOML cannot say.
Try: appliance export
";

const UNLOAD: &str = "\
appliance unload
Removes the target drivers, then the device handlers, then the core; each takes its configuration down and flushes.
Exit status: 0 nothing is left, 1 something is in use and stays.
";

const PLAN: &str = "\
appliance plan [FILE | --profile FILE] [--keep] [--json]
Shows what `appliance load` does now, as commands for the shell: the difference between what runs and FILE, which is
the image's profile if none is named. A line that begins with # tells what a step interrupts, or what stays. On the
host, `cargo xtask board plan` shows all steps of a board.
  --profile FILE  another name for FILE, as `load` takes it
  --keep          as `appliance apply` would do it: remove nothing, interrupt no LUN
  --json          the same for programs
Exit status: 0 shown, 2 the file cannot be used.
";

const STATUS: &str = "\
appliance status [--json] [--watch [SECONDS]]
Shows devices, sessions and LUNs as the kernel has them now, then the failures of the last load.
  --json             the same for programs
  --watch [SECONDS]  again every so many seconds (2), with the rates of each session: commands and MiB per second
Exit status: 0 the target stack is loaded and the last load did all it should, 1 otherwise.
Try: appliance status --watch 1
";

const LINKS: &str = "\
appliance links [--follow | --wait SECONDS]
Makes /dev/disk/by-partlabel/<label>, /dev/disk/by-serial/<serial>[-part<n>] and, for the disk that this image is on,
/dev/disk/image/esp, config and data. What a path cannot carry in a label or serial number becomes `_`. The first
device that claims a name keeps it.
  --follow        go on for ever, and load drivers for devices that are plugged in
  --wait SECONDS  go on until the image's own disk is there, so long at most
Exit status of --wait: 0 it is there, 1 it is not.
";

const GROW: &str = "\
appliance grow [--image FILE]
Lets the last partition, `data`, end where the disk ends, if it is not mounted; lets its ext4 fill it, if it is.
Does nothing where there is nothing to do, and goes on where a power cut stopped it.
  --image FILE  only grow the partition table in this disk image
";

const VERDICT: &str = "\
appliance verdict
Prints one line, `appliance: up, N of M objects` or `appliance: DEGRADED, ...`, from the last load's report and the
init scripts that failed, and adds those to /run/appliance/status.json.
Exit status: 0 up, 1 degraded, 2 the profile was not loaded.
";

impl Cli {
    /// Understands the arguments after the program's name.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, lexopt::Error> {
        let mut parser = lexopt::Parser::from_args(args);
        let mut root = Root::new("/");
        while let Some(arg) = parser.next()? {
            match arg {
                Long("root") => root = Root::new(PathBuf::from(parser.value()?)),
                Long("help") | Short('h') => return Ok(Cli { root, verb: Verb::Help(HELP) }),
                Value(verb) => {
                    let verb = verb.string()?;
                    return Ok(Cli { root, verb: Verb::parse(&verb, &mut parser)? });
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(Cli { root, verb: Verb::Help(HELP) })
    }
}

/// All options of all verbs; each verb says which it takes.
#[derive(Default)]
struct Options {
    profile: Option<String>,
    /// What stands without a name in front.
    file: Option<String>,
    keep: bool,
    force: bool,
    toml: bool,
    dry_run: bool,
    json: bool,
    follow: bool,
    wait: Option<u64>,
    watch: Option<u64>,
    image: Option<PathBuf>,
    help: bool,
}

impl Options {
    fn parse(parser: &mut lexopt::Parser, taken: &[&str]) -> Result<Options, lexopt::Error> {
        let mut options = Options::default();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("help") | Short('h') => options.help = true,
                Long(name) if !taken.contains(&name) => return Err(arg.unexpected()),
                Value(file) if taken.contains(&"FILE") && options.file.is_none() => {
                    options.file = Some(file.string()?);
                }
                Long("keep") => options.keep = true,
                Long("force") => options.force = true,
                Long("toml") => options.toml = true,
                Long("watch") => {
                    let seconds = parser.optional_value().map(|value| value.parse()).transpose()?;
                    options.watch = Some(seconds.or_else(|| next_number(parser)).unwrap_or(WATCH_SECONDS));
                }
                Long("profile") => options.profile = Some(parser.value()?.string()?),
                Long("dry-run") => options.dry_run = true,
                Long("json") => options.json = true,
                Long("follow") => options.follow = true,
                Long("wait") => options.wait = Some(parser.value()?.parse()?),
                Long("image") => options.image = Some(parser.value()?.into()),
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }

    /// The profile, or the file that was named instead.
    fn source(&self, policy: Policy) -> Source {
        let path = self.profile.as_ref().or(self.file.as_ref());
        Source { path: path.map_or(PROFILE, String::as_str).to_string(), policy }
    }

    /// Whose the box is where the profile is loaded.
    fn policy(&self) -> Policy {
        if self.keep {
            Policy::Keep
        } else {
            Policy::Own
        }
    }

    /// What `apply` is about, which must be named.
    fn applied(&self) -> Result<Source, lexopt::Error> {
        if self.file.is_none() {
            return Err("name the file to apply: an scst.conf, or a profile".into());
        }
        Ok(self.source(if self.force { Policy::Own } else { Policy::Keep }))
    }

    fn links_mode(self) -> Result<LinksMode, lexopt::Error> {
        match (self.follow, self.wait) {
            (true, Some(_)) => Err("--follow and --wait exclude each other".into()),
            (true, None) => Ok(LinksMode::Follow),
            (false, None) => Ok(LinksMode::Once),
            (false, Some(seconds)) => Ok(LinksMode::Wait { limit: Duration::from_secs(seconds) }),
        }
    }
}

/// The next argument, if it is a number.
fn next_number(parser: &mut lexopt::Parser) -> Option<u64> {
    let mut rest = parser.try_raw_args()?;
    let number = rest.peek()?.to_str()?.parse().ok()?;
    rest.next();
    Some(number)
}

impl Verb {
    fn parse(name: &str, parser: &mut lexopt::Parser) -> Result<Verb, lexopt::Error> {
        let (taken, help): (&[&str], _) = match name {
            "load" => (&["profile", "keep", "wait", "dry-run", "json"], LOAD),
            "apply" => (&["FILE", "force", "dry-run", "json"], APPLY),
            "export" => (&["toml"], EXPORT),
            "unload" => (&[], UNLOAD),
            "plan" => (&["FILE", "profile", "keep", "json"], PLAN),
            "status" => (&["json", "watch"], STATUS),
            "links" => (&["follow", "wait"], LINKS),
            "grow" => (&["image"], GROW),
            "verdict" => (&[], VERDICT),
            "version" | "help" => (&[], HELP),
            other => return Err(format!("no verb is named `{other}`").into()),
        };
        let options = Options::parse(parser, taken)?;
        if options.help {
            return Ok(Verb::Help(help));
        }
        Ok(match name {
            "load" => {
                let (dry_run, json) = (options.dry_run, options.json);
                let wait = Duration::from_secs(options.wait.unwrap_or(0));
                Verb::Load { source: options.source(options.policy()), wait, dry_run, json }
            }
            "apply" => {
                let (dry_run, json) = (options.dry_run, options.json);
                Verb::Apply { source: options.applied()?, dry_run, json }
            }
            "export" => Verb::Export(if options.toml { Form::Toml } else { Form::Conf }),
            "unload" => Verb::Unload,
            "plan" => Verb::Plan { source: options.source(options.policy()), json: options.json },
            "status" => {
                let watch = options.watch.map(Duration::from_secs);
                Verb::Status { json: options.json, watch }
            }
            "links" => Verb::Links(options.links_mode()?),
            "grow" => Verb::Grow { image: options.image },
            "verdict" => Verb::Verdict,
            "version" => Verb::Version,
            _ => Verb::Help(help),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(line: &str) -> Result<Verb, String> {
        let args = line.split_whitespace().map(OsString::from);
        Cli::parse(args).map(|cli| cli.verb).map_err(|error| error.to_string())
    }

    #[test]
    fn verbs_and_their_options_are_understood() {
        let own = |path: &str| Source { path: path.into(), policy: Policy::Own };
        let keep = |path: &str| Source { path: path.into(), policy: Policy::Keep };
        let plain = Verb::Load { source: own(PROFILE), wait: Duration::ZERO, dry_run: false, json: false };
        assert_eq!(verb("load"), Ok(plain));
        let wait = Duration::from_secs(2);
        let other = Verb::Load { source: keep("/x"), wait, dry_run: true, json: true };
        assert_eq!(verb("--root /r load --profile=/x --json --keep --dry-run --wait 2"), Ok(other));
        assert_eq!(verb("plan"), Ok(Verb::Plan { source: own(PROFILE), json: false }));
        assert_eq!(verb("plan a.conf --json"), Ok(Verb::Plan { source: own("a.conf"), json: true }));
        let applied = |source| Verb::Apply { source, dry_run: false, json: false };
        assert_eq!(verb("apply a.conf"), Ok(applied(keep("a.conf"))));
        assert_eq!(verb("apply --force a.conf"), Ok(applied(own("a.conf"))));
        assert_eq!(verb("export"), Ok(Verb::Export(Form::Conf)));
        assert_eq!(verb("export --toml"), Ok(Verb::Export(Form::Toml)));
        let watch = |seconds| Ok(Verb::Status { json: true, watch: Some(Duration::from_secs(seconds)) });
        assert_eq!(verb("status --watch --json"), watch(WATCH_SECONDS));
        assert_eq!(verb("status --watch 5 --json"), watch(5));
        assert_eq!(verb("status --json --watch=1"), watch(1));
        assert_eq!(verb("links"), Ok(Verb::Links(LinksMode::Once)));
        let limit = Duration::from_secs(3);
        assert_eq!(verb("links --wait 3"), Ok(Verb::Links(LinksMode::Wait { limit })));
        assert_eq!(verb("status --help"), Ok(Verb::Help(STATUS)));
        assert_eq!(verb(""), Ok(Verb::Help(HELP)));
    }

    #[test]
    fn every_option_that_a_verb_takes_is_in_its_help() {
        let options =
            ["profile", "keep", "force", "toml", "watch", "dry-run", "json", "follow", "wait", "image"];
        for name in ["load", "apply", "export", "unload", "plan", "status", "links", "grow", "verdict"] {
            let Ok(Verb::Help(help)) = verb(&format!("{name} --help")) else { panic!("{name}") };
            for option in options {
                let value = if option == "wait" {
                    "=3"
                } else if ["profile", "image"].contains(&option) {
                    "=x"
                } else {
                    ""
                };
                let file = if name == "apply" { " file" } else { "" };
                let taken = verb(&format!("{name}{file} --{option}{value}")).is_ok();
                assert_eq!(taken, help.contains(&format!("--{option}")), "{name} --{option}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, word) in [
            ("lod", "`lod`"),
            ("status --dry-run", "--dry-run"),
            ("links --follow --wait 3", "exclude each other"),
            ("links --wait soon", "soon"),
            ("load extra", "extra"),
            ("apply", "name the file"),
            ("apply a b", "b"),
            ("status --watch soon", "soon"),
            ("--bogus", "--bogus"),
        ] {
            let message = verb(line).unwrap_err();
            assert!(message.contains(word), "{line}: {message}");
        }
    }
}
