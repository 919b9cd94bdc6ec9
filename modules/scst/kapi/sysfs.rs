// SPDX-License-Identifier: GPL-2.0-only

//! Directories, attributes and links in sysfs.
//!
//! C headers: [`include/linux/kobject.h`](srctree/include/linux/kobject.h),
//! [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)
//!
//! A [`Dir`] is a registration: dropping it removes the directory with all that is in it, after waiting for the
//! readers and writers that are inside. So it must not be dropped by a writer of one of its own files, nor with a lock
//! held that its own files' readers or writers wait for.

use core::fmt::{self, Write};
use core::ptr::{self, NonNull};

use kernel::bindings as c;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::str::{as_char_ptr_in_const_context, CStr, CString};
use kernel::sync::atomic::{Atomic, Full, Relaxed};
use kernel::sync::{rcu, Arc};

use super::{bindings, global};

/// Directories whose memory is not yet freed, over all modules.
static LIVE: Atomic<i32> = Atomic::new(0);

/// What a reader of an attribute gets: at most a page, truncated beyond.
pub struct Page<'a> {
    buf: &'a mut [u8],
    len: usize,
}

impl Page<'_> {
    /// The most bytes that a file shows: sysfs warns of an answer that fills its page to the last byte.
    pub const MAX: usize = kernel::page::PAGE_SIZE - 1;

    /// Appends bytes as they are, as many as find room.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(rest) = self.buf.get_mut(self.len..) {
            let n = rest.len().min(bytes.len());
            if let (Some(to), Some(from)) = (rest.get_mut(..n), bytes.get(..n)) {
                to.copy_from_slice(from);
                self.len += n;
            }
        }
    }

    /// Appends formatted text.
    pub fn print(&mut self, args: fmt::Arguments<'_>) {
        // `write_str` below never fails.
        let _ = self.write_fmt(args);
    }
}

impl Write for Page<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.push(s.as_bytes());
        Ok(())
    }
}

/// The behaviour behind the attributes of one table; `id` is the number that the table gives to the attribute.
///
/// Both may sleep. They are called in the reader's or writer's own process context, but for what is written to an
/// attribute that [`Attr::managed`] made: that runs as a work, which acts as the writer and may
/// outlive the directory.
pub trait Attributes: Send + Sync {
    /// Prints the value.
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result;

    /// Takes what was written, one call for one `write(2)`.
    fn store(&self, _id: u16, _data: &[u8]) -> Result {
        Err(EIO)
    }
}

/// One attribute of a static table.
#[repr(C)]
pub struct Attr {
    attr: c::attribute,
    id: u16,
    writes: Writes,
}

/// Who runs what is written.
#[derive(Clone, Copy)]
enum Writes {
    /// The writer.
    Directly,
    /// A work that the writer waits for.
    AsWork,
}

// SAFETY: The C struct is never changed after it was built but for the lockdep key that C keeps in it.
unsafe impl Sync for Attr {}

impl Attr {
    /// An attribute `name` with file mode `mode` (0444, 0644 or 0200), for plain values.
    pub const fn new(name: &'static CStr, mode: u16, id: u16) -> Self {
        let mut attr: c::attribute = pin_init::zeroed();
        attr.name = as_char_ptr_in_const_context(name);
        attr.mode = mode;
        Self {
            attr,
            id,
            writes: Writes::Directly,
        }
    }

    /// An attribute whose writes may have to wait: for a store to open, for commands to end, for an initiator. They run as
    /// works, the writer waits, but not for ever, and `last_sysfs_mgmt_res` tells the result.
    pub const fn managed(name: &'static CStr, mode: u16, id: u16) -> Self {
        let mut this = Self::new(name, mode, id);
        this.writes = Writes::AsWork;
        this
    }
}

/// One table of attributes and what stands behind it.
pub struct Section {
    /// The files.
    pub attrs: &'static [Attr],
    /// Their behaviour.
    pub data: Arc<dyn Attributes>,
}

