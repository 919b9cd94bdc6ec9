// SPDX-License-Identifier: GPL-2.0-only

//! Which files a device has in `devices/<name>/`. A second line `[key]` says that a value is worth saving.

use kernel::prelude::*;

use scst::kapi::sysfs::{Attr, Page};

use crate::handler::Kind;
use crate::identity::show;

/// One file.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // Each is the file of that name.
pub(crate) enum File {
    Active,
    Async,
    BindAluaState,
    Blocksize,
    ClusterMode,
    Dummy,
    Eui64Id,
    ExplAlua,
    Filename,
    GenTpThreshold,
    InqVendSpecific,
    LbPerPbExp,
    NaaId,
    NvCache,
    ODirect,
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
    ThinProvisioned,
    Tst,
    Usn,
    VendSpecificId,
    WriteThrough,
}

use File::*;

impl File {
    /// Every file, at the place of its number.
    const ALL: [Self; 34] = [
        Active,
        Async,
        BindAluaState,
        Blocksize,
        ClusterMode,
        Dummy,
        Eui64Id,
        ExplAlua,
        Filename,
        GenTpThreshold,
        InqVendSpecific,
        LbPerPbExp,
        NaaId,
        NvCache,
        ODirect,
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
        ThinProvisioned,
        Tst,
        Usn,
        VendSpecificId,
        WriteThrough,
    ];

    /// The file with this number.
    pub(crate) fn from_id(id: u16) -> Result<Self> {
        Self::ALL.get(usize::from(id)).copied().ok_or(EIO)
    }

    const fn name(self) -> &'static CStr {
        match self {
            Active => c"active",
            Async => c"async",
            BindAluaState => c"bind_alua_state",
            Blocksize => c"blocksize",
            ClusterMode => c"cluster_mode",
            Dummy => c"dummy",
            Eui64Id => c"eui64_id",
            ExplAlua => c"expl_alua",
            Filename => c"filename",
            GenTpThreshold => c"gen_tp_soft_threshold_reached_UA",
            InqVendSpecific => c"inq_vend_specific",
            LbPerPbExp => c"lb_per_pb_exp",
            NaaId => c"naa_id",
            NvCache => c"nv_cache",
            ODirect => c"o_direct",
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
            ThinProvisioned => c"thin_provisioned",
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

/// The files of every disk with a backing store, and more.
macro_rules! backed {
    ($($more:expr),*) => {
        &[
            managed(Active, RW),
            file(BindAluaState, RW),
            file(Blocksize, RO),
            managed(ClusterMode, RW),
            file(Eui64Id, RW),
            file(ExplAlua, RW),
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
            managed(Sync, WO),
            file(T10DevId, RW),
            file(T10VendId, RW),
            file(ThinProvisioned, RO),
            file(Tst, RO),
            file(Usn, RW),
            file(VendSpecificId, RW),
            file(WriteThrough, RO),
            $($more),*
        ]
    };
}

/// The files of a `vdisk_fileio` disk, and more.
macro_rules! fileio {
    ($($more:expr)?) => {
        backed!(file(Async, RW), file(ODirect, RO), file(Size, RO), file(SizeMb, RO) $(, $more)?)
    };
}

static FILEIO: &[Attr] = fileio!();
static FILEIO_THIN: &[Attr] = fileio!(file(GenTpThreshold, WO));

/// The files of a `vdisk_blockio` disk, and more.
macro_rules! blockio {
    ($($more:expr)?) => {
        backed!(managed(Size, RW), managed(SizeMb, RW) $(, $more)?)
    };
}

static BLOCKIO: &[Attr] = blockio!();
static BLOCKIO_THIN: &[Attr] = blockio!(file(GenTpThreshold, WO));

static NULLIO: &[Attr] = &[
    file(Blocksize, RO),
    managed(ClusterMode, RW),
    file(Dummy, RO),
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

static VCDROM: &[Attr] = &[
    file(Eui64Id, RW),
    managed(Filename, RW),
    file(InqVendSpecific, RW),
    file(NaaId, RW),
    file(ProdId, RW),
    file(ProdRevLvl, RW),
    file(ScsiDeviceName, RW),
    file(Size, RO),
    file(SizeMb, RO),
    file(T10DevId, RW),
    file(T10VendId, RW),
    file(Tst, RO),
    file(Usn, RW),
    file(VendSpecificId, RW),
];

/// The files of a device of `kind`; those of a thin one are more.
pub(crate) fn of(kind: Kind, thin: bool) -> &'static [Attr] {
    match (kind, thin) {
        (Kind::File, false) => FILEIO,
        (Kind::File, true) => FILEIO_THIN,
        (Kind::Block, false) => BLOCKIO,
        (Kind::Block, true) => BLOCKIO_THIN,
        (Kind::Null, _) => NULLIO,
        (Kind::CdRom, _) => VCDROM,
    }
}

/// The file's name, with the key where there is one, and the empty line that SCST has behind it.
pub(crate) fn filename(path: Option<&str>, page: &mut Page<'_>) {
    show(path.unwrap_or("none"), path.is_some(), page);
    page.push(b"\n");
}

/// A number, with the key where it is worth saving.
pub(crate) fn number(value: u64, key: bool, page: &mut Page<'_>) {
    page.print(format_args!(
        "{value}\n{}",
        if key { "[key]\n" } else { "" }
    ));
}

/// A flag, with the key where it is not as by default.
pub(crate) fn flag(value: bool, default: bool, page: &mut Page<'_>) {
    number(value.into(), value != default, page);
}
