// SPDX-License-Identifier: MIT OR Apache-2.0
//! The file of a scenario: TOML, checked completely before anything is started.

use std::path::Path;

use board_profile::Size;
use miette::{miette, Context as _, IntoDiagnostic as _};
use regex::Regex;
use serde::{Deserialize, Deserializer};

use crate::cli::{Flavor, ImageType};
use crate::stage::modules::Writers;

/// A scenario, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The file's name without its ending.
    #[serde(skip)]
    pub(crate) name: String,
    /// One sentence for listings.
    pub(crate) title: String,
    /// The boards that it is played on, each by itself.
    pub(crate) boards: Vec<String>,
    /// The flavours that it makes sense on; both if the file does not say.
    #[serde(default, deserialize_with = "flavors")]
    flavors: Vec<Flavor>,
    /// The kinds of modules that it is played with; those that ship if the file does not say.
    #[serde(default)]
    writers: Vec<Writers>,
    /// Debian packages that its commands need.
    #[serde(default)]
    pub(crate) with: Vec<String>,
    /// Further words of the kernel command line.
    #[serde(default)]
    pub(crate) cmdline: Vec<String>,
    /// Folders of the repository that are laid over the guest's root, as `run --add-files` does.
    #[serde(default)]
    pub(crate) add_files: Vec<String>,
    /// Console lines that look bad and are not.
    #[serde(default)]
    allow: Vec<Allow>,
    /// Disks beside the board's own.
    #[serde(default, rename = "disk")]
    pub(crate) disks: Vec<ExtraDisk>,
    /// What is done, in order.
    #[serde(rename = "step")]
    pub(crate) steps: Vec<Step>,
}

/// A console line that is no reason to worry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    #[serde(deserialize_with = "regex")]
    pattern: Regex,
    /// For the reader; a pattern without a reason is refused.
    reason: String,
}

/// A disk that one scenario needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtraDisk {
    /// Its serial number.
    pub(crate) serial: String,
    /// Its size, such as "64 MiB".
    #[serde(deserialize_with = "size")]
    pub(crate) size: Size,
    /// It loses with the power what was not flushed.
    #[serde(default)]
    pub(crate) volatile: bool,
}

/// One step. Times are seconds of an unhurried machine; translation, checkers and company stretch them.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Step {
    /// Starts the machine, and waits for its agent unless the image is to boot as it ships.
    Boot {
        /// The way in.
        through: Way,
        /// What the firmware finds.
        #[serde(default)]
        from: Found,
        /// Boot exactly what ships, with nobody to take commands.
        #[serde(default)]
        as_shipped: bool,
        /// Seconds until the agent speaks.
        #[serde(default = "boot_deadline")]
        deadline_s: f64,
    },
    /// Waits until a line of the console matches; only lines since the last boot count.
    Wait {
        /// What the line matches.
        #[serde(deserialize_with = "regex")]
        line: Regex,
        /// Seconds until it must have come.
        #[serde(default = "wait_deadline")]
        deadline_s: f64,
    },
    /// Looks at what the console shows since the last boot, after `for_s` seconds more.
    Console {
        /// What some line must match.
        #[serde(default, deserialize_with = "regexes")]
        expect: Vec<Regex>,
        /// What no line may match.
        #[serde(default, deserialize_with = "regexes")]
        reject: Vec<Regex>,
        /// Seconds to wait before looking.
        #[serde(default)]
        for_s: f64,
    },
    /// Types at the console, as a person would.
    Type {
        /// The keys; `\r` is Enter.
        text: String,
    },
    /// Runs a script in the guest's shell and looks at its status and its output, both streams together.
    Exec {
        /// The script.
        run: String,
        /// What some line of the output must match, each of them.
        #[serde(default, deserialize_with = "regexes")]
        expect: Vec<Regex>,
        /// What no line of the output may match.
        #[serde(default, deserialize_with = "regexes")]
        reject: Vec<Regex>,
        /// The status that it must end with.
        #[serde(default)]
        status: i32,
        /// Seconds that it may take.
        #[serde(default = "exec_deadline")]
        deadline_s: f64,
        /// The only kind of modules that it is done with.
        writers: Option<Writers>,
    },
    /// Compares every option that the kernel's fragments request with the guest's `/proc/config.gz`.
    KernelOptions {},
    /// Turns the guest off or on again.
    Power {
        /// In which way.
        how: Power,
        /// Seconds that it may take.
        #[serde(default = "power_deadline")]
        deadline_s: f64,
    },
    /// Cuts the power over and over while the guest works, and looks from outside at what is left.
    Cuts(Cuts),
    /// Unplugs a disk by the number of its place, the image's disk being 0.
    Unplug {
        /// The place.
        disk: usize,
    },
    /// Reads, while the guest is off, what it left on a disk, and compares.
    Outside {
        /// The disk by its serial number; the image's if none is named.
        disk: Option<String>,
        /// A partition of it by name; the whole disk if none is named.
        partition: Option<String>,
        /// A file on that partition's ext4; the partition itself if none is named.
        file: Option<String>,
        /// Where to start, in bytes.
        #[serde(default)]
        offset: u64,
        /// How much to compare, in bytes.
        length: u64,
        /// The text that must stand there, over and over.
        repeats: String,
    },
}

