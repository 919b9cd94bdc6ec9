// SPDX-License-Identifier: GPL-2.0-only

//! The pages of a command's data.
//!
//! C header: [`include/linux/scatterlist.h`](srctree/include/linux/scatterlist.h)

use core::marker::PhantomData;

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

    /// Fills `table` with the next pages, at most `max_bytes` of them; returns the entries used and their bytes.
    pub(super) fn fill(&mut self, table: &mut [c::bio_vec], max_bytes: u64) -> (usize, u64) {
        let mut bytes = 0;
        let mut used = 0;
        for slot in table {
            if bytes == max_bytes {
                break;
            }
            let Some(mut vec) = self.next() else { break };
            let room = max_bytes - bytes;
            if u64::from(vec.bv_len) > room {
                vec.bv_len = room as u32;
            }
            bytes += u64::from(vec.bv_len);
            *slot = vec;
            used += 1;
        }
        (used, bytes)
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
