// SPDX-License-Identifier: GPL-2.0-only

//! What can be set for a target's own LUNs and for each of its initiator groups.

use kernel::prelude::*;

use super::{refused, show_key, text};
use crate::group::{Place, Settings};
use crate::kapi::global;
use crate::kapi::sysfs::{Attr, Attributes, Page};
use crate::proto::cpumask;
use crate::proto::io_grouping::IoGrouping;
use crate::proto::lun::AddrMethod;
use crate::proto::mgmt;

pub(super) struct SettingsFiles(pub(super) Place);

const ADDR_METHOD: u16 = 0;
const IO_GROUPING: u16 = 1;
const BLACK_HOLE: u16 = 2;
const CPU_MASK: u16 = 3;

pub(super) static SETTINGS: [Attr; 4] = [
    Attr::new(c"addr_method", 0o644, ADDR_METHOD),
    Attr::managed(c"io_grouping_type", 0o644, IO_GROUPING),
    Attr::new(c"black_hole", 0o644, BLACK_HOLE),
    Attr::managed(c"cpu_mask", 0o644, CPU_MASK),
];

/// The words for [`AddrMethod`].
const METHODS: [(&str, AddrMethod); 3] = [
    ("PERIPHERAL", AddrMethod::Peripheral),
    ("FLAT", AddrMethod::Flat),
    ("LUN", AddrMethod::LogicalUnit),
];

impl Attributes for SettingsFiles {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        global::core()?.with_settings(&self.0, |settings| show(id, settings, page))
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        let text = text(data)?.trim();
        global::core()?.change_settings(&self.0, |settings| store(id, settings, text))
    }
}

fn show(id: u16, settings: &Settings, page: &mut Page<'_>) -> Result {
    match id {
        ADDR_METHOD => {
            let method = settings.addr_method;
            let (word, _) = METHODS.iter().find(|m| m.1 == method).ok_or(EIO)?;
            show_key(page, fmt!("{word}"), method != AddrMethod::Peripheral)
        }
        IO_GROUPING => {
            let grouping = settings.io_grouping;
            show_key(
                page,
                format_args!("{grouping}"),
                grouping != IoGrouping::Auto,
            )
        }
        // Never saved: it is for tests.
        BLACK_HOLE => show_key(page, fmt!("{}", settings.black_hole), false),
        CPU_MASK => {
            let cpus = kernel::cpu::nr_cpu_ids() as usize;
            if !settings.cpu_mask.is_empty() {
                let words = &settings.cpu_mask;
                return show_key(
                    page,
                    format_args!("{}", cpumask::Show { words, cpus }),
                    true,
                );
            }
            let mut words = KVec::with_capacity(cpus.div_ceil(32), GFP_KERNEL)?;
            for at in 0..cpus.div_ceil(32) {
                words.push(cpumask::all(at, cpus), GFP_KERNEL)?;
            }
            let words = &words;
            show_key(
                page,
                format_args!("{}", cpumask::Show { words, cpus }),
                false,
            )
        }
        _ => Err(EIO),
    }
}

fn store(id: u16, settings: &mut Settings, text: &str) -> Result {
    match id {
        ADDR_METHOD => {
            let found = METHODS.iter().find(|(word, _)| mgmt::is(text, word));
            settings.addr_method = found.ok_or(EINVAL)?.1;
        }
        IO_GROUPING => settings.io_grouping = IoGrouping::parse(text).map_err(refused)?,
        BLACK_HOLE => {
            let mode = mgmt::number(text).map_err(refused)?;
            settings.black_hole = u8::try_from(mode).ok().filter(|m| *m <= 4).ok_or(EINVAL)?;
        }
        CPU_MASK => settings.set_cpu_mask(text)?,
        _ => return Err(EIO),
    }
    Ok(())
}
