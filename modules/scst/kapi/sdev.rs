// SPDX-License-Identifier: GPL-2.0-only

//! A SCSI device, as the midlayer made it of a logical unit.
//!
//! C header: [`include/scsi/scsi_device.h`](srctree/include/scsi/scsi_device.h)

use core::ptr::{self, NonNull};

use kernel::bindings as c;
use kernel::prelude::*;
use kernel::time::msecs_to_jiffies;

use super::bindings::{self, scsi_device};

/// Bytes of the standard INQUIRY data up to the end of the product revision.
const INQUIRY_LEN: usize = 36;
/// Where the vendor, the product and the revision are in them (SPC-4 6.6.2).
const VENDOR: core::ops::Range<usize> = 8..16;
const PRODUCT: core::ops::Range<usize> = 16..32;
const REVISION: core::ops::Range<usize> = 32..36;

/// Milliseconds and tries of an INQUIRY.
const TIMEOUT_MS: u32 = 30_000;
const RETRIES: i32 = 3;

/// A reference to a SCSI device.
///
/// # Invariants
///
/// The pointer is a SCSI device of which we own one reference.
pub(super) struct Sdev(NonNull<scsi_device>);

/// What a logical unit says of itself, compared with what the midlayer took it for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// A device of the same type; the midlayer knows its names now.
    SameType,
    /// A device of another type, which needs another driver; or one that was not connected when it was found, so that no
    /// driver has taken it.
    OtherType,
    /// It did not say.
    Unknown,
}

impl Sdev {
    /// The device at `lun` of `host`, unless it is on its way out.
    ///
    /// # Safety
    ///
    /// `host` must be a host that was added and not yet put.
    pub(super) unsafe fn lookup(host: *mut bindings::Scsi_Host, lun: u32) -> Option<Self> {
        // SAFETY: By this function's contract.
        let sdev = unsafe { bindings::scsi_device_lookup(host, 0, 0, u64::from(lun)) };
        // INVARIANT: The lookup takes a reference.
        NonNull::new(sdev).map(Self)
    }

    /// The device as C wants it.
    pub(super) fn as_ptr(&self) -> *mut scsi_device {
        self.0.as_ptr()
    }

    /// Removes the device. Sleeps; sends commands.
    pub(super) fn remove(self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scsi_remove_device(self.0.as_ptr()) };
    }

    /// Has the device's driver read its capacity, and the midlayer its vital product data, again. Sleeps; sends
    /// commands.
    pub(super) fn rescan(&self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scsi_rescan_device(self.0.as_ptr()) };
    }

    /// Asks the logical unit who it is, and takes over its vendor, product and revision. The midlayer itself does that
    /// once in a device's life. Sleeps; sends a command.
    pub(super) fn identify(&self) -> Identity {
        let Ok(mut data) = KVec::from_elem(0u8, INQUIRY_LEN, GFP_KERNEL) else {
            return Identity::Unknown;
        };
        let cdb = [0x12, 0, 0, 0, INQUIRY_LEN as u8, 0];
        // SAFETY: By the type's invariant; the CDB has the length that its operation code says, and `data` that of the
        // transfer, in memory that was allocated for itself.
        let ret = unsafe {
            bindings::scsi_execute_cmd(
                self.0.as_ptr(),
                cdb.as_ptr(),
                c::req_op_REQ_OP_DRV_IN,
                data.as_mut_ptr().cast(),
                INQUIRY_LEN as u32,
                msecs_to_jiffies(TIMEOUT_MS) as i32,
                RETRIES,
                ptr::null(),
            )
        };
        let Some(first) = data.first().copied().filter(|_| ret == 0) else {
            return Identity::Unknown;
        };
        // SAFETY: By the type's invariant; the type and the qualifier are constant once the device can be looked up.
        let (known, qualifier) =
            unsafe { ((*self.0.as_ptr()).type_, (*self.0.as_ptr()).inq_periph_qual) };
        // The qualifier is in the upper bits: a logical unit that is not there at present has no identity.
        if first >> 5 != 0 {
            return Identity::Unknown;
        }
        if u32::from(first & 0x1F) != u32::from(known) || qualifier != 0 {
            return Identity::OtherType;
        }
        self.take_names(&mut data);
        Identity::SameType
    }

    /// Writes the names where the midlayer has them.
    fn take_names(&self, data: &mut [u8]) {
        let sdev = self.0.as_ptr();
        for range in [VENDOR, PRODUCT, REVISION] {
            if let Some(name) = data.get_mut(range) {
                // SAFETY: The length is the slice's.
                unsafe {
                    bindings::scsi_sanitize_inquiry_string(name.as_mut_ptr(), name.len() as i32)
                };
            }
        }
        // SAFETY: By the type's invariant the device exists. Its fields hold one byte more than each name, which stays
        // the NUL that it is; `inquiry`, where there is any, has `INQUIRY_LEN` bytes at least. Readers of either take no
        // lock, and see bytes of the old or the new name.
        unsafe {
            copy(&raw mut (*sdev).vendor, data.get(VENDOR));
            copy(&raw mut (*sdev).model, data.get(PRODUCT));
            copy(&raw mut (*sdev).rev, data.get(REVISION));
            let inquiry = (*sdev).inquiry;
            if let (Some(at), Some(names)) = (NonNull::new(inquiry), data.get(VENDOR.start..)) {
                ptr::copy_nonoverlapping(
                    names.as_ptr(),
                    at.as_ptr().add(VENDOR.start),
                    names.len(),
                );
            }
        }
    }
}

/// # Safety
///
/// `to` must be writable, and `N` greater than the length of `from`.
unsafe fn copy<T, const N: usize>(to: *mut [T; N], from: Option<&[u8]>) {
    if let Some(from) = from {
        // SAFETY: By this function's contract.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to.cast(), from.len()) };
    }
}

impl Drop for Sdev {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::scsi_device_put(self.0.as_ptr()) };
    }
}
