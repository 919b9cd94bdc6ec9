// SPDX-License-Identifier: GPL-2.0-only

//! The pages of a command's data.
//!
//! C header: [`include/linux/scatterlist.h`](srctree/include/linux/scatterlist.h)

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use kernel::bindings as c;

use super::bindings;

/// Walks a scatter list, chained or not.
///
/// # Invariants
///
/// `left` more entries follow from `sg` on, all of them valid for `'a`.
pub struct Segments<'a> {
    sg: *mut c::scatterlist,
    left: u32,
    _list: PhantomData<&'a c::scatterlist>,
}

impl Segments<'_> {
    /// # Safety
    ///
    /// `sg` must start a list of `nents` entries that stays as it is while the result lives.
    pub(super) unsafe fn new(sg: *mut c::scatterlist, nents: u32) -> Self {
        // INVARIANT: By this function's contract.
        Self {
            sg,
            left: nents,
            _list: PhantomData,
        }
    }

    /// Fills `table` with the next segments, at most `max_bytes` of them; returns the entries filled and their bytes.
    pub(super) fn fill<'t>(
        &mut self,
        table: &'t mut [MaybeUninit<c::bio_vec>],
        max_bytes: u64,
    ) -> (&'t [c::bio_vec], u64) {
        let mut bytes: u64 = 0;
        let mut used: usize = 0;
        for slot in table.iter_mut() {
            let room = max_bytes.saturating_sub(bytes);
            if room == 0 {
                break;
            }
            let Some(mut vec) = self.next() else { break };
            vec.bv_len = u64::from(vec.bv_len).min(room) as u32;
            bytes = bytes.saturating_add(u64::from(vec.bv_len));
            slot.write(vec);
            used = used.saturating_add(1);
        }
        // SAFETY: The first `used` entries of the table were written.
        let filled = unsafe { core::slice::from_raw_parts(table.as_ptr().cast(), used) };
        (filled, bytes)
    }
}

/// What segments have to be multiples of, where storage takes them as they lie: masks of the bits that must be zero.
#[derive(Clone, Copy)]
pub(super) struct Fit {
    /// Of where they begin in their page.
    memory: u32,
    /// Of their bytes.
    length: u32,
}

impl Fit {
    /// For storage that wants memory and lengths in multiples of powers of two. Storage may have to cut a transfer behind any
    /// segment, so each is of whole blocks.
    pub(super) const fn of_units(memory: u32, length: u32) -> Self {
        let memory = memory.saturating_sub(1);
        Self {
            memory,
            length: memory | length.saturating_sub(1),
        }
    }

    /// Bytes that every transfer is a multiple of.
    pub(super) const fn unit(self) -> u32 {
        self.length.wrapping_add(1)
    }

    /// Whether a segment is so.
    #[inline]
    pub(super) fn takes(self, segment: &c::bio_vec) -> bool {
        segment.bv_offset & self.memory == 0 && segment.bv_len & self.length == 0
    }
}

impl Iterator for Segments<'_> {
    type Item = c::bio_vec;

    #[inline]
    fn next(&mut self) -> Option<c::bio_vec> {
        self.left = self.left.checked_sub(1)?;
        let sg = self.sg;
        // SAFETY: By the type's invariant `sg` is a valid entry, and the next one exists unless this was the last.
        unsafe {
            if self.left > 0 {
                self.sg = bindings::scst_helper_sg_next(sg);
            }
            Some(c::bio_vec {
                bv_page: bindings::scst_helper_sg_page(sg),
                bv_len: (*sg).length,
                bv_offset: (*sg).offset,
            })
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}
