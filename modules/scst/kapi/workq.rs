// SPDX-License-Identifier: GPL-2.0-only

//! Running a command, or something else, where it may sleep.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::ptr::NonNull;

use kernel::bindings as c;
use kernel::prelude::*;
use kernel::str::CStr;
use kernel::workqueue::{Queue, Work, WorkItem};

use super::bindings;
use super::cmnd::{Cmnd, Private};
use super::noio::{LocalThrottle, NoIo};

/// Something that carries a command.
pub trait Carrier: Sized {
    /// What it knows beside the command.
    type Rest: Send + 'static;

    /// Nobody waits for what the command does any more.
    fn is_aborted(&self) -> bool;

    /// Ends an aborted command without carrying it out.
    fn end_aborted(self);

    /// Takes it apart.
    fn split(self) -> (Cmnd, Self::Rest);

    /// Puts it together again.
    fn join(cmnd: Cmnd, rest: Self::Rest) -> Self;
}

/// A workqueue that makes progress when memory is short, as one on the way to a disk must.
///
/// # Invariants
///
/// The pointer is a workqueue of ours.
pub struct WorkQueue(NonNull<c::workqueue_struct>);

// SAFETY: A workqueue may be used from any thread.
unsafe impl Send for WorkQueue {}
// SAFETY: As above.
unsafe impl Sync for WorkQueue {}

impl WorkQueue {
    /// A queue that runs up to `max_active` commands at once; 0 for the kernel's default.
    pub fn new(name: &CStr, max_active: u32) -> Result<Self> {
        let flags = c::wq_flags_WQ_MEM_RECLAIM | c::wq_flags_WQ_UNBOUND;
        // SAFETY: The format takes one string, which is copied.
        let wq = unsafe {
            c::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                flags,
                max_active as i32,
                name.as_char_ptr(),
            )
        };
        // INVARIANT: Just made.
        NonNull::new(wq).map(Self).ok_or(ENOMEM)
    }

    /// Runs up to `max_active` commands at once from now on, but no more than the kernel allows; those under way go on.
    /// Sleeps.
    pub fn limit(&self, max_active: u32) {
        let most = max_active.clamp(1, c::wq_consts_WQ_MAX_ACTIVE);
        // SAFETY: By the type's invariant.
        unsafe { c::workqueue_set_max_active(self.0.as_ptr(), most as i32) };
    }

    /// Runs `f` with `cmd` on this queue, in a scope where no allocation starts I/O; a command that was aborted when its turn
    /// comes is ended instead. Any context; allocates nothing.
    pub fn run<T: Carrier + 'static>(&self, cmd: T, f: fn(T)) {
        let (cmnd, rest) = cmd.split();
        let private = cmnd.park(rest).as_ptr();
        // SAFETY: The private memory is the parked command's, which is ours alone until `trampoline` takes it. The
        // work item is initialised anew for every use, and C does not touch it once the function has begun.
        unsafe {
            (*private).run = f as *const ();
            let work = (&raw mut (*private).work).cast::<c::work_struct>();
            bindings::scst_helper_init_work(work, Some(trampoline::<T>));
            c::queue_work_on(
                c::wq_misc_consts_WORK_CPU_UNBOUND as i32,
                self.0.as_ptr(),
                work,
            );
        }
    }
}

/// Something to run once.
trait Piece: Send {
    fn run(&mut self);
}

impl<F: FnOnce() + Send> Piece for Option<F> {
    fn run(&mut self) {
        if let Some(f) = self.take() {
            f();
        }
    }
}

/// A piece on its way through a queue.
#[pin_data]
struct PieceWork {
    #[pin]
    work: Work<Self>,
    piece: KBox<dyn Piece>,
}

kernel::impl_has_work! {
    impl HasWork<Self> for PieceWork { self.work }
}

impl PieceWork {
    fn new(piece: KBox<dyn Piece>) -> impl PinInit<Self> {
        pin_init!(Self {
            work <- kernel::new_work!("scst piece"),
            piece,
        })
    }
}

impl WorkItem for PieceWork {
    type Pointer = Pin<KBox<Self>>;