/// What is cut off how often, and who has to keep what was acknowledged.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cuts {
    /// How often.
    pub(crate) times: u32,
    /// The disk, by its serial number, on which the guest notes what was acknowledged.
    pub(crate) journal: String,
    /// The longest time that the guest works on after each store has acknowledged something; real seconds.
    pub(crate) within_s: f64,
    /// Seconds until each store has acknowledged something.
    #[serde(default = "boot_deadline")]
    pub(crate) deadline_s: f64,
    /// The stores, in the order of the journal's areas.
    #[serde(rename = "store")]
    pub(crate) stores: Vec<StorePlace>,
}

/// Where the bytes of a store are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StorePlace {
    /// What messages call it.
    pub(crate) name: String,
    /// The disk by its serial number.
    pub(crate) disk: String,
    /// A file on the disk's ext4; the disk itself if none is named.
    pub(crate) file: Option<String>,
}

/// A way into the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// As on a real box.
    Firmware,
    /// The kernel loaded by QEMU.
    Direct,
}

/// The type of the image that is booted, and the drive that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Found {
    /// The raw disk, grown to the board's size.
    #[default]
    Disk,
    /// The same in QEMU's format, as it is.
    Qcow2,
    /// The ISO in a CD drive, and no disk of the image.
    Cd,
    /// The ISO on a USB stick, and no disk of the image.
    Stick,
}

impl Found {
    /// The image type that has to be made for it; the raw disk is always there.
    fn image_type(self) -> Option<ImageType> {
        match self {
            Self::Disk => None,
            Self::Qcow2 => Some(ImageType::Qcow2),
            Self::Cd | Self::Stick => Some(ImageType::Iso),
        }
    }
}

/// A way to end or to start over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Power {
    /// `poweroff` in the guest; its scripts run, and QEMU must end by itself.
    Off,
    /// `reboot` in the guest; its agent must speak again.
    Reboot,
    /// The plug is pulled.
    Cut,
}

impl Scenario {
    /// Reads and checks the file at `path`.
    pub(crate) fn read(path: &Path) -> miette::Result<Self> {
        let text = std::fs::read_to_string(path).into_diagnostic();
        let mut scenario =
            text.and_then(|text| Self::parse(&text)).wrap_err_with(|| path.display().to_string())?;
        scenario.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(scenario)
    }

    fn parse(text: &str) -> miette::Result<Self> {
        let scenario: Self = toml::from_str(text).map_err(|error| miette!("{error}"))?;
        scenario.check()?;
        Ok(scenario)
    }

    /// What the types cannot say.
    fn check(&self) -> miette::Result<()> {
        if self.boards.is_empty() {
            return Err(miette!("`boards` names no board, so the scenario would never be played"));
        }
        if let Some(allow) = self.allow.iter().find(|allow| allow.reason.trim().is_empty()) {
            return Err(miette!("`{}` is allowed without a reason", allow.pattern));
        }
        let proves = |step: &Step| match step {
            Step::Boot { .. } | Step::Power { .. } | Step::Unplug { .. } | Step::Type { .. } => false,
            Step::Exec { .. } | Step::Wait { .. } | Step::KernelOptions {} | Step::Outside { .. } => true,
            Step::Cuts(cuts) => cuts.times > 0 && !cuts.stores.is_empty(),
            Step::Console { expect, reject, .. } => !(expect.is_empty() && reject.is_empty()),
        };
        if !self.steps.iter().any(proves) {
            return Err(miette!("no step looks at anything, so the scenario could not fail"));
        }
        for step in &self.steps {
            if let Step::Boot { through, from, as_shipped, .. } = step {
                let shipped = *through == Way::Firmware && *as_shipped && self.cmdline.is_empty();
                if *from != Found::Disk && !shipped {
                    return Err(miette!(
                        "only the disk can be booted other than as it ships, through firmware"
                    ));
                }
            }
        }
        self.check_order()
    }

    /// The image types that its boots need beside the raw disk.
    pub(crate) fn image_types(&self) -> Vec<ImageType> {
        let needed = |step: &Step| match step {
            Step::Boot { from, .. } => from.image_type(),
            _ => None,
        };
        self.steps.iter().filter_map(needed).collect()
    }

    /// Steps for a running guest come while one runs, the others while none does.
    fn check_order(&self) -> miette::Result<()> {
        let mut on = false;
        for (number, step) in self.steps.iter().enumerate() {
            let needs_on = !matches!(step, Step::Boot { .. } | Step::Outside { .. });
            if needs_on != on {
                let state = if on { "on" } else { "off" };
                return Err(miette!("step {} cannot be done while the guest is {state}", number + 1));
            }
            on = match step {
                Step::Boot { .. } => true,
                Step::Power { how, .. } => *how == Power::Reboot,
                Step::Cuts(_) => false,
                _ => on,
            };
        }
        Ok(())
    }

