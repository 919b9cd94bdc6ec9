// SPDX-License-Identifier: GPL-2.0-only

//! Counters of which every CPU has its own: counting costs no shared cache line, summing up looks at all CPUs.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use core::ptr::NonNull;

use kernel::prelude::*;

use super::bindings;

/// `N` groups of three counters.
///
/// # Invariants
///
/// The pointer is what `scst_helper_counters_alloc` gave for `3 * N` counters.
pub struct Triples<const N: usize>(NonNull<u64>);

// SAFETY: The counters may be used from any thread.
unsafe impl<const N: usize> Send for Triples<N> {}
// SAFETY: Adding is atomic against interrupts of its own CPU, and only the own CPU adds.
unsafe impl<const N: usize> Sync for Triples<N> {}

impl<const N: usize> Triples<N> {
    /// Counters that are all 0. Sleeps.
    pub fn new() -> Result<Self> {
        // SAFETY: May be called where sleeping is allowed.
        let ptr = unsafe { bindings::scst_helper_counters_alloc(3 * N) };
        // INVARIANT: Just made.
        NonNull::new(ptr).map(Self).ok_or(ENOMEM)
    }

    /// Adds to the three counters of group `at`; nothing where there is no such group. Any context.
    #[inline]
    pub fn add(&self, at: usize, values: [u64; 3]) {
        if at < N {
            let [a, b, c] = values;
            // SAFETY: By the type's invariant, and the three are inside.
            unsafe { bindings::scst_helper_counters_add(self.0.as_ptr(), 3 * at, a, b, c) };
        }
    }

    /// The sum over all CPUs of counter `which` of group `at`. Any context.
    pub fn sum(&self, at: usize, which: usize) -> u64 {
        if at >= N || which >= 3 {
            return 0;
        }
        // SAFETY: By the type's invariant, and the counter is inside.
        unsafe { bindings::scst_helper_counters_sum(self.0.as_ptr(), 3 * at + which) }
    }
}

impl<const N: usize> Drop for Triples<N> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant; nobody uses them any more.
        unsafe { bindings::scst_helper_counters_free(self.0.as_ptr()) };
    }
}