impl Section {
    fn find(&self, attr: *const c::attribute) -> Option<&'static Attr> {
        self.attrs.iter().find(|a| ptr::eq(&a.attr, attr))
    }

    fn store(&self, attr: &Attr, data: &[u8]) -> Result {
        match attr.writes {
            Writes::Directly => self.data.store(attr.id, data),
            Writes::AsWork => global::core()?.works().run(self.command(attr.id, data)?),
        }
    }

    /// The write as something that can be done later.
    fn command(&self, id: u16, data: &[u8]) -> Result<impl FnOnce() -> Result + Send + 'static> {
        let mut copy = KVec::with_capacity(data.len(), GFP_KERNEL)?;
        copy.extend_from_slice(data, GFP_KERNEL)?;
        let files = self.data.clone();
        Ok(move || files.store(id, &copy))
    }
}

/// The kobject and what its callbacks need; freed by the last reference's release.
#[repr(C)]
struct Node {
    kobj: c::kobject,
    /// Points into the [`Dir`]'s own vector, which outlives every callback.
    sections: *const [Section],
}

/// A file whose content is its own name, as SCST shows initiator patterns.
pub struct NameFile {
    kobj: NonNull<c::kobject>,
    attr: KBox<c::attribute>,
    _name: CString,
}

// SAFETY: sysfs functions may be called from any thread; the pointer is valid as long as the `Dir` that made it, which
// the owner keeps for longer (see `Dir::add_name_file`).
unsafe impl Send for NameFile {}
// SAFETY: As above; a shared reference allows nothing.
unsafe impl Sync for NameFile {}

impl Drop for NameFile {
    fn drop(&mut self) {
        // SAFETY: `kobj` holds a reference of ours, `attr` is the attribute that was added.
        unsafe {
            c::sysfs_remove_file_ns(self.kobj.as_ptr(), &*self.attr, ptr::null());
            c::kobject_put(self.kobj.as_ptr());
        }
    }
}

/// Why something in sysfs could not be made, with the directories that were made before: they may have users, so they
/// are to be dropped where directories may be (see the module's documentation), not where the failure was noticed.
pub struct Failed {
    error: Error,
    _made: [Option<Dir>; 4],
}

impl Failed {
    /// Adds a directory that was made before the failure.
    #[must_use]
    pub fn with(mut self, dir: Dir) -> Self {
        if let Some(slot) = self._made.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(dir);
        }
        self
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            _made: [None, None, None, None],
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// Where a directory goes.
pub enum Parent<'a> {
    /// `/sys/kernel`
    Kernel,
    /// Another directory.
    Dir(&'a Dir),
}

/// A directory in sysfs.
///
/// # Invariants
///
/// `node` is a registered kobject of type [`KTYPE`], of which we own one reference; its `sections` point to ours.
pub struct Dir {
    node: NonNull<Node>,
    sections: KVec<Section>,
}

// SAFETY: A kobject may be used and removed from any thread; `Section` is `Send` and `Sync` by its parts.
unsafe impl Send for Dir {}
// SAFETY: As above.
unsafe impl Sync for Dir {}

impl Dir {
    /// Makes directory `name` below `parent` with the files of `sections`. `EEXIST` where the name is taken.
    ///
    /// Where that fails half-way, the half comes back in the error, as it may already have users.
    pub fn new(parent: Parent<'_>, name: &CStr, sections: KVec<Section>) -> Result<Self, Failed> {
        if let Parent::Dir(dir) = &parent {
            // C answers a name that is taken with a warning and a stack trace.
            if dir.contains(name) {
                return Err(EEXIST.into());
            }
        }
        let node = KBox::new(
            Node {
                kobj: pin_init::zeroed(),
                sections: sections.as_slice(),
            },
            GFP_KERNEL,
        )
        .map_err(Error::from)?;
        let node = NonNull::from(KBox::leak(node));
        LIVE.fetch_add(1, Relaxed);
        let parent = match parent {
            // SAFETY: `kernel_kobj` exists from early boot on.
            Parent::Kernel => unsafe { bindings::scst_helper_kernel_kobj() },
            Parent::Dir(dir) => dir.kobj(),
        };
        let kobj = node.as_ptr().cast::<c::kobject>();
        // SAFETY: The kobject is zeroed and not yet known to anybody; `KTYPE` is static; the name is copied.
        let ret = unsafe {
            c::kobject_init(kobj, &KTYPE.0);
            c::kobject_add(kobj, parent, c"%s".as_char_ptr(), name.as_char_ptr())
        };
        // INVARIANT: From here on the reference that `kobject_init` made is ours, and `drop` gives it back.
        let dir = Self { node, sections };
        match to_result(ret).and_then(|()| dir.create_files()) {
            Ok(()) => Ok(dir),
            Err(e) => Err(Failed::from(e).with(dir)),
        }
    }