    /// Whether it is played with such modules; `forced` if they were asked for, whatever the file says.
    pub(crate) fn is_played_with(&self, writers: Writers, forced: Option<Writers>) -> bool {
        let shipped = |step: &Step| matches!(step, Step::Boot { as_shipped: true, .. });
        match forced {
            // What boots as it ships has the modules that ship.
            Some(forced) => writers == forced && !self.steps.iter().any(shipped),
            None if self.writers.is_empty() => writers == Writers::Wait,
            None => self.writers.contains(&writers),
        }
    }

    /// Has each step that cuts the power over and over do so `times` times.
    pub(crate) fn cut_more(&mut self, times: u32) {
        for step in &mut self.steps {
            if let Step::Cuts(cuts) = step {
                cuts.times = times;
            }
        }
    }

    /// Whether a guest's state has to be saved.
    pub(crate) fn saves_state(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Cuts(_)))
    }

    /// Whether it makes sense on `flavor`.
    pub(crate) fn fits(&self, flavor: Flavor) -> bool {
        self.flavors.is_empty() || self.flavors.contains(&flavor)
    }

    /// Patterns of console lines that are no reason to worry.
    pub(crate) fn allowed(&self) -> Vec<Regex> {
        self.allow.iter().map(|allow| allow.pattern.clone()).collect()
    }
}

fn boot_deadline() -> f64 {
    60.0
}

fn wait_deadline() -> f64 {
    60.0
}

fn exec_deadline() -> f64 {
    60.0
}

fn power_deadline() -> f64 {
    60.0
}

fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Size, D::Error> {
    Size::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn regex<'de, D: Deserializer<'de>>(from: D) -> Result<Regex, D::Error> {
    Regex::new(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn regexes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Regex>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| Regex::new(text).map_err(serde::de::Error::custom)).collect()
}

fn flavors<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Flavor>, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    let flavor =
        |name: &String| <Flavor as clap::ValueEnum>::from_str(name, false).map_err(serde::de::Error::custom);
    names.iter().map(flavor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(steps: &str) -> Result<Scenario, String> {
        let text = format!("title = \"t\"\nboards = [\"b\"]\n{steps}");
        Scenario::parse(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_scenario_in_the_repository_is_well_formed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/scenarios");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            Scenario::read(&entry.unwrap().path()).unwrap_or_else(|error| panic!("{error:?}"));
            count += 1;
        }
        assert!(count > 0);
    }

    #[test]
    fn a_scenario_that_cannot_fail_is_refused() {
        let error = parse("[[step]]\ndo = \"boot\"\nthrough = \"direct\"\n").unwrap_err();
        assert!(error.contains("could not fail"), "{error}");
        let error = parse("[[step]]\ndo = \"exec\"\nrun = \"true\"\n").unwrap_err();
        assert!(error.contains("step 1 cannot be done while the guest is off"), "{error}");
    }

    #[test]
    fn other_images_are_booted_as_they_ship() {
        let boot = |rest: &str| {
            parse(&format!("[[step]]\ndo = \"boot\"\nthrough = \"firmware\"\n{rest}\n[[step]]\ndo = \"wait\"\nline = \"x\"\n"))
        };
        assert_eq!(boot("from = \"cd\"\nas_shipped = true").unwrap().image_types(), [ImageType::Iso]);
        assert_eq!(boot("").unwrap().image_types(), []);
        let error = boot("from = \"qcow2\"").unwrap_err();
        assert!(error.contains("as it ships"), "{error}");
    }

    #[test]
    fn other_modules_are_asked_for_by_the_file_or_by_who_runs_it() {
        let played = |text: &str, forced| {
            let scenario = Scenario::parse(&format!("title = \"t\"\nboards = [\"b\"]\n{text}")).unwrap();
            [Writers::Wait, Writers::Leave].map(|writers| scenario.is_played_with(writers, forced))
        };
        let boot = |rest: &str| {
            format!("[[step]]\ndo = \"boot\"\nthrough = \"firmware\"\n{rest}[[step]]\ndo = \"wait\"\nline = \"x\"\n")
        };
        let (plain, shipped) = (boot(""), boot("as_shipped = true\n"));
        let both = format!("writers = [\"wait\", \"leave\"]\n{plain}");
        assert_eq!(played(&plain, None), [true, false]);
        assert_eq!(played(&both, None), [true, true]);
        assert_eq!(played(&plain, Some(Writers::Leave)), [false, true]);
        assert_eq!(played(&shipped, Some(Writers::Leave)), [false, false]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let boot = "[[step]]\ndo = \"boot\"\nthrough = \"direct\"\n";
        let error =
            parse(&format!("{boot}[[step]]\ndo = \"exec\"\nrun = \"true\"\nexpct = []\n")).unwrap_err();
        assert!(error.contains("expct"), "{error}");
        let error = parse(&format!("{boot}[[step]]\ndo = \"wait\"\nline = \"(\"\n")).unwrap_err();
        assert!(error.contains("unclosed group"), "{error}");
        let error =
            parse("[[allow]]\npattern = \"x\"\nreason = \" \"\n[[step]]\ndo=\"boot\"\nthrough=\"direct\"\n");
        assert!(error.unwrap_err().contains("without a reason"));
    }
}
