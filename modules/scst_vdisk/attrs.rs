// SPDX-License-Identifier: GPL-2.0-only

//! The files of a disk in `devices/<name>/`. A second line `[key]` says that a value is worth saving.

use kernel::prelude::*;
use kernel::sync::atomic::Relaxed;

use scst::kapi::sysfs::{Attr, Attributes, Page};
use scst::proto::mgmt;

use crate::disk::Disk;
use crate::handler::{Kind, NULLIO_SIZE};
use crate::identity::{show, Binary, Identity};
use crate::params::{errno, SIZE_MAX};
use crate::store::Store;

/// One file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum File {
    Blocksize,
    Eui64Id,
    Filename,
    InqVendSpecific,
    LbPerPbExp,
    NaaId,
    NvCache,
    OptTransLen,
    ProdId,
    ProdRevLvl,
    ReadOnly,
    ReadZero,
    Removable,
    ResyncSize,
    Rotational,
    ScsiDeviceName,
    Size,
    SizeMb,
    Sync,
    T10DevId,
    T10VendId,
    Tst,
    Usn,
    VendSpecificId,
    WriteThrough,
}

use File::*;

impl File {
    /// Every file, at the place of its number.
    const ALL: [Self; 25] = [
        Blocksize,
        Eui64Id,
        Filename,
        InqVendSpecific,
        LbPerPbExp,
        NaaId,
        NvCache,
        OptTransLen,
        ProdId,
        ProdRevLvl,
        ReadOnly,
        ReadZero,
        Removable,
        ResyncSize,
        Rotational,
        ScsiDeviceName,
        Size,
        SizeMb,
        Sync,
        T10DevId,
        T10VendId,
        Tst,
        Usn,
        VendSpecificId,
        WriteThrough,
    ];

    fn from_id(id: u16) -> Result<Self> {
        Self::ALL.get(usize::from(id)).copied().ok_or(EIO)
    }

    const fn name(self) -> &'static CStr {
        match self {
            Blocksize => c"blocksize",
            Eui64Id => c"eui64_id",
            Filename => c"filename",
            InqVendSpecific => c"inq_vend_specific",
            LbPerPbExp => c"lb_per_pb_exp",
            NaaId => c"naa_id",
            NvCache => c"nv_cache",
            OptTransLen => c"opt_trans_len",
            ProdId => c"prod_id",
            ProdRevLvl => c"prod_rev_lvl",
            ReadOnly => c"read_only",
            ReadZero => c"read_zero",
            Removable => c"removable",
            ResyncSize => c"resync_size",
            Rotational => c"rotational",
            ScsiDeviceName => c"scsi_device_name",
            Size => c"size",
            SizeMb => c"size_mb",
            Sync => c"sync",
            T10DevId => c"t10_dev_id",
            T10VendId => c"t10_vend_id",
            Tst => c"tst",
            Usn => c"usn",
            VendSpecificId => c"vend_specific_id",
            WriteThrough => c"write_through",
        }
    }
}

/// Can be read.
const RO: u16 = 0o444;
/// Can be read and written.
const RW: u16 = 0o644;
/// Can be written.
const WO: u16 = 0o200;

const fn file(file: File, mode: u16) -> Attr {
    Attr::new(file.name(), mode, file as u16)
}

/// A file whose writes wait for the store or for the initiators.
const fn managed(file: File, mode: u16) -> Attr {
    Attr::managed(file.name(), mode, file as u16)
}

static FILEIO: &[Attr] = &[
    file(Blocksize, RO),
    file(Eui64Id, RW),
    managed(Filename, RW),
    file(InqVendSpecific, RW),
    file(LbPerPbExp, RW),
    file(NaaId, RW),
    file(NvCache, RO),
    file(OptTransLen, RW),
    file(ProdId, RW),
    file(ProdRevLvl, RW),
    file(ReadOnly, RO),
    file(Removable, RO),
    managed(ResyncSize, WO),
    file(Rotational, RO),
    file(ScsiDeviceName, RW),
    file(Size, RO),
    file(SizeMb, RO),
    managed(Sync, WO),
    file(T10DevId, RW),
    file(T10VendId, RW),
    file(Tst, RO),
    file(Usn, RW),
    file(VendSpecificId, RW),
    file(WriteThrough, RO),
];

