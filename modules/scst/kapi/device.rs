// SPDX-License-Identifier: GPL-2.0-only

//! Devices of the driver model that stand for nothing physical: the parents of our SCSI hosts.
//!
//! C header: [`include/linux/device.h`](srctree/include/linux/device.h)

use core::ptr::NonNull;

use kernel::bindings as c;
use kernel::device::Device;
use kernel::error::from_err_ptr;
use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::atomic::{Atomic, Full, Relaxed};
use kernel::sync::rcu;

use super::{bindings, sysfs};

/// Virtual devices whose memory is not yet freed.
static LIVE: Atomic<i32> = Atomic::new(0);

/// The C side of a device.
pub(super) fn raw(device: &Device) -> *mut c::device {
    // CAST: `Device` is a transparent wrapper of the C struct.
    core::ptr::from_ref(device).cast_mut().cast()
}

/// A device right below `/sys/devices`.
///
/// # Invariants
///
/// The pointer is a registered root device of ours.
pub struct RootDevice(NonNull<c::device>);

// SAFETY: The driver model may be used from any thread.
unsafe impl Send for RootDevice {}
// SAFETY: As above.
unsafe impl Sync for RootDevice {}

impl RootDevice {
    /// Registers `/sys/devices/<name>`.
    pub fn new(name: &CStr, module: &'static ThisModule) -> Result<Self> {
        // SAFETY: The name is copied; the module is the caller's own.
        let dev = from_err_ptr(unsafe {
            c::__root_device_register(name.as_char_ptr(), module.as_ptr())
        })?;
        NonNull::new(dev).map(Self).ok_or(ENOMEM)
    }
}

impl Drop for RootDevice {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { c::root_device_unregister(self.0.as_ptr()) };
    }
}

/// A device below a [`RootDevice`].
///
/// # Invariants
///
/// The pointer is a registered device of ours, of which we own one reference.
pub struct VirtualDevice(NonNull<c::device>);

// SAFETY: The driver model may be used from any thread.
unsafe impl Send for VirtualDevice {}
// SAFETY: As above.
unsafe impl Sync for VirtualDevice {}

impl VirtualDevice {
    /// Registers `name` below `parent`; the name must not be taken there.
    pub fn new(parent: &RootDevice, name: &CStr) -> Result<Self> {
        // SAFETY: The parent is registered. C answers a name that is taken with a warning and a stack trace.
        if unsafe { sysfs::is_taken(&raw mut (*parent.0.as_ptr()).kobj, name) } {
            return Err(EEXIST);
        }
        let dev = NonNull::from(KBox::leak(KBox::new(
            pin_init::zeroed::<c::device>(),
            GFP_KERNEL,
        )?));
        LIVE.fetch_add(1, Relaxed);
        // SAFETY: The device is zeroed memory of ours that `release` frees with the last reference; the parent is
        // registered; the name is copied.
        let ret = unsafe {
            c::device_initialize(dev.as_ptr());
            (*dev.as_ptr()).release = Some(release);
            (*dev.as_ptr()).parent = parent.0.as_ptr();
            match bindings::scst_helper_device_set_name(dev.as_ptr(), name.as_char_ptr()) {
                0 => c::device_add(dev.as_ptr()),
                error => error,
            }
        };
        if ret != 0 {
            // SAFETY: Gives up the reference that `device_initialize` made.
            unsafe { c::put_device(dev.as_ptr()) };
            return Err(Error::from_errno(ret));
        }
        // INVARIANT: Just registered.
        Ok(Self(dev))
    }

    /// The device itself.
    pub fn device(&self) -> &Device {
        // SAFETY: By the type's invariant.
        unsafe { Device::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for VirtualDevice {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { c::device_unregister(self.0.as_ptr()) };
    }
}

/// Waits until the memory of every virtual device was freed. For the end of the module that made the SCSI hosts: a host
/// keeps its parent, and with it this module's code, for as long as somebody has one of its devices open.
pub fn drain() {
    while LIVE.load(Relaxed) != 0 {
        super::msleep(5);
    }
    rcu::synchronize_rcu();
}

/// # Safety
///
/// Called by C with a device of ours that nobody refers to any more.
unsafe extern "C" fn release(dev: *mut c::device) {
    // SAFETY: `VirtualDevice::new` leaked it from a box.
    drop(unsafe { KBox::from_raw(dev) });
    // `drain` waits for this section too, so that the code is still there when it ends.
    let _guard = rcu::read_lock();
    LIVE.fetch_sub(1, Full);
}
