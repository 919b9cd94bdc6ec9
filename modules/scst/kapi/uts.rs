// SPDX-License-Identifier: GPL-2.0-only

//! What the kernel says of itself.
//!
//! C header: [`include/linux/utsname.h`](srctree/include/linux/utsname.h)

use kernel::fmt;
use kernel::prelude::*;
use kernel::str::CStr;

use super::bindings;

/// The kernel's release, as `uname -r` prints it.
pub(crate) fn release() -> impl fmt::Display {
    // SAFETY: A C string that never goes.
    unsafe { CStr::from_char_ptr(bindings::scst_helper_kernel_release()) }
        .to_str()
        .unwrap_or("")
}

/// The architecture, as `uname -m` prints it.
pub(crate) fn machine() -> impl fmt::Display {
    // SAFETY: A C string that never goes.
    unsafe { CStr::from_char_ptr(bindings::scst_helper_kernel_machine()) }
        .to_str()
        .unwrap_or("")
}
