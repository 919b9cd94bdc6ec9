// SPDX-License-Identifier: MIT OR Apache-2.0
//! The verbs and their options.

use crate::root::Root;
use lexopt::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Where the build puts the flat profile.
const PROFILE: &str = "/etc/appliance/profile.toml";

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
    Load { profile: String, wait: Duration, dry_run: bool, json: bool },
    Unload,
    Plan { profile: String },
    Status { json: bool },
    Links(LinksMode),
    Grow { image: Option<PathBuf> },
    Verdict,
    Version,
    Help(&'static str),
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

  appliance load      make the profile's devices, targets and LUNs
  appliance unload    take the whole target stack down
  appliance plan      show what `load` would do, as shell commands
  appliance status    show what is served now, and what the last load could not do
  appliance links     keep /dev/disk/by-partlabel and by-serial up to date
  appliance grow      let the data partition and its file system fill the disk
  appliance verdict   print the boot's result in one line; init does this
  appliance version   print the version

`appliance VERB --help` tells more. `--root DIR` takes DIR for /, to try things on a made-up system.
";

const LOAD: &str = "\
appliance load [--profile FILE] [--wait SECONDS] [--dry-run] [--json]
Makes the devices, targets and LUNs of the profile, one step after another. What fails costs what needs it; all else
goes on. Each failure is told with its file, what was written, the error's name and what to do about it.
  --profile FILE  the flat profile (/etc/appliance/profile.toml)
  --wait SECONDS  how long to wait for disks that the profile names (0)
  --dry-run       only show the steps, as `appliance plan` does
  --json          print the report as JSON; it is also in /run/appliance/status.json
Exit status: 0 everything is there, 1 something failed, 2 the profile cannot be used.
Try: appliance load --dry-run
";

const UNLOAD: &str = "\
appliance unload
Removes the target drivers, then the device handlers, then the core; each takes its configuration down and flushes.
Exit status: 0 nothing is left, 1 something is in use and stays.
";

const PLAN: &str = "\
appliance plan [--profile FILE]
Shows what `appliance load` does, as commands for the shell. The build system shows the same for a board on the host.
  --profile FILE  the flat profile (/etc/appliance/profile.toml)
";

const STATUS: &str = "\
appliance status [--json]
Shows devices, sessions and LUNs as the kernel has them now, then the failures of the last load.
  --json  the same for programs
Exit status: 0 the target stack is loaded and the last load did all it should, 1 otherwise.
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
    dry_run: bool,
    json: bool,
    follow: bool,
    wait: Option<u64>,
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

    fn profile(self) -> String {
        self.profile.unwrap_or_else(|| PROFILE.to_string())
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

impl Verb {
    fn parse(name: &str, parser: &mut lexopt::Parser) -> Result<Verb, lexopt::Error> {
        let (taken, help): (&[&str], _) = match name {
            "load" => (&["profile", "wait", "dry-run", "json"], LOAD),
            "unload" => (&[], UNLOAD),
            "plan" => (&["profile"], PLAN),
            "status" => (&["json"], STATUS),
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
                Verb::Load { profile: options.profile(), wait, dry_run, json }
            }
            "unload" => Verb::Unload,
            "plan" => Verb::Plan { profile: options.profile() },
            "status" => Verb::Status { json: options.json },
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
        let profile = PROFILE.to_string();
        let plain =
            Verb::Load { profile: profile.clone(), wait: Duration::ZERO, dry_run: false, json: false };
        assert_eq!(verb("load"), Ok(plain));
        let wait = Duration::from_secs(2);
        let other = Verb::Load { profile: "/x".into(), wait, dry_run: true, json: true };
        assert_eq!(verb("--root /r load --profile=/x --json --dry-run --wait 2"), Ok(other));
        assert_eq!(verb("plan"), Ok(Verb::Plan { profile }));
        assert_eq!(verb("links"), Ok(Verb::Links(LinksMode::Once)));
        let limit = Duration::from_secs(3);
        assert_eq!(verb("links --wait 3"), Ok(Verb::Links(LinksMode::Wait { limit })));
        assert_eq!(verb("status --help"), Ok(Verb::Help(STATUS)));
        assert_eq!(verb(""), Ok(Verb::Help(HELP)));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, word) in [
            ("lod", "`lod`"),
            ("status --dry-run", "--dry-run"),
            ("links --follow --wait 3", "exclude each other"),
            ("links --wait soon", "soon"),
            ("load extra", "extra"),
            ("--bogus", "--bogus"),
        ] {
            let message = verb(line).unwrap_err();
            assert!(message.contains(word), "{line}: {message}");
        }
    }
}