    fn create_files(&self) -> Result {
        for attr in self.sections.iter().flat_map(|s| s.attrs) {
            // SAFETY: The kobject is registered, the attribute is static.
            to_result(unsafe { c::sysfs_create_file_ns(self.kobj(), &attr.attr, ptr::null()) })?;
        }
        Ok(())
    }

    /// A directory without files.
    pub fn empty(parent: Parent<'_>, name: &CStr) -> Result<Self, Failed> {
        Self::new(parent, name, KVec::new())
    }

    /// A directory with one table of files.
    pub fn with(
        parent: Parent<'_>,
        name: &CStr,
        attrs: &'static [Attr],
        data: Arc<dyn Attributes>,
    ) -> Result<Self, Failed> {
        let mut sections = KVec::new();
        sections
            .push(Section { attrs, data }, GFP_KERNEL)
            .map_err(Error::from)?;
        Self::new(parent, name, sections)
    }

    /// Whether there is a file, a directory or a link `name` in here.
    fn contains(&self, name: &CStr) -> bool {
        // SAFETY: The kobject is registered.
        unsafe { is_taken(self.kobj(), name) }
    }

    fn kobj(&self) -> *mut c::kobject {
        self.node.as_ptr().cast()
    }

    /// Makes `name` in here a link to `target`.
    pub fn link(&self, name: &CStr, target: &Dir) -> Result {
        if self.contains(name) {
            return Err(EEXIST);
        }
        // SAFETY: Both kobjects are registered by the type's invariant.
        to_result(unsafe { c::sysfs_create_link(self.kobj(), target.kobj(), name.as_char_ptr()) })
    }

    /// Makes `name` in here a link to a device of the driver model.
    pub fn link_device(&self, name: &CStr, device: &kernel::device::Device) -> Result {
        // SAFETY: Our kobject is registered; the device's lives as long as the reference to it.
        to_result(unsafe {
            c::sysfs_create_link(
                self.kobj(),
                &raw mut (*super::device::raw(device)).kobj,
                name.as_char_ptr(),
            )
        })
    }

    /// Removes a link, if it is there.
    pub fn unlink(&self, name: &CStr) {
        // SAFETY: Our kobject is registered; removing a name that does not exist does nothing.
        unsafe { c::sysfs_remove_link(self.kobj(), name.as_char_ptr()) };
    }