    fn run(mut this: Pin<KBox<Self>>) {
        let _scopes = (NoIo::enter(), LocalThrottle::enter());
        this.as_mut().project().piece.run();
    }
}

impl WorkQueue {
    /// Runs `f`, which belongs to no command any more, as [`WorkQueue::run`] does. Without memory for it, nothing happens and
    /// `ENOMEM` comes back. Any process context; does not wait.
    pub fn spawn(&self, f: impl FnOnce() + Send + 'static) -> Result {
        self.hand_over(KBox::new(Some(f), GFP_NOWAIT)?)
    }

    /// Not generic, and so compiled here alone: lockdep takes the work items of one function for two classes where two
    /// modules have it, each with a copy of its name. Nor by `Queue::try_spawn`, as [`Threads::spawn`] is: what runs there
    /// may wait for this queue.
    #[inline(never)]
    fn hand_over(&self, piece: KBox<dyn Piece>) -> Result {
        // SAFETY: By the type's invariant.
        let queue = unsafe { Queue::from_raw(self.0.as_ptr()) };
        queue.enqueue(KBox::pin_init(PieceWork::new(piece), GFP_NOWAIT)?);
        Ok(())
    }

    /// Waits until what was queued has ended. Sleeps; not to be called by what runs there.
    pub fn flush(&self) {
        // SAFETY: By the type's invariant.
        unsafe { c::__flush_workqueue(self.0.as_ptr()) };
    }
}

impl Drop for WorkQueue {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant; C waits for what is queued.
        unsafe { c::destroy_workqueue(self.0.as_ptr()) };
    }
}

/// Threads for what has nothing to do with I/O, each piece on one of its own.
///
/// # Invariants
///
/// The pointer is a workqueue of ours.
pub struct Threads(NonNull<c::workqueue_struct>);

// SAFETY: A workqueue may be used from any thread.
unsafe impl Send for Threads {}
// SAFETY: As above.
unsafe impl Sync for Threads {}

impl Threads {
    /// As many threads as there are pieces to run, up to 1024. Not for a reclaim path: what runs here may wait for
    /// anything.
    pub fn new(name: &CStr) -> Result<Self> {
        // SAFETY: The format takes one string, which is copied.
        let wq = unsafe {
            c::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                c::wq_flags_WQ_UNBOUND,
                0,
                name.as_char_ptr(),
            )
        };
        // INVARIANT: Just made.
        NonNull::new(wq).map(Self).ok_or(ENOMEM)
    }

    /// Runs `f`, and drops it, on one of the threads. Process context.
    pub fn spawn(&self, f: impl FnOnce() + Send + 'static) -> Result {
        // SAFETY: By the type's invariant.
        let queue = unsafe { Queue::from_raw(self.0.as_ptr()) };
        Ok(queue.try_spawn(GFP_KERNEL, f)?)
    }

    /// Waits until what was spawned has ended. Sleeps; not to be called on one of the threads.
    pub fn flush(&self) {
        // SAFETY: By the type's invariant.
        unsafe { c::__flush_workqueue(self.0.as_ptr()) };
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant; C waits for what is queued.
        unsafe { c::destroy_workqueue(self.0.as_ptr()) };
    }
}

/// # Safety
///
/// Called by C with the work item of a private area that [`WorkQueue::run`] queued for the same `T`.
unsafe extern "C" fn trampoline<T: Carrier + 'static>(work: *mut c::work_struct) {
    // CAST: `work` is the first field of `Private`.
    let Some(private) = NonNull::new(work.cast::<Private>()) else {
        return;
    };
    // SAFETY: `run` stored a function of this very type, and parked a `T::Rest`.
    let (f, cmnd, rest) = unsafe {
        let f = core::mem::transmute::<*const (), fn(T)>((*private.as_ptr()).run);
        let (cmnd, rest) = Cmnd::unpark::<T::Rest>(private);
        (f, cmnd, rest)
    };
    let _scopes = (NoIo::enter(), LocalThrottle::enter());
    let cmd = T::join(cmnd, rest);
    if cmd.is_aborted() {
        return cmd.end_aborted();
    }
    f(cmd);
}
