// SPDX-License-Identifier: GPL-2.0-only

//! Initiator groups: which LUNs the initiators of a target see, and who they are.

use kernel::prelude::*;
use kernel::rbtree::RBTree;
use kernel::sync::Arc;

use crate::alive::Kept;
use crate::device::Device;
use crate::kapi::sysfs::{Dir, NameFile};
use crate::name::Name;
use crate::proto::cpumask;
use crate::proto::io_grouping::IoGrouping;
use crate::proto::lun::AddrMethod;
use crate::proto::pattern;
use crate::target::TargetDriver;

/// Where LUNs are mapped: a target's own `luns/`, or those of one of its groups.
pub struct Place {
    /// The target driver. Whatever names a place may outlive its directories, but not the driver's module.
    pub(crate) driver: Kept<dyn TargetDriver>,
    /// The target.
    pub(crate) target: Arc<Name>,
    /// The group; `None` for the target's own LUNs.
    pub(crate) group: Option<Arc<Name>>,
}

impl Place {
    /// The target's own LUNs.
    pub(crate) fn of_target(driver: Kept<dyn TargetDriver>, target: &Arc<Name>) -> Self {
        Self {
            driver,
            target: target.clone(),
            group: None,
        }
    }

    /// The LUNs of one of the target's groups, or again its own.
    pub(crate) fn with_group(&self, group: Option<Arc<Name>>) -> Self {
        Self {
            driver: self.driver.clone(),
            target: self.target.clone(),
            group,
        }
    }

    /// The group's name, if it is one.
    pub(crate) fn group_name(&self) -> Option<&str> {
        self.group.as_ref().map(|g| g.as_str())
    }
}

impl Clone for Place {
    fn clone(&self) -> Self {
        Self {
            driver: self.driver.clone(),
            target: self.target.clone(),
            group: self.group.clone(),
        }
    }
}

/// A set of LUNs, and who sees them. Dropped only after its LUNs and directories were taken out.
pub(crate) struct Group {
    /// `None` for the target's own LUNs, which those see who are in no group.
    pub(crate) name: Option<Arc<Name>>,
    pub(crate) luns: RBTree<u16, Lun>,
    /// In the order in which they were added, which is the order in which they are tried.
    pub(crate) initiators: KVec<Initiator>,
    pub(crate) settings: Settings,
    pub(crate) dirs: Option<GroupDirs>,
    /// On its way out: nobody is put in it, and nothing can be added.
    pub(crate) removing: bool,
}

/// A pattern of initiators' names, and its file.
pub(crate) struct Initiator {
    pub(crate) pattern: Name,
    pub(crate) _file: NameFile,
}

/// The directories of a group, children first. The target's own LUNs have the first only.
pub(crate) struct GroupDirs {
    pub(crate) luns: Dir,
    pub(crate) initiators: Option<Dir>,
    pub(crate) _dir: Option<Dir>,
}

/// A device at a LUN, for all sessions of the group.
pub(crate) struct Lun {
    pub(crate) device: Arc<Device>,
    pub(crate) read_only: bool,
    pub(crate) dir: Option<Dir>,
    /// Number of the link in the device's `exported/`.
    pub(crate) export: u32,
    pub(crate) state: LunState,
}

/// Who may touch a LUN.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LunState {
    /// Seen, and anybody's.
    Shown,
    /// Seen; somebody is putting another device in its place.
    Changing,
    /// Seen no more; somebody is taking it away.
    Removing,
}

/// What can be set for each group.
pub(crate) struct Settings {
    pub(crate) addr_method: AddrMethod,
    pub(crate) io_grouping: IoGrouping,
    /// 0 off, 1 and 2 swallow every command, 3 and 4 those that move blocks.
    pub(crate) black_hole: u8,
    /// A word for 32 CPUs, the lowest first; empty for all of them.
    pub(crate) cpu_mask: KVec<u32>,
}

impl Settings {
    pub(crate) fn new() -> Self {
        Self {
            addr_method: AddrMethod::Peripheral,
            io_grouping: IoGrouping::Auto,
            black_hole: 0,
            cpu_mask: KVec::new(),
        }
    }

    /// Takes a CPU mask as text. `EINVAL`, or `EOVERFLOW` for a CPU that does not exist.
    pub(crate) fn set_cpu_mask(&mut self, text: &str) -> Result {
        let cpus = kernel::cpu::nr_cpu_ids() as usize;
        let mut words = KVec::from_elem(0, cpus.div_ceil(32).max(1), GFP_KERNEL)?;
        cpumask::parse(text, cpus, &mut words).map_err(|e| match e {
            cpumask::Error::Inval => EINVAL,
            cpumask::Error::Overflow => EOVERFLOW,
        })?;
        if cpumask::is_all(&words, cpus) {
            words.clear();
        }
        self.cpu_mask = words;
        Ok(())
    }
}

impl Group {
    pub(crate) fn new(name: Option<Arc<Name>>, dirs: GroupDirs) -> Self {
        Self {
            name,
            luns: RBTree::new(),
            initiators: KVec::new(),
            settings: Settings::new(),
            dirs: Some(dirs),
            removing: false,
        }
    }

    /// The group's name, if it is one.
    pub(crate) fn group_name(&self) -> Option<&str> {
        self.name.as_ref().map(|g| g.as_str())
    }

    /// Whether an initiator of this name belongs here.
    pub(crate) fn takes(&self, initiator: &str) -> bool {
        !self.removing
            && self
                .initiators
                .iter()
                .any(|i| pattern::matches(i.pattern.as_str(), initiator))
    }

    /// The LUNs that nobody is taking away, in ascending order.
    pub(crate) fn lun_list(&self) -> Result<KVec<u16>> {
        let mut list = KVec::new();
        for (lun, _) in self
            .luns
            .iter()
            .filter(|(_, l)| l.state != LunState::Removing)
        {
            list.push(*lun, GFP_KERNEL)?;
        }
        Ok(list)
    }
}

/// [`AddrMethod`] as a number that a session can keep.
pub(crate) fn addr_method(method: AddrMethod) -> i32 {
    match method {
        AddrMethod::Peripheral => 0,
        AddrMethod::Flat => 1,
        AddrMethod::LogicalUnit => 2,
    }
}

/// The way back from [`addr_method`].
pub(crate) fn addr_method_of(number: i32) -> AddrMethod {
    match number {
        1 => AddrMethod::Flat,
        2 => AddrMethod::LogicalUnit,
        _ => AddrMethod::Peripheral,
    }
}