    /// Adds a read-only file `name` whose content is its name; `EEXIST` where the name is taken. To be dropped before the
    /// directory is.
    pub fn add_name_file(&self, name: &CStr) -> Result<NameFile> {
        // C answers a name that is taken with a warning and a stack trace.
        if self.contains(name) {
            return Err(EEXIST);
        }
        let name = CString::try_from_fmt(fmt!("{}", name.to_str()?))?;
        let mut attr = KBox::new(pin_init::zeroed::<c::attribute>(), GFP_KERNEL)?;
        attr.name = name.as_char_ptr();
        attr.mode = 0o444;
        // SAFETY: The attribute is ours and not yet in use; the kobject is registered. The name and the attribute live
        // in the returned value, which removes the file when it goes.
        unsafe {
            bindings::scst_helper_sysfs_attr_init(&mut *attr);
            to_result(c::sysfs_create_file_ns(self.kobj(), &*attr, ptr::null()))?;
            c::kobject_get(self.kobj());
        }
        let kobj = self.node.cast();
        Ok(NameFile {
            kobj,
            attr,
            _name: name,
        })
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant. Removal waits for the callbacks inside, so that nobody uses `sections` any
        // more when they are dropped after this; the memory itself goes with the last reference.
        unsafe {
            c::kobject_del(self.kobj());
            c::kobject_put(self.kobj());
        }
    }
}

/// Whether there is an entry `name` in the directory of `kobj`.
///
/// # Safety
///
/// `kobj` must be registered.
pub(super) unsafe fn is_taken(kobj: *mut c::kobject, name: &CStr) -> bool {
    // SAFETY: By this function's contract it has a directory; the entry's reference is given back.
    unsafe {
        let entry = c::kernfs_find_and_get_ns((*kobj).sd, name.as_char_ptr(), ptr::null());
        c::kernfs_put(entry);
        !entry.is_null()
    }
}

/// Waits until the memory of every directory was freed. For the end of the core module, whose code frees it.
pub fn drain() {
    while LIVE.load(Relaxed) != 0 {
        super::msleep(5);
    }
    rcu::synchronize_rcu();
}

struct KType(c::kobj_type);
// SAFETY: Never changed.
unsafe impl Sync for KType {}
struct Ops(c::sysfs_ops);
// SAFETY: Never changed.
unsafe impl Sync for Ops {}

static OPS: Ops = Ops(c::sysfs_ops {
    show: Some(show),
    store: Some(store),
});
static KTYPE: KType = {
    let mut ktype: c::kobj_type = pin_init::zeroed();
    ktype.release = Some(release);
    ktype.sysfs_ops = &OPS.0;
    KType(ktype)
};

/// # Safety
///
/// Called by C with the kobject of a [`Node`] that nobody refers to any more.
unsafe extern "C" fn release(kobj: *mut c::kobject) {
    // SAFETY: The kobject is the first field of a `Node` that `Dir::new` leaked from a box.
    drop(unsafe { KBox::from_raw(kobj.cast::<Node>()) });
    // `drain` waits for this section too, so that the code is still there when it ends.
    let _guard = rcu::read_lock();
    LIVE.fetch_sub(1, Full);
}

/// Finds whose attribute this is; `None` for a [`NameFile`].
///
/// # Safety
///
/// `kobj` must be the kobject of a [`Node`] whose [`Dir`] still exists.
unsafe fn find<'a>(
    kobj: *mut c::kobject,
    attr: *const c::attribute,
) -> Option<(&'a Section, &'static Attr)> {
    // SAFETY: By this function's contract the node and its sections exist.
    let sections = unsafe { &*(*kobj.cast::<Node>()).sections };
    sections.iter().find_map(|s| Some((s, s.find(attr)?)))
}

/// # Safety
///
/// Called by sysfs with a kobject of ours and a buffer of one page, while the directory cannot go.
unsafe extern "C" fn show(kobj: *mut c::kobject, attr: *mut c::attribute, buf: *mut u8) -> isize {
    // SAFETY: sysfs hands a whole page.
    let buf = unsafe { core::slice::from_raw_parts_mut(buf, Page::MAX) };
    let mut page = Page { buf, len: 0 };
    // SAFETY: sysfs calls us for our own kobjects only and `Dir::drop` waits for this call.
    let result = match unsafe { find(kobj, attr) } {
        Some((section, attr)) => section.data.show(attr.id, &mut page),
        None => {
            // SAFETY: The attribute belongs to a `NameFile`, whose name is a C string that lives as long as the file.
            page.push(unsafe { CStr::from_char_ptr((*attr).name) }.to_bytes());
            page.push(b"\n");
            Ok(())
        }
    };
    match result {
        Ok(()) => page.len as isize,
        Err(e) => e.to_errno() as isize,
    }
}

/// # Safety
///
/// Called by sysfs with a kobject of ours and `len` bytes at `buf`, while the directory cannot go.
unsafe extern "C" fn store(
    kobj: *mut c::kobject,
    attr: *mut c::attribute,
    buf: *const u8,
    len: usize,
) -> isize {
    // SAFETY: sysfs hands `len` readable bytes.
    let data = unsafe { core::slice::from_raw_parts(buf, len) };
    // SAFETY: As in `show`.
    let result = match unsafe { find(kobj, attr) } {
        Some((section, attr)) => section.store(attr, data),
        None => Err(EIO),
    };
    match result {
        Ok(()) => len as isize,
        Err(e) => e.to_errno() as isize,
    }
}