static BLOCKIO: &[Attr] = &[
    file(Blocksize, RO),
    file(Eui64Id, RW),
    managed(Filename, RW),
    file(InqVendSpecific, RW),
    file(LbPerPbExp, RW),
    file(NaaId, RW),
    file(NvCache, RO),
    file(OptTransLen, RW),
    file(ProdId, RW),
    file(ProdRevLvl, RW),
    file(ReadOnly, RO),
    file(Removable, RO),
    managed(ResyncSize, WO),
    file(Rotational, RO),
    file(ScsiDeviceName, RW),
    managed(Size, RW),
    managed(SizeMb, RW),
    managed(Sync, WO),
    file(T10DevId, RW),
    file(T10VendId, RW),
    file(Tst, RO),
    file(Usn, RW),
    file(VendSpecificId, RW),
    file(WriteThrough, RO),
];

static NULLIO: &[Attr] = &[
    file(Blocksize, RO),
    file(Eui64Id, RW),
    file(InqVendSpecific, RW),
    file(NaaId, RW),
    file(OptTransLen, RW),
    file(ProdId, RW),
    file(ProdRevLvl, RW),
    file(ReadOnly, RO),
    file(ReadZero, RW),
    file(Removable, RO),
    file(Rotational, RO),
    file(ScsiDeviceName, RW),
    managed(Size, RW),
    managed(SizeMb, RW),
    file(T10DevId, RW),
    file(T10VendId, RW),
    file(Tst, RO),
    file(Usn, RW),
    file(VendSpecificId, RW),
];

/// The files of a disk of `kind`.
pub(crate) fn of(kind: Kind) -> &'static [Attr] {
    match kind {
        Kind::File => FILEIO,
        Kind::Block => BLOCKIO,
        Kind::Null => NULLIO,
    }
}

impl<S: Store> Attributes for Disk<S> {
    fn show(&self, id: u16, page: &mut Page<'_>) -> Result {
        let names = || self.identity.lock();
        match File::from_id(id)? {
            Blocksize => number(self.block_size().into(), self.block_shift != 9, page),
            Eui64Id => names().eui64.show(page),
            Filename => self.show_filename(page)?,
            InqVendSpecific => names().inq_vend_specific.show(page),
            LbPerPbExp => flag(self.lb_per_pb_exp.load(Relaxed), true, page),
            NaaId => names().naa.show(page),
            NvCache => flag(self.nv_cache, false, page),
            OptTransLen => {
                number(
                    self.opt_trans_len.load(Relaxed).into(),
                    self.opt_trans_len_set.load(Relaxed),
                    page,
                );
            }
            ProdId => names().product.show(page),
            ProdRevLvl => names().revision.show(page),
            ReadOnly => flag(self.read_only, false, page),
            ReadZero => flag(self.store.read_zero(), false, page),
            Removable => flag(self.removable, false, page),
            Rotational => flag(self.rotational, true, page),
            ScsiDeviceName => names().scsi_device_name.show(page),
            Size => number(
                self.size(),
                self.kind != Kind::Null || self.size() != NULLIO_SIZE,
                page,
            ),
            SizeMb => number(self.size() >> 20, false, page),
            T10DevId => names().t10_dev_id.show(page),
            T10VendId => names().vendor.show(page),
            Tst => flag(self.default_mode.tst != 0, true, page),
            Usn => names().show_serial(page),
            VendSpecificId => names().vend_specific_id.show(page),
            WriteThrough => flag(self.writes_through(), false, page),
            ResyncSize | Sync => return Err(EIO),
        }
        Ok(())
    }

