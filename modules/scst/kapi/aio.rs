// SPDX-License-Identifier: GPL-2.0-only

//! Transfers between a command and a file that nobody waits for.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h), `struct kiocb`
//!
//! Where the file was opened to bypass the page cache, a transfer is under way when [`File::start`] returns, and ends in
//! whatever context the storage below ends it in. Other files know no such transfers: for them it is over at once.

use core::mem::{self, MaybeUninit};
use core::ptr::{self, NonNull};

use kernel::bindings as c;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Full};
use kernel::sync::rcu;

use super::bdev::InlineBio;
use super::bindings;
use super::cmnd::{Cmnd, Private};
use super::file::{File, Transfer};
use super::workq::Carrier;

/// Segments that fit a command's own memory beside the rest.
const INLINE_VECS: usize = 4;

/// A transfer in the memory of the command that it belongs to, where other stores have a bio.
#[repr(C)]
struct Kio {
    /// First, as this is what C gives back.
    iocb: c::kiocb,
    owner: *mut Private,
    /// A table of segments of its own, if the inline one is too small.
    table: *mut c::bio_vec,
    table_len: usize,
    vecs: [MaybeUninit<c::bio_vec>; INLINE_VECS],
    result: isize,
    /// Those who still use this: who starts the transfer, and the transfer. The last one ends the command.
    users: Atomic<i32>,
}

impl Kio {
    /// Frees the table of its own, if there is one.
    ///
    /// # Safety
    ///
    /// The table must be what `prepare` took apart, and in use no more.
    unsafe fn drop_table(&self) {
        if self.table.is_null() {
            return;
        }
        // SAFETY: By this function's contract.
        drop(unsafe {
            KVec::from_raw_parts(
                self.table.cast::<MaybeUninit<c::bio_vec>>(),
                0,
                self.table_len,
            )
        });
    }
}

const _: () = assert!(mem::size_of::<Kio>() <= mem::size_of::<InlineBio>());
const _: () = assert!(mem::align_of::<Kio>() <= mem::align_of::<InlineBio>());

/// What to move.
#[derive(Clone, Copy)]
pub struct FileIo {
    /// Which way.
    pub way: Transfer,
    /// First byte in the file.
    pub pos: u64,
    /// Bytes, from the start of the command's buffer on.
    pub len: u64,
    /// A write ends when its data, and what is needed to find it, is on stable storage.
    pub durable: bool,
}

impl File {
    /// Starts a transfer. `done` ends the command, in any context, with the bytes moved; it must not sleep. Where the
    /// transfer was over at once, or could not be started, the command comes back with the result. Sleeps; not from a
    /// submitter's context.
    pub fn start<T: Carrier + 'static>(
        &self,
        cmd: T,
        io: FileIo,
        done: fn(T, Result<u64>),
    ) -> Option<(T, Result<u64>)> {
        let (cmnd, rest) = cmd.split();
        let private = cmnd.private().as_ptr();
        // SAFETY: The command's memory is ours until it is given back, and large enough by the assertion above.
        let kio = unsafe { (&raw mut (*private).bio).cast::<Kio>() };
        let mut iter = MaybeUninit::<c::iov_iter>::uninit();
        // SAFETY: As above; nothing of it is in use.
        if let Err(e) = unsafe { self.prepare::<T>(kio, &cmnd, io, &mut iter) } {
            return Some((T::join(cmnd, rest), Err(e)));
        }
        cmnd.park(rest);
        // SAFETY: Prepared above; the pages stay while the command is parked. When the call says that it is not over,
        // `ended` is called once, and else never.
        unsafe {
            (*kio).owner = private;
            (*private).run = done as *const ();
            let ret = bindings::scst_helper_iocb_submit(
                &raw mut (*kio).iocb,
                iter.as_mut_ptr(),
                io.way == Transfer::Write,
            );
            if ret == -(c::EIOCBQUEUED as isize) {
                let _guard = rcu::read_lock();
                if (*kio).users.fetch_sub(1, Full) == 1 {
                    conclude::<T>(kio);
                }
                return None;
            }
            Some(take::<T>(kio, ret))
        }
    }

    /// Lays a transfer out.
    ///
    /// # Safety
    ///
    /// `kio` must be writable memory that nobody uses.
    unsafe fn prepare<T: Carrier + 'static>(
        &self,
        kio: *mut Kio,
        cmnd: &Cmnd,
        io: FileIo,
        iter: &mut MaybeUninit<c::iov_iter>,
    ) -> Result {
        let pos = c::loff_t::try_from(io.pos).map_err(|_| EINVAL)?;
        let mut segments = cmnd.segments();
        let count = segments.size_hint().0;
        let (mut table, mut table_len) = (ptr::null_mut(), 0);
        if count > INLINE_VECS {
            let vec = KVec::<MaybeUninit<c::bio_vec>>::with_capacity(count, GFP_KERNEL)?;
            let (ptr, _, capacity) = vec.into_raw_parts();
            (table, table_len) = (ptr.cast::<c::bio_vec>(), capacity);
        }
        // SAFETY: By this function's contract; a table of our own has room for `table_len` segments.
        unsafe {
            kio.write(Kio {
                iocb: pin_init::zeroed(),
                owner: ptr::null_mut(),
                table,
                table_len,
                vecs: [const { MaybeUninit::uninit() }; INLINE_VECS],
                result: 0,
                users: Atomic::new(2),
            });
            let room: &mut [MaybeUninit<c::bio_vec>] = if table.is_null() {
                &mut (*kio).vecs
            } else {
                core::slice::from_raw_parts_mut(table.cast(), table_len)
            };
            let (filled, bytes) = segments.fill(room, io.len);
            if !self.takes(filled) {
                (*kio).drop_table();
                return Err(EINVAL);
            }
            let way = match io.way {
                Transfer::Read => c::ITER_DEST,
                Transfer::Write => c::ITER_SOURCE,
            };
            c::iov_iter_bvec(
                iter.as_mut_ptr(),
                way,
                filled.as_ptr(),
                filled.len(),
                bytes as usize,
            );
            let iocb = &raw mut (*kio).iocb;
            bindings::scst_helper_iocb_init(
                iocb,
                self.raw(),
                io.way == Transfer::Write,
                io.durable,
            );
            (*iocb).ki_pos = pos;
            (*iocb).ki_complete = Some(ended::<T>);
        }
        Ok(())
    }
}

