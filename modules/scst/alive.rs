// SPDX-License-Identifier: GPL-2.0-only

//! What belongs to another module, counted: the module stays loaded until the count is zero.

use core::ops::Deref;

use kernel::prelude::*;
use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed};
use kernel::sync::Arc;

/// The count of one handler or driver.
#[derive(Clone)]
pub(crate) struct Count(Arc<Atomic<i32>>);

impl Count {
    /// Nobody yet.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Arc::new(Atomic::new(0), GFP_KERNEL)?))
    }

    /// One more user.
    pub(crate) fn alive(&self) -> Alive {
        self.0.fetch_add(1, Relaxed);
        Alive(self.0.clone())
    }

    /// A counted reference.
    pub(crate) fn keep<T: ?Sized>(&self, what: &Arc<T>) -> Kept<T> {
        Kept {
            what: what.clone(),
            alive: self.alive(),
        }
    }

    /// Waits until there is no user left; the caller has seen to it that none comes. Sleeps.
    pub(crate) fn wait(&self) {
        while self.0.load(Acquire) != 0 {
            crate::kapi::msleep(5);
        }
    }
}

/// A user.
pub(crate) struct Alive(Arc<Atomic<i32>>);

impl Clone for Alive {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Relaxed);
        Self(self.0.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Full);
    }
}

/// An object whose code and drop belong to another module. Dropped in this order: the count last.
pub(crate) struct Kept<T: ?Sized> {
    what: Arc<T>,
    alive: Alive,
}

impl<T: ?Sized> Kept<T> {
    /// The same count for something else of the same module.
    pub(crate) fn keep<U: ?Sized>(&self, what: Arc<U>) -> Kept<U> {
        Kept {
            what,
            alive: self.alive.clone(),
        }
    }
}

impl<T: ?Sized> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self {
            what: self.what.clone(),
            alive: self.alive.clone(),
        }
    }
}

impl<T: ?Sized> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.what
    }
}