    fn store(&self, id: u16, data: &[u8]) -> Result {
        let text = core::str::from_utf8(data).map_err(|_| EINVAL)?.trim_end();
        match File::from_id(id)? {
            Eui64Id => self.rename(|names| set_binary(&mut names.eui64, text, Binary::is_eui64)),
            InqVendSpecific => self.rename(|names| names.inq_vend_specific.set(text)),
            LbPerPbExp => self.set_lb_per_pb_exp(mgmt::flag(text).map_err(errno)?),
            NaaId => self.rename(|names| set_binary(&mut names.naa, text, Binary::is_naa)),
            OptTransLen => self.set_opt_trans_len(text),
            ProdId => self.rename(|names| names.product.set(text)),
            ProdRevLvl => self.rename(|names| names.revision.set(text)),
            ReadZero => self.store.set_read_zero(mgmt::flag(text).map_err(errno)?),
            ResyncSize => self.resync(),
            ScsiDeviceName => self.rename(|names| names.scsi_device_name.set(text)),
            Size => self.set_size(mgmt::number_to(text, SIZE_MAX).map_err(errno)?),
            SizeMb => self.set_size(mgmt::number_to(text, SIZE_MAX >> 20).map_err(errno)? << 20),
            Sync => self.store.sync(),
            T10DevId => self.rename(|names| names.t10_dev_id.set(text)),
            T10VendId => self.rename(|names| names.vendor.set(text)),
            Usn => self.rename(|names| names.set_serial(text)),
            VendSpecificId => self.rename(|names| names.vend_specific_id.set(text)),
            // The store is open for as long as the disk is there.
            Filename => Err(EINVAL),
            _ => Err(EIO),
        }
    }
}

impl<S: Store> Disk<S> {
    fn show_filename(&self, page: &mut Page<'_>) -> Result {
        match &self.filename {
            Some(path) => show(path.to_str()?, true, page),
            None => show("none", false, page),
        }
        page.push(b"\n");
        Ok(())
    }

    /// Whether writes end on stable storage because the disk was asked for that, and not because it has no cache.
    fn writes_through(&self) -> bool {
        if self.nv_cache {
            self.write_through
        } else {
            !self.mode.wce()
        }
    }

    /// Changes the identity, and tells the initiators.
    fn rename(&self, change: impl FnOnce(&mut Identity) -> Result) -> Result {
        change(&mut self.identity.lock())?;
        self.identity_changed()
    }

    fn set_opt_trans_len(&self, text: &str) -> Result {
        let bytes = mgmt::number_to(text, u32::MAX.into()).map_err(errno)?;
        if !self.is_whole_blocks(bytes) {
            return Err(EINVAL);
        }
        self.opt_trans_len.store(bytes as u32, Relaxed);
        self.opt_trans_len_set.store(true, Relaxed);
        self.identity_changed()
    }

    fn set_lb_per_pb_exp(&self, on: bool) -> Result {
        self.lb_per_pb_exp.store(on, Relaxed);
        self.identity_changed()
    }

    /// Gives the disk another size: not more than its store has.
    fn set_size(&self, bytes: u64) -> Result {
        if !self.is_whole_blocks(bytes)
            || self.store.size().is_some_and(|there_are| bytes > there_are)
        {
            return Err(EINVAL);
        }
        self.resize(bytes)
    }

    /// Takes the store's size over.
    fn resync(&self) -> Result {
        match self.store.size() {
            Some(bytes) => self.resize(bytes),
            None => Ok(()),
        }
    }

    fn is_whole_blocks(&self, bytes: u64) -> bool {
        bytes & u64::from(self.block_size().wrapping_sub(1)) == 0
    }
}

/// Sets an identifier that must be `valid`; an empty text takes it away.
fn set_binary(binary: &mut Binary, text: &str, valid: fn(&Binary) -> bool) -> Result {
    let new = Binary::parse(text)?;
    if !valid(&new) {
        return Err(EINVAL);
    }
    *binary = new;
    Ok(())
}

fn number(value: u64, key: bool, page: &mut Page<'_>) {
    page.print(format_args!(
        "{value}\n{}",
        if key { "[key]\n" } else { "" }
    ));
}

/// A flag, with the key where it is not as by default.
fn flag(value: bool, default: bool, page: &mut Page<'_>) {
    number(value.into(), value != default, page);
}