/// # Safety
///
/// Called by C once, when a transfer that was not over at once has ended, in any context. `T` is its command's.
unsafe extern "C" fn ended<T: Carrier + 'static>(iocb: *mut c::kiocb, ret: kernel::ffi::c_long) {
    let _guard = rcu::read_lock();
    // CAST: `iocb` is the first field of a `Kio`.
    let kio = iocb.cast::<Kio>();
    // SAFETY: By this function's contract; the memory stays until the last user has let go.
    unsafe {
        (*kio).result = ret;
        if (*kio).users.fetch_sub(1, Full) != 1 {
            return;
        }
        if bindings::scst_helper_iocb_is_durable(iocb) {
            // Storage may end these with its flush queue locked; see `bdev`.
            let work = (&raw mut (*(*kio).owner).work).cast::<c::work_struct>();
            bindings::scst_helper_init_work(work, Some(ended_later::<T>));
            c::kblockd_schedule_work(work);
        } else {
            conclude::<T>(kio);
        }
    }
}

/// # Safety
///
/// Called by C with the work item of a command whose transfer has ended, as [`conclude`] wants it.
unsafe extern "C" fn ended_later<T: Carrier + 'static>(work: *mut c::work_struct) {
    let _guard = rcu::read_lock();
    // CAST: `work` is the first field of `Private`.
    // SAFETY: By this function's contract.
    unsafe { conclude::<T>((&raw mut (*work.cast::<Private>()).bio).cast()) };
}

/// Ends a command whose transfer has ended.
///
/// # Safety
///
/// `kio` must have no users any more, and belong to a command that was parked for the same `T` with a matching `run`.
unsafe fn conclude<T: Carrier + 'static>(kio: *mut Kio) {
    // SAFETY: By this function's contract.
    unsafe {
        let private = (*kio).owner;
        let done = mem::transmute::<*const (), fn(T, Result<u64>)>((*private).run);
        let (cmd, result) = take::<T>(kio, (*kio).result);
        done(cmd, result);
    }
}

/// Takes the command out of its memory again, with what its transfer came to.
///
/// # Safety
///
/// As [`conclude`].
unsafe fn take<T: Carrier + 'static>(kio: *mut Kio, ret: isize) -> (T, Result<u64>) {
    // SAFETY: By this function's contract; the table is what `prepare` took apart.
    unsafe {
        bindings::scst_helper_iocb_finish(&raw mut (*kio).iocb);
        (*kio).drop_table();
        let result = match u64::try_from(ret) {
            Ok(bytes) => Ok(bytes),
            Err(_) => to_result(ret as i32).map(|()| 0),
        };
        let private = NonNull::new_unchecked((*kio).owner);
        let (cmnd, rest) = Cmnd::unpark::<T::Rest>(private);
        (T::join(cmnd, rest), result)
    }
}
