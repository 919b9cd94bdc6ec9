// SPDX-License-Identifier: GPL-2.0-only

//! Module parameters that can be seen in `/sys/module`, and some of them written.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)
//!
//! They are declared in C, as `module!` shows none in sysfs. What is written there is valid from the next time on that
//! somebody looks.

use core::ptr::NonNull;

use kernel::prelude::*;
use kernel::str::CStr;

use super::bindings::{self, scst_parameters};

/// Reads one field of scst's own parameters.
macro_rules! param {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name() -> $type {
            // SAFETY: The static exists as long as this module; C writes a whole value at once.
            unsafe { (&raw const scst_parameters.$name).read_volatile() }
        }
    )*};
}

param! {
    /// Threads of the global pool.
    scst_threads: i32;
    /// A new virtual device gets a LUN in the copy manager's target.
    auto_cm_assignment: bool;
    /// Replacing a LUN does not wait for the commands of the device that goes.
    async_lun_replace: bool;
    /// What nexuses know of access states is compared with what the groups say, whenever that changes.
    alua_invariant_check: bool;
    /// A group that is deleted takes its sessions along.
    forcibly_close_sessions: bool;
}

/// Sets what `async_lun_replace` says, which is a file of the tree too.
pub(crate) fn set_async_lun_replace(on: bool) {
    // SAFETY: As in `param`.
    unsafe { (&raw mut scst_parameters.async_lun_replace).write_volatile(on) };
}

/// Puts figures that make sense in the place of those that do not, before anybody sees them. Called once, by module
/// init.
pub(crate) fn settle() {
    // SAFETY: Nobody else writes these, as their mode is 0444; for the rest as in `param`.
    unsafe {
        let p = &raw mut scst_parameters;
        let cpus = kernel::cpu::nr_cpu_ids() as i32;
        if (*p).scst_threads < 1 {
            if (*p).scst_threads < 0 {
                pr_err!("scst_threads can not be less than 1, using {cpus}\n");
            }
            (*p).scst_threads = cpus;
        }
        if (*p).scst_max_cmd_mem < 1 {
            (*p).scst_max_cmd_mem = (bindings::scst_helper_memory_mb() / 4) as i32;
        }
        let (all, one) = ((*p).scst_max_cmd_mem, (*p).scst_max_dev_cmd_mem);
        if one < 1 {
            (*p).scst_max_dev_cmd_mem = (i64::from(all) * 2 / 5) as i32;
        } else if one > all {
            pr_err!("scst_max_dev_cmd_mem can not be more than scst_max_cmd_mem, using {all}\n");
            (*p).scst_max_dev_cmd_mem = all;
        }
    }
}

/// An integer parameter of a module, mode 0444.
pub struct IntParam(NonNull<i32>);

impl IntParam {
    /// The parameter `name` of `module`; `None` where it has none of this name and type.
    pub fn of(module: &'static ThisModule, name: &CStr) -> Option<Self> {
        // SAFETY: The module is loaded, as somebody has a reference to it for ever.
        NonNull::new(unsafe {
            bindings::scst_helper_int_param(module.as_ptr(), name.as_char_ptr())
        })
        .map(Self)
    }

    /// Its value.
    pub fn get(&self) -> i32 {
        // SAFETY: A parameter lives as long as its module.
        unsafe { self.0.as_ptr().read_volatile() }
    }

    /// Gives it another value, for those who read the file.
    pub fn set(&self, value: i32) {
        // SAFETY: As in `get`.
        unsafe { self.0.as_ptr().write_volatile(value) };
    }
}

/// The value of the bool parameter `name` of `module`; `None` where it has none of this name and type.
pub fn bool_param(module: &'static ThisModule, name: &CStr) -> Option<bool> {
    // SAFETY: As in `IntParam::of`.
    let param = unsafe { bindings::scst_helper_bool_param(module.as_ptr(), name.as_char_ptr()) };
    // SAFETY: As in `IntParam::get`.
    NonNull::new(param).map(|p| unsafe { p.as_ptr().read_volatile() })
}
